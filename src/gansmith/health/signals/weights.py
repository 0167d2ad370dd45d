"""What happens to weights: how long gradients are, whether they turn, whether anything moves, which units are dead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

FIRST = 5  # steps whose gradients are what later ones are compared with
EVERY, KEEP = 4, 0.92  # steps from one cosine of gradients to the next, and how much of their average each one keeps
NUMBERS = 1 << 18  # of a network whose gradients are compared from step to step: enough for a cosine
LEAST_ROWS = 256  # of a batch over which a unit must be constant to count as dead
USUAL = 50  # steps before a gradient's norm is compared with those before
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


class Watch:
    """One network, step by step; nothing is read from the device until `read`.

    Args:
        hooked: `before` and `after` are called around each of its optimizer's steps; else `between` is, now and then
            between steps, at least once in each.
    """

    def __init__(self, net: nn.Module, *, hooked: bool) -> None:
        self.net, self.hooked = net, hooked
        self.steps = 0
        self._norms: list[Tensor] = []
        self._first: list[float] = []
        self._previous: list[Tensor] = []
        self._cosine = torch.zeros(())
        self._cosines = 0
        self._old: list[Tensor] | None = None
        self._moved: Tensor | None = None
        self._seen, self._mean, self._square = 0, 0.0, 0.0

    def began_with(self, norm: float) -> None:
        """Tells how long its first gradients were, where that was before a restart."""
        self._first = [norm] * FIRST

    def between(self) -> None:
        """Looks at the gradients of the last step, and at where the weights are."""
        self.before()

    def before(self) -> None:
        """Looks at the gradients that are about to be applied."""
        self.steps += 1
        grads = [p.grad for p in self.net.parameters() if p.grad is not None]
        if not grads:
            return
        norms: tuple[Tensor, ...] = tuple(torch._foreach_norm([_whole(g) for g in grads]))
        self._norms.append(torch.linalg.vector_norm(torch.stack([n.float() for n in norms])))
        if self.steps % EVERY == 0:
            self._previous = [g.detach().clone() for g in _some(grads)]
        elif self.steps % EVERY == 1:
            self._turn(list(_some(grads)))
        if self._moved is None and self._old is None:
            self._old = [p.detach().clone() for p in self.net.parameters()]

    def after(self) -> None:
        """Measures how far weights went, once after each reading."""
        if self._old is None:
            return
        now = [p.detach() for p in self.net.parameters()]
        moved = torch._foreach_norm(torch._foreach_sub(now, self._old))
        long = torch.stack([n.float() for n in torch._foreach_norm(self._old)])
        far = torch.stack([n.float() for n in moved])
        self._moved = torch.linalg.vector_norm(far) / torch.linalg.vector_norm(long).clamp_min(1e-12)
        self._old = None

    def _turn(self, grads: list[Tensor]) -> None:
        """Compares gradients with those of the step before."""
        if len(grads) == len(self._previous):
            dot = sum(((a * b).sum() for a, b in zip(grads, self._previous, strict=True)), torch.zeros(()))
            norms = [sum((g.square().sum() for g in side), torch.zeros(())) for side in (grads, self._previous)]
            cosine = dot / (norms[0] * norms[1]).sqrt().clamp_min(1e-30)
            cosine = torch.where(cosine.isfinite(), cosine, 0.0)
            self._cosine = self._cosine * KEEP + cosine * (1 - KEEP)
            self._cosines += 1
        self._previous = []

    def read(self, name: str) -> dict[str, float]:
        """Signals since the last reading. One synchronisation."""
        if not self.hooked:
            self.after()
        if self.hooked or self._moved is not None:
            found = {f"update/{name}": 0.0 if self._moved is None else float(self._moved)}
        else:
            found = {}
        norms = torch.stack(self._norms).tolist() if self._norms else []
        self._norms, self._moved = [], None
        finite = [n for n in norms if math.isfinite(n)]
        found[f"nonfinite/gradient/{name}"] = float(len(norms) - len(finite))
        self._first += finite[: FIRST - len(self._first)]
        if self._first:
            found[f"gradient_first/{name}"] = sum(self._first) / len(self._first)
        if finite:
            found[f"gradient/{name}"] = sum(finite) / len(finite)
            if (highest := self._highest_z(finite)) is not None:
                found[f"gradient_z/{name}"] = highest
        if self._cosines >= 1 / (1 - KEEP):
            found[f"cosine/{name}"] = float(self._cosine) / (1 - KEEP**self._cosines)
        norm = float(torch.linalg.vector_norm(torch.stack([n.float() for n in _norms(self.net)])))
        found[f"nonfinite/weight/{name}"] = 0.0 if math.isfinite(norm) else 1.0
        return found | ({f"weight/{name}": norm} if math.isfinite(norm) else {})

    def _highest_z(self, norms: Iterable[float]) -> float | None:
        """The largest z of log norms against those before them, each of which joins the history."""
        highest = None
        for norm in norms:
            log = math.log(max(norm, 1e-30))
            if self._seen >= USUAL:
                deviation = max(math.sqrt(max(self._square / self._seen, 0.0)), 0.1)
                highest = max(highest or 0.0, (log - self._mean) / deviation)
            self._seen += 1
            delta = log - self._mean
            self._mean += delta / min(self._seen, 10 * USUAL)
            self._square += delta * (log - self._mean)
        return highest


def _norms(net: nn.Module) -> tuple[Tensor, ...]:
    weights = [_whole(p.detach()) for p in net.parameters()]
    return tuple(torch._foreach_norm(weights)) if weights else (torch.zeros(()),)


def _whole(value: Tensor) -> Tensor:
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def _some(grads: Iterable[Tensor]) -> Iterator[Tensor]:
    """The first gradients, until they hold enough numbers."""
    left = NUMBERS
    for grad in grads:
        if left <= 0:
            return
        left -= grad.numel()
        yield grad.detach()


def first_broken(networks: Mapping[str, nn.Module]) -> str | None:
    """The first tensor with a weight that is not finite, as `NET.layer.weight`; None where all are finite."""
    for name, net in networks.items():
        for key, value in net.state_dict().items():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                return f"{name}.{key}"
    return None


@contextmanager
def overheard(networks: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Within, collects which units that enter a layer are constant over a batch: (units,) bool by `NET.layer`.

    A unit is a column of a linear layer's input, or a channel of a convolution's. Small batches are not looked at.
    """
    dead: dict[str, Tensor] = {}

    def listen(name: str) -> object:
        def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            x = given[0].detach()
            if len(x) >= LEAST_ROWS and x.dim() >= 2:
                rows = x.movedim(1, -1).flatten(0, -2)
                constant = rows.amax(0) == rows.amin(0)
                dead[name] = dead[name] & constant if name in dead else constant

        return hook

    places = [
        (f"{net}.{key}", layer)
        for net, module in networks.items()
        for key, layer in list(module.named_modules())[1:]
        if isinstance(layer, LAYERS)
    ]
    first = {net: next((name for name, _ in places if name.startswith(f"{net}.")), None) for net in networks}
    handles = [layer.register_forward_pre_hook(listen(name)) for name, layer in places if name not in first.values()]  # type: ignore[arg-type]
    try:
        yield dead
    finally:
        for handle in handles:
            handle.remove()
