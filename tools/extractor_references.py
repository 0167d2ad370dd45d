"""Writes tests/metrics/vectors/extractors.npz: what reference packages give on small fixed inputs.

torch-fidelity 0.4 (Inception's logits and spatial features, its resizing), lpips 0.1 (LPIPS with AlexNet), timm 1.0
(a small transformer with DINOv2's layers) and pytorch-msssim 1.0. They need torchvision, so run this in an environment
of its own:

    pip install torch-fidelity lpips timm pytorch-msssim torchvision
    python tools/extractor_references.py SHARED_DATA/weights

Where torchvision has no build for the torch at hand, two operators are declared by hand before it is imported; nothing
here calls them. With `--pictures SHARED_DATA/images` it also compares all outputs on 1,000 pictures and prints the
largest differences (minutes).
"""

from __future__ import annotations

import argparse
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

for operator, signature in {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}.items():
    torch.library.define(f"torchvision::{operator}", signature)

TESTS = Path(__file__).parents[1] / "tests" / "metrics"
FIVE = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM's scales
TWO = (0.2, 0.8)
SETS = ("cifar10_subset.zip", "clothing64.zip")


def numbers(*shape: int, seed: float) -> Tensor:
    """The same numbers everywhere, in [-1, 1], without a random generator."""
    count = int(np.prod(shape))
    return torch.from_numpy(np.sin(np.arange(1, count + 1) * (seed + 0.7)) * 1.0).float().view(shape)


def inception(weights: Path) -> nn.Module:
    """torch-fidelity's network with the shared trunk and an invented classifier."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    state = load_file(weights / "inception_v3_fid_2015-12-05_fp32.safetensors")
    counters = {name.replace("running_mean", "num_batches_tracked") for name in state if name.endswith("running_mean")}
    state |= dict.fromkeys(counters, torch.zeros((), dtype=torch.long))
    state |= {"fc.weight": numbers(1008, 2048, seed=1.0) / 30, "fc.bias": numbers(1008, seed=2.0)}
    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save(state, file.name)
        return FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], file.name).eval()


@torch.no_grad()
def outputs(net: nn.Module, pixels: Tensor) -> dict[str, np.ndarray]:
    """Features, logits without bias, and the first 7 channels of mixed_6's 1x1 branch, of uint8 pictures (b h w c)."""
    spatial: list[Tensor] = []
    hook = net.Mixed_6d.branch1x1.register_forward_hook(
        lambda _, __, out: spatial.append(out[:, :7].flatten(1).clone())
    )
    parts = [net(part) for part in pixels.permute(0, 3, 1, 2).split(10)]
    hook.remove()
    features, logits = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
    return {"features": features, "logits": logits, "spatial": torch.cat(spatial).numpy()}


def resizing() -> dict[str, np.ndarray]:
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    x = (numbers(1, 1, 13, 9, seed=3.0) * 127.5 + 127.5).round()
    found = interpolate_bilinear_2d_like_tensorflow1x(x, size=(21, 21), align_corners=False)
    return {"tf_source": x.numpy(), "tf_bilinear": found.numpy()}


@torch.no_grad()
def perceptual(weights: Path) -> dict[str, np.ndarray]:
    import lpips

    state = load_file(weights / "lpips_alexnet_v0.1_fp16.safetensors")
    net = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    net.net.load_state_dict({name: state["features." + name.split(".", 1)[1]].float() for name in net.net.state_dict()})
    x, y = numbers(3, 3, 72, 72, seed=4.0), numbers(3, 3, 72, 72, seed=5.0)
    return {"lpips": net(x, 0.7 * x + 0.3 * y).flatten().numpy()}


@torch.no_grad()
def transformer() -> dict[str, np.ndarray]:
    """Class tokens of two blocks, 24 wide, on 56 x 56 pixels; plain and gated."""
    from timm.layers import SwiGLUPacked
    from timm.models.vision_transformer import VisionTransformer

    shape = {"img_size": 56, "patch_size": 14, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 0}
    ratio = 2 * 64 / 24  # 64 within: two thirds of 4 x 24
    gated = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU, "mlp_ratio": ratio}
    found = {}
    for name, options in {"plain": {}, "gated": gated}.items():
        net = VisionTransformer(**shape, init_values=1.0, **options).eval()
        state = {k: 0.3 * numbers(*v.shape, seed=6.0 + i) for i, (k, v) in enumerate(sorted(net.state_dict().items()))}
        net.load_state_dict(state)
        found[f"vit_{name}"] = net(numbers(2, 3, 56, 56, seed=5.5)).numpy()
    return found


def similarity() -> dict[str, np.ndarray]:
    """MS-SSIM of five scales and of two. torchmetrics' differs: it mixes channels, and adds the border at the end."""
    from pytorch_msssim import ms_ssim

    x = (numbers(3, 3, 176, 192, seed=7.0) * 127.5 + 127.5).round()
    y = (0.8 * x + 0.2 * (numbers(3, 3, 176, 192, seed=8.0) * 127.5 + 127.5)).round()
    options = {"data_range": 255, "size_average": False}
    return {f"msssim_{len(w)}": ms_ssim(x, y, weights=list(w), **options).numpy() for w in (FIVE, TWO)}


def compare(net: nn.Module, weights: Path, folder: Path) -> None:
    """Largest differences on 500 pictures of each set."""
    from safetensors.torch import save_file

    from gansmith.nn.features.inception import InceptionExtractor

    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        save_file({"fc.weight": net.fc.weight.data}, file.name)
        own = InceptionExtractor(weights, head=file.name)
    for name in SETS:
        pixels = pictures(folder / name, 500)
        wanted = outputs(net, pixels)
        features, heads = own.look(pixels, ("logits", "spatial"))
        for output, value in {"features": features, **heads}.items():
            print(name, len(pixels), output, np.abs(value.numpy() - wanted[output]).max(), flush=True)


def pictures(path: Path, n: int) -> Tensor:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith((".png", ".jpg")))
        names = names[:: len(names) // n][:n]
        found = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
    return torch.from_numpy(np.stack(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    net = inception(given.weights)
    clothing = torch.from_numpy(np.load(TESTS / "inception_reference.npz")["clothing_pixels"][:2])
    found = outputs(net, clothing)
    vectors = {"logits": found["logits"], "spatial": found["spatial"]}
    vectors |= resizing() | perceptual(given.weights) | transformer() | similarity()
    (TESTS / "vectors").mkdir(exist_ok=True)
    np.savez_compressed(TESTS / "vectors" / "extractors.npz", **vectors)
    if given.pictures:
        compare(net, given.weights, given.pictures)


if __name__ == "__main__":
    main()
