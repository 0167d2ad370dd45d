"""Networks as others publish them, made here: the tensors' names and shapes, and the objects around them.

From what is known of the repositories; no file of theirs is used.
"""

from __future__ import annotations

import math
import pickle
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gansmith.migration.unpickle import Record, record

BUFFERS = {"w_avg", "noise_const", "resample_filter", "magnitude_ema", "freqs", "phases", "transform", "Kernel"}
SOURCE = "raise SystemExit('the source code of this file was run')\n"
Flat = dict[str, Tensor]


class Persistent(nn.Module):
    """Pickles as the classes of StyleGAN's repositories do: with source code, and its state as an argument."""

    def __reduce__(self) -> Any:
        meta = {
            "type": "class",
            "version": 6,
            "module_src": SOURCE,
            "class_name": "Layer",
            "state": dict(self.__dict__),
        }
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


class EasyDict(dict[str, Any]):
    """The dictionary that those repositories keep settings in."""


EasyDict.__module__, EasyDict.__qualname__ = "dnnlib.util", "EasyDict"


class Plain(nn.Module):
    """Pickles as usual, under a name of R3GAN's repository."""


Plain.__module__, Plain.__qualname__ = "R3GAN.Networks", "Plain"


@contextmanager
def their_modules() -> Iterator[None]:
    """Within, the modules that such files name can be found, so that they can be written."""

    def _reconstruct_persistent_obj(meta: Any) -> Any:
        raise AssertionError("nothing of the file is to be run")

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    held = {
        "torch_utils": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
        "dnnlib": {},
        "dnnlib.util": {"EasyDict": EasyDict},
        "R3GAN": {},
        "R3GAN.Networks": {"Plain": Plain},
    }
    for name, values in held.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(values)
    try:
        yield
    finally:
        for name in held:
            del sys.modules[name]


def network(
    flat: Flat, settings: Mapping[str, Mapping[str, Any]], make: Callable[[], nn.Module] = Persistent
) -> nn.Module:
    """Modules within modules that hold these tensors; `settings` are attributes by the modules' dotted names."""
    root = make()
    for name, value in flat.items():
        *path, last = name.split(".")
        module = root
        for step in path:
            if step not in module._modules:
                module.add_module(step, make())
            module = module._modules[step]
        if last in BUFFERS:
            module.register_buffer(last, value.float())
        else:
            module.register_parameter(last, nn.Parameter(value.float()))
    for name, values in settings.items():
        vars(root.get_submodule(name)).update(values)
    return root


def save(path: Path, content: Any, protocol: int = 4) -> Path:
    """Writes what `content` is into a plain pickle."""
    with their_modules():
        path.write_bytes(pickle.dumps(content, protocol))
    return path


def described(shapes: Mapping[str, Sequence[int]], real: Flat, settings: Mapping[str, Mapping[str, Any]]) -> Record:
    """What reading such a file would give, with tensors that have no numbers, but for those of `real`."""

    def empty() -> Any:
        return record("Layer", {"_parameters": {}, "_buffers": {}, "_modules": {}})

    root = empty()
    whole = {name: torch.empty(tuple(shape), device="meta") for name, shape in shapes.items()} | real
    for name, value in whole.items():
        *path, last = name.split(".")
        module = root
        for step in path:
            module = module.state["_modules"].setdefault(step, empty())
        module.state["_buffers" if last in BUFFERS else "_parameters"][last] = value
    for name, values in settings.items():
        module = root
        for step in name.split(".") if name else ():
            module = module.state["_modules"][step]
        module.state.update(values)
    made: Record = root
    return made


def random_like(shapes: Mapping[str, Sequence[int]], seed: int) -> Flat:
    """Standard normal tensors in float64."""
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(tuple(shape), generator=random, dtype=torch.float64) for name, shape in shapes.items()}


def binomial() -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
    return torch.outer(taps, taps)


# StyleGAN2

SIDES, WIDTHS2 = (4, 8, 16), (8, 8, 4)


def stylegan2_generator(classes: int = 0, seed: int = 0) -> tuple[Flat, dict[str, dict[str, Any]]]:
    """Tensors, and what the objects say of themselves."""
    shapes = stylegan2_shapes(SIDES, WIDTHS2, style=8, depth=2, classes=classes)
    settings: dict[str, dict[str, Any]] = {
        "": {"z_dim": 8, "img_resolution": 16, "_init_kwargs": EasyDict(c_dim=classes)},
        "mapping.fc0": {"bias_gain": 0.01, "weight_gain": np.float64(0.01 / 8**0.5)},
    }
    for name in shapes:
        if name.endswith("noise_const"):
            settings[name.rpartition(".")[0]] = {"activation": "lrelu", "conv_clamp": 256, "resolution": np.int64(16)}
    return random_like(shapes, seed) | stylegan2_filters(SIDES), settings


def stylegan2_shapes(
    sides: Sequence[int], widths: Sequence[int], *, style: int, depth: int, classes: int = 0
) -> dict[str, Sequence[int]]:
    shapes: dict[str, Sequence[int]] = {"synthesis.b4.const": (widths[0], 4, 4), "mapping.w_avg": (style,)}
    shapes |= mapping_shapes("mapping", style, classes, style, depth)
    for i, (side, width) in enumerate(zip(sides, widths, strict=True)):
        layers = {"conv1": (width, width, 3), "torgb": (3, width, 1)}
        layers |= {"conv0": (width, widths[i - 1], 3)} if i else {}
        for name, (outputs, inputs, kernel) in layers.items():
            at = f"synthesis.b{side}.{name}"
            shapes |= {f"{at}.weight": (outputs, inputs, kernel, kernel), f"{at}.bias": (outputs,)}
            shapes |= {f"{at}.affine.weight": (inputs, style), f"{at}.affine.bias": (inputs,)}
            if name != "torgb":
                shapes |= {f"{at}.noise_strength": (), f"{at}.noise_const": (side, side)}
    return shapes


def stylegan2_filters(sides: Sequence[int]) -> Flat:
    """Of each block, and of each of its convolutions."""
    places = [f"b{side}{name}" for side in sides for name in ("", ".conv0", ".conv1")[:: 1 if side > 4 else 2]]
    return {f"synthesis.{place}.resample_filter": binomial() for place in places}


def mapping_shapes(prefix: str, latent: int, classes: int, width: int, depth: int) -> dict[str, Sequence[int]]:
    inputs = latent + (width if classes else 0)
    shapes: dict[str, Sequence[int]] = {}
    for i in range(depth):
        shapes |= {f"{prefix}.fc{i}.weight": (width, inputs if i == 0 else width), f"{prefix}.fc{i}.bias": (width,)}
    if classes:
        shapes |= {f"{prefix}.embed.weight": (width, classes), f"{prefix}.embed.bias": (width,)}
    return shapes


def stylegan2_discriminator(classes: int = 0, residual: bool = True, seed: int = 1) -> tuple[Flat, dict[str, Any]]:
    widths = dict(zip(SIDES, WIDTHS2, strict=True))
    shapes: dict[str, Sequence[int]] = {"b16.fromrgb.weight": (4, 3, 1, 1), "b16.fromrgb.bias": (4,)}
    for side in (16, 8):
        a, b = widths[side], widths[side // 2]
        shapes |= {f"b{side}.conv0.weight": (a, a, 3, 3), f"b{side}.conv0.bias": (a,)}
        shapes |= {f"b{side}.conv1.weight": (b, a, 3, 3), f"b{side}.conv1.bias": (b,)}
        shapes |= {f"b{side}.skip.weight": (b, a, 1, 1)} if residual else {}
    shapes |= {"b4.conv.weight": (8, 9, 3, 3), "b4.conv.bias": (8,), "b4.fc.weight": (8, 128), "b4.fc.bias": (8,)}
    shapes |= {"b4.out.weight": (8 if classes else 1, 8), "b4.out.bias": (8 if classes else 1,)}
    shapes |= mapping_shapes("mapping", 0, classes, 8, 3) if classes else {}
    return random_like(shapes, seed) | {"b4.mbstd.unused": torch.zeros(())}, {"b4.mbstd": {"group_size": 2}}


# StyleGAN3: 16 pixels, 4 layers and the last, a margin of 3, filters of 4 samples

LAYERS, CRITICAL, MARGIN, TAPS, SIZE, BASE, WIDEST = 4, 2, 3, 4, 16, 64, 8


def stylegan3_plan(
    turns: bool, size: int = SIZE, layers: int = LAYERS, margin: int = MARGIN, base: int = BASE, widest: int = WIDEST
) -> list[dict[str, Any]]:
    """What each layer is, the input first, by the paper's formulas."""
    last_cutoff, last_stop, found = size / 2, size / 2 * 2**0.3, []
    for i in range(layers + 1):
        e = min(i / (layers - CRITICAL), 1)
        cutoff, stop = 2 * (last_cutoff / 2) ** e, 2**2.1 * (last_stop / 2**2.1) ** e
        rate = 2 ** math.ceil(round(math.log2(min(2 * stop, size)), 9))
        canvas = size if i >= layers - 1 else rate + 2 * margin
        width = round(min(base * (2 if turns else 1) / 2 / cutoff, widest * (2 if turns else 1)))
        half = max(stop, rate / 2) - cutoff
        own = {"cutoff": cutoff, "half": half, "rate": rate, "size": canvas, "width": 3 if i == layers else width}
        found.append(own | {"name": f"synthesis.L{i}_{canvas}_{own['width']}"})
    return found


def stylegan3_generator(turns: bool = False, classes: int = 0, seed: int = 2) -> tuple[Flat, dict[str, dict[str, Any]]]:
    plan = stylegan3_plan(turns)
    settings: dict[str, dict[str, Any]] = {
        "": {"img_resolution": SIZE, "_init_kwargs": EasyDict(channel_base=BASE * (2 if turns else 1))},
        "synthesis": {"num_critical": CRITICAL, "margin_size": MARGIN, "output_scale": 0.25, "img_resolution": SIZE},
    }
    for i, here in enumerate(plan):
        before = plan[max(i - 1, 0)]
        up = 1 if i == LAYERS else 2 * max(before["rate"], here["rate"]) // before["rate"]
        settings[here["name"]] = {
            "out_size": np.broadcast_to(np.asarray(here["size"]), [2]), "out_sampling_rate": here["rate"],
            "in_sampling_rate": before["rate"],
            "out_cutoff": np.float64(here["cutoff"]), "out_half_width": here["half"],
            "tmp_sampling_rate": up * before["rate"], "up_factor": up, "up_taps": TAPS * up,
            "down_radial": turns and i < LAYERS - CRITICAL,
        }  # fmt: skip
    flat = random_like(stylegan3_shapes(plan, turns, style=8, classes=classes), seed)
    flat["synthesis.input.freqs"] /= 2  # some beyond the cutoff, where waves are damped
    for i, here in enumerate(plan):
        flat[f"{here['name']}.magnitude_ema"] = torch.tensor(1.5 + i % 3).double()
    return flat | {"synthesis.input.transform": torch.eye(3).double()}, settings


def stylegan3_shapes(
    plan: Sequence[Mapping[str, Any]], turns: bool, *, style: int, classes: int = 0
) -> dict[str, Sequence[int]]:
    waves = plan[0]["width"]
    shapes: dict[str, Sequence[int]] = {"mapping.w_avg": (style,)} | mapping_shapes("mapping", style, classes, style, 2)
    shapes |= {"synthesis.input.weight": (waves, waves), "synthesis.input.freqs": (waves, 2)}
    shapes |= {"synthesis.input.phases": (waves,)}
    shapes |= {"synthesis.input.affine.weight": (4, style), "synthesis.input.affine.bias": (4,)}
    for i, here in enumerate(plan):
        inputs, name = plan[max(i - 1, 0)]["width"], here["name"]
        kernel = 1 if turns or i + 1 == len(plan) else 3
        shapes |= {f"{name}.weight": (here["width"], inputs, kernel, kernel), f"{name}.bias": (here["width"],)}
        shapes |= {f"{name}.affine.weight": (inputs, style), f"{name}.affine.bias": (inputs,)}
        shapes |= {f"{name}.magnitude_ema": ()}
    return shapes


# R3GAN: 8 then 16 pixels, so 4, 8, 16; widths 16, 16, 8; groups of 8 channels; latent 6

WIDTHS = (16, 16, 8)


def r3gan_block(at: str, width: int) -> dict[str, Sequence[int]]:
    return {
        f"{at}LinearLayer1.Layer.weight": (2 * width, width, 1, 1), f"{at}NonLinearity1.Bias": (2 * width,),
        f"{at}LinearLayer2.Layer.weight": (2 * width, 8, 3, 3), f"{at}NonLinearity2.Bias": (2 * width,),
        f"{at}LinearLayer3.Layer.weight": (width, 2 * width, 1, 1),
    }  # fmt: skip


def r3gan_generator(classes: int = 0, seed: int = 3) -> Flat:
    inputs = 6 + (64 if classes else 0)
    shapes: dict[str, Sequence[int]] = {"Model.MainLayers.0.Layers.0.Basis": (16, 4, 4)}
    shapes |= {"Model.MainLayers.0.Layers.0.LinearLayer.weight": (16, inputs)}
    for i, width in enumerate(WIDTHS):
        if i and width != WIDTHS[i - 1]:
            shapes[f"Model.MainLayers.{i}.Layers.0.LinearLayer.Layer.weight"] = (width, WIDTHS[i - 1], 1, 1)
        for j in (1, 2):
            shapes |= r3gan_block(f"Model.MainLayers.{i}.Layers.{j}.", width)
    shapes["Model.AggregationLayer.Layer.weight"] = (3, 8, 1, 1)
    shapes |= {"Model.EmbeddingLayer.weight": (64, classes)} if classes else {}
    kernels = {f"Model.MainLayers.{i}.Layers.0.Resampler.Kernel": binomial() for i in (1, 2)}
    return scaled(random_like(shapes, seed)) | kernels


def r3gan_discriminator(classes: int = 0, seed: int = 4) -> Flat:
    shapes: dict[str, Sequence[int]] = {"Model.ExtractionLayer.Layer.weight": (8, 3, 1, 1)}
    for i, width in enumerate(WIDTHS[::-1]):
        for j in (0, 1):
            shapes |= r3gan_block(f"Model.MainLayers.{i}.Layers.{j}.", width)
        if i == 0:
            shapes["Model.MainLayers.0.Layers.2.LinearLayer.Layer.weight"] = (16, 8, 1, 1)
    shapes |= {"Model.MainLayers.2.Layers.2.Basis.weight": (16, 1, 4, 4)}
    shapes |= {"Model.MainLayers.2.Layers.2.LinearLayer.weight": (16 if classes else 1, 16)}
    shapes |= {"Model.EmbeddingLayer.weight": (16, classes)} if classes else {}
    kernels = {f"Model.MainLayers.{i}.Layers.2.Resampler.Kernel": binomial() for i in (0, 1)}
    return scaled(random_like(shapes, seed)) | kernels


def scaled(flat: Flat) -> Flat:
    """Weights of layers as small as trained ones are."""
    return {name: v / v[0].numel() ** 0.5 if name.endswith("weight") else v for name, v in flat.items()}
