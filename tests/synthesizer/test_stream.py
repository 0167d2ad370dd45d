"""Rows to files: formats, formulas, whole or not at all; and the set of keys that have been seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gansmith.errors import UserError
from gansmith.pipelines.tables.keys import Seen, hashes_of, hashes_of_numbers
from gansmith.pipelines.tables.stream import write_blocks
from gansmith.tabular.infer import infer


def blocks() -> list[pd.DataFrame]:
    text = pd.DataFrame({"n": [1, -2], "t": ["=1+1", "plain"], "when": pd.to_datetime(["2024-01-01", None])})
    return [text, pd.DataFrame({"n": [3, 4], "t": ["@x", None], "when": pd.to_datetime([None, "2024-02-03"])})]


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "parquet"])
def test_every_format_comes_back_and_is_the_same_twice(tmp_path: Path, ending: str) -> None:
    whole = pd.concat(blocks(), ignore_index=True)
    paths = [write_blocks(tmp_path / f"{i}.{ending}", blocks(), infer(whole)) for i in (1, 2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if ending == "parquet":
        back = pd.read_parquet(paths[0])
        assert back["when"].equals(whole["when"].astype(back["when"].dtype))
    else:
        back = pd.read_csv(paths[0], sep="\t" if ending == "tsv" else ",")
    assert back["n"].tolist() == [1, -2, 3, 4]
    assert back["t"].fillna("-").tolist() == ["=1+1", "plain", "@x", "-"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)


def test_a_block_of_nothing_but_missing_values_does_not_spoil_parquet(tmp_path: Path) -> None:
    first, second = pd.DataFrame({"t": pd.Series([None, None], dtype=object)}), pd.DataFrame({"t": ["a", "b"]})
    schema = infer(pd.DataFrame({"t": ["a", "b", None, "a", "b", None] * 5}))
    path = write_blocks(tmp_path / "a.parquet", [first, second], schema)
    assert pd.read_parquet(path)["t"].fillna("-").tolist() == ["-", "-", "a", "b"]


def test_formulas_are_disarmed_and_numbers_left_alone(tmp_path: Path) -> None:
    frame = blocks()[0].rename(columns={"t": "=cmd"}).astype({"=cmd": "category"})
    path = write_blocks(tmp_path / "a.csv", [frame], infer(blocks()[0]), for_spreadsheets=True)
    assert path.read_text() == "n,'=cmd,when\n1,'=1+1,2024-01-01\n-2,plain,\n"


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def breaking() -> Iterator[pd.DataFrame]:
        yield blocks()[0]
        raise KeyboardInterrupt

    schema = infer(pd.concat(blocks()))
    with pytest.raises(KeyboardInterrupt):
        write_blocks(tmp_path / "a.csv", breaking(), schema)
    assert not list(tmp_path.iterdir())
    kept = write_blocks(tmp_path / "a.csv", blocks(), schema)
    before = kept.read_bytes()
    with pytest.raises(UserError, match="exists; add overwrite=True"):
        write_blocks(kept, blocks()[:1], schema)
    with pytest.raises(KeyboardInterrupt):
        write_blocks(kept, breaking(), schema, overwrite=True)
    assert kept.read_bytes() == before
    assert write_blocks(kept, blocks()[:1], schema, overwrite=True).read_bytes() != before


@pytest.mark.parametrize(("name", "message"), [("a.xlsx", "by the file's ending; this was: a.xlsx"), ("", "a folder")])
def test_names_that_cannot_be(tmp_path: Path, name: str, message: str) -> None:
    target = tmp_path / name if name else tmp_path / "x.csv"
    if not name:
        target.mkdir()
    with pytest.raises(UserError, match=message):
        write_blocks(target, blocks(), infer(blocks()[0]))


def test_seen_keys_are_a_set() -> None:
    rng, seen, known = np.random.default_rng(0), Seen(), set[int]()
    for _ in range(50):
        batch = rng.integers(0, 3_000, 100).astype(np.uint64)
        new = seen.new(batch)
        wanted = [v not in known and v not in batch[:i] for i, v in enumerate(batch)]
        assert new.tolist() == wanted
        seen.add(batch[new])
        known |= set(batch.tolist())
    assert len(seen) == len(known)
    assert len(seen._levels) <= 12


def test_hashes_tell_rows_apart_and_nothing_else() -> None:
    frame = pd.DataFrame({"a": ["x", "x", None, "x"], "b": [1, 2, 1, 1]})
    hashes, whole = hashes_of(frame, ["a", "b"])
    assert (hashes[0] == hashes[3], hashes[0] == hashes[1], whole.tolist()) == (True, False, [True, True, False, True])
    numbers = np.array([[0.0, np.nan], [-0.0, -np.nan], [1.0, np.nan], [np.nan, 0.0]])
    found = hashes_of_numbers(numbers)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 3
