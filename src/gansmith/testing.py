"""check_recipe: the contract suite that every recipe passes, public for recipes of your own.

from gansmith.testing import check_recipe
from my_gan import MyGAN

def test_my_gan():
    check_recipe(MyGAN(width=8))
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import singledispatch
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm

from . import checkpoint
from .batch import Batch
from .config import build, to_dict
from .data.source import Source
from .recipes.base import Recipe, sample
from .spec import ImageSpec, Spec, spec_from_json
from .tabular.encoders import Choice, Modes, Quantile
from .tabular.rows import random_rows
from .tabular.schema import Column, Schema
from .tabular.spec import TableSpec
from .training.config import TrainConfig
from .training.runtime import Runtime
from .training.start import importable_name
from .training.trainer import Trainer

BATCH = 8
TOLERANCE = 2e-4
ROUNDING = 1e-4  # of a network's largest gradient
LEAST_SHARE = 1e-3  # of the largest gradient; what is smaller is a sum that cancels, and as large as its rounding


class Noise:
    """A source of random examples: enough to prove mechanics, nothing to learn.

    Args:
        spec: of pictures (uniform values; labels in turn, attributes at random) or tables (uniform values and codes).
        n: how many examples.
    """

    def __init__(self, spec: Spec, n: int = 40) -> None:
        self.spec, self.fingerprint = spec, f"noise-{n}"
        self._rows = noise(spec, n)
        self.draws: tuple[str, ...] = getattr(self._rows, "draws", ())

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        batch: Batch = self._rows.batch(rows, device)
        return batch

    def order(self, draw: str, batch: int, seed: int) -> Any:
        return self._rows.order(draw, batch, seed)

    def notes(self) -> list[str]:
        return ["random examples"]


@singledispatch
def noise(spec: Spec, n: int) -> Any:
    """`n` random examples of `spec`, with `len`, `batch`, and `order` where rows may be drawn in several ways."""
    raise AssertionError(f"no random examples are known for {spec.kind}; pass a Source to check_recipe")


@noise.register
def _(spec: ImageSpec, n: int) -> Any:
    return _Pictures(spec, n)


@noise.register
def _(spec: TableSpec, n: int) -> Any:
    return random_rows(spec, n)


class _Pictures:
    def __init__(self, spec: ImageSpec, n: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self._x = torch.rand(n, spec.channels, spec.size, spec.size, generator=generator) * 2 - 1
        self._y = torch.arange(n) % max(1, len(spec.classes))
        if spec.attributes:
            self._y = torch.randint(2, (n, len(spec.attributes)), generator=generator)
        self._labelled = bool(spec.labels)

    def __len__(self) -> int:
        return len(self._x)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        batch = Batch(x=self._x[rows], index=rows)
        if self._labelled:
            batch["y"] = self._y[rows]
        return batch.to(device)


def example_spec(kind: str) -> Spec:
    """A small spec of that kind of data: 16 x 16 RGB in 3 classes, or a table of 4 columns.

    Raises:
        AssertionError: no example of this kind is at hand.
    """
    if kind == "image":
        return ImageSpec(size=16, channels=3, classes=("a", "b", "c"), class_counts=(14, 13, 13))
    assert kind == "table", f"no example of the kind {kind!r}; pass a Source or a Spec to check_recipe"
    columns = [
        Column(name="sex", kind="category", categories=("f", "m"), counts=(21, 19), dtype="object"),
        Column(name="job", kind="category", categories=("x", "y", "z"), counts=(20, 9, 8, 3), nulls=True),
        Column(name="age", kind="integer", dtype="int64", low=0, high=90),
        Column(name="income", kind="float", special=(0.0,), low=0, high=900),
    ]
    encoders = (
        Choice(weights=(21.0, 19.0), top=2, nulls=False),
        Choice(weights=(20.0, 9.0, 8.0), top=3, nulls=True),
        Quantile(values=(0.0, 40.0, 90.0), left=(0.0, 0.5, 1.0), right=(0.0, 0.5, 1.0)),
        Modes(means=(100.0, 500.0), stds=(30.0, 90.0), weights=(0.5, 0.5), special=(0.0,)),
    )
    return TableSpec(schema=Schema(tuple(columns)), encoders=encoders, rows=40)


def check_recipe(
    recipe: Recipe, source: Source | Spec | None = None, *, steps: int = 20, processes: bool = True
) -> None:
    """Runs the whole contract suite over a recipe, on the CPU, in seconds for small networks.

    It builds; each phase changes only what it trains and gives every trained parameter a gradient; the config
    and the spec round-trip; saving and loading give identical samples; `steps` steps equal half of them and a
    resume, to the bit; micro-batches give the same gradients (unless batch normalisation is used); two processes
    end with the weights of one.

    Args:
        recipe: an instance with small networks.
        source: examples to train on, or a Spec to make random ones for; `example_spec(recipe.makes)` by default.
        steps: steps of the resume test, even.
        processes: whether to start two processes too; the recipe's class must live in a file.

    Raises:
        AssertionError: names the clause that does not hold, and where.
    """
    data = _source(source if source is not None else example_spec(recipe.makes))
    check_round_trip(recipe, data.spec)
    check_phases(recipe, data)
    check_micro_batches(recipe, data)
    check_resume(recipe, data, steps)
    if processes and isinstance(data, Noise):
        check_two_processes(recipe, data)


def _source(given: Source | Spec) -> Source:
    if isinstance(given, Spec):
        return Noise(given)
    assert isinstance(given, Source), f"wanted a Source or a Spec, came: {given!r}"
    return given


def check_round_trip(recipe: Recipe, spec: Spec) -> None:
    """Config and spec survive JSON."""
    again = build(type(recipe), to_dict(recipe))
    assert again == recipe, f"the config does not round-trip: {recipe} became {again}"
    assert spec_from_json(spec.to_json()) == spec, f"the spec does not round-trip: {spec}"


def check_phases(recipe: Recipe, source: Source) -> None:
    """Each phase changes what it trains and nothing else; every parameter gets a gradient from some phase.

    Phases are played at the start, and wherever the pictures of one grow (see `Phase.sizes`).
    """
    with _trainer(recipe, source, steps=1) as trainer:
        reached: set[str] = set()
        for step in sorted({0, *(-(-begin // BATCH) for p in trainer.phases.values() for begin, _ in p.sizes)}):
            trainer.progress.step = step
            for name in trainer.phases:
                reached |= _reached_alone(trainer, name)
        trained = {n for phase in trainer.phases.values() for n in phase.trains}
        wanted = {k for k, p in trainer.nets.named_parameters() if p.requires_grad and k.split(".", 1)[0] in trained}
        assert wanted <= reached, f"no phase gives a gradient to: {', '.join(sorted(wanted - reached)[:5])}"
        assert not trainer.guard.drain(), "the guard refused a batch of sound data"


def _reached_alone(trainer: Trainer, name: str) -> set[str]:
    """Plays a phase, which must change what it trains and nothing else; the parameters that got a gradient."""
    trains, before, reached = trainer.phases[name].trains, _snapshot(trainer.nets), set()
    trainer.play(name, 0)
    for key, parameter in trainer.nets.named_parameters():
        if key.split(".", 1)[0] in trains:
            reached |= {key} if parameter.grad is not None else set()
        else:
            assert torch.equal(parameter, before[key]), f"phase {name} changed {key}, which it does not train"
    changed = [n for n in trains if _changed(trainer.nets[n], before, n)]
    assert changed == list(trains), f"phase {name} trains {trains} and changed only {changed}"
    return reached


def check_micro_batches(recipe: Recipe, source: Source) -> None:
    """Whole batches and micro-batches give the same gradients, where no layer looks across the batch.

    Spectral normalisation is held still meanwhile: each pass is one more power iteration, and parts are more passes.
    """
    with _trainer(recipe, source, steps=1) as whole, _trainer(recipe, source, steps=1, micro=BATCH // 2) as parts:
        if any(isinstance(m, _BatchNorm) for m in whole.nets.modules()):
            return
        for part in [*whole.nets.modules(), *parts.nets.modules()]:
            part.training = part.training and not isinstance(part, _SpectralNorm)
        for name in whole.phases:
            for trainer in (whole, parts):
                trainer.play(name, 0)
            pairs = {
                key: (a.grad, b.grad)
                for (key, a), b in zip(whole.nets.named_parameters(), parts.nets.parameters(), strict=True)
                if a.grad is not None and b.grad is not None
            }
            sizes = {key: float(a.abs().max()) + 1e-12 for key, (a, _) in pairs.items()}
            least = max(sizes.values()) * LEAST_SHARE
            for key, (a, b) in pairs.items():
                error = float((a - b).abs().max()) / max(sizes[key], least)
                assert error < TOLERANCE, (
                    f"phase {name}: the gradient of {key} differs by {error:.1e} of its size between a whole batch "
                    "and micro-batches; does a loss average over the batch, or draw noise other than by ctx?"
                )


def check_resume(recipe: Recipe, source: Source, steps: int) -> None:
    """Training on equals training, stopping and resuming, to the bit; loading gives identical samples."""
    half = steps // 2
    with _trainer(recipe, source, steps=steps) as straight, _trainer(recipe, source, steps=half) as first:
        straight.fit()
        first.fit()
        again = Trainer(recipe, source, _config(steps), out=first.out, recipe_name="test", resume=True, runtime=_cpu())
        again.fit()
        for key, value in _snapshot(straight.nets).items():
            assert torch.equal(value, _snapshot(again.nets)[key]), f"resuming changed {key}"
        for name, net in straight.averages.nets.items():
            for key, value in net.state_dict().items():
                assert torch.equal(value, again.averages.nets[name].state_dict()[key]), f"resuming changed {name}.{key}"
        _check_samples(recipe, source, again)


def _check_samples(recipe: Recipe, source: Source, trainer: Trainer) -> None:
    path, _ = checkpoint.newest(trainer.out)
    nets = recipe.networks(source.spec)
    for name, net in nets.items():
        stored = f"{name}.ema" if name in recipe.ema else name
        checkpoint.load_into(net, checkpoint.read_tensors(path, stored), what=name)
    nets = nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    request = source.spec.request(5)
    made = sample(recipe, nets, request, seed=1)
    wanted = sample(recipe, trainer.averages.over(trainer.nets), request, seed=1)
    bounds: Mapping[str, tuple[float, float]] = source.spec.bounds
    for key, value in wanted.items():
        assert torch.equal(value, made[key]), f"a loaded model makes other samples: {key} differs"
        assert len(value) == 5, f"5 examples were asked for, {key} holds {len(value)}"
        if key in bounds:
            low, high = bounds[key]
            assert torch.isfinite(value).all(), f"samples are not finite: {key}"
            assert value.shape[1:] == source.batch(torch.arange(1), torch.device("cpu"))[key].shape[1:], (
                f"samples of {key} have shape {tuple(value.shape[1:])}, the data have another"
            )
            assert value.aminmax().min >= low - 1, f"samples of {key} are far below {low}"
            assert value.aminmax().max <= high + 1, f"samples of {key} are far above {high}"


def _snapshot(nets: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in nets.state_dict().items()}


def _changed(net: nn.Module, before: Mapping[str, Tensor], name: str) -> bool:
    return any(not torch.equal(p, before[f"{name}.{k}"]) for k, p in net.named_parameters())


def _cpu() -> Runtime:
    return Runtime(1, "cpu")


def _config(steps: int, micro: int | None = None) -> TrainConfig:
    return TrainConfig(batch=BATCH, samples=BATCH * steps, tick=BATCH * 4, save_every=BATCH * 1000, micro=micro)


class _trainer(AbstractContextManager[Trainer]):  # noqa: N801
    """A trainer in a temporary run folder."""

    def __init__(self, recipe: Recipe, source: Source, *, steps: int, micro: int | None = None) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="gansmith-check-")
        out = Path(self.folder.name) / "run"
        self.trainer = Trainer(recipe, source, _config(steps, micro), out=out, recipe_name="test", runtime=_cpu())

    def __enter__(self) -> Trainer:
        return self.trainer

    def __exit__(self, *raised: object) -> None:
        self.folder.cleanup()


def check_two_processes(recipe: Recipe, source: Source, *, steps: int = 3) -> None:
    """Two processes end with the weights of one, up to the order of summation.

    The second run is made by two fresh processes, which find the recipe again by the name of its file.
    """
    assert isinstance(source, Noise), "two processes can only be checked on random examples: pass a Spec"
    with _trainer(recipe, source, steps=steps) as one:
        first = _snapshot(one.nets)
        one.fit()
        out = one.out.parent / "two"
        _run_two(recipe, source, steps, out)
        path, _ = checkpoint.newest(out)
        idle = {f"{name}.{key}" for name, net in one.nets.items() for key in _idle(net)}
        for name, net in one.nets.items():
            for key, value in checkpoint.read_tensors(path, name).items():
                if f"{name}.{key}" in idle:
                    continue
                ours, start = net.state_dict()[key].double(), first[f"{name}.{key}"].double()
                apart, moved = float((value.double() - ours).norm()), float((ours - start).norm())
                assert apart <= 0.05 * moved + 1e-6, (
                    f"{name}.{key}: two processes end {apart:.1e} away from one, which moved by {moved:.1e}; "
                    "is there randomness that does not come from ctx, or a layer that looks across the batch?"
                )


def _idle(net: nn.Module) -> set[str]:
    """Parameters of next to no gradient, such as a bias before batch normalisation: rounding, of which Adam makes steps
    as long as any."""
    slopes = {key: float(p.grad.abs().max()) for key, p in net.named_parameters() if p.grad is not None}
    return {key for key, slope in slopes.items() if slope < ROUNDING * max(slopes.values())}


def _run_two(recipe: Recipe, source: Source, steps: int, out: Path) -> None:
    order = {
        "recipe": importable_name(recipe),
        "config": to_dict(recipe),
        "spec": source.spec.to_json(),
        "n": len(source),
        "steps": steps,
        "out": str(out),
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    command = [sys.executable, "-m", "gansmith.testing", json.dumps(order)]
    workers = [
        subprocess.Popen(
            command,
            env={**os.environ, **group, "TORCHELASTIC_RUN_ID": "check", "RANK": str(r), "LOCAL_RANK": str(r)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for r in range(2)
    ]
    said = [worker.communicate(timeout=240)[1] for worker in workers]
    for worker, text in zip(workers, said, strict=True):
        assert worker.returncode == 0, f"one of two processes failed: {text[-2000:]}"


def _work(order: Mapping[str, Any]) -> None:
    """One of the two processes of `check_two_processes`."""
    from .pipelines import catalogue

    torch.set_num_threads(1)
    recipe = build(catalogue.find(order["recipe"]), order["config"])
    spec = spec_from_json(order["spec"])
    runtime = Runtime(2, "cpu")
    config = replace(_config(order["steps"]), devices=2)
    Trainer(
        recipe, Noise(spec, order["n"]), config, out=order["out"], recipe_name=order["recipe"], runtime=runtime
    ).fit()
    runtime.close()


if __name__ == "__main__":
    _work(json.loads(sys.argv[1]))
