"""One measured number about a synthetic table, with what it was measured on and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Better = Literal["high", "low"]


@dataclass(frozen=True)
class MeasuredOn:
    """The rows that a figure was measured on; `str()` of it stands beside the figure.

    Args:
        n_real: rows of real data used.
        n_fake: synthetic rows used.
        split: which real rows: `train` (those that the generator saw), `held-out`, `train and held-out`.
        n_test: held-out rows used, where they stand beside the others.
        detail: the metric's own settings, and every cap that left rows out.
    """

    n_real: int
    n_fake: int
    split: str = "train"
    n_test: int = 0
    detail: str = ""

    def __str__(self) -> str:
        test = f", n_test={self.n_test}" if self.n_test else ""
        detail = f", {self.detail}" if self.detail else ""
        return f"n_real={self.n_real}, n_fake={self.n_fake}{test}, split={self.split}{detail}"


@dataclass(frozen=True, kw_only=True)
class TableFigure:
    """One number about a synthetic table.

    Args:
        name: short and unique within a judgement, such as `membership-distance-auc`.
        value: the number, in the unit that `meaning` names.
        better: which way is better.
        meaning: a sentence that a reader without statistics can follow.
        protocol: the rows it was measured on.
        interval: 95 % interval of the value, where one is cheap.
        reference: what the same measure gives for real data that the generator never saw, or for chance.
        group: the part of the report it belongs to: `quality`, `detection`, `utility`, `privacy`.
    """

    name: str
    value: float
    better: Better
    meaning: str
    protocol: MeasuredOn
    interval: tuple[float, float] | None = None
    reference: float | None = None
    group: str = "quality"

    def __str__(self) -> str:
        spread = "" if self.interval is None else f" [{self.interval[0]:.4g}, {self.interval[1]:.4g}]"
        return f"{self.name}({self.protocol}) = {self.value:.4g}{spread}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"interval": list(self.interval) if self.interval else None}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TableFigure:
        """The inverse of `to_json`."""
        interval = data.get("interval")
        return TableFigure(
            **{
                **data,
                "protocol": MeasuredOn(**data["protocol"]),
                "interval": (float(interval[0]), float(interval[1])) if interval else None,
            }
        )
