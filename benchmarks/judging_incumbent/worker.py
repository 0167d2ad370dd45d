"""Runs inside the incumbents' own environment: `python worker.py JOB.json`. It speaks in JSON, npz and npy files alone.

A job is {"do": NAME, ...} with a name from the end of this file; what it measured is written beside it as
JOB.result.json.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))


def network(weights: Path):
    """torch-fidelity's network with the weights at hand, and an invented classifier."""
    from extractor_references import inception

    return inception(weights)


def features(job: dict) -> dict:
    """Pool features, and where asked the other outputs, of uint8 pictures (n h w c)."""
    import torch
    from extractor_references import outputs

    net = network(Path(job["weights"]))
    with np.load(job["data"]) as file:
        found = {name: outputs(net, torch.from_numpy(file[name])) for name in file.files}
    np.savez(job["out"], **{f"{name}/{key}": x for name, parts in found.items() for key, x in parts.items()})
    return {"pictures": {name: len(parts["features"]) for name, parts in found.items()}}


def metrics(job: dict) -> dict:
    """FID, KID, IS, precision, recall by torch-fidelity, all shares by prdc, of pairs of feature sets."""
    from image_metrics_reference import judged, stand_in_operators

    stand_in_operators()
    with np.load(job["data"]) as file:
        names = sorted({key.split("/")[0] for key in file.files})
        return {name: judged(file[f"{name}/real"], file[f"{name}/fake"]) for name in names}


def distance(job: dict) -> dict:
    """FID and KID by torch-fidelity of two files of features (n d)."""
    import torch
    from image_metrics_reference import stand_in_operators

    stand_in_operators()
    from torch_fidelity import metric_fid, metric_kid

    one, other = (torch.from_numpy(np.load(job[side])) for side in ("one", "other"))
    found = metric_fid.fid_statistics_to_metric(
        *(metric_fid.fid_features_to_statistics(x) for x in (one, other)), verbose=False
    )
    found |= metric_kid.kid_features_to_metric(one, other, verbose=False)
    return {"fid": found[metric_fid.KEY_METRIC_FID], "kid": found[metric_kid.KEY_METRIC_KID_MEAN]}


def prdc(job: dict) -> dict:
    from prdc import compute_prdc

    return {k: float(v) for k, v in compute_prdc(np.load(job["real"]), np.load(job["fake"]), job["k"]).items()}


def weights(job: dict) -> dict:
    """Writes the file of weights that `fid` reads."""
    import torch

    torch.save(network(Path(job["weights"])).state_dict(), Path(job["scratch"]) / "inception.pth")
    return {}


def fid(job: dict) -> dict:
    """FID of two folders with torch-fidelity's own defaults, from the files to the figure."""
    from image_metrics_reference import stand_in_operators

    stand_in_operators()
    import torch_fidelity

    options = {"fid": True, "cuda": False, "cache": False, "verbose": False}
    options["feature_extractor_weights_path"] = f"{job['scratch']}/inception.pth"
    started = time.perf_counter()
    found = torch_fidelity.calculate_metrics(input1=job["fake"], input2=job["real"], **options)
    return {"fid": found["frechet_inception_distance"], "seconds": time.perf_counter() - started}


def shares(job: dict) -> dict:
    """prdc's time and memory."""
    from prdc import compute_prdc

    real, fake = np.load(job["real"]), np.load(job["fake"])
    compute_prdc(real[:100], fake[:100], job["k"])
    before, started = resident(), time.perf_counter()
    found = compute_prdc(real, fake, job["k"])
    seconds = time.perf_counter() - started
    return {**{k: float(v) for k, v in found.items()}, "seconds": seconds, "mib": highest() - before}


def resident() -> float:
    """MiB of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def highest() -> float:
    """MiB of this process at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    path = Path(sys.argv[1])
    job = json.loads(path.read_text())
    jobs = {"features": features, "metrics": metrics, "distance": distance, "prdc": prdc}
    jobs |= {"weights": weights, "fid": fid, "shares": shares}
    path.with_suffix(".result.json").write_text(json.dumps(jobs[job["do"]](job)))
