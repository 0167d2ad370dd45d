"""A process that decodes pictures, and the handle by which it is asked.

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
from collections.abc import Sequence
from typing import IO, Any, TypeAlias

from .decode import Converted, convert
from .listing import Blob, Unreadable

Result: TypeAlias = Converted | Unreadable
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
    """One decoding process.

    Args:
        size, channels: as in `convert`.
        patience: seconds without an answer after which the process counts as hung.
    """

    def __init__(self, size: int, channels: int | None, patience: float) -> None:
        self._job = (size, channels)
        self._patience = patience
        self._process = self._start()

    def __call__(self, blobs: Sequence[Blob]) -> list[Result]:
        """Converts these pictures.

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
            answer: list[Result] = _receive(self._process.stdout)
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
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, *map(str, self._job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
        )


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


def main(size: str, channels: str) -> None:
    """Answers until the parent closes the pipe, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # a stray print must not break a message
    while True:
        try:
            blobs = _receive(sys.stdin.buffer)
        except EOFError:
            return
        _send(answers, convert_all(blobs, int(size), None if channels == "None" else int(channels)))


if __name__ == "__main__":
    main(*sys.argv[1:])
