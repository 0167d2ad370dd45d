"""Features of the data's own pictures, kept on disk: they stay the same from one evaluation to the next."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..nn.features.weights import cache_folder
from .base import Extractor

Progress = Callable[[str, int], None]


def take_features(
    batches: Iterable[Tensor], extractor: Extractor, *, side: str = "fake", progress: Progress | None = None
) -> Tensor:
    """float32 features (n, dim), on the CPU, of uint8 pictures (b h w c) that come in parts."""
    parts, done = [torch.empty(0, extractor.dim)], 0
    for pixels in batches:
        parts.append(extractor(pixels).float().cpu())
        done += len(pixels)
        if progress is not None:
            progress(side, done)
    return torch.cat(parts)


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
    if key is None:
        return take_features(batches, extractor, side="real", progress=progress)
    path = (folder or cache_folder() / "features") / f"{_digest(key, extractor)}.safetensors"
    found = _read(path, extractor.dim)
    if found is None:
        found = take_features(batches, extractor, side="real", progress=progress)
        _write(path, found, {"key": key, "extractor": extractor.name, "resize": extractor.resize})
    return found


def _digest(key: str, extractor: Extractor) -> str:
    parts = (key, extractor.name, extractor.resize, extractor.digest, extractor.dim)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _read(path: Path, dim: int) -> Tensor | None:
    """The stored features, or None when there are none that are whole: they are then taken again."""
    try:
        with safe_open(path, "pt") as file:
            features: Tensor = file.get_tensor("features")
            wanted = file.metadata()["sha256"]
    except (OSError, SafetensorError, KeyError):
        return None
    whole = features.ndim == 2 and features.shape[1] == dim and _checksum(features) == wanted
    return features if whole else None


def _write(path: Path, features: Tensor, notes: dict[str, str]) -> None:
    """Written beside and renamed, so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = save({"features": features.contiguous()}, metadata=notes | {"sha256": _checksum(features)})
    with NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".part", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _checksum(features: Tensor) -> str:
    return hashlib.sha256(features.contiguous().numpy().tobytes()).hexdigest()
