"""Cross-domain correspondence (Ojha et al. 2021, arXiv:2104.06820): an adapted G keeps how its pictures relate.

    L_dist = E sum_{l, i} KL(y_i^l || s_i^l)        y_i^l = softmax over j != i of cos(G^l(z_i), G^l(z_j)), s_i^l of G_s

G^l is what layer l of G puts out, G_s is G as it was when the run began. With ten pictures D soon knows them by heart,
and G would make just these; but two latents whose pictures differed in the source are then asked to differ as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..losses.adversarial import full
from ..recipes.base import Networks

SOURCE = "source"  # the name, among a recipe's networks, of G as it was when the run began


def prepare(nets: Networks) -> None:
    """Adds the source, a frozen copy of G; whoever changes G's first weights is to call `remember` afterwards."""
    nets[SOURCE] = deepcopy(nets.G).requires_grad_(False).eval()


def remember(nets: Networks) -> list[str]:
    """Every source becomes its G once more (of `source1` that is `G1`); the names of the sources."""
    sources = [name for name in nets if name.startswith(SOURCE)]
    for name in sources:
        nets[name].load_state_dict(nets[f"G{name.removeprefix(SOURCE)}"].state_dict())
    return sources


def of_source(nets: Networks) -> Networks:
    """The networks with the source in G's place."""
    return Networks({**nets, "G": nets[SOURCE]})


@contextmanager
def heard(g: nn.Module) -> Iterator[list[Tensor]]:
    """Collects, in order, what G's layers with weights put out within."""
    found: list[Tensor] = []

    def hear(_: nn.Module, __: tuple[object, ...], out: object) -> None:
        first = out[0] if isinstance(out, tuple) else out
        if isinstance(first, Tensor) and first.is_floating_point() and first.ndim > 1:
            found.append(first)

    layers = [m for m in g.modules() if m is not g and any(True for _ in m.parameters(recurse=False))]
    hooks = [layer.register_forward_hook(hear) for layer in layers]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def widest_of_each_size(outs: Sequence[Tensor], n: int) -> list[int]:
    """Which of a generator's outputs to compare: of each size of features the last of those with the most channels.

    A generator without pictures inside has one size, that of vectors.

    Args:
        outs: see `heard`.
        n: examples; what has another number of rows, such as styles of all layers at once, is left out.
    """
    best: dict[tuple[int, ...], int] = {}
    flat = not any(out.ndim == 4 for out in outs)
    for i, out in enumerate(outs):
        size = tuple(out.shape[2:])
        if len(out) == n and (out.ndim == 4 or (flat and out.ndim == 2)):
            least = outs[best[size]].shape[1] if size in best else 0
            best[size] = i if out.shape[1] >= least else best[size]
    return sorted(best.values())


def correspondence(now: Sequence[Tensor], source: Sequence[Tensor], group: int) -> Float[Tensor, "b"]:
    """KL(y_i || s_i) of each example among those of its group, the mean over layers.

    Args:
        now, source: what the same layers of both generators put out for the same latents, (b, ...) each.
        group: examples that are compared with each other; micro-batches that it divides give the same gradients. An
            example that is alone in its group has nothing to keep.
    """
    with torch.autocast(now[0].device.type, enabled=False):  # small differences of cosines
        each = [_of_layer(full(a).flatten(1), full(b).flatten(1), group) for a, b in zip(now, source, strict=True)]
        return torch.stack(each).mean(0)


def _of_layer(now: Tensor, source: Tensor, group: int) -> Tensor:
    pairs = zip(now.split(group), source.split(group), strict=True)
    return torch.cat([_of_group(a, b) for a, b in pairs])


def _of_group(now: Float[Tensor, "k d"], source: Float[Tensor, "k d"]) -> Float[Tensor, "k"]:
    if len(now) == 1:
        return now.sum(1) * 0
    log_y, log_s = _likeness(now), _likeness(source)
    return (log_y.exp() * (log_y - log_s)).sum(1)


def _likeness(features: Float[Tensor, "k d"]) -> Float[Tensor, "k m"]:
    """log softmax of each example's cosines with the m = k - 1 others."""
    unit = F.normalize(features, dim=1)
    others = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    cosines: Tensor = (unit @ unit.T)[others].unflatten(0, (len(unit), -1))
    return cosines.log_softmax(1)
