"""Features of the data's own pictures, kept on disk: they stay the same from one evaluation to the next."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..nn.features.weights import cache_folder
from .base import Extractor, Seen, dtype_of
from .kept import LIMIT
from .onepass import HEAD, Part, Wants, joined, look

Progress = Callable[[str, int], None]
PART = 512  # cached pictures at a time
FEATURES_ONLY = Wants(pixels=False, labels=False, held=False, heads=())


def take_features(
    batches: Iterable[Tensor], extractor: Extractor, *, side: str = "fake", progress: Progress | None = None
) -> Tensor:
    """float32 features (n, dim), on the CPU, of uint8 pictures (b h w c) that come in parts."""
    return joined(counted(look(batches, extractor, FEATURES_ONLY, side), side, progress), extractor.dim).features


def real_features(
    batches: Iterable[Tensor],
    extractor: Extractor,
    *,
    key: str | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Features of the data's pictures; `batches` is not touched when they are in the cache.

    Args:
        batches: uint8 pictures (b h w c) in parts.
        extractor: takes the features.
        key: what the pictures are: the source's fingerprint, the split, how many. None neither reads nor writes.
        folder: of the cache; None is features/ within gansmith's cache folder.
        progress: called with ("real", pictures done).
    """
    found = remembered(batches, extractor, FEATURES_ONLY, "real", key=key, folder=folder, progress=progress)
    return joined(found, extractor.dim).features


def remembered(
    parts: Iterable[Part],
    extractor: Extractor,
    wanted: Wants,
    side: str,
    *,
    key: str | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
    limit: int = LIMIT,
) -> Iterator[Seen]:
    """What metrics see of pictures, from the cache where it is there, else taken and put there.

    Pixels are not kept, so a pass that needs them takes everything anew; nor are more than `limit` pictures, nor what
    an extractor gives whose code may change (`volatile`): its weights do not tell.
    """
    if key is None or wanted.pixels or getattr(extractor, "volatile", False):
        yield from counted(look(parts, extractor, wanted, side), side, progress)
        return
    path = (folder or cache_folder() / "features") / f"{_digest(key, extractor, wanted)}.safetensors"
    if (found := _read(path, extractor.dim)) is not None:
        yield from counted(_parts(found), side, progress)
        return
    collected: list[Seen] | None = []
    for seen in counted(look(parts, extractor, wanted, side), side, progress):
        if collected is not None:
            collected.append(seen)
            if sum(map(len, collected)) > limit:
                collected = None
        yield seen
    if collected:
        _write(path, _packed(joined(collected, extractor.dim)), {"key": key, "extractor": extractor.name})


def counted(parts: Iterable[Seen], side: str, progress: Progress | None) -> Iterator[Seen]:
    """The same parts; `progress` is told how many pictures are done."""
    done = 0
    for seen in parts:
        done += len(seen)
        if progress is not None:
            progress(side, done)
        yield seen


def _packed(seen: Seen) -> dict[str, Tensor]:
    heads = {HEAD + name: values.contiguous() for name, values in seen.heads.items()}
    labels = {} if seen.labels is None else {"labels": seen.labels.cpu().contiguous()}
    return {"features": seen.features.contiguous(), **heads, **labels}


def _parts(found: dict[str, Tensor]) -> Iterator[Seen]:
    for i in range(0, len(found["features"]), PART):
        cut = {name: values[i : i + PART] for name, values in found.items()}
        heads = {name.removeprefix(HEAD): values for name, values in cut.items() if name.startswith(HEAD)}
        yield Seen(cut["features"], None, heads, cut.get("labels"))


def _digest(key: str, extractor: Extractor, wanted: Wants) -> str:
    parts: tuple[object, ...] = (key, extractor.name, extractor.resize, extractor.digest, extractor.dim)
    if wanted.heads or wanted.labels:
        parts += (wanted.heads, wanted.labels)
    if (dtype := dtype_of(extractor)) != "f32":
        parts += (dtype,)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _read(path: Path, dim: int) -> dict[str, Tensor] | None:
    """The stored values, or None when there are none that are whole: they are then taken again."""
    try:
        with safe_open(path, "pt") as file:
            found: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            wanted, features = file.metadata()["sha256"], found["features"]
    except (OSError, SafetensorError, KeyError):
        return None
    whole = features.ndim == 2 and features.shape[1] == dim and _checksum(found) == wanted
    return found if whole else None


def _write(path: Path, found: dict[str, Tensor], notes: dict[str, str]) -> None:
    """Written beside and renamed, so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = save(found, metadata=notes | {"sha256": _checksum(found)})
    with NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".part", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _checksum(found: dict[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(found):
        total.update(found[name].contiguous().numpy().tobytes())
    return total.hexdigest()
