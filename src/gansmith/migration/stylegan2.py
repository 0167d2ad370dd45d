"""StyleGAN2's networks (NVIDIA's repositories `stylegan2-ada-pytorch` and `stylegan3`) as the recipe `stylegan2`.

Both compute the same but for three things, which are made up for exactly here:
    a layer with a leaky ReLU adds its bias before the gain sqrt(2) there, after it here: b here is sqrt(2) b there
    labels are one-hot vectors through a linear layer there, rows of a table here
    one mean style serves all classes there; here each class has its own, measured anew
Clamping of activations at +-256, there for half precision, is not done here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..nn.backbones import stylegan2 as net
from ..nn.resample import BINOMIAL
from ..recipes.stylegan2 import StyleGAN2, paper
from ..spec import ImageSpec
from .records import Taking, Tensors, check, numbered, of_labels, part, same_filter, setting, spec_of
from .unpickle import Record

NAME = "stylegan2"
RECTIFIED = 2**0.5


def fits(g: Record) -> bool:
    """Whether this is a generator of that kind."""
    return part(g, "synthesis.b4.conv1") is not None and part(g, "mapping") is not None


def recipe_of(g: Taking, d: Taking | None, classes: Sequence[str]) -> tuple[StyleGAN2, ImageSpec, str]:
    """The recipe whose networks these are."""
    check_layers(g)
    sides, latent = sides_of(g, "synthesis.b{}.conv1.weight"), latent_of(g)
    widths = [g.shape(f"synthesis.b{side}.conv1.weight")[0] for side in sides]
    channels = g.shape(f"synthesis.b{sides[-1]}.torgb.weight")[0]
    spec = spec_of(sides[-1], channels, classes_of(g), classes)
    base, widest = base_of(widths)
    recipe = replace(
        paper(spec),
        latent=latent,
        style=len(g("mapping.w_avg")),
        depth=numbered(g, "mapping.fc{}.weight".format),
        speed=speed_of(g),
        base=base,
        widest=widest,
        noise="synthesis.b4.conv1.noise_strength" in g,
    )
    check(net.widths(spec.size, base, widest) == widths, f"channels that are no multiple of 1 / size: {widths}")
    options, why = of_discriminator(d, recipe.style, widths)
    return replace(recipe, **options), spec, why


def check_layers(g: Taking) -> None:
    """Refuses what the recipe has no setting for.

    Raises:
        DataError: names it.
    """
    for side in sides_of(g, "synthesis.b{}.conv1.weight"):
        block = f"synthesis.b{side}"
        check(f"{block}.torgb.weight" in g and f"{block}.skip.weight" not in g, "G is not of the kind 'skip'")
        check(setting(g.network, "activation", f"{block}.conv1") in (None, "lrelu"), "an activation but leaky ReLU")
        for name in (f"{block}.resample_filter", f"{block}.conv0.resample_filter"):
            check(name not in g or same_filter(g.all[name], BINOMIAL), f"{name} is not [1, 3, 3, 1]")


def sides_of(take: Taking, pattern: str) -> list[int]:
    """Sides of the pictures inside, ascending, by the names of tensors."""
    found = (re.fullmatch(re.escape(pattern).replace(r"\{\}", r"(\d+)"), name) for name in take.all)
    sides = sorted(int(match[1]) for match in found if match)
    check(sides == [4 * 2**i for i in range(len(sides))] and len(sides) > 1, f"blocks of these sides: {sides}")
    return sides


def classes_of(g: Taking) -> int:
    """How many classes G knows."""
    return int(g.shape("mapping.embed.weight")[1]) if "mapping.embed.weight" in g else 0


def latent_of(g: Taking) -> int:
    """The length of z."""
    embedded = g.shape("mapping.embed.weight")[0] if classes_of(g) else 0
    latent = int(g.shape("mapping.fc0.weight")[1]) - embedded
    check(embedded in (0, latent), f"vectors of labels of {embedded} numbers beside latents of {latent}")
    return latent


def speed_of(take: Taking) -> float:
    """How fast the mapping network learns, against others."""
    told = setting(take.network, "bias_gain", "mapping.fc0")
    return 0.01 if told is None else float(told)


def base_of(widths: Sequence[int]) -> tuple[int, int]:
    """`base` and `widest` of channels min(base / side, widest) at 4, 8, ... pixels."""
    widest, last = max(widths), 4 * 2 ** (len(widths) - 1)
    narrower = [width * 4 * 2**i for i, width in enumerate(widths) if width < widest]
    return (narrower[0] if narrower else widest * last), widest


def generator(g: Taking, recipe: Any, spec: ImageSpec) -> Tensors:
    """G's tensors under the names that they have here."""
    made = mapping(g, max(len(spec.classes), 1)) | {"synthesis.constant": g("synthesis.b4.const")[None]}
    names = [f"synthesis.b{side}.conv{i}" for side in sides_of(g, "synthesis.b{}.conv1.weight") for i in (0, 1)][1:]
    for i, there in enumerate(names):
        here = f"synthesis.layers.{i}"
        made |= modulated(g, there, here)
        if recipe.noise:
            made[f"{here}.strength"] = g(f"{there}.noise_strength")
            made[f"{here}.noise"] = g(f"{there}.noise_const")
    for i, there in enumerate(names[::2]):
        made |= modulated(g, there.replace("conv1", "torgb"), f"synthesis.to_picture.{i}")
    return made


def mapping(g: Taking, classes: int) -> Tensors:
    """The mapping network's tensors."""
    made = perceptron(g, "mapping", "mapping.perceptron")
    if "mapping.embed.weight" in g:
        made["mapping.labels.embedding.weight"] = of_labels(g, "mapping.embed")
    return made | {"mapping.w_avg": g("mapping.w_avg").expand(classes, -1).contiguous()}


def perceptron(take: Taking, there: str, here: str) -> Tensors:
    """Fully connected layers, each with a leaky ReLU."""
    made = {}
    for i in range(numbered(take, (there + ".fc{}.weight").format)):
        made[f"{here}.layers.{i}.weight"] = take(f"{there}.fc{i}.weight")
        made[f"{here}.layers.{i}.bias"] = take(f"{there}.fc{i}.bias", by=RECTIFIED)
    return made


def modulated(g: Taking, there: str, here: str) -> Tensors:
    """A modulated convolution, and the bias after it."""
    return {
        f"{here}.conv.weight": g(f"{there}.weight"),
        f"{here}.conv.affine.weight": g(f"{there}.affine.weight"),
        f"{here}.conv.affine.bias": g(f"{there}.affine.bias"),
        f"{here}.bias": g(f"{there}.bias"),
    }


def of_discriminator(d: Taking | None, style: int, widths: Sequence[int]) -> tuple[dict[str, Any], str]:
    """Settings of the recipe that D decides, and why it cannot be carried over where it cannot.

    Args:
        style: length of a label's vector here.
        widths: D's channels here at 4, 8, ... pixels.
    """
    if d is None:
        return {}, "the file has none"
    conv = "b{}.conv0.weight"
    sides = [4, *sorted(4 * 2**i for i in range(1, len(widths)) if conv.format(4 * 2**i) in d)]
    found = [d.shape("b4.fc.weight")[0], *(d.shape(conv.format(side))[0] for side in sides[1:])]
    depth = numbered(d, "mapping.fc{}.weight".format)
    group = setting(d.network, "group_size", "b4.mbstd")
    deviating = d.shape("b4.conv.weight")[1] - d.shape("b4.conv.weight")[0]
    reasons = {
        f"its channels are {found}, and this recipe's are {list(widths)}": found != list(widths),
        "every block of it reads the picture": any(f"b{side}.fromrgb.weight" in d for side in sides[:-1]),
        f"it has {deviating} channels of deviations": deviating not in (0, 1),
        "its deviations are of the whole batch": deviating == 1 and not isinstance(group, int),
        "its vectors of labels are of another length than styles": depth > 0 and d.shape("b4.out.weight")[0] != style,
        "its mapping network learns at another speed": depth > 0 and speed_of(d) != 0.01,
    }
    why = next((text for text, holds in reasons.items() if holds), "")
    options = {"residual": f"b{sides[-1]}.skip.weight" in d, "group": group if deviating and group else 1}
    return ({} if why else options | ({"label_depth": depth} if depth else {})), why


def discriminator(d: Taking, recipe: Any, spec: ImageSpec) -> Tensors:
    """D's tensors under the names that they have here."""
    sides = [spec.size // 2**i for i in range((spec.size // 4).bit_length() - 1)]
    residual = f"b{sides[0]}.skip.weight" in d
    made = layer(d, f"b{sides[0]}.fromrgb", "from_picture")
    for i, side in enumerate(sides):
        made |= layer(d, f"b{side}.conv0", f"blocks.{i}.first")
        made |= layer(d, f"b{side}.conv1", f"blocks.{i}.second", gain=1.0 if residual else RECTIFIED)
        if residual:
            made[f"blocks.{i}.past.1.weight"] = d(f"b{side}.skip.weight")
    made |= layer(d, "b4.conv", "mix") | layer(d, "b4.fc", "gather") | layer(d, "b4.out", "head", gain=1.0)
    if spec.classes:
        made["labels.embedding.weight"] = of_labels(d, "mapping.embed")
        made |= perceptron(d, "mapping", "perceptron")
    return made


def layer(take: Taking, there: str, here: str, gain: float = RECTIFIED) -> Tensors:
    """A layer of D, whose bias counts `gain` times as much there."""
    return {f"{here}.weight": take(f"{there}.weight"), f"{here}.bias": take(f"{there}.bias", by=gain)}
