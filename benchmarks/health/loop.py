"""A GAN's training loop in plain PyTorch, as many scripts have it; a plant may reach in at the places of Tamper."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gansmith.losses.adversarial import PAIRS
from gansmith.losses.penalties import between, gradient_norm2, gradient_norm_error2

from .data import Data
from .scenario import Setting, Tamper

CHUNK = 512  # samples drawn at a time


class Run:
    """Networks, optimizers and the state of one training.

    Args:
        setting: of the training.
        tamper: what is wrong with it.
        seed: of everything random.
    """

    def __init__(self, setting: Setting, tamper: Tamper, seed: int) -> None:
        self.setting, self.tamper = setting, tamper
        self.random = torch.Generator().manual_seed(seed)
        self.data: Data = setting.data(seed)
        self.G, self.D = self.fresh_players(seed)
        self.average = copy.deepcopy(self.G).requires_grad_(False) if setting.average is not None else None
        self.pair = PAIRS[setting.loss]
        self.at, self.rows = 0, torch.arange(len(self.data.x))
        self.opt_g = self.optimizer(self.G.parameters(), setting.lr_g)
        self.opt_d = self.optimizer(self.D.parameters(), setting.lr_d)
        self.scaler = torch.amp.GradScaler("cpu", enabled=setting.half, growth_interval=200)
        self.x: Tensor = self.data.x[:0]
        self.y: Tensor | None = None
        self.losses: dict[str, Tensor] = {}
        tamper.built(self)

    def fresh_players(self, seed: int) -> tuple[nn.Module, nn.Module]:
        """New networks, without touching PyTorch's global random state."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.setting.players(self.setting, self.data)

    def optimizer(self, parameters: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        if self.setting.simultaneous:
            return torch.optim.SGD(parameters, lr=lr)
        return torch.optim.Adam(parameters, lr=lr, betas=self.setting.betas)

    @property
    def share(self) -> float:
        """Of the run that is over."""
        return self.at / self.setting.steps

    @property
    def samples(self) -> int:
        """Real examples that D has been fed, as scripts count them: a batch a step."""
        return self.at * self.setting.batch

    # ------------------------------------------------------------------------------------------------ one step

    def step(self) -> None:
        """D's steps, then G's."""
        s = self.setting
        self._set_rates()
        if s.simultaneous:
            self._both_at_once()
        else:
            for _ in range(s.d_steps):
                self._step_d()
            for _ in range(s.g_steps):
                self._step_g()
        if s.half:
            self.scaler.update()
        self._follow()
        self.at += 1
        self.tamper.stepped(self)

    def next_batch(self) -> tuple[Tensor, Tensor | None]:
        """Rows drawn at random, as D is to see them."""
        rows = self.rows[torch.randint(len(self.rows), (self.setting.batch,), generator=self.random)]
        x, y = self.data.x[rows], None if self.data.y is None else self.data.y[rows]
        return self.tamper.fed(x, y if self.setting.conditional else None, self)

    def noise(self) -> Tensor:
        """z (b latent)."""
        return torch.randn(self.setting.batch, self.setting.latent, generator=self.random)

    def fake(self, y: Tensor | None) -> Tensor:
        made: Tensor = self.G(self.noise(), y)
        return made

    def _step_d(self) -> None:
        self.x, self.y = self.next_batch()
        with torch.no_grad(), self._precision():
            fake = self.fake(self.y)
        self.opt_d.zero_grad()
        self.losses["D"] = self._loss_d(self.x, fake.float(), self.y)
        self._move(self.losses["D"], self.opt_d)
        if self.setting.clip:
            for p in self.D.parameters():
                p.data.clamp_(-self.setting.clip, self.setting.clip)

    def _loss_d(self, x: Tensor, fake: Tensor, y: Tensor | None) -> Tensor:
        s = self.setting
        x, fake = x.clone().requires_grad_(s.r1 > 0), fake.requires_grad_(s.r2 > 0)
        with self._precision():
            real_logit, fake_logit = self.D(x, y), self.D(fake, y)
        if s.smooth and self.pair.d_smooth is not None:
            loss = self.pair.d_smooth(real_logit, fake_logit, s.smooth).mean()
        else:
            loss = self.pair.d(real_logit, fake_logit).mean()
        if s.r1:
            loss = loss + s.r1 / 2 * gradient_norm2(real_logit, x).mean()
        if s.r2:
            loss = loss + s.r2 / 2 * gradient_norm2(fake_logit, fake).mean()
        if s.gp:
            mixed = between(x, fake, torch.rand(len(x), generator=self.random))
            loss = loss + s.gp * gradient_norm_error2(self.D(mixed, y), mixed).mean()
        return loss

    def _step_g(self) -> None:
        self.opt_g.zero_grad()
        self.losses["G"] = self._loss_g()
        self._move(self.losses["G"], self.opt_g)

    def _loss_g(self) -> Tensor:
        y = None if self.y is None else self.next_batch()[1]
        with self._precision():
            fake = self.fake(y)
            fake_logit = self.D(fake if self.tamper.made is None else self.tamper.made(fake), y)
            if not self.pair.compares:
                return self.pair.g(fake_logit).mean()
            return self.pair.g(fake_logit, self.D(self.x, self.y)).mean()

    def _both_at_once(self) -> None:
        """Gradients of both are taken at the same point."""
        self.x, self.y = self.next_batch()
        fake = self.fake(self.y)
        self.losses["D"] = self._loss_d(self.x, fake.detach(), self.y)
        self.losses["G"] = self.pair.g(self.D(fake, self.y)).mean()
        of_d = torch.autograd.grad(self.losses["D"], list(self.D.parameters()))
        of_g = torch.autograd.grad(self.losses["G"], list(self.G.parameters()))
        for p, gradient in zip([*self.D.parameters(), *self.G.parameters()], [*of_d, *of_g], strict=True):
            p.grad = gradient
        self.opt_d.step()
        self.opt_g.step()

    def _move(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        if not self.setting.half:
            loss.backward()
            optimizer.step()
            return
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(optimizer)
        self.scaler.step(optimizer)

    def _precision(self) -> torch.autocast:
        return torch.autocast("cpu", torch.float16, enabled=self.setting.half)

    def _set_rates(self) -> None:
        if self.setting.rate is None:
            return
        for optimizer, lr in ((self.opt_g, self.setting.lr_g), (self.opt_d, self.setting.lr_d)):
            for group in optimizer.param_groups:
                group["lr"] = lr * self.setting.rate(self.share)

    @torch.no_grad()
    def _follow(self) -> None:
        if self.average is None or self.setting.average is None:
            return
        for slow, fast in zip(self.average.parameters(), self.G.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.setting.average)
        for slow, fast in zip(self.average.buffers(), self.G.buffers(), strict=True):
            slow.copy_(fast)

    # ------------------------------------------------------------------------------------- what a script offers

    def classes(self, n: int) -> Tensor | None:
        """(n,) classes to ask G for, in turn; None where it is told none."""
        return torch.arange(n) % self.data.classes if self.setting.conditional else None

    @torch.no_grad()
    def draw(self, G: nn.Module, n: int, seed: int) -> Tensor:
        """Samples (n ...) of a G in whatever mode it is in."""
        random, latent = torch.Generator().manual_seed(seed), self.setting.latent
        if self.tamper.drawn is not None:
            z = self.tamper.drawn(n, latent, random)
        else:
            z = torch.randn(n, latent, generator=random)
        y = self.classes(n)
        parts = [G(z[i : i + CHUNK], None if y is None else y[i : i + CHUNK]) for i in range(0, n, CHUNK)]
        return torch.cat(parts)

    def samples_of(self, n: int, seed: int) -> Tensor:
        """Samples (n ...) as the script's owner would save them: of the average if there is one, in evaluation mode."""
        with evaluating(self.average or self.G) as G:
            return self.draw(G, n, seed)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[nn.Module]:
    """A network in evaluation mode, and as it was afterwards."""
    training = module.training
    module.eval()
    try:
        yield module
    finally:
        module.train(training)
