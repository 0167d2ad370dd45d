"""The same numbers as the references': features, figures of equal features, and values that others have published."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file

from gansmith.metrics.base import Seen
from gansmith.metrics.functional import kid
from gansmith.metrics.images.inception_score import inception_score
from gansmith.metrics.registry import make
from gansmith.nn.features.inception import InceptionExtractor
from gansmith.nn.features.randomnet import RandomExtractor

from . import judging_cifar as cifar
from .judging_jobs import DATA, Found, keep, scratch, theirs, weights
from .machine import ROOT

EACH = 500  # pictures of each set
SETS = ("cifar10", "clothing")
HEADS = ("logits", "spatial")
SEED, GOLDEN = 2020, 5000  # torch-fidelity's own tests choose so many pictures of CIFAR-10 with this seed
NOISE = 64  # deviation of the noise in its test of KID


@cache
def tool() -> ModuleType:
    """tools/image_metrics_reference.py, which makes the data sets, and what serves as logits."""
    path = ROOT / "tools" / "image_metrics_reference.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(*shape: int, seed: float) -> torch.Tensor:
    """The invented head of tools/extractor_references.py: the same numbers everywhere."""
    count = int(np.prod(shape))
    return torch.from_numpy(np.sin(np.arange(1, count + 1) * (seed + 0.7))).float().view(shape)


def run_features(count: int | None = None) -> None:
    """Both networks with the same weights on 1,000 real pictures; largest absolute differences."""
    sets = {name: real[: (count or 2 * EACH) // 2] for name, (real, _) in tool().sets(DATA).items() if name in SETS}
    pictures, out = scratch("pictures.npz"), scratch("reference.npz")
    np.savez(pictures, **sets)
    theirs({"do": "features", "weights": str(weights()), "data": str(pictures), "out": str(out)})
    head = scratch("invented_head.safetensors")
    save_file({"fc.weight": numbers(1008, 2048, seed=1.0) / 30}, head)
    extractor = InceptionExtractor(weights(), head=head)
    found = []
    with np.load(out) as reference:
        for name, pixels in sets.items():
            own, heads = extractor.look(torch.from_numpy(np.ascontiguousarray(pixels)), HEADS)
            differences = {
                output: float(np.abs(value.numpy() - reference[f"{name}/{output}"]).max())
                for output, value in {"features": own, **heads}.items()
            }
            largest = float(np.abs(reference[f"{name}/features"]).max())
            found.append({"set": name, "pictures": len(pixels), "largest_feature": largest, **differences})
    print(json.dumps(found))
    if count is None:
        keep("features", {"sets": found})


def run_metrics(count: int | None = None) -> None:
    """FID, KID, IS, precision, recall, density and coverage of equal features of three data sets."""
    del count  # small as it is
    extractor, sides = RandomExtractor(), {}
    for name, pair in tool().sets(DATA).items():
        for side, pixels in zip(("real", "fake"), pair, strict=True):
            sides[f"{name}/{side}"] = extractor(torch.from_numpy(np.ascontiguousarray(pixels))).numpy()
    path = scratch("features.npz")
    np.savez(path, **sides)
    reference = theirs({"do": "metrics", "data": str(path)})
    reference.pop("process_s")
    own = {name: _judged(sides[f"{name}/real"], sides[f"{name}/fake"]) for name in reference}
    double = {name: torch.from_numpy(x).double() for name, x in sides.items()}
    exact = {n: kid(double[f"{n}/real"], double[f"{n}/fake"], subsets=20, subset_size=250)[0] for n in reference}
    found = {"ours": own, "theirs": reference, "exact_kid": exact}
    keep("metrics", {**found, "n": tool().N, "features": extractor.dim})


def _judged(real: npt.NDArray[np.float32], fake: npt.NDArray[np.float32]) -> dict[str, float]:
    """Under the names of tools/image_metrics_reference.py."""
    r, f = torch.from_numpy(real), torch.from_numpy(fake)
    found = _both("fid", r, f)
    found["kid"], found["kid_std"] = kid(r, f, subsets=20, subset_size=250)
    found["inception_score"], found["inception_score_std"] = inception_score(tool().logits(f))
    found |= _both("precision_recall", r, f, k=3)
    for k in (3, 5):
        shares = _both("precision_recall", r, f, k=k) | _both("density_coverage", r, f, k=k)
        found |= {f"{name}_prdc{k}": value for name, value in shares.items()}
    return found


def _both(name: str, real: torch.Tensor, fake: torch.Tensor, **settings: Any) -> dict[str, float]:
    metric = make(name, settings)
    metric.update(Seen(real), "real")
    metric.update(Seen(fake), "fake")
    return dict(metric.compute())


def run_golden(count: int | None = None) -> None:
    """Published values: prdc's example, coverage's null, SDMetrics' demo."""
    del count  # each is as large as published
    keep("golden", {"prdc": example(), "null": null(), "sdmetrics": demo()})


def run_golden_cifar(count: int | None = None) -> None:
    """Published values: torch-fidelity's FID and KID of CIFAR-10."""
    found = cifar10(count)
    print(json.dumps(found))
    if count is None:
        keep("golden-cifar", found)


def cifar10(count: int | None = None) -> Found:
    """The FID of 5,000 training against 5,000 test pictures, and the KID of as many with noise against the former."""
    train, test = (cifar.pictures(split) for split in ("train", "test"))
    random = np.random.RandomState(SEED)
    noisy = with_noise(test, random.choice(len(test), GOLDEN, replace=False), random)
    of_train = cifar.features("train", train, golden_rows("train")[:count])
    of_test = cifar.features("test", test, golden_rows("test")[:count])
    of_noise = cifar.features("noise", noisy, np.arange(GOLDEN)[:count])
    fid = cifar.distances(of_train, of_test, ("fid",))["fid"]
    mean, spread = kid(torch.from_numpy(of_noise), torch.from_numpy(of_train), subset_size=min(1000, len(of_train)))
    return {"fid": fid, "kid": mean, "kid_std": spread, "n": len(of_train)}


def golden_rows(split: str) -> npt.NDArray[np.int64]:
    """Which pictures torch-fidelity's tests choose."""
    return np.sort(np.random.RandomState(SEED).choice(len(cifar.pictures(split)), GOLDEN, replace=False))


def with_noise(pictures: npt.NDArray[np.uint8], order: npt.NDArray[np.int64], random: Any) -> npt.NDArray[np.uint8]:
    """Noise is drawn in this order; the pictures come back in the order of their rows.

    What leaves 0 to 255 wraps around, as the cast of torch-fidelity's script makes it, not clips.
    """
    found = {}
    for row in order:
        noise = random.randn(*pictures.shape[1:]) * NOISE
        values = (pictures[row].astype(np.float32) + noise).astype(np.float32)
        found[int(row)] = (values.astype(np.int64) & 255).astype(np.uint8)
    return np.stack([found[row] for row in sorted(found)])


def example(seeds: int = 5) -> Found:
    """prdc's documented example: 10,000 against 10,000 of 1,000 normal features, k = 5; it fixes no seed."""
    found, shape = [], (10_000, 1000)
    for seed in range(seeds):
        random = np.random.RandomState(seed)
        real, fake = (random.normal(size=shape).astype(np.float32) for _ in range(2))
        r, f = torch.from_numpy(real), torch.from_numpy(fake)
        own = _both("precision_recall", r, f, k=5) | _both("density_coverage", r, f, k=5)
        found.append({"seed": seed, **own})
        if seed == 0:
            # the same values in float64: prdc rounds distances of float32 features, which turns a pair on a border
            paths = {side: str(_saved(side, x.astype(np.float64))) for side, x in (("real", real), ("fake", fake))}
            reference = theirs({"do": "prdc", **paths, "k": 5})
    return {"ours": found, "reference": reference}


def _saved(name: str, x: npt.NDArray[np.float64]) -> Path:
    path = scratch(f"{name}.npy")
    np.save(path, x)
    return path


def null(k: int = 5, n: int = 10_000, seeds: int = 5) -> Found:
    """Coverage of equal distributions: 1 - 0.5^k for many pictures."""
    found = []
    for seed in range(seeds):
        random = torch.Generator().manual_seed(seed)
        real, fake = (torch.randn(n, 64, generator=random) for _ in range(2))
        found.append(_both("density_coverage", real, fake, k=k)["coverage"])
    exact = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    return {"k": k, "n": n, "coverage": found, "limit": 1 - 0.5**k, "exact": float(exact)}


def demo() -> Found | None:
    """SDMetrics' demo table by our quality score and by SDMetrics itself; None where it is not installed."""
    import pandas as pd

    from gansmith.metrics.tables.columns import align
    from gansmith.metrics.tables.quality import score, shapes, trends
    from gansmith.tabular.infer import infer
    from gansmith.tabular.schema import Column, Schema

    from .tables import HOME, Incumbent

    found = sorted(HOME.glob("lib/python*/site-packages/sdmetrics/demos/single_table"))
    if not found:
        return None
    columns = json.loads((found[0] / "metadata.json").read_text())["tables"]["student_placements"]["columns"]
    dates = [name for name, c in columns.items() if c["sdtype"] == "datetime"]
    kinds = [name for name, c in columns.items() if c["sdtype"] == "numerical"] + dates
    tables, job = {}, {"do": "score", "numbers": kinds}
    for side, key, title in (("real", "data", "real"), ("fake", "fake", "synthetic")):
        table = pd.read_csv(found[0] / f"student_placements_{title}.csv", parse_dates=dates).drop(columns="student_id")
        for name in dates:  # as days: both judge numbers and dates alike
            table[name] = (table[name] - pd.Timestamp("2020-01-01")) / pd.Timedelta("1D")
        tables[side] = table
        job[key] = str(scratch(f"demo-{side}.csv"))
        table.to_csv(job[key], index=False)
    tables["fake"] = tables["fake"][list(tables["real"])]
    inferred = infer(tables["real"], name_hints=False).columns
    schema = Schema(tuple(Column(name=c.name, kind="float", nulls=c.nulls) if c.name in kinds else c for c in inferred))
    aligned = align(schema, tables)
    own = score(shapes(aligned), trends(aligned))
    return {"ours": dict(zip(("quality", "shapes", "trends"), own, strict=True)), "theirs": Incumbent().do(job)}
