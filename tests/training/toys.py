"""A tiny data source and recipes, real in every respect but size, for tests of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gansmith.batch import Batch
from gansmith.health.policy import Remedy
from gansmith.recipes.base import Context, Networks, Phase, Recipe
from gansmith.spec import Spec
from gansmith.training.monitors import Monitor, View


@dataclass(frozen=True, kw_only=True)
class PointSpec(Spec):
    """Points in the plane. Batch: `x` (b 2) in [-6, 6]."""

    kind: ClassVar[str] = "test-points"
    dim: int = 2

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {"x": (-6.0, 6.0)}

    def request(self, n: int, *, label: str | None = None, start: int = 0) -> Batch:
        return Batch(index=torch.arange(start, start + n))

    def decode(self, batch: Batch) -> list[Any]:
        return batch["x"].tolist()

    def write(self, batch: Batch, folder: Path, *, start: int = 0) -> list[Path]:
        raise NotImplementedError

    def preview(self, batch: Batch, columns: int | None = None) -> Any:
        from PIL import Image

        picture = torch.zeros(64, 64, dtype=torch.uint8)
        at = ((batch["x"].detach() + 6) / 12 * 63).long().clamp(0, 63)
        picture[at[:, 1], at[:, 0]] = 255
        return Image.fromarray(picture.numpy())


class Points:
    """Eight Gaussians on a circle of radius 2; `spoil` changes a batch just before it is handed out."""

    def __init__(self, n: int = 512, fingerprint: str = "points") -> None:
        generator = torch.Generator().manual_seed(0)
        angle = torch.arange(n) % 8 * (torch.pi / 4)
        self.x = 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(n, 2, generator=generator)
        self.spec = PointSpec()
        self.fingerprint = fingerprint
        self.fetched = 0

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        self.fetched += 1
        return self.spoil(Batch(x=self.x[rows].clone(), index=rows).to(device))

    def spoil(self, batch: Batch) -> Batch:
        return batch

    def names(self, rows: Tensor) -> list[str]:
        return [f"point-{int(r)}" for r in rows]

    def notes(self) -> list[str]:
        return ["eight Gaussians"]


@dataclass(frozen=True, kw_only=True)
class Toy(Recipe):
    """Non-saturating GAN with two D steps a step, lazy R1 every 4 in its own phase, an encoder trained with G."""

    width: int = 16
    latent: int = 4
    lr: float = 1e-3

    @property
    def ema(self) -> Mapping[str, Any]:
        return {"G": 2_000}

    def networks(self, spec: Spec) -> Networks:
        assert isinstance(spec, PointSpec)

        def mlp(i: int, o: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(i, self.width), nn.Softplus(), nn.Linear(self.width, o))

        D = nn.Sequential(*mlp(spec.dim, 1), nn.Flatten(0))
        return Networks({"G": mlp(self.latent, spec.dim), "D": D, "E": mlp(spec.dim, self.latent)})

    def phases(self) -> dict[str, Phase]:
        return {
            "D": Phase(("D",), self.d_loss, repeats=2),
            "R1": Phase(("D",), self.r1, every=4, second_order=("D",)),
            "GE": Phase(("G", "E"), self.g_loss),
        }

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        real, fake = nets.D(batch["x"]), nets.D(nets.G(ctx.randn(batch, self.latent)))
        ctx.report("real", real)
        return {"adv": softplus(-real) + softplus(fake)}

    def r1(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        x = batch["x"].detach().requires_grad_()
        (grad,) = torch.autograd.grad(nets.D(x).sum(), x, create_graph=True)
        return {"r1": 4 * 0.05 * grad.square().sum(1)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        z = ctx.randn(batch, self.latent)
        fake = nets.G(z)
        return {"adv": softplus(-nets.D(fake)), "rec": (nets.E(fake) - z).square().mean(1)}

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(params, self.lr, (0.0, 0.99))

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        return Batch(x=nets.G(ctx.randn(request, self.latent)))


@dataclass(frozen=True, kw_only=True)
class NormToy(Toy):
    """With batch normalisation in both networks, so that there are buffers, and examples that see each other.

    No layer whose bias the next normalisation takes away: its gradient is noise, which Adam would blow up.
    """

    def networks(self, spec: Spec) -> Networks:
        assert isinstance(spec, PointSpec)

        def mlp(i: int, o: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(i, self.width, bias=False),
                nn.BatchNorm1d(self.width),
                nn.Softplus(),
                nn.Linear(self.width, o, bias=False),
            )

        D = nn.Sequential(*mlp(spec.dim, 1), nn.Flatten(0))
        return Networks({"G": mlp(self.latent, spec.dim), "D": D, "E": mlp(spec.dim, self.latent)})


@dataclass(frozen=True, kw_only=True)
class Judged(Toy):
    """A toy whose D can be asked."""

    @property
    def adversarial(self) -> str:
        return "non_saturating"

    def verdict(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(batch["x"])
        return logits


@dataclass(frozen=True, kw_only=True)
class NormJudged(NormToy):
    """The same with batch normalisation."""

    def verdict(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(batch["x"])
        return logits


@dataclass(frozen=True, kw_only=True)
class Excitable(Toy):
    """A toy with calmer settings."""

    def calmer(self, spec: Spec) -> Excitable | None:
        return replace(self, lr=1e-4) if self.lr > 1e-4 else None

    def augmented(self, spec: Spec) -> Excitable:
        return replace(self, lr=2e-4)


class Asks(Monitor):
    """Asks for a remedy at a certain step, and says until then that all is well.

    Args:
        after: a step that the run must have reached before.
    """

    def __init__(self, step: int, remedy: Remedy | None, after: int = 0) -> None:
        self.step, self.asked, self.sound, self.after, self.reached = step, remedy, True, after, 0

    def tick(self, view: View, figures: Any) -> None:
        if view.step == self.step and self.asked is not None and self.reached >= self.after:
            self.remedy, self.asked, self.sound = self.asked, None, False  # type: ignore[assignment]
        self.reached = max(self.reached, view.step)


@dataclass(frozen=True, kw_only=True)
class FusedToy(Toy):
    """With an optimizer that can skip a step without the host's knowing."""

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(params, self.lr, (0.5, 0.99), fused=True)


def train(out: Path, *, recipe: Recipe | None = None, source: Any = None, before: Any = None, **options: Any) -> Any:
    """Trains a toy for `steps` steps of 32 and returns the trainer.

    Args:
        before: called with the trainer before it starts.
        options: of TrainConfig (`tick` and `save_every` are counted in steps here), else of Trainer.
    """
    trainer = prepare(out, recipe=recipe, source=source, **options)
    if before is not None:
        before(trainer)
    trainer.fit()
    return trainer


def prepare(out: Path, *, recipe: Recipe | None = None, source: Any = None, **options: Any) -> Any:
    """The trainer that `train` uses."""
    from gansmith.training.config import TrainConfig
    from gansmith.training.trainer import Trainer

    batch, steps = options.pop("batch", 32), options.pop("steps", 40)
    settings: dict[str, Any] = {
        "batch": batch,
        "samples": batch * steps,
        "tick": batch * options.pop("tick", 10),
        "save_every": batch * options.pop("save_every", 20),
    }
    settings |= {k: options.pop(k) for k in list(options) if k in TrainConfig.__dataclass_fields__}
    return Trainer(recipe or Toy(), source or Points(), TrainConfig(**settings), out=out, **options)


def everything(trainer: Any) -> dict[str, Tensor]:
    """All tensors of a trainer: weights, buffers, averages, moments, what the guard and the figures remember."""
    parts = {**trainer.nets, **{f"{n}.ema": net for n, net in trainer.averages.nets.items()}}
    tensors = {f"{name}.{k}": v for name, net in parts.items() for k, v in net.state_dict().items()}
    for trains, optimizer in trainer.optimizers.items():
        for index, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optim.{'+'.join(trains)}.{index}.{k}": torch.as_tensor(v) for k, v in entries.items()}
    tensors |= {f"guard.{name}": history.state for name, history in trainer.guard.histories.items()}
    tensors |= {f"figures.{k}": torch.tensor(v, dtype=torch.float64) for k, v in trainer.figures.to_json().items()}
    return {name: value.detach().clone() for name, value in tensors.items()}


def assert_same(a: Mapping[str, Tensor], b: Mapping[str, Tensor], *, close: bool = False) -> None:
    """Equal to the bit, or nearly so where the order of additions differs."""
    assert a.keys() == b.keys()
    for name in a:
        if close:
            torch.testing.assert_close(a[name], b[name], rtol=2e-3, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}")
        else:
            assert torch.equal(a[name], b[name]), name


def events(out: Path, *kinds: str) -> list[dict[str, Any]]:
    """The log's entries of these kinds, without the clock."""
    from gansmith.training.journal import read

    return [{k: v for k, v in e.items() if k != "seconds"} for e in read(out / "log.jsonl") if e["event"] in kinds]
