"""What torch-fidelity and prdc say of three real data sets, for the test that ours say the same.

Neither is a dependency of this project, so their numbers are stored. Features are taken here (by the untrained networks
of `gansmith.nn.features.randomnet`, whose weights are the same bits everywhere), and judged by the others in an
environment of their own:

    python tools/image_metrics_reference.py features PATH/TO/shared/data features.npz
    python3.11 -m venv ref && ref/bin/pip install torch==2.13.0 numpy scikit-learn prdc==0.2 torch-fidelity==0.4.0
    ref/bin/python tools/image_metrics_reference.py judge features.npz tests/metrics/vectors/judged.json

Where torchvision cannot load its compiled operators (a CPU build of torch), two lines before the first import of it let
torch-fidelity run; they stand in `stand_in_operators`.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

N = 500  # pictures of each side
Pictures = npt.NDArray[np.uint8]


def zipped(path: Path, start: str) -> Pictures:
    """Pictures (n h w 3) of a zip whose names begin with `start`: every k-th, so that all classes come."""
    from PIL import Image

    with zipfile.ZipFile(path) as file:
        names = sorted(n for n in file.namelist() if n.startswith(start) and n.endswith((".png", ".jpg")))
        chosen = names[:: len(names) // (2 * N)][: 2 * N]
        return np.stack([np.asarray(Image.open(BytesIO(file.read(n))).convert("RGB")) for n in chosen])


def noisy(pictures: Pictures, seed: int) -> Pictures:
    """The generator that is judged: these pictures with noise of deviation 24."""
    noise = np.random.RandomState(seed).randn(*pictures.shape) * 24
    return np.clip(np.rint(pictures + noise), 0, 255).astype(np.uint8)


def sets(data: Path) -> dict[str, tuple[Pictures, Pictures]]:
    """Real pictures and judged ones, by data set."""
    images = data / "images"
    digits = np.load(images / "mnist_10k.npz")
    mnist = next(digits[k] for k in digits.files if digits[k].ndim == 3)[: 2 * N, ..., None]
    everything = {
        "mnist": mnist,
        "cifar10": zipped(images / "cifar10_subset.zip", "train/"),
        "clothing": zipped(images / "clothing64.zip", ""),
    }
    return {name: (x[::2], noisy(x[1::2], seed=7)) for name, x in everything.items()}


def take(data: Path, out: Path) -> None:
    """Writes float32 features of both sides of every set."""
    import torch

    from gansmith.nn.features.randomnet import RandomExtractor

    extractor = RandomExtractor()
    found = {
        f"{name}/{side}": extractor(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        for name, pair in sets(data).items()
        for side, x in zip(("real", "fake"), pair, strict=True)
    }
    np.savez(out, **found)


def stand_in_operators() -> None:
    import torch

    torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def judged(real: Any, fake: Any) -> dict[str, float]:
    """Every number of one pair of feature sets. As logits for the Inception score serve the features themselves."""
    import torch
    from prdc import compute_prdc
    from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

    r, f = torch.from_numpy(real), torch.from_numpy(fake)
    statistics = [metric_fid.fid_features_to_statistics(x) for x in (r, f)]
    kernel = metric_kid.kid_features_to_metric(r, f, kid_subsets=20, kid_subset_size=250, verbose=False)
    score = metric_isc.isc_features_to_metric(logits(f), 10, True, 2020)
    shares = metric_prc.prc_features_to_metric(f, r, prc_neighborhood=3, prc_batch_size=10000, verbose=False)
    three, five = compute_prdc(real, fake, nearest_k=3), compute_prdc(real, fake, nearest_k=5)
    return {
        "fid": metric_fid.fid_statistics_to_metric(*statistics, verbose=False)[metric_fid.KEY_METRIC_FID],
        "kid": kernel[metric_kid.KEY_METRIC_KID_MEAN],
        "kid_std": kernel[metric_kid.KEY_METRIC_KID_STD],
        "inception_score": score[metric_isc.KEY_METRIC_ISC_MEAN],
        "inception_score_std": score[metric_isc.KEY_METRIC_ISC_STD],
        "precision": shares["precision"],
        "recall": shares["recall"],
        **{f"{name}_prdc3": float(value) for name, value in three.items()},
        **{f"{name}_prdc5": float(value) for name, value in five.items()},
    }


def logits(features: Any) -> Any:
    """Class scores that differ from picture to picture: twenty features, each of mean 0 and deviation 2."""
    x = features[:, :20].double()
    return ((x - x.mean(0)) / x.std(0) * 2).float()


def judge(features: Path, out: Path) -> None:
    stand_in_operators()
    with np.load(features) as file:
        names = sorted({key.split("/")[0] for key in file.files})
        found: Mapping[str, Any] = {name: judged(file[f"{name}/real"], file[f"{name}/fake"]) for name in names}
    made = "torch-fidelity 0.4.0 and prdc 0.2 by tools/image_metrics_reference.py; shares of prdc end in its k"
    out.write_text(json.dumps({"made": made, "sets": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    commands: dict[str, Callable[[Path, Path], None]] = {"features": take, "judge": judge}
    commands[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
