"""The one place that knows of Fabric and torch.distributed: launching, devices, collectives, sharding."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import ConfigError

T = TypeVar("T")


class Runtime:
    """Processes and their device. Making one launches the other processes of this machine, if any are asked for.

    Args:
        devices: processes on this machine; torchrun's and SLURM's environment take precedence.
        accelerator: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: more CUDA devices than there are, or CUDA where there is none.
    """

    def __init__(self, devices: int = 1, accelerator: Literal["auto", "cpu", "cuda"] = "auto") -> None:
        cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if accelerator == "cuda" and not cuda:
            raise ConfigError("no CUDA device was found; leave --devices and the accelerator as they are, or use cpu")
        kind = "cuda" if cuda and accelerator != "cpu" else "cpu"
        launched = int(os.environ.get("LOCAL_WORLD_SIZE", 0)) if "TORCHELASTIC_RUN_ID" in os.environ else 0
        devices = launched or devices
        if kind == "cuda" and devices > cuda:
            raise ConfigError(f"{devices} devices were asked for and this machine has {cuda}; use --devices {cuda}")
        nodes = int(os.environ["WORLD_SIZE"]) // launched if launched else int(os.environ.get("SLURM_NNODES", 1))
        self.rank, self.world, self.device = 0, 1, torch.device(kind, 0) if kind == "cuda" else torch.device("cpu")
        if devices * nodes > 1:
            self._launch(kind, devices, nodes)

    def _launch(self, kind: str, devices: int, nodes: int) -> None:
        from lightning_fabric import Fabric

        self._fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy="ddp")
        self._fabric.launch()
        self.rank, self.world = self._fabric.global_rank, self._fabric.world_size
        self.device = self._fabric.device

    def seed(self, number: int) -> None:
        """Seeds torch's global random state of the CPU and of this device, and of no other device."""
        torch.default_generator.manual_seed(number)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(number)

    def close(self) -> None:
        """Leaves the process group, so that the process can end without complaint."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def precision(self, name: str) -> AbstractContextManager[Any]:
        """Autocast around a loss. Penalties leave it: they are taken in float32."""
        return torch.autocast(self.device.type, torch.bfloat16) if name == "bf16" else nullcontext()

    def share(self, batch: int) -> tuple[int, int]:
        """First row and number of rows of this process within a batch of all processes."""
        return self.rank * (batch // self.world), batch // self.world

    def prepare(self, module: nn.Module) -> nn.Module:
        """The same weights everywhere, and batch normalisation over the batch of all processes."""
        if self.world > 1:
            for tensor in [*module.parameters(), *module.buffers()]:
                dist.broadcast(tensor.data, 0)
            for part in module.modules():
                if isinstance(part, _BatchNorm):
                    part.__class__ = _cross_process(type(part))
        return module

    def average_gradients(self, params: Sequence[Tensor], flags: Tensor) -> Tensor:
        """One flattened all-reduce for a phase, after its last backward. Sharded gradients are averaged already.

        Args:
            params: parameters whose `.grad` becomes the mean over processes.
            flags: (k,) numbers to sum over processes along with the gradients.
        Returns:
            The summed flags.
        """
        if self.world == 1:
            return flags
        grads = [p.grad for p in params if p.grad is not None and not hasattr(p.grad, "full_tensor")]
        flat = torch.cat([*(g.flatten() for g in grads), flags.to(self.device, torch.float32) * self.world])
        dist.all_reduce(flat)
        flat /= self.world
        *parts, total = flat.split([*(g.numel() for g in grads), len(flags)])
        for grad, part in zip(grads, parts, strict=True):
            grad.copy_(part.view_as(grad))
        return torch.as_tensor(total)

    def sum(self, values: Tensor) -> Tensor:
        """Sum over processes."""
        if self.world > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def mean(self, values: Tensor) -> Tensor:
        """Mean over processes."""
        return self.sum(values) / self.world

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process; every process must ask."""
        return flag if self.world == 1 else bool(self.sum(torch.tensor(float(flag), device=self.device)) > 0)

    def gather(self, thing: T) -> list[T]:
        """What every process passed, by rank; it must be picklable."""
        if self.world == 1:
            return [thing]
        things: list[Any] = [None] * self.world
        dist.all_gather_object(things, thing)
        return things

    def first(self, thing: T) -> T:
        """What process 0 passed; it must be picklable."""
        return self.gather(thing)[0]

    @staticmethod
    @contextmanager
    def alone() -> Iterator[None]:
        """Within, batch normalisation in training mode takes this process's examples alone and waits for no other."""
        _CrossProcess.alone = True
        try:
            yield
        finally:
            _CrossProcess.alone = False

    def same(self, text: str) -> bool:
        """Whether all processes passed the same text."""
        return len(set(self.gather(text))) == 1

    def shard(self, module: nn.Module) -> None:
        """Shards a network's parameters, gradients and optimizer state over the processes with FSDP2."""
        from torch.distributed.fsdp import fully_shard

        fully_shard(module, reshard_after_forward=True)  # between uses, parameters are always the shards

    @staticmethod
    def whole(tensor: Tensor) -> Tensor:
        """A tensor gathered from its shards; every process must ask."""
        return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor

    def spread(self, tensor: Tensor, like: Any) -> Tensor:
        """A whole tensor cut into shards as `like` is, if `like` is sharded."""
        if like is None or not hasattr(like, "full_tensor"):
            return tensor
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(tensor.to(self.device), like.device_mesh, like.placements)


class _AllReduce(torch.autograd.Function):
    """A sum over processes whose gradient is the sum of gradients, any number of times over."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _sum_over_processes(grad)


def _sum_over_processes(x: Tensor) -> Tensor:
    out: Tensor = _AllReduce.apply(x.contiguous())  # type: ignore[no-untyped-call]
    return out


class _CrossProcess(_BatchNorm):
    """Batch normalisation over the batch of all processes; equal shares are assumed."""

    alone = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or _CrossProcess.alone:
            return super().forward(x)
        axes = [i for i in range(x.dim()) if i != 1]
        n = x.numel() / x.shape[1] * dist.get_world_size()
        shape = [1, -1] + [1] * (x.dim() - 2)
        mean = _sum_over_processes(x.float().sum(axes)) / n
        centred = x.float() - mean.view(shape)
        variance = _sum_over_processes(centred.square().sum(axes)) / n
        self._follow(mean.detach(), variance.detach() * n / (n - 1))
        out = centred * (variance.view(shape) + self.eps).rsqrt()
        return (out if self.weight is None else out * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        rate = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance, rate)


def _cross_process(cls: type[_BatchNorm]) -> type[_BatchNorm]:
    return type(f"CrossProcess{cls.__name__}", (_CrossProcess, cls), {})


def is_first_process() -> bool:
    """Whether this is process 0, told by the environment alone, before anything was launched."""
    ranks = ("RANK", "LOCAL_RANK", "SLURM_PROCID") if "RANK" not in os.environ else ("RANK",)
    return all(int(os.environ.get(name, 0)) == 0 for name in ranks) and int(os.environ.get("NODE_RANK", 0)) == 0
