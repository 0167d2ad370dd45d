"""Frozen: a trained network that others look through and that never learns itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import CheckpointError

NAME = "sha256"
F = TypeVar("F", bound="Frozen")


class Frozen(nn.Module):
    """Holds a network apart: it moves along between devices, stays in evaluation mode and lets gradients pass, but its
    weights are neither parameters nor part of the state.

    The state names them by their digest, and one that was saved with other weights is refused.

    Args:
        make: builds the network, when it is first asked for.
        digest: of its weights: hexadecimal digits of a sha256.
        what: it is, for the message of an error.
    """

    def __init__(self, make: Callable[[], nn.Module], digest: str, what: str) -> None:
        super().__init__()
        self.make, self.digest, self.what = make, digest, what
        self._held: list[nn.Module] = []  # in a list, so that it is no part of this module
        self.register_buffer("place", torch.zeros(()), persistent=False)  # tells the device

    @property
    def net(self) -> nn.Module:
        """The network, where this module is.

        Raises:
            DataError: of `make`, where its weights are not on this machine.
        """
        if not self._held:
            self._held.append(self.make().eval().requires_grad_(False).to(self.get_buffer("place").device))
        return self._held[0]

    def forward(self, *given: Any) -> Any:
        return self.net(*given)

    def _apply(self: F, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> F:
        """What `to` does to parameters and buffers."""
        for net in self._held:
            net._apply(fn)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + NAME] = torch.tensor(list(self.digest.encode()), dtype=torch.uint8, device="cpu")

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *others: Any) -> None:
        stored = state_dict.pop(prefix + NAME, None)
        if stored is not None and (came := bytes(stored.tolist()).decode()) != self.digest:
            raise CheckpointError(
                f"{self.what} has weights of sha256 {self.digest} here, and these networks were trained with others: "
                f"{came}; put those back"
            )
        super()._load_from_state_dict(state_dict, prefix, *others)


def is_meta() -> bool:
    """Whether tensors are made without storage just now, to be counted and not to be used."""
    return torch.empty(0).is_meta
