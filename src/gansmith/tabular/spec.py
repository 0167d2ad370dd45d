"""TableSpec: what one row looks like to the networks, and how rows come back from what they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..batch import Batch
from ..errors import DataError, did_you_mean
from ..spec import Spec
from .encoders import Choice, Codes, Encoder, Floats, encoder_from_json
from .schema import Canonical, Column, Schema

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

S = TypeVar("S", bound="TableSpec")
Head = Literal["scalar", "choice"]


@dataclass(frozen=True)
class Span:
    """A stretch of the networks' row: one number from a tanh, or a one-hot from a softmax."""

    column: str
    start: int
    width: int
    head: Head

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.width)


@dataclass(frozen=True, kw_only=True)
class TableSpec(Spec):
    """Rows of a table.

    Batch: `x` (b width) in [-1, 1], a span for each scalar and each choice of a column; `cond` (b conditions), a
    one-hot for each column that is asked for and zeros elsewhere; `mask` (b columns-that-may-be-asked-for), 1 where
    one is. The conditions are the columns with a `Choice`, in their order.

    Args:
        schema: the columns.
        encoders: of `schema.learnt`, in that order.
        rows: how many there were in training.
    """

    kind: ClassVar[str] = "table"
    repeats: ClassVar[bool] = True
    fills: ClassVar[bool] = False
    schema: Schema
    encoders: tuple[Encoder, ...]
    rows: int

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The networks' row: for each column first its scalars, then its choices."""
        found: list[Span] = []
        for column, encoder in zip(self.schema.learnt, self.encoders, strict=True):
            for width, head in [(1, "scalar")] * encoder.scalars + [(k, "choice") for k in encoder.choices]:
                start = found[-1].slice.stop if found else 0
                found.append(Span(column.name, start, width, "scalar" if head == "scalar" else "choice"))
        return tuple(found)

    @property
    def width(self) -> int:
        """Numbers in one row."""
        return self.spans[-1].slice.stop if self.spans else 0

    @cached_property
    def conditions(self) -> tuple[Span, ...]:
        """The spans within `x` of the columns that may be asked for."""
        by_column = dict(zip((c.name for c in self.schema.learnt), self.encoders, strict=True))
        return tuple(s for s in self.spans if isinstance(by_column[s.column], Choice))

    @cached_property
    def condition_shares(self) -> list[float]:
        """The share of training rows that has each code of `conditions`, in their order; each column's sum to 1."""
        shares: list[float] = []
        for column, encoder in zip(self.schema.learnt, self.encoders, strict=True):
            if isinstance(encoder, Choice):
                shares += _code_shares(column, encoder)
        return shares

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {"x": (-1.0, 1.0)}

    # compact rows: (n, scalars) float32 and (n, choices) int16, columns side by side

    def encode(self, canonical: Canonical, rng: np.random.Generator) -> tuple[Floats, Codes]:
        """Canonical columns -> scalars (n, number of scalar spans), codes (n, number of choice spans)."""
        parts = [
            encoder.encode(canonical[column.name], rng)
            for column, encoder in zip(self.schema.learnt, self.encoders, strict=True)
        ]
        return np.concatenate([s for s, _ in parts], 1), np.concatenate([c for _, c in parts], 1)

    def expand(self, scalars: Tensor, codes: Tensor) -> Tensor:
        """Compact rows -> the networks' rows, (n width) float32: numbers as they are, codes as one-hot."""
        x = torch.zeros(len(scalars), self.width, device=scalars.device)
        x[:, self._scalar_places.to(x.device)] = scalars.float()
        return x.scatter_(1, codes.long() + self._choice_starts.to(x.device), 1.0) if codes.shape[1] else x

    def compact(self, x: Tensor, codes: Tensor | None = None) -> tuple[Floats, Codes]:
        """The inverse of `expand`; of a choice the largest entry counts, unless its `codes` (n choices) are known."""
        x = x.detach().float().cpu()
        scalars = x.T[self._scalar_places].clamp(-1, 1).double().numpy().T  # each column in one piece
        if codes is not None:
            return scalars, codes.cpu().numpy()
        found = [x[:, s.slice].argmax(1) for s in self.spans if s.head == "choice"]
        return scalars, torch.stack(found, 1).numpy() if found else np.zeros((len(x), 0), dtype=np.int64)

    @cached_property
    def _scalar_places(self) -> Tensor:
        return torch.tensor([s.start for s in self.spans if s.head == "scalar"], dtype=torch.int64)

    @cached_property
    def _choice_starts(self) -> Tensor:
        return torch.tensor([s.start for s in self.spans if s.head == "choice"], dtype=torch.int64)

    def canonical(
        self, x: Tensor, rng: np.random.Generator, known: Tensor | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """The networks' rows -> canonical columns; `known` are the codes of their choices, where these are known."""
        return self.from_compact(*self.compact(x, known), rng)

    def from_compact(self, scalars: Floats, codes: Codes, rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
        """The inverse of `encode`."""
        found, first, code = {}, 0, 0
        for column, encoder in zip(self.schema.learnt, self.encoders, strict=True):
            own = scalars[:, first : first + encoder.scalars], codes[:, code : code + len(encoder.choices)]
            found[column.name] = encoder.decode(*own, rng)
            first, code = first + encoder.scalars, code + len(encoder.choices)
        return found

    def request(self, n: int, *, label: str | None = None, start: int = 0) -> Batch:
        """`n` rows of whatever the table holds; `label` is `COLUMN=VALUE` and asks for one category."""
        index = torch.arange(start, start + n)
        asked = dict([label.split("=", 1)]) if label and "=" in label else {}
        if label and not asked:
            raise DataError(f"wanted COLUMN=VALUE, this was: {label}")
        cond, mask = self.ask(asked)
        return Batch(index=index, cond=cond.expand(n, -1), mask=mask.expand(n, -1))

    def ask(self, where: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """`cond` (1 conditions) and `mask` (1 columns) that ask for these categories; none where `where` is empty.

        Raises:
            DataError: no such column, not one that can be asked for so, or no such category; the nearest is offered.
        """
        cond = torch.zeros(1, sum(s.width for s in self.conditions))
        mask = torch.zeros(1, len(self.conditions))
        known = [s.column for s in self.conditions]
        for name, value in where.items():
            column = self.schema[name]
            if name not in known:
                raise DataError(
                    f"{name!r} is no category, so no single value of it can be asked for; it is: {column.kind}"
                )
            at = known.index(name)
            first = sum(s.width for s in self.conditions[:at])
            cond[0, first + self.code_of(column, value)], mask[0, at] = 1.0, 1.0
        return cond, mask

    def code_of(self, column: Column, value: Any) -> int:
        """The code of a category, None or NaN being the missing one.

        Raises:
            DataError: no such category; the nearest is offered.
        """
        encoder = self.encoders[[c.name for c in self.schema.learnt].index(column.name)]
        assert isinstance(encoder, Choice)
        if (value is None or value != value) and encoder.nulls:
            return encoder.choices[0] - 1
        for number, category in enumerate(column.categories):
            if category == value or str(category) == str(value):
                return min(number, encoder.top)
        known = [str(c) for c in column.categories]
        raise DataError(
            f"{column.name!r} has no category {value!r}.{did_you_mean(str(value), known)} "
            f"There are: {', '.join(known[:12])}"
        )

    def decode(self, batch: Batch) -> list[Any]:
        """Rows as dicts."""
        rows: list[Any] = self.frame(batch).to_dict("records")
        return rows

    def frame(self, batch: Batch, *, seed: int = 0) -> pd.DataFrame:
        """Rows as the user had them: a DataFrame with the dtypes, precision, nulls and order of the training data."""
        from .frames import restore

        first = int(batch["index"][0]) if "index" in batch else 0
        rng = np.random.default_rng([seed, first])
        return restore(self.canonical(batch["x"], rng), self.schema, start=first, seed=seed)

    def write(self, batch: Batch, folder: Path, *, start: int = 0) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{start:06d}.csv"
        self.frame(batch).to_csv(path, index=False)
        return [path]

    def describe(self) -> list[tuple[str, ...]]:
        """The columns: name, kind, values, missing values, notes."""
        from .schemafile import summary

        return summary(self.schema)

    def preview(self, batch: Batch, columns: int | None = None) -> Image.Image:
        """The first rows as a picture of text."""
        from .preview import picture_of

        return picture_of(self.frame(batch))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "schema": self.schema.to_json(),
            "encoders": [encoder.to_json() for encoder in self.encoders],
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls: type[S], data: Mapping[str, Any]) -> S:
        """The inverse of `to_json`, without `kind`."""
        found = dict(data)
        if "schema" in found:
            found["schema"] = Schema.from_json(tuple(found["schema"]))
        if "encoders" in found:
            found["encoders"] = tuple(encoder_from_json(e) for e in found["encoders"])
        return super().from_json(found)


def _code_shares(column: Column, encoder: Choice) -> list[float]:
    counts = list(encoder.weights[: encoder.top])
    counts += [sum(encoder.weights[encoder.top :])] if encoder.has_rest else []
    missing = column.counts[len(column.categories) :]
    counts += [float(missing[0]) if missing else 1.0] if encoder.nulls else []
    total = sum(counts) or 1.0
    return [count / total for count in counts]
