"""A trained generator in use: load it, draw samples, save them, pack it for others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias, overload

import torch
from torch import Tensor

from .. import checkpoint
from ..batch import Batch
from ..config import build, to_dict
from ..errors import ConfigError, RunFolderError, UserError
from ..nn.norm import batch_norms
from ..recipes.base import Networks, Recipe, Wish, sample, settle, wished
from ..spec import ImageSpec, Spec, spec_from_json
from ..training.folder import BEST
from ..training.state import recipe_document
from . import catalogue
from .truncation import Truncation, strengths

PART = 256  # examples in one pass of the generator
GRID_MOST = 1024
Where: TypeAlias = Mapping[str, bool | int]


class Samples(Sequence[Any]):
    """What a generator made: a sequence of examples in the user's own form (PIL pictures).

    Attributes:
        batch: the tensors that the examples are decoded from.
        spec: how they are decoded.
    """

    def __init__(self, batch: Batch, spec: Spec) -> None:
        self.batch, self.spec = batch, spec
        self._decoded: list[Any] | None = None

    @property
    def tensor(self) -> Tensor:
        """The generated tensor; of pictures (n c h w) in [-1, 1]."""
        return self.batch["x"]

    def __len__(self) -> int:
        return len(self.batch)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if self._decoded is None:
            self._decoded = self.spec.decode(self.batch)
        return self._decoded[index]

    def __repr__(self) -> str:
        return f"Samples({len(self)} of {self.spec})"

    def grid(self, columns: int | None = None) -> Any:
        """All examples in one PIL picture."""
        return self.spec.preview(self.batch, columns)

    def save(self, path: Path | str, *, columns: int | None = None) -> Path:
        """Writes all examples into one picture, as PNG or whatever the path's ending says."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.grid(columns).save(path)
        except ValueError as error:
            raise UserError(f"cannot write a picture as {path.name!r}: {error}; use a name such as grid.png") from None
        return path

    def save_all(self, folder: Path | str) -> list[Path]:
        """Writes each example to a file of its own."""
        return self.spec.write(self.batch, Path(folder))


class Generator:
    """A trained generator. `make(16, seed=0)` gives the same 16 examples each time on one kind of device.

    Attributes:
        recipe, spec: what it was trained as, and on examples of which shape.
        nets: the networks, averaged where the recipe averages, in evaluation mode.
        name: the recipe's name.
        problems: damaged checkpoints that were passed over.
        licence: of the weights, as the model states it.
    """

    def __init__(self, nets: Networks, recipe: Recipe, spec: Spec, name: str, problems: Sequence[str] = ()) -> None:
        self.nets, self.recipe, self.spec, self.name, self.problems = nets, recipe, spec, name, list(problems)
        self.licence = ""
        self._wished: tuple[dict[str, Wish], Networks] | None = None  # settled for the last wishes

    def __call__(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        label: str | None = None,
        truncation: Truncation | None = None,
        where: Where | None = None,
    ) -> Samples:
        """`n` examples. Example i depends on (seed, i) and what is asked alone.

        Args:
            label: make this class only; without it classes come in the shares of the training data.
            where: of pictures with attributes: which they are to have (1) and which not (0), `{"smiling": 1}`; all
                others come as in the training pictures that fit.
            truncation: below 1, likelier and less varied examples, where the recipe knows how. A number, or one for
                each class: `{"dog": 0.5, None: 0.8}`, None being all others, which are not truncated without it.

        Raises:
            DataError: the model knows no such label or attribute.
            UserError: the recipe has no truncation (see `Recipe.honours`).
        """
        if n < 1:
            raise UserError(f"wanted at least 1 example, not: {n}")
        parts = list(self.parts(n, seed=seed, label=label, truncation=truncation, where=where))
        return Samples(Batch({k: torch.cat([p[k] for p in parts]) for k in parts[0]}), self.spec)

    def of_seeds(
        self,
        seeds: Sequence[int],
        *,
        label: str | None = None,
        truncation: Truncation | None = None,
        where: Where | None = None,
    ) -> Samples:
        """One example of each seed, the one of `make(1, seed=...)`; see `__call__` for what else may be asked."""
        if not seeds:
            raise UserError("wanted at least 1 seed")
        asked: dict[str, Any] = {"label": label, "truncation": truncation, "where": where}
        parts = [part for seed in seeds for part in self.parts(1, seed=seed, **asked)]
        return Samples(Batch({k: torch.cat([p[k] for p in parts]) for k in parts[0]}), self.spec)

    def parts(
        self,
        n: int,
        *,
        seed: int = 0,
        label: str | None = None,
        truncation: Truncation | None = None,
        where: Where | None = None,
    ) -> Iterator[Batch]:
        """The same `n` examples in parts, for more than memory holds."""
        wishes: dict[str, Wish] = {}
        if truncation is not None:
            self._check_honoured("truncation", truncation)
            wishes["truncation"] = strengths(truncation, self.spec)
        nets, asked = self._settled(wishes), self._asked(where)
        for start in range(0, n, PART):
            request = wished(self.spec.request(min(PART, n - start), label=label, start=start, **asked), wishes)
            yield sample(self.recipe, nets, request, seed=seed).to("cpu")

    def _asked(self, where: Where | None) -> dict[str, Any]:
        """What `spec.request` is to be told of attributes."""
        if where and not isinstance(self.spec, ImageSpec):
            raise UserError(f"only pictures are asked for by attributes; these are of the kind: {self.spec.kind}")
        return {"where": where} if where else {}

    def _settled(self, wishes: dict[str, Wish]) -> Networks:
        """The networks for requests with these wishes, on which the statistics of batch normalisation depend."""
        if not wishes or not batch_norms(self.nets):
            return self.nets
        if self._wished is None or self._wished[0] != wishes:
            nets = deepcopy(self.nets)
            settle(self.recipe, nets, self.spec, wishes)
            self._wished = wishes, nets
        return self._wished[1]

    def _check_honoured(self, wish: str, value: Any) -> None:
        """
        Raises:
            UserError: the recipe does not heed such an entry of a request.
        """
        if wish not in self.recipe.honours:
            others = [entry.name for entry in catalogue.entries() if wish in entry.honours]
            known = f" (those that have it: {', '.join(others)})" if others else ""
            raise UserError(f"the recipe {self.name} has no {wish}{known}; leave it out, this was: {value}")

    def to(self, device: str | torch.device) -> Generator:
        """Moves the networks; further samples are made there."""
        self.nets.to(device)
        self._wished = None
        return self

    def save(self, folder: Path | str) -> Path:
        """Packs the generator for others: recipe.json, the (averaged) weights, a preview and a model card.

        Raises:
            RunFolderError: the folder exists and is not empty.
        """
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunFolderError(f"choose a folder that does not exist or is empty, not: {folder}")
        preview, used = self._preview()
        document = recipe_document(self.name, self.recipe, self.spec, used, licence=self.licence)
        tensors = {name: state for name in used if (state := self.nets[name].state_dict())}
        checkpoint.write(folder, tensors, {"recipe": document})
        preview.save(folder / "preview.png")
        (folder / "README.md").write_text(model_card(self), encoding="utf-8")
        return folder

    def _preview(self) -> tuple[Samples, list[str]]:
        """A grid, and the names of the networks that took part in making it (a discriminator does not)."""
        used: set[str] = set()
        hooks = [net.register_forward_hook(lambda *_, name=name: used.add(name)) for name, net in self.nets.items()]
        try:
            return self(64), [name for name in self.nets if name in used]
        finally:
            for hook in hooks:
                hook.remove()


def load(
    path: Path | str, recipe: str | type[Recipe] | None = None, *, device: str | torch.device | None = None
) -> Generator:
    """The generator of a run (its best weights, else its newest undamaged checkpoint), of one checkpoint, or of a
    packed model.

    Args:
        path: a run folder, a `step-*` folder in it, or what `Generator.save` wrote.
        recipe: needed for a recipe of your own, as `my_gan.py:MyGAN` or as the class: loading runs no code that
            came with the model.
        device: where to generate; a GPU when there is one.

    Raises:
        RunFolderError: nothing there, or no checkpoint yet.
        CheckpointError: damaged.
        RecipeNeeded: made with a recipe of somebody's own, and `recipe` was not given.
    """
    folder, problems = checkpoint.newest(best_of(Path(path)))
    document = checkpoint.read_document(folder, "recipe")
    cls = recipe_class(document, recipe)
    config, spec = build(cls, document["config"], where="recipe"), spec_from_json(document["spec"])
    with torch.random.fork_rng(devices=[]):  # the first weights are thrown away; the caller's random state is not ours
        nets = config.networks(spec)
    for name in [name for name in nets if name not in document["networks"]]:
        del nets[name]
    for name, net in nets.items():
        file = f"{name}.ema" if name in document["averages"] else name
        checkpoint.load_into(net, checkpoint.read_tensors(folder, file) if net.state_dict() else {}, what=name)
    nets.eval().requires_grad_(False)
    made = Generator(nets, config, spec, document["name"], problems)
    made.licence = str(document.get("licence", ""))
    return made.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def best_of(path: Path) -> Path:
    """The best weights of a run where something judged them while it trained, else the path itself."""
    best = path / BEST
    return best if (best / checkpoint.MANIFEST).is_file() and checkpoint.damage(best) is None else path


def recipe_class(document: Mapping[str, Any], given: str | type[Recipe] | None) -> type[Recipe]:
    """The class that recipe.json speaks of. A name from the file finds nothing but the catalogue's own recipes.

    Raises:
        RecipeNeeded: it is not in the catalogue, and none was given.
        ConfigError: what was given is another recipe.
    """
    name = str(document.get("name"))
    if given is None and name not in catalogue.names():
        raise catalogue.RecipeNeeded(name)
    cls = catalogue.find(name if given is None else given) if given is None or isinstance(given, str) else given
    if cls.__name__ != document.get("class", cls.__name__):
        raise ConfigError(f"this was made with the recipe {document['class']}, and {cls.__name__} is not it")
    return cls


def model_card(make: Generator) -> str:
    """What a stranger needs to know to use the generator."""
    config = json.dumps(to_dict(make.recipe), indent=1)
    own = "" if make.name in catalogue.names() else f', recipe="{make.name}"'
    return (
        f"# A generator made with gansmith\n\n![samples](preview.png)\n\n"
        f"Recipe `{make.name}`; one example is `{json.dumps(make.spec.to_json())}`.\n\n"
        f'```python\nimport gansmith as gs\n\ngs.load("."{own})(16, seed=0).save("grid.png")\n```\n\n'
        f"Loading it runs no code from this folder: it holds numbers and JSON.\n\n"
        f"Licence: {make.licence or 'not stated'}.\n\n"
        f"Settings of the recipe:\n\n```json\n{config}\n```\n"
    )


def write(
    make: Generator,
    n: int,
    folder: Path | str,
    *,
    seed: int = 0,
    seeds: Sequence[int] = (),
    label: str | None = None,
    truncation: Truncation | None = None,
    where: Where | None = None,
    grid: bool = True,
    overwrite: bool = False,
) -> Path | None:
    """Writes `n` examples to files of their own, part by part, and a grid of the first 1024 beside the folder.

    With `seeds` it is one example of each (see `Generator.of_seeds`), and its file is named by it.

    Returns the grid's path: `made-grid.png` for the folder `made`, so that the folder holds examples alone.

    Raises:
        UserError: the folder cannot be written, or holds examples of an earlier call and `overwrite` is off.
    """
    folder, first = Path(folder), list[Batch]()
    asked: dict[str, Any] = {"label": label, "truncation": truncation, "where": where}
    beside = folder.resolve().parent / f"{folder.resolve().name}-grid.png"
    try:
        _clear(folder, overwrite)
        for number, part in _numbered(make, n, seed, seeds, asked):
            make.spec.write(part, folder, start=number)
            if grid and sum(map(len, first)) + len(part) <= GRID_MOST:
                first.append(part)
        if not first:
            return None
        whole = Batch({k: torch.cat([p[k] for p in first]) for k in first[0]})
        return Samples(whole, make.spec).save(beside)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from error


def _numbered(
    make: Generator, n: int, seed: int, seeds: Sequence[int], asked: Mapping[str, Any]
) -> Iterator[tuple[int, Batch]]:
    """Parts of `n` examples of one seed, each with the number of its first; or one example of each of `seeds`."""
    done = 0
    for one in seeds:
        yield one, make.of_seeds([one], **asked).batch
    for part in () if seeds else make.parts(n, seed=seed, **asked):
        yield done, part
        done += len(part)


def _clear(folder: Path, overwrite: bool) -> None:
    """Removes the numbered examples of an earlier call, or refuses to mix with them."""
    earlier = [path for path in folder.iterdir() if path.stem.isdigit()] if folder.is_dir() else []
    if earlier and not overwrite:
        raise UserError(
            f"{folder} holds {len(earlier)} generated examples already; add --overwrite to replace them, "
            "or choose another --out"
        )
    for path in earlier:
        path.unlink()
