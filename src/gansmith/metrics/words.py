"""What sides are called where a reader sees them."""

from __future__ import annotations

CALLED = {"fake": "generated", "held": "held-out", "spare": "further real"}


def called(side: str) -> str:
    """`generated` of the side `fake`; others as their own name has it."""
    return CALLED.get(side, side)
