"""Evaluations larger than memory: a million pictures, and neighbours of tens of thousands."""

from __future__ import annotations

import subprocess
import sys

import pytest

MILLION = """
import torch
torch.set_num_threads(1)
from gansmith.metrics.judge import judge

class Thin:
    name, resize, digest, dim = "thin", "none", "0" * 12, {dim}
    def __call__(self, pixels):
        random = torch.Generator().manual_seed(int(pixels[0, 0, 0, 0]) * 256 + int(pixels[0, 0, 1, 0]))
        return torch.randn(len(pixels), self.dim, generator=random)

def pictures(n, size=5000):
    for i in range(n // size):
        part = torch.zeros(size, 1, 2, 1, dtype=torch.uint8)
        part[0, 0, :, 0] = torch.tensor([i // 256, i % 256])
        yield part

found = judge(pictures(100_000), pictures(1_000_000), Thin(), {metrics}, limit={limit}, settings={settings})
assert found[0].protocol.n_fake == 1_000_000
print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024, *(f.value for f in found))
"""


def peak(code: str) -> list[float]:
    """Peak memory in MB, and what else the program printed. (The kernel's ru_maxrss counts the parent's, too.)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [float(x) for x in done.stdout.split()]


def test_a_million_pictures_stay_far_below_two_gigabytes():
    """Kept whole they would fill 560 MB on top of what torch takes, which is some 350 MB."""
    asked = {"dim": 128, "metrics": ("fid", "kid"), "limit": 4_000, "settings": {"kid": {"subsets": 5}}}
    used, *values = peak(MILLION.format(**asked))
    assert used < 600
    distance, floor, *_ = values
    assert distance < 0.2, "both sides are of one distribution"
    assert floor < 0.5, "its floor is of all 100,000 real pictures, not of those that are kept"


@pytest.mark.slow
def test_a_million_pictures_of_many_features_with_every_kind_of_metric():
    settings = {"kid": {"subsets": 10}}
    asked = {"dim": 256, "metrics": ("fid", "kid", "precision_recall", "density_coverage"), "limit": 8_000}
    used, *_ = peak(MILLION.format(**asked, settings=settings))
    assert used < 2048
