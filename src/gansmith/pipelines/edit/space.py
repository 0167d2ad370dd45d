"""The latents of a trained generator: z of any recipe, and the styles w of those that have a mapping network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...batch import Batch
from ...errors import DataError, UserError
from ...nn.labels import looked_up
from ...recipes.base import fold, wished
from ...spec import ImageSpec
from ..generate import Generator, Samples, Where
from ..latents import Given
from ..truncation import Truncation, strengths

PART = 64  # pictures in one pass


class Space:
    """Latents of `make`, and pictures of them.

    The latent of a seed is that of `make(1, seed=seed)`, and so is its picture. Noise beside the latent stays that of
    seed 0.

    Args:
        make: a trained generator of pictures.

    Raises:
        UserError: its recipe draws no latent, or what it makes are no pictures.
    """

    def __init__(self, make: Generator) -> None:
        if not isinstance(make.spec, ImageSpec):
            raise UserError(f"only generators of pictures can be edited; this one makes: {make.spec.kind}")
        self.make, self.spec = make, make.spec
        self.device = next(make.nets.parameters()).device
        asked = self._context(0)
        self._made(asked, 1, None)
        if asked.first is None:
            raise UserError(f"the recipe {make.name} draws no latent, so that there is nothing to move in")
        self._draw, self.shape = asked.first

    @property
    def styled(self) -> bool:
        """Whether there are styles: G has a `mapping` from z to w and a `synthesis` from w to pictures."""
        return all(isinstance(getattr(self.make.nets["G"], name, None), nn.Module) for name in ("mapping", "synthesis"))

    @property
    def normal(self) -> bool:
        """Whether latents are drawn from a normal distribution (else from a uniform one)."""
        return self._draw is torch.randn

    @property
    def g(self) -> nn.Module:
        g: nn.Module = self.make.nets["G"]
        return g

    def need_styles(self, what: str) -> None:
        """
        Raises:
            UserError: the recipe has no styles.
        """
        if not self.styled:
            raise UserError(f"{what} needs a generator with styles, such as stylegan2's; {self.make.name} has none")

    def latents(self, seeds: Sequence[int]) -> Tensor:
        """z of each seed, (n, latent)."""
        found = []
        for seed in seeds:
            ctx = self._context(seed)
            self._made(ctx, 1, None)
            assert ctx.drawn is not None
            found.append(ctx.drawn.flatten(1))
        return torch.cat(found)

    def draws(self, n: int, seed: int) -> Tensor:
        """`n` latents at random, (n, latent)."""
        random = torch.Generator(self.device).manual_seed(fold(seed, "draws"))
        return self._draw(n, *self.shape, generator=random, device=self.device).flatten(1)

    def labels(self, n: int, label: str | None, where: Where | None = None) -> Tensor | None:
        """Class numbers (n,) or attributes (n, a): of `label` or `where`, or those that `make(n)` would take.

        Raises:
            DataError: no such class or attribute.
        """
        y = self.spec.request(n, label=label, where=where).get("y")
        return None if y is None else y.to(self.device)

    @torch.no_grad()
    def pictures(self, z: Tensor, y: Tensor | None = None) -> Samples:
        """Pictures of latents (n, latent) and class numbers (n,), or attributes (n, a)."""
        parts = [self._made(self._context(0, part), len(part), own) for part, own in _parts(z, y)]
        return self._samples(torch.cat(parts))

    @torch.no_grad()
    def styles(self, z: Tensor, y: Tensor | None = None, truncation: Truncation | None = None) -> Tensor:
        """Styles (n, layers, width) of latents; truncated ones lie nearer to the mean of their class.

        Raises:
            DataError, UserError: see `strengths`.
        """
        shorter = None
        if truncation is not None:
            asked = Batch(index=torch.arange(len(z), device=self.device)) | ({} if y is None else {"y": y})
            shorter = wished(Batch(asked), {"truncation": strengths(truncation, self.spec)})["truncation"]
        ws: Tensor = self.g.mapping(z.to(self.device), y, shorter)  # type: ignore[operator]
        return ws

    @torch.no_grad()
    def of_styles(self, ws: Tensor) -> Samples:
        """Pictures of styles (n, layers, width)."""
        parts = [self.g.synthesis(part.to(self.device)) for part in ws.split(PART)]  # type: ignore[operator]
        return self._samples(torch.cat(parts))

    def _samples(self, x: Tensor) -> Samples:
        return Samples(Batch(x=x.clamp(-1, 1).cpu()), self.spec)

    @torch.no_grad()
    def _made(self, ctx: Given, n: int, y: Tensor | None) -> Tensor:
        request = self.spec.request(n).to(self.device)
        if y is not None:
            request["y"] = y
        x: Tensor = self.make.recipe.generate(self.make.nets, request, ctx)["x"].float()
        return x

    def _context(self, seed: int, latent: Tensor | None = None) -> Given:
        return Given(seed=fold(seed, "sample"), device=self.device, latent=latent)

    def one_label(self, asked: str | Where) -> Tensor:
        """The number of a class, (1,), or attributes, (1, a), of which those that are not named come as they do first.

        Raises:
            DataError: no such class or attribute; the message names the nearest.
        """
        y = self.labels(1, asked) if isinstance(asked, str) else self.labels(1, None, asked)
        if y is None:
            raise DataError(f"this model knows no classes; leave the label out: {asked}")
        return y


def _parts(z: Tensor, y: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    for i in range(0, len(z), PART):
        yield z[i : i + PART], None if y is None else y[i : i + PART]


@contextmanager
def blended(network: nn.Module, a: Tensor, b: Tensor, share: Tensor) -> Iterator[None]:
    """Within, every embedding of a label in `network` is that of `a`, moved by `share` (n,) towards that of `b`."""

    def blend(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        weight = module.weight
        assert isinstance(weight, Tensor)
        t = share.view(-1, *[1] * (out.ndim - 1)).to(out)
        return torch.lerp(looked_up(a, weight), looked_up(b, weight), t)

    hooks = [m.register_forward_hook(blend) for m in network.modules() if isinstance(m, nn.Embedding)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
