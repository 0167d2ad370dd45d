"""Checkpoints by themselves; what damages them is in tests/faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from gansmith import checkpoint
from gansmith.errors import CheckpointError, RunFolderError

TENSORS = {
    "G": {"w": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)},
    "D": {"b": torch.ones(2, dtype=torch.bfloat16)},
}


def make(run: Path, *steps: int) -> None:
    for step in steps:
        checkpoint.write(checkpoint.step_folder(run, step), TENSORS, {"state": {"step": step, "name": "größe"}})


def test_there_and_back(tmp_path: Path) -> None:
    make(tmp_path, 7)
    folder = tmp_path / "step-000000007"
    for name, entries in TENSORS.items():
        got = checkpoint.read_tensors(folder, name)
        assert got.keys() == entries.keys()
        assert all(torch.equal(got[k], v) and got[k].dtype == v.dtype for k, v in entries.items())
    assert checkpoint.read_document(folder, "state") == {"step": 7, "name": "größe"}
    assert checkpoint.damage(folder) is None
    digests = json.loads((folder / "manifest.json").read_text())["sha256"]
    assert {*digests, "manifest.json"} == {p.name for p in folder.iterdir()}


def test_tensors_that_are_views_or_shared(tmp_path: Path) -> None:
    whole = torch.arange(12.0).view(3, 4)
    tensors = {"G": {"column": whole[:, 1], "transposed": whole.t(), "again": whole, "wide": torch.ones(1).expand(4)}}
    checkpoint.write(tmp_path / "step-000000001", tensors, {})
    got = checkpoint.read_tensors(tmp_path / "step-000000001", "G")
    assert all(torch.equal(got[k], v) for k, v in tensors["G"].items())


def test_writing_over_a_checkpoint(tmp_path: Path) -> None:
    make(tmp_path, 7)
    checkpoint.write(tmp_path / "step-000000007", {"G": {"w": torch.zeros(1)}}, {})
    assert sorted(p.name for p in (tmp_path / "step-000000007").iterdir()) == ["G.safetensors", "manifest.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000007"]


def test_steps_are_sorted_by_number(tmp_path: Path) -> None:
    make(tmp_path, 5, 1_000_000_000, 20)
    (tmp_path / "step-final").mkdir()
    assert [p.name for p in checkpoint.steps(tmp_path)] == [
        "step-000000005",
        "step-000000020",
        "step-1000000000",
    ]
    assert checkpoint.newest(tmp_path) == (tmp_path / "step-1000000000", [])
    assert checkpoint.newest(tmp_path / "step-000000005") == (tmp_path / "step-000000005", [])
    assert checkpoint.steps(tmp_path / "absent") == []


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such run folder"):
        checkpoint.newest(tmp_path / "absent")
    with pytest.raises(RunFolderError, match=r"no checkpoint in .*gansmith train"):
        checkpoint.newest(tmp_path)


def test_a_damaged_checkpoint_named_outright(tmp_path: Path) -> None:
    make(tmp_path, 5)
    (tmp_path / "step-000000005" / "state.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"state\.json is damaged.*use another checkpoint"):
        checkpoint.newest(tmp_path / "step-000000005")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 3}', '{"sha256": ["a"]}', '{"sha256": null}', "\x00"])
def test_any_manifest_is_answered(content: str, tmp_path: Path) -> None:
    make(tmp_path, 5)
    (tmp_path / "step-000000005" / "manifest.json").write_text(content)
    assert "is unreadable" in str(checkpoint.damage(tmp_path / "step-000000005"))


def test_pruning_keeps_the_newest(tmp_path: Path) -> None:
    make(tmp_path, 1, 2, 3, 4)
    gone = checkpoint.prune(tmp_path, 2)
    assert [p.name for p in gone] == ["step-000000001", "step-000000002"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000000003", "step-000000004"]
    assert checkpoint.prune(tmp_path, 0) == []


def test_weights_that_do_not_fit() -> None:
    module = nn.Linear(2, 3)
    own = {k: torch.full_like(v, 2.0) for k, v in module.state_dict().items()}
    checkpoint.load_into(module, own, what="G")
    assert module.weight.tolist() == [[2.0, 2.0]] * 3
    wrong = {"weight": torch.ones(3, 3), "scale": torch.ones(1)}
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load_into(module, wrong, what="G")
    for words in ("bias is missing", "scale is not known", "weight has shape (3, 3), wanted (3, 2)", "of G do not fit"):
        assert words in str(caught.value)


@pytest.mark.parametrize("content", ["[1]", "{", "null"])
def test_documents_that_are_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"state\.json"):
        checkpoint.read_document(tmp_path, "state")
    with pytest.raises(CheckpointError, match=r"other\.json"):
        checkpoint.read_document(tmp_path, "other")


def test_sizes_are_said_in_words_people_use(tmp_path: Path) -> None:
    assert checkpoint._size(1234) == "1 KB"
    assert checkpoint._size(2_345_678_901) == "2,345.7 MB"
