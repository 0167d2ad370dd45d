"""Signals: a handler only sets a flag; the trainer saves at the end of the step. The same signal again ends at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

WATCHED = ("SIGINT", "SIGTERM", "SIGUSR1")


class Interrupts:
    """Within the context, `caught` is the number of the first signal that came, or None."""

    def __init__(self) -> None:
        self.caught: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for name in WATCHED:
                number = getattr(signal, name, None)
                if number is not None:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.caught = number
        signal.signal(number, signal.SIG_DFL)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
