"""A process that does one task over pictures it is sent, and the handle by which it is asked.

A plain child program, not `multiprocessing`: it never runs the user's script again, so a script needs no
`if __name__ == "__main__"`, and it is never forked from a process that holds CUDA or threads.
Messages are pickles between a process and its own child, each after its length (8 bytes).
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, TypeAlias

from .decode import Converted, convert
from .listing import Blob, Unreadable

Result: TypeAlias = Converted | Unreadable
Task: TypeAlias = Callable[[Sequence[Blob]], list[Any]]
"""Encoded pictures in, an answer for each out; a function of a module, or a `partial` of one, so that it pickles."""
_LENGTH = struct.Struct("<Q")


class WorkerLost(Exception):
    """The process died or hung."""


def convert_all(blobs: Sequence[Blob], size: int, channels: int | None) -> list[Result]:
    """Each picture's pixels, or why there are none."""
    results: list[Result] = []
    for blob in blobs:
        try:
            results.append(convert(blob, size, channels))
        except Unreadable as e:
            results.append(e)
    return results


class Worker:
    """One process.

    Args:
        task: what it does with each lot of pictures.
        patience: seconds without an answer after which the process counts as hung.
    """

    def __init__(self, task: Task, patience: float) -> None:
        self._task = task
        self._patience = patience
        self._process = self._start()

    def __call__(self, blobs: Sequence[Blob]) -> list[Any]:
        """The task's answers for these pictures.

        Raises:
            WorkerLost: the process died or hung; `restart` before the next call.
        """
        watchdog = threading.Timer(self._patience, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            _send(self._process.stdin, list(blobs))
            answer: list[Any] = _receive(self._process.stdout)
        except (OSError, EOFError) as e:
            raise WorkerLost from e
        finally:
            watchdog.cancel()
        return answer

    def restart(self) -> None:
        self.close()
        self._process = self._start()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # bytes that a dead process never took
                pass

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(p for p in sys.path if p)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
        )
        assert process.stdin is not None
        with suppress(OSError):  # one that died at once is found lost at the first call
            _send(process.stdin, self._task)
        return process


def _send(pipe: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, protocol=5)
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)


def main() -> None:
    """Answers until the parent closes the pipe, or is gone. The first message is the task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # a stray print must not break a message
    try:
        task: Task = _receive(sys.stdin.buffer)
        while True:
            _send(answers, task(_receive(sys.stdin.buffer)))
    except EOFError:
        return


if __name__ == "__main__":
    main()
