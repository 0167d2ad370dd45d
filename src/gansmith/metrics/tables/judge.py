"""The whole judgement of a synthetic table, with simple generators judged beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ...tabular.schema import Schema
from . import attributes, privacy, quality, utility
from . import baselines as simple
from .base import MeasuredOn, TableFigure
from .columns import Aligned, align, need
from .detection import real_or_fake
from .diagnostic import Validity, diagnostic
from .neighbours import Nearest
from .quality import Shape, Trend
from .shadow import Progress, TrainAndSample, shadow_attack

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
HELD_OUT = "there are no held-out rows; give `test`, rows of the same kind that the generator never saw"
NO_TARGET = "no target column was named"
NO_SHADOW = "no shadow models were asked for (`gansmith evaluate RUN --shadows 8`)"
SPARE = 0.25  # the part of the real rows that models are tested on when nothing was held out


@dataclass(frozen=True)
class TableJudgement:
    """Everything that was measured about one synthetic table.

    Attributes:
        figures: of the synthetic table.
        baselines: of simple generators, fewer figures by the same protocols: name of the generator -> figures.
        shapes, trends, validity: of each column and pair of columns.
        secrets: attribute inference, column by column.
        missing: what was not measured, and why: name of the figure, or of the group of figures -> reason.
        schema: of the tables, as JSON.
        about: rows of each table, target, seed, seconds, version.
    """

    figures: tuple[TableFigure, ...]
    baselines: Mapping[str, tuple[TableFigure, ...]] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = ()
    trends: tuple[Trend, ...] = ()
    validity: tuple[Validity, ...] = ()
    secrets: tuple[attributes.Secret, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    schema: tuple[Mapping[str, Any], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def get(self, name: str, of: str | None = None) -> TableFigure | None:
        """The figure called `name`, of a baseline if one is named; None when it was not measured."""
        figures = self.figures if of is None else self.baselines.get(of, ())
        return next((f for f in figures if f.name == name), None)

    def __getitem__(self, name: str) -> float:
        """The value of a figure.

        Raises:
            DataError: it was not measured; the reason is given where it is known.
        """
        found = self.get(name)
        if found is None:
            raise DataError(f"no figure {name!r} in this judgement: {self.missing.get(name, 'no such name')}")
        return found.value

    def lines(self) -> list[str]:
        """One line of text for each figure, with its protocol."""
        return [str(f) for f in self.figures] + [f"{name}: not measured, {why}" for name, why in self.missing.items()]

    def to_json(self) -> dict[str, Any]:
        """Plain data; undefined numbers are null."""
        plain: dict[str, Any] = _plain(
            {
                "format": FORMAT,
                "about": dict(self.about),
                "figures": [f.to_json() for f in self.figures],
                "baselines": {name: [f.to_json() for f in found] for name, found in self.baselines.items()},
                "missing": dict(self.missing),
                "shapes": [s.to_json() for s in self.shapes],
                "trends": [t.to_json() for t in self.trends],
                "validity": [v.to_json() for v in self.validity],
                "secrets": [s.to_json() for s in self.secrets],
                "schema": [dict(c) for c in self.schema],
            }
        )
        return plain

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TableJudgement:
        """The inverse of `to_json`.

        Raises:
            DataError: the data are no judgement, or of another format.
        """
        if data.get("format") != FORMAT:
            raise DataError(f"this is no judgement of a table (format {FORMAT} wanted, found {data.get('format')!r})")
        rows = {key: [_unplain(row) for row in data[key]] for key in ("shapes", "trends", "validity", "secrets")}
        return TableJudgement(
            figures=tuple(map(_figure, data["figures"])),
            baselines={name: tuple(map(_figure, found)) for name, found in data["baselines"].items()},
            shapes=tuple(Shape(**row) for row in rows["shapes"]),
            trends=tuple(Trend(**row) for row in rows["trends"]),
            validity=tuple(Validity(**row) for row in rows["validity"]),
            secrets=tuple(attributes.Secret(**row | {"interval": tuple(row["interval"])}) for row in rows["secrets"]),
            missing=dict(data["missing"]),
            schema=tuple(data["schema"]),
            about=dict(data["about"]),
        )


def _figure(data: Mapping[str, Any]) -> TableFigure:
    return TableFigure.from_json({**data, "value": float("nan") if data["value"] is None else data["value"]})


NULLABLE = ("score", "real", "fake")


def _unplain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: float("nan") if v is None and k in NULLABLE else v for k, v in row.items()}


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and value != value else value


def judge_table(
    real: pd.DataFrame,
    fake: pd.DataFrame,
    schema: Schema,
    *,
    test: pd.DataFrame | None = None,
    target: str | None = None,
    baselines: bool = True,
    shadow: TrainAndSample | None = None,
    shadows: int = 8,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> TableJudgement:
    """Judges a synthetic table: quality, detection, utility, privacy.

    Costs that grow with the square of the rows are capped by drawing rows by seed; each figure's protocol says so.

    Args:
        real: the rows that the generator was trained on.
        fake: the synthetic rows.
        schema: what the columns are; identifiers are not compared.
        test: real rows that the generator never saw; without them nothing can be said about most of the privacy.
        target: the column that models learn to predict.
        baselines: whether simple generators are judged too.
        shadow: trains the synthesizer on a table and returns a synthetic one, `(table, seed) -> table`; for the
            membership attack with shadow models, which calls it `shadows` times.
        shadows: how many shadow models.
        seed: of every draw.
        progress: called with a line of text at each step.

    Raises:
        DataError: a table is empty, lacks columns or holds infinities; the target cannot be predicted.
        MissingExtra: pandas, scikit-learn or scipy is absent.
    """
    _need_all()
    started, say = time.monotonic(), progress or (lambda _: None)
    judged = _Judge(real, test, schema, target, seed)
    say("quality")
    tables, found, shapes, trends, validity = judged.likeness(fake)
    say("detection and utility")
    figures = [*found, real_or_fake(tables, seed=seed), *judged.utility(tables)]
    say("privacy")
    private, secrets = judged.privacy(tables)
    figures += private
    if shadow is not None:
        figures += judged.shadows(shadow, shadows, say)
    return TableJudgement(
        tuple(figures),
        judged.baselines(len(fake), say) if baselines else {},
        tuple(shapes),
        tuple(trends),
        tuple(validity),
        tuple(secrets),
        judged.missing(shadow is not None),
        tuple(schema.to_json()),
        _about(judged, fake, started),
    )


def _need_all() -> None:
    for package in ("pandas", "sklearn", "scipy"):
        need(package)


def _about(judged: _Judge, fake: pd.DataFrame, started: float) -> dict[str, Any]:
    from ... import __version__

    return {
        "rows": {"real": len(judged.real), "fake": len(fake), "test": 0 if judged.test is None else len(judged.test)},
        "columns": len(judged.schema),
        "target": judged.target,
        "seed": judged.seed,
        "seconds": round(time.monotonic() - started, 1),
        "version": __version__,
    }


class _Judge:
    """One judgement under way: what the synthetic table and the baselines share.

    The models that were trained on real rows are kept, since every synthetic table is held against the same ones.
    """

    def __init__(
        self, real: pd.DataFrame, test: pd.DataFrame | None, schema: Schema, target: str | None, seed: int
    ) -> None:
        self.real, self.test, self.schema, self.target, self.seed = real, test, schema, target, seed
        if target is not None:
            _ = schema[target]  # a wrong name is told before hours of work
        self.key = next((c.name for c in schema if c.kind == "identifier" and _is_key(real, c.name)), None)
        self._real_scores: dict[str, dict[str, float]] | None = None

    def align(self, fake: pd.DataFrame) -> Aligned:
        sides = {"real": self.real, "fake": fake} | ({} if self.test is None else {"test": self.test})
        return align(self.schema, sides)

    def likeness(
        self, fake: pd.DataFrame
    ) -> tuple[Aligned, list[TableFigure], list[Shape], list[Trend], list[Validity]]:
        """Quality and diagnosis."""
        tables = self.align(fake)
        shapes, trends = quality.shapes(tables), quality.trends(tables)
        score, valid, alike, validity = diagnostic(self.real, fake, self.schema, key=self.key, tables=tables)
        values = [*quality.score(shapes, trends), *quality.density(shapes, trends), score, valid, alike]
        on = MeasuredOn(len(self.real), len(fake), "train", detail="all rows")
        figures = [
            TableFigure(name=name, value=value, better=better, meaning=text, protocol=on)  # type: ignore[arg-type]
            for (name, better, text), value in zip(LIKENESS, values, strict=True)
        ]
        return tables, figures, shapes, trends, validity

    def utility(self, tables: Aligned) -> list[TableFigure]:
        """Train on synthetic, test on real."""
        if self.target is None:
            return []
        split = "held-out"
        if "test" not in tables.sides:
            tables, split = _spared(tables, self.seed), "a quarter of the training rows (nothing was held out)"
        task = utility.prepare(tables, self.target, seed=self.seed)
        if self._real_scores is None:
            self._real_scores = utility.train_on("real", task, seed=self.seed)
        return utility.train_on_synthetic(task, self._real_scores, side="fake", split=split, seed=self.seed)

    def privacy(self, tables: Aligned) -> tuple[list[TableFigure], list[attributes.Secret]]:
        """All that needs no more training."""
        found = [privacy.copies(tables)]
        if self.test is None:
            return found, []
        near = Nearest(privacy.cut(tables, seed=self.seed))
        guesses, secrets = attributes.attack(near)
        return [*found, *privacy.closest(near), *privacy.distance_attack(near), *guesses], secrets

    def shadows(self, shadow: TrainAndSample, count: int, say: Progress) -> list[TableFigure]:
        """The attack with shadow models, over training and held-out rows together."""
        import pandas as pd

        frame = self.real if self.test is None else pd.concat([self.real, self.test], ignore_index=True)
        return shadow_attack(frame, self.schema, shadow, shadows=count, seed=self.seed, progress=say)

    def baseline(self, name: str, n: int) -> list[TableFigure]:
        """What the report shows of a simple generator."""
        fake = simple.ALL[name](self.seed).fit(self.real, self.schema).sample(n)
        tables, found, *_ = self.likeness(fake)
        found += [real_or_fake(tables, seed=self.seed), *self.utility(tables), privacy.copies(tables)]
        if self.test is not None:
            near = Nearest(privacy.cut(tables, seed=self.seed))
            found += [*privacy.closest(near), *privacy.distance_attack(near)]
        return found

    def baselines(self, n: int, say: Progress) -> dict[str, tuple[TableFigure, ...]]:
        """The figures of every simple generator."""
        found = {}
        for name in simple.ALL:
            say(f"baseline: {name}")
            found[name] = tuple(self.baseline(name, n))
        return found

    def missing(self, shadow: bool) -> dict[str, str]:
        """What could not be measured, and why."""
        found = {} if self.target is not None else {"train on synthetic, test on real": NO_TARGET}
        if self.test is None:
            found |= dict.fromkeys(PRIVATE, HELD_OUT)
        return found if shadow else found | {"membership-shadow-auc": NO_SHADOW}


PRIVATE = ("closer-to-training-share", "membership-distance-auc", "attribute-inference-gain")
LIKENESS = (
    (
        "sdmetrics-quality",
        "high",
        "SDMetrics 0.32.0's quality score: the mean of how alike single columns and strong trends between pairs are.",
    ),
    ("sdmetrics-column-shapes", "high", "How alike the distributions of single columns are, mean over columns."),
    (
        "sdmetrics-pair-trends",
        "high",
        "How alike the trends between pairs of columns are, over the pairs with a strong trend in the real table.",
    ),
    ("shape-error", "low", "How far the distributions of columns are apart, mean over columns (TabSyn's measure)."),
    ("pair-trend-error", "low", "How far the trends of pairs are apart, mean over all pairs (TabSyn's measure)."),
    (
        "sdmetrics-diagnostic",
        "high",
        "SDMetrics 0.32.0's diagnostic score: whether values are valid and the table has the right columns.",
    ),
    ("validity", "high", "Share of values within the ranges and categories of the real table, mean over columns."),
    ("structure", "high", "Share of columns that both tables have, with the same name and dtype."),
)  # fmt: skip


def _is_key(real: pd.DataFrame, name: str) -> bool:
    return name in real and bool(real[name].notna().all()) and bool(real[name].is_unique)


def _spared(tables: Aligned, seed: int) -> Aligned:
    """Without held-out rows: a quarter of the real rows is what models are tested on, the rest what they learn."""
    n = tables.rows("real")
    order = np.random.default_rng([seed, 5]).permutation(n)
    cut = max(1, int(n * SPARE))
    real = tables["real"]
    sides = {side: tables[side] for side in tables.sides}
    sides["test"] = {name: values[order[:cut]] for name, values in real.items()}
    sides["real"] = {name: values[order[cut:]] for name, values in real.items()}
    return Aligned(tables.columns, sides, tables.levels)
