"""The same numbers as torch-fidelity's and prdc's on the features of three real data sets."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from gansmith.metrics.base import Seen
from gansmith.metrics.functional import kid
from gansmith.metrics.images.density_coverage import DensityCoverage
from gansmith.metrics.images.fid import FID
from gansmith.metrics.images.inception_score import inception_score
from gansmith.metrics.images.precision_recall import PrecisionRecall
from gansmith.nn.features.randomnet import RandomExtractor

HERE = Path(__file__).resolve().parent
STORED = json.loads((HERE / "vectors" / "judged.json").read_text(encoding="utf-8"))["sets"]
TOOL = HERE.parents[1] / "tools" / "image_metrics_reference.py"
Pairs = dict[str, tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    if not TOOL.is_file():
        pytest.skip("the stored numbers belong to sets that tools/image_metrics_reference.py makes")
    spec = importlib.util.spec_from_file_location("image_metrics_reference", TOOL)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pairs(tool: ModuleType, shared_data: Path) -> Pairs:
    """Features of the real and of the judged pictures, by data set."""
    extractor = RandomExtractor()
    return {
        name: (extractor(torch.from_numpy(real.copy())), extractor(torch.from_numpy(fake.copy())))
        for name, (real, fake) in tool.sets(shared_data).items()
    }


def both(metric, pair):
    metric.update(Seen(pair[0]), "real")
    metric.update(Seen(pair[1]), "fake")
    return metric.compute()


@pytest.mark.parametrize("name", STORED)
def test_distances_and_scores_equal_torch_fidelity(name: str, pairs: Pairs, tool: ModuleType) -> None:
    wanted, (real, fake) = STORED[name], pairs[name]
    assert both(FID(), pairs[name])["fid"] == pytest.approx(wanted["fid"], rel=1e-4)
    found = kid(real, fake, subsets=20, subset_size=250)
    assert found == pytest.approx((wanted["kid"], wanted["kid_std"]), rel=1e-3, abs=1e-6)
    score = inception_score(tool.logits(fake))
    assert score == pytest.approx((wanted["inception_score"], wanted["inception_score_std"]), rel=1e-4)


@pytest.mark.parametrize("name", STORED)
def test_shares_equal_prdc_and_torch_fidelity(name: str, pairs: Pairs) -> None:
    wanted = STORED[name]
    found = both(PrecisionRecall(), pairs[name])
    for share in ("precision", "recall"):
        assert found[share] == pytest.approx(wanted[f"{share}_prdc3"], rel=1e-6)
        assert found[share] == pytest.approx(wanted[share], rel=1e-6)
    for k in (3, 5):
        found = both(PrecisionRecall(k=k), pairs[name]) | both(DensityCoverage(k=k), pairs[name])
        for share, value in found.items():
            assert value == pytest.approx(wanted[f"{share}_prdc{k}"], rel=1e-6), (share, k)
