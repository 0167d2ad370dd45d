"""Every recipe that heeds classes heeds several attributes, by the same networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gansmith.batch import Batch
from gansmith.game import Judged
from gansmith.pipelines import catalogue
from gansmith.pipelines.edit import Editor
from gansmith.pipelines.generate import Generator
from gansmith.recipes.base import Context, settle
from gansmith.spec import ImageSpec
from gansmith.testing import Noise, check_micro_batches, check_phases, check_resume, check_round_trip

SPEC = ImageSpec(
    size=16,
    attributes=("smiling", "glasses", "hat"),
    combinations=("100", "000", "110", "001"),
    combination_counts=(16, 12, 8, 4),
)
RESNET = {"width": 8, "widest": 8, "d_width": 8, "d_widest": 8}
STYLES = {"base": 64, "widest": 8, "latent": 8, "style": 8}
NARROW: dict[str, dict[str, Any]] = {
    "cgan": {"width": 24, "units": 8, "label_units": 4},
    "acgan": {"width": 24, "d_width": 2},
    "sngan": RESNET,
    "sagan": RESNET,
    "biggan": RESNET,
    "r3gan": {"width": 16, "group": 8, "latent": 8},
    "lapgan": {"latent": 8, "g_units": 16, "d_units": 16},
    "stylegan2": STYLES,
    "stylegan3": STYLES | {"layers": 4},
}


def small(name: str, **fields: Any) -> Any:
    return catalogue.build(catalogue.find(name), SPEC, "small", NARROW[name] | fields)


@pytest.mark.parametrize("name", NARROW)
def test_phases_and_micro_batches_keep_the_contract(name: str) -> None:
    recipe, source = small(name), Noise(SPEC)
    check_round_trip(recipe, SPEC)
    check_phases(recipe, source)
    check_micro_batches(recipe, source)


@pytest.mark.parametrize("name", ["acgan", "r3gan"])
def test_resuming_and_loading_are_exact(name: str) -> None:
    check_resume(small(name), Noise(SPEC), 8)


@pytest.mark.parametrize("name", [name for name in NARROW if name != "lapgan"])
def test_both_players_heed_each_attribute(name: str) -> None:
    torch.manual_seed(0)
    recipe = small(name)
    nets = recipe.networks(SPEC).eval()
    with torch.no_grad():
        for parameter in nets.parameters():  # some begin at zero
            parameter.add_(0.1 * torch.randn_like(parameter))
    x, plain = torch.rand(1, 3, 16, 16) * 2 - 1, torch.zeros(1, 3, dtype=torch.int64)

    def told(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        batch = Batch(x=x, y=y)
        judged = recipe.judge(nets, x, batch, Context())
        said = torch.stack([judged.logits, *judged.terms.values()]) if isinstance(judged, Judged) else judged
        return recipe.fake(nets, batch, Context()), said

    made, judged = told(plain)
    for i in range(3):
        other_made, other_judged = told(plain.index_fill(1, torch.tensor([i]), 1))
        assert not torch.equal(made, other_made), f"G does not heed attribute {i}"
        assert not torch.equal(judged, other_judged), f"D does not heed attribute {i}"


def test_a_generator_is_asked_by_attributes() -> None:
    torch.manual_seed(0)
    recipe = small("r3gan")
    make = Generator(recipe.networks(SPEC).eval(), recipe, SPEC, "r3gan")
    asked = make(6, seed=1, where={"smiling": 1, "glasses": 0})
    assert asked.batch["y"].tolist() == [[1, 0, 0]] * 6
    assert asked.grid().size == (3 * 100, 2 * (96 + 12 + 6))
    walk = Editor(make).interpolate([0, 1], frames=3)
    assert len(walk) == 4, "attributes stay while latents move"
    torch.testing.assert_close(walk.tensor[0], make(1, seed=0).tensor[0], atol=1e-4, rtol=0)
    free = make(6, seed=1)
    torch.testing.assert_close(free.tensor[0], make(1, seed=1).tensor[0], atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", ["stylegan2", "stylegan3"])
def test_truncation_leads_to_the_mean_of_the_attributes_asked_for(name: str) -> None:
    torch.manual_seed(0)
    recipe = small(name)
    nets = recipe.networks(SPEC).eval()
    settle(recipe, nets, SPEC)
    mapping, y = nets.G.mapping, torch.tensor([[1, 0, 1], [0, 0, 0], [1, 0, 1]])
    z = torch.randn(3, 8)
    cut = mapping(z, y, torch.tensor([0.0, 0.0, 0.5]))[:, 0]
    many = mapping(torch.randn(4096, 8), y[:1].expand(4096, -1))[:, 0]
    torch.testing.assert_close(cut[0], many.mean(0), atol=float(3 * many.std(0).max() / 256**0.5), rtol=0)
    assert not torch.allclose(cut[0], cut[1])
    torch.testing.assert_close(cut[2], cut[0].lerp(mapping(z, y)[2, 0], 0.5))
