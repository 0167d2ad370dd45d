"""Modes and their KL: closed forms, streams, and a stacked classifier that really counts."""

from __future__ import annotations

import math
from importlib.resources import files

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gansmith.data.bundled import FILES
from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.extractors import load_extractor
from gansmith.metrics.images.modes import Modes, kl, smoothed

from .helpers import fed, spreads


def seen(classes: torch.Tensor, k: int) -> Seen:
    return Seen(torch.empty(len(classes), 0), heads={"logits": F.one_hot(classes, k).float()})


def test_modes_and_their_kl_have_their_closed_forms():
    real, fake = torch.arange(8).repeat(1000), torch.arange(4).repeat(500)
    found = fed(Modes(), seen(real, 8), seen(fake, 8)).compute()
    assert (found["modes"], found["modes_real"]) == (4, 8)
    assert found["modes_kl"] == pytest.approx(math.log(2), abs=1e-3)
    same = fed(Modes(), seen(real, 8), seen(real, 8)).compute()
    assert same["modes_kl"] == pytest.approx(0, abs=1e-6)


def test_a_class_that_the_data_lack_gives_a_large_finite_kl():
    assert 5 < kl(torch.tensor([0, 10]), torch.tensor([1000, 0])) < 8
    assert float(smoothed(torch.tensor([3, 0, 1])).sum()) == pytest.approx(1)


def test_parts_and_processes_change_nothing():
    real, fake = (torch.randint(0, 6, (n,), generator=torch.Generator().manual_seed(n)) for n in (300, 200))
    whole = fed(Modes(), seen(real, 6), seen(fake, 6))
    first, second = (fed(Modes(), seen(real[s], 6), seen(fake[s], 6)) for s in (slice(0, 70), slice(70, None)))
    first.merge(second)
    assert first.compute() == whole.compute()
    assert first.counts("fake").tolist() == fake.bincount(minlength=6).tolist()
    again = Modes()
    again.load_state_dict(first.state_dict())
    assert again.compute() == whole.compute()


def test_its_influences_foretell_its_spread():
    shares = torch.tensor([0.4, 0.3, 0.2, 0.1])

    def draw(i: int) -> dict[str, Seen]:
        random = torch.Generator().manual_seed(i)
        drawn = [torch.multinomial(p, 500, replacement=True, generator=random) for p in (shares, shares.flip(0))]
        return {"real": seen(drawn[0], 4), "fake": seen(drawn[1], 4)}

    spread, foretold = spreads(Modes, draw, "modes_kl", 200)
    assert foretold == pytest.approx(spread, rel=0.2)


def test_few_pictures_for_the_classes_are_remarked_on():
    few = fed(Modes(), seen(torch.arange(50), 50), seen(torch.arange(50), 50))
    assert "of 50 pictures is too low: as many real ones, in even classes, would miss 18" in few.remarks()["modes"]
    assert "ask for 500 pictures" in few.remarks()["modes_kl"]
    many = seen(torch.arange(5).repeat(10), 5)
    assert fed(Modes(), many, many).remarks() == {}
    with pytest.raises(DataError, match="none came of: generated"):
        fed(Modes(), many).compute()


def test_stacked_garments_have_their_thousand_modes():
    """Three real garments in three channels hit many of the 1000 modes; a generator of one triple hits one."""
    with files("gansmith").joinpath("assets", FILES["fashion-mnist"]).open("rb") as file:
        x = torch.from_numpy(np.load(file)["x"][:3000]).view(3, 1000, 28, 28).permute(1, 2, 3, 0).contiguous()
    net, metric = load_extractor("stacked:fashion"), Modes()
    for side, pixels in (("real", x[:700]), ("fake", x[700:])):
        features, heads = net.look(pixels, ("logits",))
        metric.update(Seen(features, heads=heads), side)
    spread = metric.compute()
    assert 430 < spread["modes_real"] < 560  # of 700 draws from 1000 even modes, 503 are expected
    assert 200 < spread["modes"] < 300  # of 300 draws, 259
    features, heads = net.look(x[:1].expand(300, -1, -1, -1), ("logits",))
    collapsed = fed(Modes(), None, Seen(features, heads=heads))
    collapsed.add("real", metric.counts("real"))
    assert collapsed.compute()["modes"] == 1
    assert collapsed.compute()["modes_kl"] > spread["modes_kl"] + 1
