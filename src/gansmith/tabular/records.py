"""Records: rows of yes-or-no columns, counts and numbers as one number each, for networks without softmaxes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .encoders import Quantile
from .spec import Span, TableSpec

Rows = Float[Tensor, "b width"]
Values = Float[Tensor, "b values"]


class Records(nn.Module):
    """Rows as records of one number in [0, 1] each, and back.

    A choice of two codes is one number, the probability of its second code (in a yes-or-no column, of the rarer
    answer). A scalar s in [-1, 1] is (s + 1) / 2; one that stands for a value which many rows share, such as a count,
    is the middle of that value's interval, so that equal counts are equal numbers. A choice of one code, a constant,
    is no number at all.

    Args:
        spec: of a table whose choices have two codes at most.

    Attributes:
        count: numbers in a record.
    """

    places: Tensor
    choice: Tensor
    constants: Tensor
    left: Tensor
    right: Tensor

    def __init__(self, spec: TableSpec) -> None:
        super().__init__()
        self.width = spec.width
        numbers = [s for s in spec.spans if not is_constant(s)]
        constants = [s.start for s in spec.spans if is_constant(s)]
        self.count = len(numbers)
        self.register_buffer("places", torch.tensor([s.slice.stop - 1 for s in numbers]), persistent=False)
        self.register_buffer("choice", torch.tensor([s.head == "choice" for s in numbers]), persistent=False)
        self.register_buffer("constants", torch.tensor(constants, dtype=torch.int64), persistent=False)
        for name, knots in zip(("left", "right"), _knots(spec, numbers), strict=True):
            self.register_buffer(name, knots, persistent=False)

    def forward(self, x: Rows) -> Values:
        """Records of rows."""
        v = x[:, self.places]
        v = torch.where(self.choice, v, (v + 1) / 2)
        return self._levelled(v) if self.left.shape[1] else v

    def _levelled(self, v: Values) -> Values:
        """The middle of the interval in which a number lies, where it lies in one."""
        at = torch.searchsorted(self.right, v.T.contiguous()).clamp_max(self.right.shape[1] - 1)
        left, right = self.left.gather(1, at).T, self.right.gather(1, at).T
        return torch.where((v >= left) & (v <= right), (left + right) / 2, v)

    def rounded(self, v: Values) -> Values:
        """Numbers as `forward` would have them: those of choices 0 or 1, those of shared values in the middle of their
        intervals; gradients pass unchanged."""
        level = self._levelled(v) if self.left.shape[1] else v
        return v + (torch.where(self.choice, v.round(), level) - v).detach()

    def rows(self, v: Values) -> Rows:
        """Rows of records: of each choice the code that is more probable."""
        x = v.new_zeros(len(v), self.width)
        second = (v >= 0.5).to(v.dtype)
        x[:, self.places] = torch.where(self.choice, second, 2 * v - 1)
        x[:, self.places[self.choice] - 1] = 1 - second[:, self.choice]
        x[:, self.constants] = 1.0
        return x


def _knots(spec: TableSpec, numbers: list[Span]) -> tuple[Tensor, Tensor]:
    """Where the interval of each shared value begins and ends in [0, 1], ascending: (values, most knots), twice."""
    encoders = dict(zip((c.name for c in spec.schema.learnt), spec.encoders, strict=True))
    found: list[list[tuple[float, float]]] = []
    for span in numbers:
        encoder = encoders[span.column]
        found.append([])
        if isinstance(encoder, Quantile) and span.head == "scalar":
            found[-1] += [(a, b) for a, b in zip(encoder.left, encoder.right, strict=True) if b > a]
    most = max(map(len, found))
    padded = torch.tensor([own + [(2.0, 2.0)] * (most - len(own)) for own in found]).reshape(len(found), most, 2)
    return padded[..., 0].contiguous(), padded[..., 1].contiguous()


def is_constant(span: Span) -> bool:
    """Whether it is a choice of one code."""
    return span.head == "choice" and span.width == 1
