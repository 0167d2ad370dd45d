"""Distances against the reference implementations' numbers, closed forms and invariances.

The goldens were computed once, on the features of `sets()`, by torch-fidelity 0.4.0 (FID, KID) and prdc 0.2 (precision
and recall, k = 3), with numpy 2.4 and torch 2.13.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics import balls
from gansmith.metrics.balls import precision_recall, radii, within_balls
from gansmith.metrics.functional import FrechetReference, frechet_distance, kid, moments, polynomial_mmd

GOLDEN = {
    "full rank": {
        "fid": 0.9341844641824935,
        "kid": (0.0008323097229003906, 0.0012649019910824619),
        "kid_all": 0.0017514228820800781,
        "precision": 0.9516666666666667,
        "recall": 0.3973333333333333,
    },
    "fewer rows than features": {
        "fid": 128.32176624300283,
        "kid": (0.44960784912109375, 0.04289809354273676),
        "kid_all": 0.43781185150146484,
        "precision": 0.011111111111111112,
        "recall": 0.99,
    },
}


def sets(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The two sets of features that the goldens belong to."""
    if name == "full rank":
        random = np.random.RandomState(7)
        mix = random.randn(64, 64) / 8
        a = np.maximum(random.randn(1500, 64) @ mix, -0.2)
        b = np.maximum(random.randn(1200, 64) @ mix * 0.8 + 0.1, -0.2)
    else:
        random = np.random.RandomState(8)
        a = np.abs(random.randn(100, 256))
        b = np.abs(random.randn(90, 256) * 1.2 + 0.1)
    return torch.from_numpy(a.astype(np.float32)), torch.from_numpy(b.astype(np.float32))


def fid(a: torch.Tensor, b: torch.Tensor) -> float:
    return frechet_distance(*moments(a), *moments(b))


@pytest.mark.parametrize("name", GOLDEN)
def test_fid_equals_torch_fidelity(name):
    a, b = sets(name)
    assert fid(a, b) == pytest.approx(GOLDEN[name]["fid"], rel=1e-4)


@pytest.mark.parametrize("name", GOLDEN)
def test_kid_equals_torch_fidelity_on_the_same_subsets_and_on_all_rows(name):
    a, b = sets(name)
    n = min(len(a), len(b))
    mean, std = GOLDEN[name]["kid"]
    assert kid(a, b, subsets=50, subset_size=min(500, n // 2), seed=2020) == pytest.approx((mean, std), abs=1e-6)
    assert kid(a[:n], b[:n], subsets=1, subset_size=n)[0] == pytest.approx(GOLDEN[name]["kid_all"], abs=1e-6)


@pytest.mark.parametrize("name", GOLDEN)
def test_precision_and_recall_equal_prdc(name):
    found = precision_recall(*sets(name), k=3)
    assert found == pytest.approx((GOLDEN[name]["precision"], GOLDEN[name]["recall"]), abs=1e-6)


def test_fid_of_gaussians_has_its_closed_form():
    variance1, variance2 = torch.tensor([1.0, 4.0, 9.0]), torch.tensor([4.0, 4.0, 1.0])
    mu1, mu2 = torch.zeros(3), torch.tensor([1.0, 0.0, 2.0])
    wanted = 5 + float((variance1.sqrt() - variance2.sqrt()).square().sum())
    assert frechet_distance(mu1, variance1.diag(), mu2, variance2.diag()) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", GOLDEN)
def test_identical_sets_have_distance_zero_and_full_precision_and_recall(name):
    a, _ = sets(name)
    assert abs(fid(a, a)) < 1e-9
    assert precision_recall(a, a) == (1.0, 1.0)


@pytest.mark.parametrize("name", GOLDEN)
def test_distances_are_symmetric_and_blind_to_order(name):
    a, b = sets(name)
    shuffled = b[torch.randperm(len(b), generator=torch.Generator().manual_seed(0))]
    assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-10)
    assert fid(a, b) == pytest.approx(fid(a, shuffled), rel=1e-10)
    assert precision_recall(a, b) == precision_recall(a, shuffled) == precision_recall(b, a)[::-1]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_short_way_for_few_rows_gives_the_same_distance(name):
    a, b = sets(name)
    assert FrechetReference(*moments(a)).distance_to(b[:50]) == pytest.approx(fid(a, b[:50]), rel=1e-9)


def test_equal_distributions_have_kid_around_zero():
    random = torch.Generator().manual_seed(3)
    a, b = torch.randn(2000, 32, generator=random), torch.randn(2000, 32, generator=random)
    mean, std = kid(a, b, subsets=30, subset_size=500)
    assert abs(mean) < std
    assert kid(a, b + 1, subsets=5, subset_size=500)[0] > 20 * std


def test_the_kernel_distance_leaves_the_diagonals_out():
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0]])
    wanted = (27 + 1) - 2 * (1 + 8 + 1 + 27) / 4  # (xy + 1)^3: within x 27, within y 1, across 1, 8, 1, 27
    assert float(polynomial_mmd(x, y)) == pytest.approx(wanted)


def test_a_collapsed_generator_has_full_precision_and_almost_no_recall():
    real, _ = sets("full rank")
    precision, recall = precision_recall(real, real[:1].repeat(500, 1))
    assert precision == 1.0
    assert recall == pytest.approx(1 / len(real))
    assert fid(real, real[:1].repeat(500, 1)) > 1.0


def test_noise_far_from_the_data_has_neither_precision_nor_recall():
    real, _ = sets("full rank")
    far = real + 100
    assert precision_recall(real, far) == (0.0, 0.0)


def test_balls_hold_their_border_and_duplicates_count_as_neighbours():
    points = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    assert radii(points, 1).tolist() == [0.0, 0.0, 5.0, 5.0]
    inside = within_balls(torch.tensor([[3.0, 9.0], [3.0, 9.001], [0.0, 0.0]]), points[2:3], radii(points, 1)[2:3])
    assert inside.tolist() == [True, False, True]


def test_blocks_change_nothing(monkeypatch):
    a, b = sets("full rank")
    whole = precision_recall(a, b)
    monkeypatch.setattr("gansmith.metrics.balls.BLOCK", 7 * 1500)
    assert precision_recall(a, b) == whole


def test_too_few_rows_and_non_finite_features_are_refused():
    a, b = sets("full rank")
    with pytest.raises(DataError, match="at least 1000"):
        kid(a[:999], b)
    with pytest.raises(DataError, match="at least 4"):
        precision_recall(a, b[:3])
    with pytest.raises(DataError, match="at least 2"):
        moments(a[:1])
    broken = a.clone()
    broken[3, 3] = torch.nan
    with pytest.raises(DataError, match="finite"):
        fid(broken, b)
    with pytest.raises(DataError, match="finite"):
        precision_recall(a, broken)


@pytest.mark.parametrize("n", [5, 64, 65, 200])
def test_radii_do_not_depend_on_tiles(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    points = torch.randn(n, 7, generator=torch.Generator().manual_seed(n))
    exact = torch.cdist(points.double(), points.double()).kthvalue(4).values
    monkeypatch.setattr(balls, "BLOCK", 64 * 64)
    torch.testing.assert_close(radii(points, 3), exact, rtol=1e-12, atol=1e-12)


def test_both_sides_at_once_are_as_each_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(130, 5, generator=generator), 0.8 * torch.randn(90, 5, generator=generator)
    b[:10] = a[:10]  # on borders, too
    found = balls.within_each_others(a, b, radii(a, 3), radii(b, 3))
    assert torch.equal(found[0], within_balls(a, b, radii(b, 3)))
    assert torch.equal(found[1], within_balls(b, a, radii(a, 3)))
