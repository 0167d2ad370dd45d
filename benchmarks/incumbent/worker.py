"""Runs inside the incumbent's own environment: `python worker.py JOB.json`. It speaks in JSON and CSV files alone.

A job is {"do": "train" | "transform" | "score", ...}; what it measured is written beside it as JOB.result.json.
"""

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd


def columns_of(frame: pd.DataFrame, numbers: list[str]) -> list[str]:
    return [name for name in frame if name not in numbers]


def train(job: dict) -> dict:
    import numpy
    import torch
    from ctgan import CTGAN

    torch.set_num_threads(job["threads"])
    numpy.random.seed(job["seed"])  # noqa: NPY002  (the incumbent draws from it)
    torch.manual_seed(job["seed"])
    frame = pd.read_csv(job["data"])
    model = CTGAN(epochs=job["epochs"])
    started = time.perf_counter()
    model.fit(frame, columns_of(frame, job["numbers"]))
    fitted = time.perf_counter()
    made = model.sample(job["sample"])
    sampled = time.perf_counter()
    made.to_csv(job["out"], index=False)
    found = {"fit_s": fitted - started, "sample_s": sampled - fitted, "rows": len(made)}
    if job.get("sample_more"):
        before = time.perf_counter()
        model.sample(job["sample_more"])
        found |= {"more_s": time.perf_counter() - before, "more_rows": job["sample_more"]}
    return found | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def transform(job: dict) -> dict:
    from ctgan.data_transformer import DataTransformer

    frame = pd.read_csv(job["data"])
    started = time.perf_counter()
    transformer = DataTransformer()
    transformer.fit(frame, columns_of(frame, job["numbers"]))
    fitted = time.perf_counter()
    transformer.transform(frame)
    return {"fit_s": fitted - started, "transform_s": time.perf_counter() - fitted}


def score(job: dict) -> dict:
    from sdmetrics.reports.single_table import QualityReport

    real, fake = pd.read_csv(job["data"]), pd.read_csv(job["fake"])
    kinds = {name: {"sdtype": "numerical" if name in job["numbers"] else "categorical"} for name in real}
    report = QualityReport()
    report.generate(real, fake, {"columns": kinds}, verbose=False)
    properties = report.get_properties().set_index("Property")["Score"].to_dict()
    return {"quality": report.get_score(), **properties}


if __name__ == "__main__":
    path = Path(sys.argv[1])
    job = json.loads(path.read_text())
    result = {"train": train, "transform": transform, "score": score}[job["do"]](job)
    path.with_suffix(".result.json").write_text(json.dumps(result))
