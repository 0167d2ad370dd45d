"""The page of benchmarks/judging: what is reached is told from what is not, and from what was not measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="the benchmarks stand beside a checkout's tests, run from its root")

from benchmarks import judging_page, judging_parity

MADE = {"command": "python -m benchmarks.judging x", "machine": "a machine"}
PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks-judging.md"


def shown(**results: dict) -> list[str]:
    """Lines of the table, and of the sections."""
    return judging_page.render({k.replace("_", "-"): v | MADE for k, v in results.items()}.get).splitlines()


def one(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.startswith(f"| {start}"))


def test_nothing_measured_says_how_to_measure():
    lines = shown()
    rows = [line for line in lines if "not measured yet" in line]
    assert len(rows) == len(judging_page.ROWS)
    assert all(row.endswith("| - |") for row in rows)
    assert "`python -m benchmarks.judging speed-fid`" in one(lines, "Speed of FID")
    assert not any(line.startswith("## ") for line in lines)


def test_every_difference_is_held_against_its_bar():
    good = {"set": "a", "pictures": 500, "largest_feature": 6.0, "features": 2e-5, "logits": 1e-5, "spatial": 3e-5}
    lines = shown(features={"sets": [good, good | {"logits": 2e-3}]})
    assert one(lines, "Inception's pool").endswith("| 2.0e-05 | yes |")
    assert one(lines, "Inception's logits").endswith("| 2.0e-03 | **no** |")
    few = shown(features={"sets": [good]})
    assert one(few, "Inception's pool").endswith("**no** |"), "500 pictures are not 1,000"


def speeds(seconds: float, mib: float) -> dict:
    ours = {"seconds": seconds, "mib": mib, "precision": 0.5, "recall": 0.5}
    theirs = ours | {"seconds": 90.0, "mib": 5000.0}
    return {"n": 20_000, "dim": 2048, "k": 3, "rounds": [{"ours": ours, "all four": ours, "theirs": theirs}] * 2}


def test_speed_and_memory_are_two_bars():
    lines = shown(speed_pr=speeds(seconds=30.0, mib=1001.0))
    rows = [line for line in lines if line.startswith("| precision and recall at n = 20,000")]
    assert [row.rsplit("|", 2)[1].strip() for row in rows] == ["yes", "**no**"]
    assert "3.00 times" in rows[0]
    assert "Measured with `python -m benchmarks.judging x` on: a machine." in lines


def cifar(fid: float) -> str:
    result = {"n_real": 50_000, "n_fake": 10_000, "fid": fid, "kid": 1e-4, "reference": {"fid": fid, "kid": 1e-4}}
    return one(shown(cifar=result), "FID of CIFAR-10")


def test_cifars_distance_is_within_one_per_cent_or_not():
    assert cifar(3.16).endswith("yes |")
    assert cifar(3.19).endswith("**no** |")


def test_every_seed_must_rank_rightly():
    def row(n: int, verdict: str) -> dict:
        return {"n": n, "seed": 0, "fid": [40.6, 36.3], "corrected": [4.0, 5.0], "verdict": verdict}

    few, many = row(500, "too few samples to tell"), row(20_000, "A is better")
    lines = shown(ranking={"n_real": 20_000, "rows": [few, many, row(20_000, "too few samples to tell")]})
    found = [line for line in lines if line.startswith("| two models")]
    assert found[0].endswith("| 1 of 1 | yes |")
    assert found[1].endswith("| 1 of 2 | **no** |")


def test_the_page_is_that_of_the_results_kept():
    assert PAGE.read_text(encoding="utf-8") == judging_page.render()


def test_noise_is_drawn_in_the_order_of_choice_and_wraps_around():
    pictures = np.full((4, 2, 2, 3), 250, np.uint8)
    found = judging_parity.with_noise(pictures, np.array([3, 1]), np.random.RandomState(5))
    drawn = np.random.RandomState(5).randn(2, 2, 2, 3) * 64
    wanted = np.trunc((250 + drawn).astype(np.float32)).astype(int) % 256
    assert (found == wanted[::-1]).all(), "row 1 was drawn second, and comes first"
    assert (found < 100).any()
