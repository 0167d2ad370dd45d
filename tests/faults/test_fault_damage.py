"""Damaged, hostile and incomplete checkpoints (rows 5, 6, 7, 20), and exact resumption (rows 8, 9, 23)."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import NormToy, Points, Toy, assert_same, events, everything, prepare, train

from gansmith import checkpoint
from gansmith.errors import CheckpointError, ConfigError, RunFolderError, SpecError
from gansmith.spec import spec_from_json

KINDS = ["G.safetensors", "G.ema.safetensors", "optim.D.safetensors", "optim.D.json", "state.json", "recipe.json"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 60 steps with checkpoints at 20, 40 and 60."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    train(out, steps=60)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def flip(path: Path, byte: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)


def goes_back_to(run: Path, step: int, culprit: str) -> None:
    """Resuming takes the checkpoint of `step`, says why, and ends where the run ended before."""
    before = checkpoint.read_tensors(checkpoint.steps(run)[-1], "D") if culprit != "D.safetensors" else None
    trainer = train(run, steps=60, resume=True)
    (damaged,) = events(run, "damaged")
    assert culprit in damaged["message"]
    assert events(run, "start")[-1]["resumed_from"] == f"step-{step:09d}"
    assert trainer.progress.step == 60
    if before is not None:
        assert_same(before, dict(trainer.nets.D.state_dict()))


def test_row05_newest_cut_short(run: Path) -> None:
    path = run / "step-000000060" / "G.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    goes_back_to(run, 40, "G.safetensors")


def test_row05_newest_empty(run: Path) -> None:
    (run / "step-000000060" / "state.json").write_bytes(b"")
    goes_back_to(run, 40, "state.json")


@pytest.mark.parametrize("name", KINDS)
def test_row06_one_flipped_bit(run: Path, name: str) -> None:
    draw = random.Random(name)
    path = run / "step-000000060" / name
    flip(path, draw.randrange(path.stat().st_size), draw.randrange(8))
    goes_back_to(run, 40, name)


def test_row06_any_flipped_bit_of_the_manifest_is_noticed_or_harmless(run: Path) -> None:
    """Whatever bit of the manifest flips: it is called damaged, or every other file is still vouched for."""
    step = run / "step-000000060"
    path = step / checkpoint.MANIFEST
    whole, files = path.read_bytes(), {p.name for p in step.iterdir()} - {checkpoint.MANIFEST}
    passed = 0
    for byte in range(0, len(whole), 9):
        flip(path, byte, byte % 8)
        if checkpoint.damage(step) is None:
            passed += 1
            assert set(json.loads(path.read_text())["sha256"]) >= files - {"D.safetensors", "E.safetensors"}
        path.write_bytes(whole)
    assert passed < len(whole) / 10  # white space


def test_row06_two_damaged(run: Path) -> None:
    for step in (40, 60):
        flip(run / f"step-{step:09d}" / "G.safetensors", -3)
    trainer = train(run, steps=60, resume=True)
    assert len(events(run, "damaged")) == 2
    assert events(run, "start")[-1]["resumed_from"] == "step-000000020"
    assert trainer.progress.step == 60


def test_row06_all_damaged(run: Path) -> None:
    for step in checkpoint.steps(run):
        flip(step / "D.safetensors", -1)
    with pytest.raises(CheckpointError, match=r"every checkpoint in .* is damaged: .*D.safetensors"):
        train(run, steps=60, resume=True)


def test_row06_missing_file_is_damage(run: Path) -> None:
    (run / "step-000000060" / "optim.G+E.safetensors").unlink()
    goes_back_to(run, 40, "optim.G+E.safetensors is missing")


def rewritten(step: Path, leave_out: str = "", **changed: Any) -> None:
    """The same checkpoint with a valid manifest, and with a component left out or changed."""
    tensors = {p.name.removesuffix(".safetensors"): 0 for p in step.glob("*.safetensors")}
    parts = {name: checkpoint.read_tensors(step, name) for name in tensors} | changed
    documents = {
        p.stem: checkpoint.read_document(step, p.stem) for p in step.glob("*.json") if p.name != checkpoint.MANIFEST
    }
    parts.pop(leave_out, None)
    checkpoint.write(step, parts, documents)


def test_row07_missing_component_is_named(run: Path) -> None:
    rewritten(run / "step-000000060", leave_out="G.ema")
    with pytest.raises(CheckpointError, match=r"G\.ema\.safetensors"):
        train(run, steps=60, resume=True)


def test_row07_missing_tensor_is_named(run: Path) -> None:
    step = run / "step-000000060"
    ema = checkpoint.read_tensors(step, "G.ema")
    ema.pop("0.weight")
    rewritten(step, **{"G.ema": ema})
    with pytest.raises(CheckpointError, match=r"G\.ema do not fit its networks: 0\.weight is missing"):
        train(run, steps=60, resume=True)


def test_row07_other_shape_is_named(run: Path) -> None:
    with pytest.raises(CheckpointError, match="has shape"):
        train(run, steps=60, resume=True, recipe=Toy(width=8))


def test_row07_missing_moments_are_named(run: Path) -> None:
    rewritten(run / "step-000000060", leave_out="optim.D")
    with pytest.raises(CheckpointError, match=r"optim\.D"):
        train(run, steps=60, resume=True)


class Payload:
    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (Path(self.target),))


def test_row20_pickle_in_disguise(run: Path, tmp_path: Path) -> None:
    """A pickle under a name of safetensors, vouched for by the manifest, is refused and nothing in it runs."""
    step, trap = run / "step-000000060", tmp_path / "trap"
    (step / "G.safetensors").write_bytes(pickle.dumps(Payload(str(trap))))
    manifest = json.loads((step / checkpoint.MANIFEST).read_text())
    manifest["sha256"]["G.safetensors"] = checkpoint.digest(step / "G.safetensors")
    (step / checkpoint.MANIFEST).write_text(json.dumps(manifest))
    assert checkpoint.damage(step) is None
    with pytest.raises(CheckpointError, match=r"cannot read .*G\.safetensors"):
        train(run, steps=60, resume=True)
    assert not trap.exists()


def test_row20_torch_save_in_disguise(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "G.safetensors")
    with pytest.raises(CheckpointError, match="cannot read"):
        checkpoint.read_tensors(tmp_path, "G")


def test_row20_unknown_kind_of_data() -> None:
    with pytest.raises(SpecError, match=r"unknown kind of data 'os\.system'"):
        spec_from_json({"kind": "os.system", "size": 8})


def test_row20_nothing_that_loads_a_run_knows_of_pickle() -> None:
    """The package's own reader processes talk to each other in pickles; what reads files of a run does not."""
    package = Path(checkpoint.__file__).parent
    readers = [p for part in ("training", "pipelines", "recipes", "report") for p in (package / part).rglob("*.py")]
    for path in [*readers, package / "checkpoint.py", package / "config.py"]:
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in ("torch.load", "torch.save", "pickle", "yaml.load(")), path


@pytest.mark.parametrize("recipe", [Toy(), NormToy()], ids=["toy", "batch norm"])
@pytest.mark.parametrize("cut", [20, 33], ids=["at a tick", "within a tick"])
def test_row08_2n_equals_n_plus_n(recipe: Toy, cut: int, tmp_path: Path) -> None:
    """Weights, buffers, averages, moments, the guard's memory, figures and the log: to the bit."""
    whole = train(tmp_path / "whole", recipe=recipe, steps=66, tick=10, save_every=500)
    train(tmp_path / "halves", recipe=recipe, steps=cut, tick=10, save_every=500)
    second = train(tmp_path / "halves", recipe=recipe, steps=66, tick=10, save_every=500, resume=True)
    assert events(tmp_path / "halves", "start")[-1]["step"] == cut
    assert_same(everything(whole), everything(second))
    assert events(tmp_path / "whole", "tick") == events(tmp_path / "halves", "tick")


def test_row08_a_checkpoint_holds_all_there_is(tmp_path: Path) -> None:
    done = train(tmp_path, recipe=NormToy(), steps=23, tick=10, save_every=500)
    again = prepare(tmp_path, recipe=NormToy(), steps=23, resume=True)
    again.keeper.load(checkpoint.newest(tmp_path)[0])
    assert_same(everything(done), everything(again))
    assert again.samples == done.samples == 23 * 32


@pytest.mark.parametrize("change", [{"batch": 16, "steps": 120}, {"seed": 1}], ids=["batch", "seed"])
def test_row09_what_a_resumed_run_must_keep(run: Path, change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"a resumed run keeps its (batch|seed)"):
        train(run, **{"steps": 60, **change}, resume=True)


def test_row09_micro_batches_are_free_and_said(run: Path, finished: Path) -> None:
    shutil.rmtree(run / "step-000000060")
    trainer = train(run, steps=60, micro=8, resume=True)
    assert trainer.progress.micro == 8
    assert events(run, "warning")[0]["message"] == "micro was None and is 8 from here on"
    last = checkpoint.read_tensors(finished / "step-000000060", "D")
    assert_same(last, dict(trainer.nets.D.state_dict()), close=True)


def test_row09_a_changed_recipe_is_said(run: Path) -> None:
    train(run, steps=62, recipe=Toy(lr=5e-4), resume=True)
    assert events(run, "warning")[0]["message"] == "recipe.lr was 0.001 and is 0.0005 from here on"


def test_row09_ticks_and_saves_are_free(run: Path, finished: Path) -> None:
    shutil.rmtree(run / "step-000000060")
    train(run, steps=60, tick=7, save_every=9, resume=True)
    a, b = (checkpoint.read_tensors(p / "step-000000060", "D") for p in (run, finished))
    assert_same(a, b)
    assert not events(run, "warning")


def test_row23_changed_data_are_refused(run: Path) -> None:
    with pytest.raises(RunFolderError, match=r"the data are not what .*\n.*--accept-data-change"):
        train(run, steps=80, source=Points(fingerprint="others"), resume=True)
    train(run, steps=80, source=Points(fingerprint="others"), resume=True, accept_data_change=True)
    assert train(run, steps=80, source=Points(fingerprint="others"), resume=True).progress.step == 80
