"""Which picture sizes a recipe can make, and the error that says so."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SpecError
from ..spec import ImageSpec, Spec


def picture_spec(spec: Spec, recipe: str, sizes: Sequence[int]) -> ImageSpec:
    """`spec` itself, once it is known to describe pictures of one of these sizes.

    Raises:
        SpecError: `spec` is of another kind of data, or of a size not among `sizes` (ascending).
    """
    if not isinstance(spec, ImageSpec):
        raise SpecError(f"{recipe} makes pictures; the data are of the kind: {spec.kind}")
    if spec.size in sizes:
        return spec
    near = [s for s in (_below(spec.size, sizes), _above(spec.size, sizes)) if s is not None]
    known = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 8 else ", ".join(map(str, sizes))
    raise SpecError(
        f"{recipe} cannot make pictures of {spec.size} pixels; it makes: {known}.\n"
        f"Resize to {' or '.join(map(str, near))}, for example: --size {near[0]}"
    )


def _below(size: int, sizes: Sequence[int]) -> int | None:
    return max((s for s in sizes if s < size), default=None)


def _above(size: int, sizes: Sequence[int]) -> int | None:
    return min((s for s in sizes if s > size), default=None)
