"""`python -m benchmarks.tables [PART ...]`: tables, beside the incumbent; writes docs/benchmarks-tables.md.

Parts: transforms, sampling, adult, incumbent, others; without any, all of them. The incumbent's package runs in
an environment of its own (.venv-incumbent, made on the first call), never in ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch

from gansmith.data.tables import TableSource
from gansmith.metrics.tables import judge_table
from gansmith.pipelines.tables.synthesizer import TableSynthesizer
from gansmith.tabular.infer import infer
from gansmith.tabular.schema import Schema

from . import machine, tables_imbalance

SEEDS = (0, 1, 2)
EPOCHS = int(os.environ.get("GANSMITH_INCUMBENT_EPOCHS", "300"))  # the incumbent's default
HOME = machine.ROOT / ".venv-incumbent"
DATA = Path(os.environ.get("GANSMITH_SHARED_DATA", machine.ROOT.parent / "shared" / "data")) / "tabular"
PAGE = machine.ROOT / "docs" / "benchmarks-tables.md"
ADULT_NUMBERS = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
HELD_OUT = 0.2


def adult() -> tuple[pd.DataFrame, pd.DataFrame, str]:
    frame = pd.read_csv(DATA / "adult.csv.gz")
    train, test = (
        frame[frame["split"] == side].drop(columns="split").reset_index(drop=True) for side in ("train", "test")
    )
    return train, test, "income"


def covertype() -> tuple[pd.DataFrame, pd.DataFrame, str]:
    frame = pd.read_csv(DATA / "covertype_30k.csv.gz")
    return *_halves(frame), frame.columns[-1]


def cards() -> tuple[pd.DataFrame, pd.DataFrame, str]:
    return *_halves(pd.read_parquet(DATA / "creditcard_15k.parquet")), "Class"


def diabetes() -> tuple[pd.DataFrame, pd.DataFrame, str]:
    import zipfile

    names = ["pregnancies", "glucose", "pressure", "skin", "insulin", "bmi", "pedigree", "age", "diabetes"]
    with zipfile.ZipFile(DATA / "small_uci.zip") as archive, archive.open("pima-indians-diabetes.csv") as file:
        return *_halves(pd.read_csv(file, names=names)), "diabetes"


TABLES: dict[str, Callable[[], tuple[pd.DataFrame, pd.DataFrame, str]]] = {
    "adult": adult,
    "covertype": covertype,
    "cards": cards,
    "diabetes": diabetes,
}


def _halves(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    order = np.random.default_rng(0).permutation(len(frame))
    cut = int(HELD_OUT * len(frame))
    return frame.iloc[order[cut:]].reset_index(drop=True), frame.iloc[order[:cut]].reset_index(drop=True)


def numbers_of(frame: pd.DataFrame) -> list[str]:
    """Columns that the incumbent is told are numbers: those of a float type, and whole ones with many values."""
    return [c for c in frame if pd.api.types.is_numeric_dtype(frame[c]) and frame[c].nunique() > 20]


class Incumbent:
    """The incumbent at work in its own environment, one job at a time."""

    def __init__(self) -> None:
        self.python = HOME / "bin" / "python"
        if not self.python.exists():
            subprocess.run(["python3.11", "-m", "venv", str(HOME)], check=True)
            requirements = machine.ROOT / "benchmarks" / "incumbent" / "requirements.txt"
            subprocess.run([self.python, "-m", "pip", "install", "--quiet", "-r", str(requirements)], check=True)

    def start(self, job: dict[str, Any], folder: Path) -> subprocess.Popen[bytes]:
        (folder / "job.json").write_text(json.dumps(job))
        worker = machine.ROOT / "benchmarks" / "incumbent" / "worker.py"
        environment = {**os.environ, "OMP_NUM_THREADS": str(job.get("threads", 1)), "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.Popen([self.python, "-W", "ignore", str(worker), str(folder / "job.json")], env=environment)

    def finish(self, process: subprocess.Popen[bytes], folder: Path) -> dict[str, Any]:
        if process.wait():
            sys.exit(f"the incumbent failed with exit code {process.returncode}")
        found: dict[str, Any] = json.loads((folder / "job.result.json").read_text())
        return found

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as name:
            return self.finish(self.start(job, Path(name)), Path(name))

    def trained(self, name: str, train: pd.DataFrame, epochs: int) -> Path:
        """The folder of what it made of a table, trained once: `made.csv`, and its times in `job.result.json`."""
        folder = HOME / "made" / f"{name}-{epochs}"
        if not (folder / "job.result.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            self.finish(self.start_training(name, train, epochs, folder), folder)
        return folder

    def start_training(self, name: str, train: pd.DataFrame, epochs: int, folder: Path) -> subprocess.Popen[bytes]:
        train.to_csv(folder / "train.csv", index=False)
        job = {"do": "train", "data": str(folder / "train.csv"), "out": str(folder / "made.csv"), "seed": 0}
        job |= {"numbers": ADULT_NUMBERS if name == "adult" else numbers_of(train), "epochs": epochs}
        return self.start({**job, "threads": 1, "sample": len(train)}, folder)


Figures: TypeAlias = dict[str, float]


def scored(
    train: pd.DataFrame, test: pd.DataFrame, fake: pd.DataFrame, schema: Schema, target: str, *, simple: bool = False
) -> tuple[Figures, dict[str, Figures]]:
    """The figures of the page, by name; and with `simple` those of the simple generators, by theirs."""
    judged = judge_table(train, fake, schema, test=test, target=target, baselines=simple)
    others = {name: {f.name: f.value for f in figures} for name, figures in judged.baselines.items()}
    return {figure.name: figure.value for figure in judged.figures}, others


def run_adult() -> None:
    """Side by side, one core each: the incumbent at its 300 epochs, and ours with three seeds in turn."""
    machine.keep("tables-adult", compare("adult", epochs=EPOCHS, seeds=SEEDS))


def run_others() -> None:
    """The other tables: figures, no times, so that the incumbent's rows are made once and kept with its environment."""
    kept = machine.kept("tables-others") or {"tables": []}
    for name in ("diabetes", "cards", "covertype"):
        if name not in {row["table"] for row in kept["tables"]}:
            folder = Incumbent().trained(name, TABLES[name]()[0], EPOCHS)
            kept["tables"].append(compare(name, epochs=EPOCHS, seeds=SEEDS[:1], made=folder))
            machine.keep("tables-others", {"tables": kept["tables"]})


def compare(name: str, *, epochs: int, seeds: Sequence[int], made: Path | None = None) -> dict[str, Any]:
    """Ours and the incumbent's; both train at the same time unless the folder `made` holds what it did."""
    torch.set_num_threads(1)
    train, test, target = TABLES[name]()
    schema, incumbent = infer(train), Incumbent()
    with tempfile.TemporaryDirectory() as place:
        folder = made or Path(place)
        process = None if made else incumbent.start_training(name, train, epochs, folder)
        ours = [{"seed": seed, **train_ours(train, test, schema, target, seed)} for seed in seeds]
        theirs = incumbent.finish(process, folder) if process else json.loads((folder / "job.result.json").read_text())
        rows = pd.read_csv(folder / "made.csv").astype(train.dtypes.to_dict())
        figures, simple = scored(train, test, rows, schema, target, simple=True)
        theirs |= {"epochs": epochs, "figures": figures}
    quality = theirs["figures"]["sdmetrics-quality"]
    for row in ours:
        row["seconds_to_their_quality"] = next((s for s, q in row["course"] if q >= quality), None)
    return {
        "table": name,
        "rows": len(train),
        "columns": train.shape[1],
        "target": target,
        "ours": ours,
        "theirs": theirs,
        "simple": simple,
    }


def train_ours(train: pd.DataFrame, test: pd.DataFrame, schema: Schema, target: str, seed: int) -> dict[str, Any]:
    """Trains to its own stop, and says when it had reached which quality."""
    started = time.perf_counter()
    model = TableSynthesizer(schema=schema, target=target, seed=seed, quiet=True).fit(train)
    seconds = time.perf_counter() - started
    fake = model.sample(len(train), seed=seed)
    figures, _ = scored(train, test, fake, schema, target)
    return {
        "fit_s": seconds,
        "figures": figures,
        "course": sorted([[seconds, figures["sdmetrics-quality"]], *short_runs(train, schema, target, seed)]),
        "same_bytes": fake.to_csv().encode() == model.sample(len(train), seed=seed).to_csv().encode(),
    }


def short_runs(train: pd.DataFrame, schema: Schema, target: str, seed: int) -> list[list[float]]:
    """Seconds and quality of runs that were meant to be short, everything included: reading, training, calibration."""
    from gansmith.metrics.tables.columns import align
    from gansmith.metrics.tables.quality import score, shapes, trends

    found = []
    for samples in (100_000, 200_000):
        started = time.perf_counter()
        model = TableSynthesizer(schema=schema, target=target, seed=seed, samples=samples, quiet=True).fit(train)
        seconds = time.perf_counter() - started
        tables = align(schema, {"real": train, "fake": model.sample(len(train), seed=seed)})
        found.append([seconds, score(shapes(tables), trends(tables))[0]])
    return found


def run_transforms() -> None:
    """Fitting and applying the transforms of Adult, alternating."""
    train, _, _ = adult()
    rounds = []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "train.csv"
        train.to_csv(path, index=False)
        incumbent = Incumbent()
        for _ in range(3):
            theirs = incumbent.do({"do": "transform", "data": str(path), "numbers": ADULT_NUMBERS})
            row = {"theirs_s": theirs["fit_s"] + theirs["transform_s"]}
            for style in ("quantile", "modes"):
                started = time.perf_counter()
                TableSource(train, style=style)
                row[f"{style}_s"] = time.perf_counter() - started
            rounds.append(row)
    machine.keep("tables-transforms", {"rounds": rounds})


def run_sampling() -> None:
    """A million rows each, after a short training, alternating."""
    train, _, target = adult()
    model = TableSynthesizer(target=target, samples=50_000, quiet=True).fit(train)
    rounds = []
    with tempfile.TemporaryDirectory() as place:
        train.to_csv(Path(place) / "train.csv", index=False)
        job = {"do": "train", "data": f"{place}/train.csv", "out": f"{place}/made.csv", "seed": 0, "threads": 2}
        job |= {"numbers": ADULT_NUMBERS, "epochs": 1, "sample": 1000, "sample_more": 1_000_000}
        incumbent = Incumbent()
        for number in range(2):
            theirs = incumbent.do(job)
            started = time.perf_counter()
            model.sample(1_000_000, seed=number)
            seconds = time.perf_counter() - started
            started = time.perf_counter()
            model.sample_to(f"{place}/ours-{number}.csv", 1_000_000, seed=number)
            rounds.append({"theirs_s": theirs["more_s"], "ours_s": seconds, "to_file_s": time.perf_counter() - started})
        memory = [file_memory(model, rows, f"{place}/m{rows}.csv") for rows in (100_000, 1_000_000)]
    machine.keep("tables-sampling", {"rounds": rounds, "memory": memory})


def file_memory(model: TableSynthesizer, rows: int, path: str) -> dict[str, float]:
    """The highest memory of the process while so many rows are written to a file, above that before."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.sample_to(path, rows, seed=0)
    return {"rows": rows, "mib_more": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def run_incumbent() -> None:
    """Only what the incumbent makes of the other tables: hours, which may be spent beforehand."""
    for name in ("diabetes", "cards", "covertype"):
        Incumbent().trained(name, TABLES[name]()[0], EPOCHS)


PARTS = {
    "transforms": run_transforms,
    "sampling": run_sampling,
    "adult": run_adult,
    "incumbent": run_incumbent,
    "others": run_others,
}


def main(names: Sequence[str]) -> None:
    from .tables_page import render

    unknown = set(names) - PARTS.keys() - {"imbalance", "page"}
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}, imbalance, page")
    for name in names or [*PARTS, "imbalance"]:
        print(f"== {name}", flush=True)
        if name == "imbalance":
            tables_imbalance.run()
        elif name in PARTS:
            PARTS[name]()
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
