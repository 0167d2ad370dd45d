"""StyleGAN3's networks (NVIDIA's repository `stylegan3`), configurations T and R, as the recipe `stylegan3`.

Beside what `stylegan2` makes up for: the sine of a style's turn has the other sign here. Two things differ within
rounding: weights and styles are brought to unit mean square there before they are demodulated, so that the 1e-8 in the
root counts otherwise; and activations are clamped at +-256 there. D is StyleGAN2's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..nn.alias_free import OVER, Band, bands
from ..nn.backbones import stylegan2 as net
from ..nn.backbones.stylegan3 import OUTPUT
from ..recipes.stylegan3 import StyleGAN3, paper
from ..spec import ImageSpec
from . import stylegan2
from .records import Taking, Tensors, check, differs, numbered, part, setting, spec_of
from .unpickle import Record

NAME = "stylegan3"
POWERS = tuple(2**i for i in range(6, 20))


def fits(g: Record) -> bool:
    """Whether this is a generator of that kind."""
    return part(g, "synthesis.input") is not None and part(g, "mapping") is not None


def recipe_of(g: Taking, d: Taking | None, classes: Sequence[str]) -> tuple[StyleGAN3, ImageSpec, str]:
    """The recipe whose networks these are."""
    names = layers_of(g)
    first, last, turns = names[0], names[-1], g.shape(f"synthesis.{names[0]}.weight")[2] == 1
    size = int(setting(g.network, "img_resolution") or setting(g.network, "img_resolution", "synthesis"))
    spec = spec_of(size, g.shape(f"synthesis.{last}.weight")[0], stylegan2.classes_of(g), classes)
    latent = stylegan2.latent_of(g)
    up, taps = (setting(g.network, key, f"synthesis.{first}") for key in ("up_factor", "up_taps"))
    recipe = replace(
        paper(spec),
        config="R" if turns else "T",
        latent=latent,
        style=len(g("mapping.w_avg")),
        depth=numbered(g, "mapping.fc{}.weight".format),
        speed=stylegan2.speed_of(g),
        layers=len(names) - 1,
        critical=int(setting(g.network, "num_critical", "synthesis") or 2),
        margin=int(setting(g.network, "margin_size", "synthesis") or 0),
        taps=int(taps) // int(up) if taps and up else 6,
    )
    recipe = with_channels(recipe, g, names, size)
    check_layers(recipe, g, names, size)
    options, why = stylegan2.of_discriminator(d, recipe.style, net.widths(size, recipe.base, recipe.widest))
    if "residual" in options and not options.pop("residual"):
        options, why = {}, "its blocks have no way past them"
    return replace(recipe, **options), spec, why


def layers_of(g: Taking) -> list[str]:
    """Names of G's layers in order."""
    found = {re.fullmatch(r"synthesis\.(L(\d+)_\d+_\d+)\.weight", name) for name in g.all}
    names = [match[1] for match in sorted((m for m in found if m), key=lambda m: int(m[2]))]
    check(len(names) > 2, f"layers of G: {', '.join(names) or 'none'}")
    return names


def with_channels(recipe: StyleGAN3, g: Taking, names: Sequence[str], size: int) -> StyleGAN3:
    """The recipe with `base` and `widest` of the channels that the layers have.

    Raises:
        DataError: no `base` gives them.
    """
    found = [g.shape(f"synthesis.{name}.weight")[0] for name in names[:-1]]
    twice = 2 if recipe.config == "R" else 1
    told = (g.network.state.get("_init_kwargs") or {}).get("channel_base")
    cutoffs = [band.cutoff for band in bands(size, recipe.layers, recipe.critical, recipe.margin)]
    for base in ([int(told) // twice] if told else []) + [*POWERS]:
        if found == [round(min(base / 2 / cutoff, max(found) / twice) * twice) for cutoff in cutoffs[:-1]]:
            return replace(recipe, base=base, widest=max(found) // twice)
    raise differs(f"channels that are no power of two by the cutoff: {found}")


def check_layers(recipe: StyleGAN3, g: Taking, names: Sequence[str], size: int) -> None:
    """Refuses layers of other bands than the recipe's.

    Raises:
        DataError: names the first.
    """
    scale = setting(g.network, "output_scale", "synthesis")
    check(scale in (None, OUTPUT), f"pictures are scaled by {scale}")
    radial = setting(g.network, "down_radial", f"synthesis.{names[0]}")
    check(radial is None or bool(radial) == (recipe.config == "R"), "its filters are of neither configuration")
    for name, band in zip(names, bands(size, recipe.layers, recipe.critical, recipe.margin), strict=True):
        check_band(g.network, f"synthesis.{name}", band)
        inner = setting(g.network, "tmp_sampling_rate", f"synthesis.{name}")
        rates = [setting(g.network, f"{side}_sampling_rate", f"synthesis.{name}") for side in ("in", "out")]
        check(
            inner is None or name == names[-1] or inner == OVER * max(rates),
            f"{name} is rectified at another rate: {inner}",
        )


def check_band(network: Record, name: str, band: Band) -> None:
    """
    Raises:
        DataError: the layer says that it is of another band.
    """
    wanted = {"out_sampling_rate": band.rate, "out_cutoff": band.cutoff, "out_half_width": band.width}
    told = {key: setting(network, key, name) for key in wanted}
    told["out_size"], wanted["out_size"] = setting(network, "out_size", name), band.canvas
    for key, value in told.items():
        single = value if value is None or isinstance(value, int | float) else float(value[0])
        check(
            single is None or math.isclose(single, wanted[key], rel_tol=1e-6),
            f"{name} has {key} {single}, not {wanted[key]}",
        )


def generator(g: Taking, recipe: Any, spec: ImageSpec) -> Tensors:
    """G's tensors under the names that they have here."""
    made = stylegan2.mapping(g, max(len(spec.classes), 1)) | first(g)
    for i, name in enumerate(layers_of(g)):
        here = f"synthesis.layers.{i}"
        made |= stylegan2.modulated(g, f"synthesis.{name}", here)
        made[f"{here}.magnitude"] = g(f"synthesis.{name}.magnitude_ema")
    return made


def first(g: Taking) -> Tensors:
    """The Fourier features' tensors. Of a style's (cosine, sine, x, y) the sine has the other sign here."""
    weight, bias = g("synthesis.input.affine.weight").clone(), g("synthesis.input.affine.bias").clone()
    weight[1], bias[1] = -weight[1], -bias[1]
    mix = g("synthesis.input.weight")[:, :, None, None]
    left = {"synthesis.input.affine.weight": weight, "synthesis.input.affine.bias": bias}
    waves = {
        "synthesis.input.frequencies": g("synthesis.input.freqs"),
        "synthesis.input.phases": g("synthesis.input.phases"),
    }
    return left | waves | {"synthesis.input.mix.weight": mix}


discriminator = stylegan2.discriminator
