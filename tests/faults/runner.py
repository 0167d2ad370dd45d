"""Trains a toy in a process of its own, where faults can be done to it.

python runner.py OUT [--resume] [--steps 60] [--at 30:signal:SIGTERM] ...
python runner.py --serve        starts such processes on request, by forking (quick: torch is loaded once)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import torch
from safetensors.torch import save_file
from toys import Asks, Excitable, FusedToy, NormJudged, NormToy, Points, Toy, everything, prepare

from gansmith.batch import Batch
from gansmith.errors import GansmithError
from gansmith.health.finding import Failure, Finding
from gansmith.health.policy import Remedy
from gansmith.training.checkup import Checkup
from gansmith.training.monitors import Monitor, SampleGrid, TensorBoardLog, View

torch.set_num_threads(1)
RECIPES = {"toy": Toy, "norm": NormToy, "fused": FusedToy, "excitable": Excitable, "judged": NormJudged}


class Eventful(Points):
    """Points to whose fetching things happen: `at` holds `STEP:ACTION:ARGUMENT`."""

    def __init__(self, at: list[str], **kw: Any) -> None:
        super().__init__(**kw)
        self.pending = [(int(step), action, argument) for step, action, argument in (a.split(":", 2) for a in at)]
        self.trainer: Any = None

    def spoil(self, batch: Batch) -> Batch:
        for entry in list(self.pending):
            if self.trainer.progress.step >= entry[0]:
                self.pending.remove(entry)
                batch = ACTIONS[entry[1]](entry[2], batch)
        return batch


def _fill(path: str, batch: Batch) -> Batch:
    """Fills the disk to the last block."""
    with open(path, "ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    return batch


def _free(path: str, batch: Batch) -> Batch:
    os.unlink(path)
    return batch


def _chmod(argument: str, batch: Batch) -> Batch:
    mode, path = argument.split(":", 1)
    os.chmod(path, int(mode, 8))
    return batch


def _signal(name: str, batch: Batch) -> Batch:
    os.kill(os.getpid(), getattr(signal, name))
    return batch


def _sleep(seconds: str, batch: Batch) -> Batch:
    time.sleep(float(seconds))
    return batch


def _nan(rank: str, batch: Batch) -> Batch:
    if int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0))) == int(rank):
        batch["x"][0, 0] = torch.nan
    return batch


ACTIONS = {"fill": _fill, "free": _free, "chmod": _chmod, "signal": _signal, "sleep": _sleep, "nan": _nan}


class Speaker(Monitor):
    """Says on stderr what a user must hear of."""

    def start(self, view: View) -> None:
        view.journal.listen(self._say)

    def _say(self, event: Mapping[str, Any]) -> None:
        if event["event"] in ("warning", "save_failed", "damaged", "oom", "skip", "rollback"):
            print(event["event"], event.get("message") or event.get("reason") or "", file=sys.stderr, flush=True)


class FirstAsks(Asks):
    """Asks for a remedy on the first process alone, as a doctor does; `STEP:ACTION`, or `STEP:ACTION:UNDOES`."""

    def __init__(self, text: str) -> None:
        step, action, *undoes = text.split(":")
        failure = Failure("divergence", "Divergence", "serious", "divergence", "meaning", "advice", "paper")
        remedy: Any = Remedy(action, Finding(failure, 0, 1), undoes=undoes[0] if undoes else None)  # type: ignore[arg-type]
        super().__init__(int(step), remedy)

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        if view.first:
            super().tick(view, figures)
        else:
            self.sound = None  # type: ignore[assignment]


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", choices=RECIPES, default="toy")
    parser.add_argument("--at", action="append", default=[])
    parser.add_argument("--asks", action="append", default=[])
    parser.add_argument("--constant", action="store_true", help="all examples are the same")
    parser.add_argument("--doctor", type=int, help="steps between two looks")
    for flag in ("resume", "overwrite", "accept_data_change", "monitors"):
        parser.add_argument(f"--{flag}", action="store_true")
    for number, value in {"steps": 60, "tick": 10, "save_every": 20, "seed": 0, "devices": 1, "width": 16}.items():
        parser.add_argument(f"--{number}", type=int, default=value)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--micro", type=int)
    parser.add_argument("--shard", nargs="*", default=[])
    parser.add_argument("--fingerprint", default="points")
    parser.add_argument("--dump", type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    options = arguments(argv)
    source = Eventful(options.at, fingerprint=options.fingerprint)
    if options.constant:
        source.x = source.x[:1].repeat(len(source.x), 1)
    monitors = [Speaker(), *([SampleGrid(16), TensorBoardLog()] if options.monitors else [])]
    monitors += [FirstAsks(text) for text in options.asks]
    if options.doctor:
        monitors.append(Checkup(every=options.doctor * options.batch))
    given = ("steps", "tick", "save_every", "seed", "devices", "batch", "micro", "resume", "overwrite")
    code = 0
    try:
        trainer = prepare(
            options.out,
            recipe=RECIPES[options.recipe](width=options.width),
            source=source,
            monitors=monitors,
            accept_data_change=options.accept_data_change,
            shard=tuple(options.shard),
            **{name: getattr(options, name) for name in given},
        )
        source.trainer = trainer
        trainer.fit()
        state = {k: trainer.runtime.whole(v).contiguous() for k, v in everything(trainer).items()}
        if options.dump and trainer.runtime.rank == 0:
            save_file(state, options.dump)
        trainer.runtime.close()
    except GansmithError as error:
        print(error, file=sys.stderr, flush=True)
        code = error.exit_code
    return code


def child(job: dict[str, Any]) -> int:
    """What a forked process does: takes its limits, then trains."""
    log = os.open(job["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "file_size" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_size"], job["file_size"]))
    if "memory" in job:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + job["memory"], now + job["memory"]))
    if "user" in job:
        os.setgid(job["user"])
        os.setuid(job["user"])
    return main(job["argv"])


def serve() -> None:
    """Reads jobs from stdin, one JSON object a line; answers with process ids and exit codes."""
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            print(os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1]), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            try:
                code = child(job)
            except BaseException:
                import traceback

                traceback.print_exc()
                code = 99
            os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        import tempfile

        with tempfile.TemporaryDirectory() as warm:  # loads what is loaded late
            main([f"{warm}/run", "--steps", "2", "--monitors"])
        print("ready", flush=True)
        serve()
    else:
        sys.exit(main(sys.argv[1:]))
