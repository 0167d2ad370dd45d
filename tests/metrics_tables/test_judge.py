"""What the judgement says of tables whose faults are known: copies are found, honest tables pass, files come back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gansmith.errors import DataError
from gansmith.metrics.tables import Bootstrap, IndependentColumns, TableJudgement, judge_table, shadow_attack
from gansmith.metrics.tables.diagnostic import diagnostic
from gansmith.tabular.schema import Schema

np = pytest.importorskip("numpy")
Make = Callable[[int, int], Any]
N = 700


@pytest.fixture(scope="module")
def tables(make: Make) -> tuple[Any, Any, Any]:
    """Training rows, held-out rows, and fresh rows of the same kind: a perfect generator's."""
    return make(N, 0), make(N, 1), make(N, 2)


@pytest.fixture(scope="module")
def honest(tables: Any, schema: Schema) -> TableJudgement:
    real, test, fake = tables
    return judge_table(real, fake, schema, test=test, target="flag", seed=0)


@pytest.fixture(scope="module")
def copied(tables: Any, schema: Schema) -> TableJudgement:
    real, test, _ = tables
    return judge_table(real, Bootstrap(9).fit(real, schema).sample(N), schema, test=test, baselines=False)


def inside(judgement: TableJudgement, name: str, value: float) -> bool:
    figure = judgement.get(name)
    assert figure is not None
    assert figure.interval is not None
    return figure.interval[0] <= value <= figure.interval[1]


def test_fresh_rows_of_the_same_kind_pass_for_real(honest: TableJudgement) -> None:
    assert honest["sdmetrics-quality"] > 0.8  # its bins follow each table's own extremes, so small tables lose
    assert honest["shape-error"] < 0.06
    assert honest["sdmetrics-diagnostic"] > 0.99
    assert inside(honest, "real-or-fake-auc", 0.5)
    for name in ("closer-to-training-share", "membership-distance-auc"):
        assert inside(honest, name, 0.5), name
    assert inside(honest, "attribute-inference-gain", 0.0)
    assert honest["exact-copies"] == 0
    auroc = honest.get("tstr-auroc, gradient boosting")
    assert auroc is not None
    assert auroc.reference is not None
    assert abs(auroc.value - auroc.reference) < 0.05
    assert auroc.value > 0.8


def test_copied_rows_are_found_out_by_every_attack(copied: TableJudgement) -> None:
    assert copied["exact-copies"] == 1
    share, attack = copied.get("closer-to-training-share"), copied.get("membership-distance-auc")
    assert share is not None
    assert attack is not None
    assert share.interval is not None
    assert share.interval[0] > 0.9
    assert attack.value == pytest.approx(0.816, abs=0.04)  # 1 - 1/e are copied and found, guessing for the rest
    assert copied["membership-distance-found-at-1%"] == pytest.approx(1 - 1 / np.e, abs=0.05)
    gain = copied.get("attribute-inference-gain")
    assert gain is not None
    assert gain.interval is not None
    assert gain.interval[0] > 0.1
    assert copied["nearest-neighbour-ratio"] == 0


def test_baselines_stand_beside_with_the_same_protocols(honest: TableJudgement) -> None:
    assert set(honest.baselines) == {"independent columns", "Gaussian copula", "bootstrap of real rows"}
    for name, figures in honest.baselines.items():
        for figure in figures:
            assert honest.get(figure.name) is not None, (name, figure.name)
            assert str(figure.protocol) == str(honest.get(figure.name).protocol)  # type: ignore[union-attr]
    independent = honest.get("sdmetrics-pair-trends", of="independent columns")
    assert independent is not None
    assert independent.value < honest["sdmetrics-pair-trends"] - 0.1
    assert honest.get("exact-copies", of="bootstrap of real rows").value == 1  # type: ignore[union-attr]


def test_what_was_not_measured_is_said(tables: Any, schema: Schema, honest: TableJudgement) -> None:
    real, _, fake = tables
    found = judge_table(real, fake, schema, target="n", baselines=False)
    assert "held-out" in found.missing["membership-distance-auc"]
    assert found.get("membership-distance-auc") is None
    assert "nothing was held out" in found.get("tstr-r2, random forest").protocol.split  # type: ignore[union-attr]
    assert found["tstr-r2, gradient boosting"] > 0.5
    assert set(honest.missing) == {"membership-shadow-auc"}
    with pytest.raises(DataError, match="no shadow models were asked for"):
        honest["membership-shadow-auc"]


def test_a_judgement_comes_back_from_json(honest: TableJudgement) -> None:
    text = json.dumps(honest.to_json(), allow_nan=False)
    again = TableJudgement.from_json(json.loads(text))
    assert again.figures == honest.figures
    assert again.baselines == honest.baselines
    assert json.dumps(again.to_json(), allow_nan=False) == text
    with pytest.raises(DataError, match="no judgement"):
        TableJudgement.from_json({"format": 99})


def test_the_same_seed_gives_the_same_figures(tables: Any, schema: Schema, honest: TableJudgement) -> None:
    real, test, fake = tables
    again = judge_table(real, fake, schema, test=test, target="flag", baselines=False, seed=0)
    assert again.figures == honest.figures


def test_wrong_targets_are_named_before_any_work(tables: Any, schema: Schema) -> None:
    real, _, fake = tables
    with pytest.raises(DataError, match=r"no column 'flagg'\. Did you mean 'flag'"):
        judge_table(real, fake, schema, target="flagg")
    with pytest.raises(DataError, match="is no column to predict"):
        judge_table(real, fake, schema, target="id")
    same = real.assign(flag=True)
    with pytest.raises(DataError, match="at least two different values"):
        judge_table(same, fake, schema, target="flag")


def test_a_generator_that_forgot_a_class_is_judged_all_the_same(tables: Any, schema: Schema) -> None:
    real, test, fake = tables
    found = judge_table(real, fake.assign(flag=True), schema, test=test, target="flag", baselines=False)
    assert found["tstr-auroc, logistic regression"] == 0.5
    assert found["sdmetrics-column-shapes"] < 0.95


@pytest.mark.parametrize("rows", [3, 14])
def test_a_handful_of_rows_is_judged_too(rows: int, make: Make, schema: Schema) -> None:
    found = judge_table(make(rows, 0), make(rows, 1), schema, test=make(rows, 2), target="x")
    assert found.get("tstr-r2, nearest neighbours") is not None
    assert found.get("membership-distance-auc") is not None


def test_broken_tables_are_diagnosed(tables: Any, schema: Schema) -> None:
    real, _, fake = tables
    level = fake.level.where(np.arange(N) >= N // 2, "alien")
    broken = fake.assign(level=level, id=0, n=fake.n.astype(float))
    score, valid, alike, each = diagnostic(real, broken, schema, key="id")
    found = {v.name: v.score for v in each}
    assert found["id"] == pytest.approx(1 / N)
    assert found["level"] == pytest.approx(0.5)
    assert alike == pytest.approx(6 / 8)  # n is no integer any more
    assert score == pytest.approx((valid + alike) / 2)


def test_shadow_models_find_a_copier_and_clear_an_honest_one(tables: Any, schema: Schema) -> None:
    frame, said = tables[0], []

    def copier(table: Any, seed: int) -> Any:
        return Bootstrap(seed).fit(table, schema).sample(2 * len(table))

    def honest(table: Any, seed: int) -> Any:
        return IndependentColumns(seed).fit(table, schema).sample(len(table))

    caught = shadow_attack(frame, schema, copier, shadows=6, targets=80, progress=said.append)
    cleared = shadow_attack(frame, schema, honest, shadows=6, targets=80)
    assert [f.name for f in caught] == ["membership-shadow-auc, random", "membership-shadow-auc, isolated"]
    assert all(f.interval is not None and f.interval[0] > 0.8 for f in caught)
    assert cleared[0].interval is not None
    assert cleared[0].interval[0] <= 0.52
    assert cleared[0].value < 0.58
    assert said[-1] == "shadow model 6 of 6"
    with pytest.raises(DataError, match="at least 4 shadow models"):
        shadow_attack(frame, schema, honest, shadows=2)
