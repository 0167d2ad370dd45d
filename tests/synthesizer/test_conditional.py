"""The search for rare rows, on a generator whose conditional distribution is known exactly; and how wishes are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gansmith.batch import Batch
from gansmith.errors import DataError, UserError
from gansmith.pipelines.tables.conditional import Steered, Walker, search
from gansmith.pipelines.tables.where import distance, read_where, words
from gansmith.recipes.base import Context, Networks, Phase, Recipe
from gansmith.spec import Spec
from gansmith.tabular.schema import Column, Schema


@dataclass(frozen=True, kw_only=True)
class Normals(Recipe):
    """x = (z1, 0.8 z1 + 0.6 z2), so that all conditionals are known."""

    def networks(self, spec: Spec) -> Networks:
        return Networks({"G": nn.Linear(2, 2, bias=False)})

    def phases(self) -> dict[str, Phase]:
        return {}

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(params, 0.1)

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        z = torch.cat([ctx.randn(request, 1), torch.special.ndtri(ctx.rand(request, 1).clamp_min(1e-7))], 1)
        return Batch(x=nets.G(z))


def normals() -> tuple[Normals, Networks]:
    recipe, nets = Normals(), Networks({"G": nn.Linear(2, 2, bias=False)})
    nets.G.weight.data = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    return recipe, nets


def tail(at: float) -> Any:
    return lambda x: (at - x[:, 0].double().numpy()).clip(min=0)


def found(at: float, rounds: int, chains: int = 1000) -> tuple[Tensor, int]:
    parts, draws = [], 0
    for seed in range(rounds):
        walker = Walker(*normals(), tail(at), seed)
        parts.append(search(walker, torch.zeros(chains, 0), torch.zeros(chains, 0), 10**6))
        draws += walker.draws
    return torch.cat(parts), draws


def test_rare_rows_follow_the_true_conditional_distribution() -> None:
    """P(x1 > 4) is 3.2e-5: rejection would make 31,000 rows for each one that it keeps."""
    x, draws = found(4.0, rounds=4)
    assert (x[:, 0] > 4).all()
    assert len(x) > 3_500
    assert draws / len(x) < 100
    assert abs(x[:, 0].mean() - 4.2256) < 0.02  # phi(4) / Phi(-4)
    assert abs(x[:, 1].mean() - 0.8 * 4.2256) < 0.08
    rest = x[:, 1] - 0.8 * x[:, 0]
    assert abs(rest.std() - 0.6) < 0.05  # z2 is as it was: the search does not cost variety
    assert len(torch.unique(x, dim=0)) == len(x)


def test_conditions_without_a_way_to_them_are_found_all_the_same() -> None:
    """z1 > 2.5 and z2 > 2.5, each told as met or not: two plateaus, P = 3.9e-5."""

    def judge(x: Tensor) -> Any:
        z1, z2 = x[:, 0].double().numpy(), ((x[:, 1] - 0.8 * x[:, 0]) / 0.6).double().numpy()
        return (z1 < 2.5).astype(float) + (z2 < 2.5)

    x, draws = torch.zeros(0, 2), 0
    for seed in range(4):
        walker = Walker(*normals(), judge, seed)
        x = torch.cat([x, search(walker, torch.zeros(1000, 0), torch.zeros(1000, 0), 10**6)])
        draws += walker.draws
    assert len(x) > 3_500
    assert draws / len(x) < 200
    assert abs(x[:, 0].mean() - 2.8227) < 0.02
    assert abs(((x[:, 1] - 0.8 * x[:, 0]) / 0.6).mean() - 2.8227) < 0.03


def test_a_search_is_reproducible_and_depends_on_its_seed() -> None:
    def one(seed: int) -> Tensor:
        return search(Walker(*normals(), tail(2.5), seed), torch.zeros(300, 0), torch.zeros(300, 0), 10**5)

    assert torch.equal(one(3), one(3))
    assert not torch.equal(one(3)[:100], one(4)[:100])


def test_what_cannot_be_is_not_found_within_the_budget() -> None:
    walker = Walker(*normals(), lambda x: np.ones(len(x)), 0)
    assert len(search(walker, torch.zeros(100, 0), torch.zeros(100, 0), 20_000)) == 0
    assert walker.draws <= 21_000


def test_steered_noise_has_the_distributions_it_should() -> None:
    ctx = Steered(seed=5, noise=[])
    batch = Batch(index=torch.arange(20_000))
    normal, uniform = ctx.randn(batch, 1), ctx.rand(batch, 1)
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.02
    assert abs(uniform.mean() - 0.5) < 0.01
    assert 0 <= uniform.min() <= uniform.max() < 1
    again = Steered(seed=99, noise=list(ctx.noise))
    assert torch.equal(again.randn(batch, 1), normal)


def schema() -> Schema:
    return Schema(
        (
            Column(name="sex", kind="category", categories=("F", "M"), counts=(40, 60)),
            Column(name="smokes", kind="boolean", dtype="bool", categories=(False, True), counts=(80, 20)),
            Column(name="code", kind="category", categories=(1, "1", 2), counts=(5, 5, 5, 3), nulls=True),
            Column(name="age", kind="integer", dtype="int64", low=17, high=90, special=(999,)),
            Column(name="pay", kind="float", decimals=2, low=0, high=100, nulls=True),
            Column(name="born", kind="datetime", low=0.0, high=1e15, step=86_400e6),
            Column(name="mail", kind="identifier", fill="email"),
        )
    )


def met(where: Mapping[str, Any], **values: Any) -> list[bool]:
    canonical = {name: np.asarray(v) for name, v in values.items()}
    return (distance(read_where(where, schema()), canonical) <= 0).tolist()


def test_wishes_are_met_by_what_will_be_written() -> None:
    assert met({"sex": "F"}, sex=[0, 1]) == [True, False]
    assert met({"smokes": True}, smokes=[0, 1]) == [False, True]
    assert met({"smokes": "True"}, smokes=[0, 1]) == [False, True]
    assert met({"code": "1"}, code=[0, 1, 2, -1]) == [False, True, False, False]
    assert met({"code": [2, None]}, code=[0, 1, 2, -1]) == [False, False, True, True]
    assert met({"age": (30, 40)}, age=[29.4, 29.6, 40.4, 40.6, 999]) == [False, True, True, False, False]
    assert met({"age": [20, (80, None)]}, age=[20.2, 21.0, 80.0, 500.0]) == [True, False, True, True]
    assert met({"pay": 3.5}, pay=[3.499, 3.49, np.nan]) == [True, False, False]
    assert met({"pay": None}, pay=[3.499, np.nan]) == [False, True]
    day = 86_400e6
    assert met({"born": ("1970-01-02", "1970-01-03")}, born=[day * 0.9, day, 2.9 * day, 3 * day]) == [
        False, True, True, False,
    ]  # fmt: skip
    assert met({"sex": "F", "age": (30, None)}, sex=[0, 0, 1], age=[40, 20, 40]) == [True, False, False]


def test_distance_leads_the_way() -> None:
    far = distance(read_where({"age": (80, 90)}, schema()), {"age": np.array([85.0, 75.0, 30.0, 17.0])})
    assert far[0] == 0
    assert (np.diff(far) > 0).all()


def test_wishes_in_words() -> None:
    wishes = read_where({"sex": ["F", "M"], "age": (30, None), "pay": None}, schema())
    assert words(wishes) == "sex in ['F', 'M'] and age from 30 and pay = None"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"sexe": "F"}, "no column 'sexe'. Did you mean 'sex'"),
        ({"sex": "f "}, "'sex' has no category 'f '.*There are: F, M"),
        ({"sex": ("F", "M")}, "has categories and no range; ask for a list"),
        ({"sex": None}, "missing in the training data"),
        ({"age": None}, "missing in the training data"),
        ({"sex": []}, "the list is empty"),
        ({"age": (100, 120)}, "'age' from 100 to 120 is outside of what the training data have, 17 to 90"),
        ({"age": (40, 30)}, "low end above its high end"),
        ({"age": (1, 2, 3)}, "has two ends"),
        ({"age": "old"}, "compared with a number, not with: 'old'"),
        ({"born": "soon"}, "a date such as"),
        ({"born": ("2030-01-01", None)}, "outside of what the training data have, 1970-01-01 to 2001-09-09"),
        ({"mail": "a@b"}, "is an identifier"),
    ],
)
def test_impossible_wishes_are_told(where: dict[str, Any], message: str) -> None:
    with pytest.raises((DataError, UserError), match=message):
        read_where(where, schema())
