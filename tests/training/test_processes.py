"""Two processes give what one gives; sharding; faults in one of two."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toys import Asks, Excitable, NormToy, Toy, assert_same, events, everything, train

from gansmith import checkpoint
from gansmith.errors import ConfigError
from gansmith.health.finding import Failure, Finding
from gansmith.health.policy import Remedy
from gansmith.training import start
from gansmith.training.config import TrainConfig

RUNNER = Path(__file__).resolve().parents[1] / "faults" / "runner.py"


def launch(*argv: object, torchrun: bool = False, wanted: int = 0) -> str:
    """Runs the toy on two processes; what they said."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*(start if torchrun else [sys.executable]), str(RUNNER), *map(str, argv)]
    environment = {k: v for k, v in os.environ.items() if not k.endswith(("RANK", "WORLD_SIZE"))}
    environment |= {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode == wanted) or (torchrun and wanted and done.returncode), done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The same runs by one process."""
    folder = tmp_path_factory.mktemp("alone")
    for name, recipe in {"toy": Toy(), "norm": NormToy()}.items():
        trainer = train(folder / name, recipe=recipe, steps=24, tick=8, save_every=12)
        torch.save(everything(trainer), folder / f"{name}.pt")
    return {name: folder / name for name in ("toy", "norm")}


def alike(out: Path, dump: Path, reference: Path) -> None:
    assert_same(load_file(dump), torch.load(f"{reference}.pt", weights_only=True), close=True)
    for mine, theirs in zip(events(out, "tick"), events(reference, "tick"), strict=True):
        assert mine["figures"] == pytest.approx(theirs["figures"], rel=5e-3, abs=1e-5)


COMMON = ("--steps", 24, "--tick", 8, "--save_every", 12)


@pytest.mark.parametrize(
    ("recipe", "torchrun"), [("norm", False), ("toy", True)], ids=["our own launcher, batch norm", "torchrun"]
)
def test_two_processes_are_one(recipe: str, torchrun: bool, alone: Mapping[str, Path], tmp_path: Path) -> None:
    """Phases with different gradients, batch normalisation, lazy R1, averages, moments, figures."""
    devices = () if torchrun else ("--devices", 2)
    launch(tmp_path / "run", "--recipe", recipe, *devices, *COMMON, "--dump", tmp_path / "dump", torchrun=torchrun)
    alike(tmp_path / "run", tmp_path / "dump", alone[recipe])


@pytest.mark.parametrize("halves", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["whole", "resumed"])
def test_sharding_is_one_process_too(halves: bool, alone: Mapping[str, Path], tmp_path: Path) -> None:
    """G sharded with FSDP2 over two processes: the same weights; its checkpoint is whole and loads anywhere."""
    run, sharded = tmp_path / "run", ("--devices", 2, "--shard", "G", "E")
    if halves:
        launch(run, *sharded, "--steps", 12, "--tick", 8, "--save_every", 12)
    launch(run, *sharded, *COMMON, *(["--resume"] if halves else []), "--dump", tmp_path / "dump")
    alike(run, tmp_path / "dump", alone["toy"])
    a, b = (checkpoint.read_tensors(p / "step-000000024", "G.ema") for p in (run, alone["toy"]))
    assert_same(a, b, close=True)


def test_a_bad_row_in_the_second_process_is_named(tmp_path: Path) -> None:
    """All skip together; process 0 tells the row that process 1 saw."""
    launch(tmp_path, "--devices", 2, *COMMON, "--at", "5:nan:1")
    (skip,) = events(tmp_path, "skip")
    assert "outside of the data's range" in skip["reason"]
    assert len(skip["rows"]) == len(skip["names"]) == 1
    assert events(tmp_path, "end")[0]["step"] == 24


def test_what_the_first_process_decides_both_do(tmp_path: Path) -> None:
    """Calmer settings, undone, and back to where all was well; the other process has no doctor."""
    asked = ("--asks", "8:calm", "--asks", "16:return:calm")
    launch(tmp_path / "two", "--recipe", "excitable", "--devices", 2, *COMMON, *asked, "--dump", tmp_path / "dump")
    first, second = events(tmp_path / "two", "treatment")
    assert (first["action"], first["kept"], first["changed"]) == ("calm", "step-000000008", {"lr": 1e-4})
    assert events(tmp_path / "two", "undone")[0]["to"] == "step-000000008"
    assert (second["action"], second["to"]) == ("return", "step-000000000")
    bad = Finding(Failure("d", "D", "serious", "divergence", "", "", ""), 0, 1)
    asks = [Asks(8, Remedy("calm", bad)), Asks(16, Remedy("return", bad, undoes="calm"))]
    alone = train(tmp_path / "one", recipe=Excitable(), steps=24, tick=8, save_every=12, monitors=asks)
    assert_same(load_file(tmp_path / "dump"), everything(alone), close=True)


def test_a_doctor_looks_without_waiting_for_the_others(alone: Mapping[str, Path], tmp_path: Path) -> None:
    """Batch normalisation in training mode, which otherwise is over all processes; a bug ends both."""
    launch(tmp_path / "run", "--recipe", "judged", "--devices", 2, *COMMON, "--doctor", 6, "--dump", tmp_path / "dump")
    alike(tmp_path / "run", tmp_path / "dump", alone["norm"])
    seen = [e["values"] for e in events(tmp_path / "run", "health")]
    assert len(seen) == 4
    assert {"evaluation_gap", "separation", "gradient/G", "update/D", "dead/G.3"} <= set(seen[0])
    said = launch(tmp_path / "bug", "--devices", 2, *COMMON, "--doctor", 6, "--constant", wanted=1)
    assert "All training examples are the same" in said
    assert events(tmp_path / "bug", "treatment")[0]["action"] == "stop"


@pytest.mark.slow
def test_a_signal_to_one_of_two_saves_and_ends_both(tmp_path: Path) -> None:
    said = launch(tmp_path, "--devices", 2, "--steps", 60, "--save_every", 60, "--at", "5:signal:SIGTERM", wanted=143)
    assert "go on with: gansmith resume" in said
    assert checkpoint.steps(tmp_path)[-1].name == "step-000000016"
    assert checkpoint.damage(checkpoint.steps(tmp_path)[-1]) is None


@pytest.mark.slow
def test_a_refused_folder_ends_both(tmp_path: Path) -> None:
    train(tmp_path, steps=2)
    said = launch(tmp_path, "--devices", 2, *COMMON, wanted=2)
    assert "holds a run already" in said


@pytest.mark.slow
def test_resuming_with_other_processes_is_said(tmp_path: Path, alone: Mapping[str, Path]) -> None:
    train(tmp_path / "run", steps=12, tick=8, save_every=12)
    launch(tmp_path / "run", "--devices", 2, *COMMON, "--resume", "--dump", tmp_path / "dump")
    assert events(tmp_path / "run", "warning")[0]["message"] == "processes was 1 and is 2 from here on"
    alike(tmp_path / "run", tmp_path / "dump", alone["toy"])


def test_sharding_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sharding needs several processes"):
        train(tmp_path / "a", shard=("G",))
    with pytest.raises(ConfigError, match="cannot shard D: a loss of Toy differentiates it twice"):
        train(tmp_path / "b", shard=("D",), devices=2)
    with pytest.raises(ConfigError, match="phase GE trains G, E with one optimizer: shard all of them or none"):
        start.check_networks("GDE", Toy().phases(), (), TrainConfig(samples=1, devices=2, shard=("G",)), 2)
    with pytest.raises(ConfigError, match="cannot compile D"):
        train(tmp_path / "c", compile=("D",))
    with pytest.raises(ConfigError, match=r"--compile names a network that the recipe lacks: X; it has: G, D, E"):
        train(tmp_path / "d", compile=("X",))
    assert not list(tmp_path.iterdir())
