"""Processes that train and have faults done to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUNNER = Path(__file__).resolve().parent / "runner.py"
SIGKILL = signal.SIGKILL


class Child:
    """A training process."""

    def __init__(self, nursery: Nursery, pid: int, log: Path) -> None:
        self.nursery, self.pid, self.log = nursery, pid, log

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code; negative for the signal that ended it."""
        return int(self.nursery.ask({"wait": self.pid}))

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


class Nursery:
    """Starts `runner.py` many times without loading torch each time."""

    def __init__(self, logs: Path) -> None:
        self.logs, self.count = logs, 0
        self.server = subprocess.Popen(
            [sys.executable, str(RUNNER), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline().strip()

    def ask(self, job: dict[str, Any]) -> str:
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(job) + "\n")
        self.server.stdin.flush()
        return self._answer()

    def start(self, *argv: object, **limits: int) -> Child:
        self.count += 1
        log = self.logs / f"{self.count}.log"
        log.touch(mode=0o666)
        log.chmod(0o666)
        pid = int(self.ask({"argv": [str(a) for a in argv], "stderr": str(log), **limits}))
        return Child(self, pid, log)

    def run(self, *argv: object, **limits: int) -> tuple[int, str]:
        """Exit code and what it said."""
        child = self.start(*argv, **limits)
        code = child.wait()
        assert code != 99, child.said
        return code, child.said

    def close(self) -> None:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait(30)


def wait_until(what: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)
