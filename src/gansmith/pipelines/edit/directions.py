"""Directions in latents that change pictures: closed-form factorisation (SeFa) and principal components (GANSpace)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import UserError
from .space import Space

DRAWN = 4096  # latents whose principal components are taken
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Directions:
    """Unit vectors in z or w, the strongest first.

    Attributes:
        vectors: (count, width), of unit length times `scale`.
        strength: of each, falling: singular values (SeFa) or standard deviations (GANSpace).
        layers: the layers whose style they move, first and last (exclusive); of a generator without styles (0, 0).
    """

    vectors: Tensor
    strength: Tensor
    layers: tuple[int, int]

    def vector(self, number: int) -> Tensor:
        """
        Raises:
            UserError: no direction of that number.
        """
        if not 0 <= number < len(self.vectors):
            raise UserError(f"directions are numbered 0 to {len(self.vectors) - 1}, not: {number}")
        return self.vectors[number]


def sefa(space: Space, count: int, layers: tuple[int, int] | None = None) -> Directions:
    """The directions that the first weights after a latent stretch most (Shen & Zhou 2020, arXiv:2007.06600).

    With styles these are the affine maps of the chosen layers, rows normalised; else the first layer that reads z.
    """
    low, high = _layers(space, layers)
    weights = [_unit_rows(w) for w in _affine(space)[low:high]] if space.styled else [_first_weight(space)]
    a = torch.cat([w.double() for w in weights])
    values, vectors = torch.linalg.eigh(a.T @ a)
    best = values.argsort(descending=True)[:count]
    return Directions(vectors[:, best].T.float(), values[best].clamp(min=0).sqrt().float(), (low, high))


@torch.no_grad()
def ganspace(space: Space, count: int, layers: tuple[int, int] | None = None) -> Directions:
    """Principal components (Härkönen et al. 2020, arXiv:2004.02546): of styles; else of what the first layer makes of
    latents, regressed back onto these (their equation 2). Vectors are as long as a standard deviation."""
    low, high = _layers(space, layers)
    z = space.draws(DRAWN, seed=0)
    if space.styled:
        y = space.labels(len(z), None)
        w = space.styles(z, y)[:, 0].double()
        centred = w - w.mean(0)
        _, values, vectors = torch.linalg.svd(centred, full_matrices=False)
        std = values / (len(w) - 1) ** 0.5
        return Directions((vectors * std[:, None])[:count].float(), std[:count].float(), (low, high))
    made = (z.double() @ _first_weight(space).double().T)[:, :8192]
    centred = made - made.mean(0)
    left, values, _ = torch.linalg.svd(centred, full_matrices=False)
    onto = torch.linalg.lstsq(left[:, :count] * values[:count], z.double()).solution
    vectors = onto * (values[:count] / (len(z) - 1) ** 0.5)[:, None]
    return Directions(vectors.float(), values[:count].float(), (0, 0))


def _layers(space: Space, layers: tuple[int, int] | None) -> tuple[int, int]:
    if not space.styled:
        if layers is not None:
            space.need_styles("choosing layers")
        return 0, 0
    count = len(_affine(space))
    low, high = layers or (0, count)
    if not 0 <= low < high <= count:
        raise UserError(f"layers are numbered 0 to {count}, the first before the last; came: {low} to {high}")
    return low, high


def _affine(space: Space) -> list[Tensor]:
    """The weight (features, style) with which each layer reads its style, in the order of the styles."""
    ws = space.styles(space.draws(1, 0), space.labels(1, None))
    read: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda m, given: read.append(m.weight) if _is_style(given, ws) else None)
        for module in space.g.synthesis.modules()  # type: ignore[union-attr]
        if _reads_vectors(module)
    ]
    try:
        space.of_styles(ws)
    finally:
        for hook in hooks:
            hook.remove()
    if len(read) < ws.shape[1]:
        raise UserError(f"the styles of {space.make.name} are read in a way that this method does not know")
    return read[: ws.shape[1]]


def _reads_vectors(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim == 2


def _is_style(given: tuple[object, ...], ws: Tensor) -> bool:
    x = given[0] if given else None
    return isinstance(x, Tensor) and x.ndim == 2 and x.shape[1] == ws.shape[2]


def _unit_rows(weight: Tensor) -> Tensor:
    return torch.nn.functional.normalize(weight, dim=1)


def _first_weight(space: Space) -> Tensor:
    """The weight (features, latent) of the first layer that reads z."""
    z = space.draws(1, 0)
    found: list[Tensor] = []

    def hear(module: nn.Module, given: tuple[object, ...]) -> None:
        x = given[0] if given else None
        weight = module.weight
        assert isinstance(weight, Tensor)
        if not found and isinstance(x, Tensor) and x.ndim > 1 and x.flatten(1).shape[1] >= z.shape[1]:
            over_inputs = weight.transpose(0, 1) if isinstance(module, nn.ConvTranspose2d) else weight
            by_input = over_inputs.transpose(0, 1).flatten(1)
            if len(by_input) >= z.shape[1]:
                found.append(by_input[: z.shape[1]].T)  # z comes first where a label stands beside it

    hooks = [m.register_forward_pre_hook(hear) for m in space.g.modules() if isinstance(m, LAYERS)]
    try:
        space.pictures(z, space.labels(1, None))
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise UserError(f"no layer of {space.make.name}'s generator reads its latent directly")
    return found[0].detach()
