"""From a published file to a model of this package, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import checkpoint
from ..errors import CheckpointError, DataError, RunFolderError
from ..pipelines.generate import Generator, model_card
from ..recipes.base import Networks, Recipe, settle
from ..spec import ImageSpec
from ..training.state import recipe_document
from . import r3gan, stylegan2, stylegan3
from .records import Family, Taking, Tensors, is_network
from .unpickle import Record, read

FAMILIES: tuple[Family, ...] = (r3gan, stylegan3, stylegan2)
AVERAGED, TRAINED, JUDGE = "G_ema", "G", "D"  # the networks of a file
LICENCE = "not stated in the file it was converted from; that of the file holds (for NVIDIA's: no commercial use)"


@dataclass
class Converted:
    """What became of a file.

    Attributes:
        folder: the model.
        name: of its recipe.
        recipe, spec: as which it loads.
        carried: how many tensors of each network came over.
        left: what did not, and why.
        own: what the networks here have beside, at its first value.
    """

    folder: Path
    name: str
    recipe: Recipe
    spec: ImageSpec
    carried: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The same for people."""
        of = f"{self.spec.size} x {self.spec.size} x {self.spec.channels}"
        classes = f" in {len(self.spec.classes)} classes" if self.spec.classes else ""
        said = [f"{self.name}, pictures of {of}{classes}, in {self.folder}"]
        said += [f"  {network}: {count} tensors carried over" for network, count in self.carried.items()]
        said += [f"  not carried over: {what}" for what in self.left]
        return said + [f"  first values of its own: {what}" for what in self.own]


def convert(
    file: Path | str, out: Path | str, *, classes: Sequence[str] = (), licence: str = LICENCE, preview: bool = True
) -> Converted:
    """Reads a `.pkl` of StyleGAN2(-ADA), StyleGAN3 or R3GAN, and writes what `gansmith.load` and `--from` take.

    No code of the file is run (see `unpickle`). The networks' numbers come over exactly; see the modules `stylegan2`,
    `stylegan3` and `r3gan` for what is computed otherwise.

    Args:
        out: the model's folder, which must not exist.
        classes: names of the classes, in the file's order; 0, 1, ... when left out.
        licence: of the weights, as the model will state it.
        preview: whether a picture of 16 samples is made, which takes a while where pictures are large.

    Raises:
        RunFolderError: `out` exists.
        DataError: no such file; no network that is known; or it asks for more than numbers.
        CheckpointError: the model cannot be written.
    """
    file, out = Path(file), Path(out)
    if out.exists():
        raise RunFolderError(f"{out} is there already, and nothing is overwritten; choose another --out")
    held = networks_of(read(file))
    family = family_of(held)
    recipe, spec, why = _recipe(family, held, classes)
    done = Converted(out, family.NAME, recipe, spec, left=[f"D, for {why}"] if why else [])
    done.left += [f"{name} of the file" for name in held if name not in (AVERAGED, TRAINED, JUDGE)]
    nets, average = _filled(family, held, done, carry_d=not why)
    _write(nets, average, done, licence, preview)
    return done


def networks_of(content: Any) -> dict[str, Record]:
    """The networks of a file by name, G_ema among them.

    Raises:
        DataError: there are none.
    """
    entries = content if isinstance(content, dict) else {AVERAGED: content}
    held = {str(name): value for name, value in entries.items() if is_network(value)}
    if AVERAGED not in held and TRAINED in held:
        held[AVERAGED] = held[TRAINED]
    if AVERAGED not in held:
        old = isinstance(content, tuple) and all("tflib" in getattr(part, "kind", "") for part in content)
        then = " This one is TensorFlow's: bring it to PyTorch with that repository's legacy.py first." if old else ""
        raise DataError(
            f"wanted a file with a network G_ema or G, as StyleGAN2-ADA, StyleGAN3 and R3GAN write them.{then}"
        )
    return held


def family_of(held: Mapping[str, Record]) -> Family:
    """The kind of network that a file holds.

    Raises:
        DataError: none that is known.
    """
    for family in FAMILIES:
        if family.fits(held[AVERAGED]):
            return family
    names = ", ".join(family.NAME for family in FAMILIES)
    raise DataError(f"the generator of this file, {held[AVERAGED].kind}, is none of those that are known: {names}")


def _recipe(family: Family, held: Mapping[str, Record], classes: Sequence[str]) -> tuple[Recipe, ImageSpec, str]:
    """The recipe, the spec, and why D is left out, if it is."""
    g = Taking(held[AVERAGED], AVERAGED)
    if JUDGE not in held:
        return family.recipe_of(g, None, classes)
    try:
        return family.recipe_of(g, Taking(held[JUDGE], JUDGE), classes)
    except DataError as error:
        recipe, spec, _ = family.recipe_of(g, None, classes)  # which raises where the fault is G's
        return recipe, spec, str(error)


def _filled(
    family: Family, held: Mapping[str, Record], done: Converted, *, carry_d: bool
) -> tuple[Networks, nn.Module | None]:
    """The networks with the file's numbers, and G's average where the file has both."""
    nets, averaged = _fresh(done), _fresh(done)
    trained = TRAINED if held.get(TRAINED, held[AVERAGED]) is not held[AVERAGED] else AVERAGED
    _fill(nets["G"], Taking(held[trained], trained), family, done)
    if trained != AVERAGED:
        _fill(averaged["G"], Taking(held[AVERAGED], AVERAGED), family, done)
    if carry_d:
        _fill(nets["D"], Taking(held[JUDGE], JUDGE), family, done)
    else:
        del nets["D"]
    for each in (nets, averaged):
        each.eval().requires_grad_(False)
        if done.spec.classes:
            settle(done.recipe, each, done.spec)  # a mean style for each class
    return nets, averaged["G"] if trained != AVERAGED else None


def _fresh(done: Converted) -> Networks:
    with torch.random.fork_rng(devices=[]):  # first values are replaced; the caller's random state is not ours
        torch.manual_seed(0)
        return done.recipe.networks(done.spec)


def _fill(net: nn.Module, take: Taking, family: Family, done: Converted) -> None:
    """Copies a file's network into one of ours, and notes what was left on either side.

    Raises:
        DataError: a shape differs, or a parameter of ours is not there.
    """
    make = family.discriminator if take.what == JUDGE else family.generator
    given, own = make(take, done.recipe, done.spec), net.state_dict()
    for name, tensor in given.items():
        if name not in own or own[name].shape != tensor.shape:
            there = tuple(own[name].shape) if name in own else "nothing"
            raise DataError(
                f"{take.what} of this file does not fit {family.NAME}: {name} is {tuple(tensor.shape)}, wanted {there}"
            )
    missing = sorted(own.keys() - given.keys())
    if lost := [name for name, _ in net.named_parameters() if name in missing]:
        raise DataError(f"{take.what} of this file lacks what {family.NAME} has: {', '.join(lost[:3])}")
    net.load_state_dict(own | _typed(given, own))
    done.carried[take.what] = take.count
    done.left += [f"{take.what}.{name}" for name in take.left()]
    done.own += [f"{take.what}.{name}" for name in missing if f"{take.what}.{name}" not in done.own]


def _typed(given: Tensors, own: Mapping[str, torch.Tensor]) -> Tensors:
    return {name: tensor.to(own[name].dtype) for name, tensor in given.items()}


def _write(nets: Networks, average: nn.Module | None, done: Converted, licence: str, preview: bool) -> None:
    """Writes the model in one go; its preview and card, which are made beforehand, into the finished folder."""
    best = Networks({**nets, "G": average if average is not None else nets["G"]})
    make = Generator(best, done.recipe, done.spec, done.name)
    make.licence = licence
    picture = make(16).grid() if preview else None
    averages = ["G"] if average is not None else []
    document = recipe_document(done.name, done.recipe, done.spec, list(nets), averages, licence)
    tensors: dict[str, Tensors] = {name: net.state_dict() for name, net in nets.items()}
    if average is not None:
        tensors["G.ema"] = average.state_dict()
    checkpoint.write(done.folder, tensors, {"recipe": document})
    card = model_card(make)
    try:
        if picture is None:
            card = card.replace("![samples](preview.png)\n\n", "")
        else:
            picture.save(done.folder / "preview.png")
        (done.folder / "README.md").write_text(card, encoding="utf-8")
    except OSError as error:
        raise CheckpointError(f"{done.folder} is whole but for its preview and card: {error.strerror}") from error
