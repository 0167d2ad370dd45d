"""The page docs/benchmarks-judging.md, from what `python -m benchmarks.judging` has kept."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .judging_jobs import kept

Result = Mapping[str, Any]
SHARES = ("precision", "recall", "density", "coverage")
PUBLISHED_FID, PUBLISHED_KID = 10.3233274, 0.4718520  # torch-fidelity's own tests
README = {"precision": 0.4772, "recall": 0.4705, "density": 1.0555, "coverage": 0.9735}  # prdc's
CIFAR, GIB = 3.15, 1024.0


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: is measured.
        bar: that it must reach.
        measured: in words.
        reached: whether it does; None where that cannot be said.
    """

    what: str
    bar: str
    measured: str
    reached: bool | None

    def __str__(self) -> str:
        said = {True: "yes", False: "**no**", None: "-"}[self.reached]
        return f"| {self.what} | {self.bar} | {self.measured} | {said} |"


def render(find: Callable[[str], Result | None] = kept) -> str:
    """The page, of the results that `find` gives by their parts' names."""
    lines = [
        "# Benchmarks of judging",
        "",
        "Written by `python -m benchmarks.judging`, not by hand. The references are torch-fidelity 0.4.0 and prdc 0.2, "
        "installed for these comparisons alone, in an environment of their own.",
        "",
        "| what | bar | measured | reached |",
        "|---|---|---|---|",
    ]
    found = {part: find(part) for part in ROWS}
    for part, (title, bar, rows, _) in ROWS.items():
        result = found[part]
        absent = [Row(title, bar, f"not measured yet: `python -m benchmarks.judging {part}`", None)]
        lines += [str(row) for row in (absent if result is None else rows(result))]
    for part, (title, _, _, more) in ROWS.items():
        result = found[part]
        if result is not None:
            lines += ["", f"## {title}", "", *more(result), "", f"Measured with `{result['command']}` on: "]
            lines[-1] += f"{result['machine']}."
    return "\n".join(lines) + "\n"


def relative(value: float, wanted: float) -> float:
    return abs(value - wanted) / max(abs(wanted), 1e-12)


def features(result: Result) -> list[Row]:
    sets = result["sets"]
    count, bar = sum(s["pictures"] for s in sets), "largest absolute difference ≤ 1e-3"
    rows = []
    for output, title in (("features", "pool"), ("logits", "logits"), ("spatial", "spatial")):
        worst = max(s[output] for s in sets)
        what = f"Inception's {title} features against torch-fidelity's, {count:,} pictures"
        what = what.replace("logits features", "logits (of an invented classifier)")
        rows.append(Row(what, bar, f"{worst:.1e}", worst <= 1e-3 and count >= 1000))
    return rows


def more_features(result: Result) -> list[str]:
    lines = ["| set | pictures | pool | logits | spatial | largest pool feature |", "|---|---|---|---|---|---|"]
    return lines + [
        f"| {s['set']} | {s['pictures']} | {s['features']:.1e} | {s['logits']:.1e} | {s['spatial']:.1e} "
        f"| {s['largest_feature']:.2f} |"
        for s in result["sets"]
    ]


def metrics(result: Result) -> list[Row]:
    ours, theirs, rows = result["ours"], result["theirs"], list[Row]()
    sets = f"{len(ours)} data sets"
    for key, title in (("fid", "FID"), ("inception_score", "IS")):
        worst = max(relative(ours[name][key], theirs[name][key]) for name in theirs)
        what = f"{title} against torch-fidelity's, {sets}"
        rows.append(Row(what, "relative difference ≤ 1e-4", f"{worst:.1e}", worst <= 1e-4))
    own, other = (max(abs(x[n]["kid"] - result["exact_kid"][n]) for n in theirs) for x in (ours, theirs))
    what, bar = f"KID, {sets}", "as near its value in float64 as torch-fidelity's"
    rows.append(Row(what, bar, f"off by at most {own:.1e}; torch-fidelity's by {other:.1e}", own <= other))
    keys = [k for k in next(iter(theirs.values())) if k.partition("_prdc")[0] in SHARES]
    worst = max(relative(ours[name][key], theirs[name][key]) for name in theirs for key in keys)
    what = f"precision, recall (torch-fidelity, prdc), density, coverage (prdc), {sets}"
    return [*rows, Row(what, "relative difference ≤ 1e-6", f"{worst:.1e}", worst <= 1e-6)]


def more_metrics(result: Result) -> list[str]:
    ours, theirs = result["ours"], result["theirs"]
    lines = [
        f"{result['n']} real and as many noisy pictures of each set, {result['features']} features of untrained "
        "networks, the same for both; as logits serve twenty of them. Ours / the reference's:",
        "",
        f"| figure | {' | '.join(theirs)} |",
        f"|---|{'---|' * len(theirs)}",
    ]
    for key in next(iter(theirs.values())):
        cells = [f"{ours[name][key]:.8g} / {theirs[name][key]:.8g}" for name in theirs]
        lines.append(f"| {key.replace('_prdc', ', prdc, k=')} | {' | '.join(cells)} |")
    return lines


def golden(result: Result) -> list[Row]:
    rows = list[Row]()
    prdc, null, demo = result["prdc"], result["null"], result["sdmetrics"]
    for name, value in README.items():
        each = [row[name] for row in prdc["ours"]]
        mean, spread = statistics.mean(each), statistics.stdev(each)
        same = relative(each[0], prdc["reference"][name])
        said = f"{mean:.4f} ± {spread:.4f} over {len(each)} seeds; prdc's of seed 0 differs by {same:.0e}"
        near = abs(mean - value) <= 3 * spread * (1 + 1 / len(each)) ** 0.5
        rows.append(Row(f"prdc's documented example: {name}", f"{value}, no seed given", said, near and same <= 1e-6))
    mean, error = statistics.mean(null["coverage"]), statistics.stdev(null["coverage"]) / len(null["coverage"]) ** 0.5
    bar = f"1 - 0.5^{null['k']} = {null['limit']:.4f}"
    near = abs(mean - null["exact"]) <= 3 * error
    rows.append(Row("coverage of equal distributions", bar, f"{mean:.4f} ± {error:.4f} (standard error)", near))
    if demo is not None:
        own, other = demo["ours"]["quality"], demo["theirs"]["quality"]
        said = f"{100 * own:.2f} %; SDMetrics 0.32.0 itself: {100 * other:.2f} %"
        what = "SDMetrics' demo table: quality"
        rows.append(Row(what, "SDMetrics' (82.84 % before its change in 0.27)", said, relative(own, other) <= 1e-6))
    return rows


def more_golden(result: Result) -> list[str]:
    lines = ["| | precision | recall | density | coverage |", "|---|---|---|---|---|"]
    prdc = result["prdc"]
    named = [(f"gansmith, seed {row['seed']}", row) for row in prdc["ours"]]
    named += [("prdc, seed 0", prdc["reference"]), ("prdc's documentation", README)]
    lines += [f"| {title} | {' | '.join(f'{row[name]:.4f}' for name in SHARES)} |" for title, row in named]
    return [
        "prdc's example: 10,000 against 10,000 rows of 1,000 standard normal features, k = 5.",
        "",
        *lines,
        "",
        "Values of clean-fid, dgm-eval and CMMD need data or weights that are not at hand.",
    ]


def golden_cifar(result: Result) -> list[Row]:
    fid, kid = result["fid"], result["kid"]
    one = "torch-fidelity's test of FID: CIFAR-10, 5,000 training against 5,000 test pictures"
    other = "torch-fidelity's test of KID: the same training pictures against the test ones with noise"
    return [
        Row(one, f"{PUBLISHED_FID} ± 1e-4", f"{fid:.7f}", abs(fid - PUBLISHED_FID) <= 1e-4),
        Row(other, f"{PUBLISHED_KID:.7f} ± 1e-5", f"{kid:.7f}", abs(kid - PUBLISHED_KID) <= 1e-5),
    ]


def more_golden_cifar(result: Result) -> list[str]:
    del result
    return [
        "torch-fidelity's tests choose the pictures with numpy's legacy generator, seed 2020, and draw the noise "
        "(deviation 64, wrapping around at 0 and 255) from it afterwards; the same is done here. Its values of the "
        "Inception Score (11.23678 of CIFAR-10's training pictures) need the network's own classifier, which is not at "
        "hand.",
    ]


def cifar(result: Result) -> list[Row]:
    fid, reference = result["fid"], result["reference"]["fid"]
    sizes = f"{result['n_real']:,} against {result['n_fake']:,}"
    said = f"{fid:.4f}; torch-fidelity of the same features: {reference:.4f}"
    what = f"FID of CIFAR-10's training pictures against its test ones, {sizes}"
    return [Row(what, f"about {CIFAR}, as published, within 1 %", said, relative(fid, CIFAR) <= 0.01)]


def more_cifar(result: Result) -> list[str]:
    fid, kid = result["fid"], result["kid"]
    apart = relative(fid, result["reference"]["fid"])
    return [
        f"All 60,000 pictures, lossless, `tf-bilinear`. FID {fid:.6f} ({100 * (fid / CIFAR - 1):+.2f} % from {CIFAR}), "
        f"relative difference from torch-fidelity's distance of the same features {apart:.1e}; KID {kid:.2e} "
        f"(torch-fidelity: {result['reference']['kid']:.2e}). That the features themselves agree is shown above.",
    ]


def bf16(result: Result) -> list[Row]:
    apart = abs(result["fid_bf16"] - result["fid_f32"])
    what = f"FID in bfloat16, CIFAR-10's training against its test pictures, {result['n']:,} each"
    said = f"{result['fid_bf16']:.4f} against {result['fid_f32']:.4f} in float32"
    return [Row(what, "within 0.05", f"{said}: {apart:.4f} apart", apart <= 0.05)]


def more_bf16(result: Result) -> list[str]:
    near = result["emulation"]
    return [
        "Without a card for bfloat16 its rounding is done in float32, whose products of two such numbers are exact: "
        "every convolution's inputs, weights and outputs, and every average pool's output, to 8 bits of mantissa. "
        f"Of two pictures, features found so are at most {near['off']:.2f} from those of a CPU's own bfloat16, which "
        f"are {near['bf16']:.2f} from float32's.",
        "",
        "| | float32 | bfloat16 |",
        "|---|---|---|",
        f"| FID | {result['fid_f32']:.4f} | {result['fid_bf16']:.4f} |",
        f"| 1000 KID, all pictures | {1000 * result['kid_f32']:.4f} | {1000 * result['kid_bf16']:.4f} |",
        "",
        f"A feature moves by {max(result['train_mean'], result['test_mean']):.4f} on average, by at most "
        f"{max(result['train_largest'], result['test_largest']):.2f}. Both sides must be taken alike: float32's "
        f"training pictures against bfloat16's test ones give {result['fid_mixed']:.4f}. The protocol string names it "
        "(`f32`, `bf16`), and features kept of one are not taken for the other.",
    ]


def speed_fid(result: Result) -> list[Row]:
    rounds, cut = result["rounds"], result.get("cut")
    what = f"FID of {result['n']:,} + {result['n']:,} pictures, against torch-fidelity's time"
    if cut:
        ratio = cut["theirs_alone_s"] / cut["ours_at_most_s"]
        return [Row(what, "at least 1.5 times as fast", f"more than {ratio:.2f} times", ratio >= 1.5)]
    ratio = statistics.median(r["theirs"]["seconds"] / r["ours"]["seconds"] for r in rounds)
    return [Row(what, "at least 1.5 times as fast", f"{ratio:.2f} times", ratio >= 1.5)]


def more_speed_fid(result: Result) -> list[str]:
    if cut := result.get("cut"):
        return [
            f"One round, cut short. Ours was done in less than {cut['ours_at_most_s']:,} s, making the folders "
            f"included; torch-fidelity was not after {cut['theirs_alone_s']:,} s alone on the machine, nor after "
            f"{cut['theirs_in_all_s']:,} s, of which the rest passed beside work of the lowest priority."
        ]
    lines = [
        "CIFAR-10 as PNG files in two folders, both on all cores, alternating; torch-fidelity with its defaults, ours "
        "with the floor and the interval, nothing cached. Seconds from the files to the figure, in brackets of the "
        "whole process.",
        "",
        "| round | gansmith | torch-fidelity | ratio | FID, gansmith | FID, torch-fidelity |",
        "|---|---|---|---|---|---|",
    ]
    for i, r in enumerate(result["rounds"], 1):
        a, b = r["ours"], r["theirs"]
        lines.append(
            f"| {i} | {a['seconds']:.0f} ({a['process_s']:.0f}) | {b['seconds']:.0f} ({b['process_s']:.0f}) "
            f"| {b['seconds'] / a['seconds']:.2f} | {a['fid']:.6f} | {b['fid']:.6f} |"
        )
    return lines


def speed_pr(result: Result) -> list[Row]:
    rounds, n = result["rounds"], result["n"]
    ratio = statistics.median(r["theirs"]["seconds"] / r["ours"]["seconds"] for r in rounds)
    memory = statistics.median(r["ours"]["mib"] / r["theirs"]["mib"] for r in rounds)
    what = f"precision and recall at n = {n:,} + {n:,}, {result['dim']:,} features, against prdc's"
    return [
        Row(f"{what} time", "at least 3 times as fast", f"{ratio:.2f} times", ratio >= 3),
        Row(f"{what} memory", "at most a fifth", f"{memory:.3f} of it", memory <= 0.2),
    ]


def more_speed_pr(result: Result) -> list[str]:
    lines = [
        f"Features spread in few dimensions with some noise, k = {result['k']}, alternating. Memory is the highest of "
        "the process above that before the call. prdc always gives all four shares; ours are timed for two, and for "
        "all four.",
        "",
        "| round | | seconds | MiB | precision | recall |",
        "|---|---|---|---|---|---|",
    ]
    titles = (("ours", "gansmith, two"), ("all four", "gansmith, all four"), ("theirs", "prdc, all four"))
    for i, r in enumerate(result["rounds"], 1):
        for key, title in titles:
            x = r[key]
            cells = f"{x['seconds']:.1f} | {x['mib']:,.0f} | {x['precision']:.5f} | {x['recall']:.5f}"
            lines.append(f"| {i} | {title} | {cells} |")
    return lines


def ranking(result: Result) -> list[Row]:
    few, many = ([r for r in result["rows"] if r["n"] == n] for n in _sizes(result))
    unsure = sum(r["verdict"] == "too few samples to tell" for r in few)
    right = sum(r["verdict"] == "A is better" for r in many)
    what = "two models of true distance 4.00 and 5.02, 256 features"
    return [
        Row(f"{what}, n = {few[0]['n']:,}", "'too few samples to tell'", f"{unsure} of {len(few)}", unsure == len(few)),
        Row(f"{what}, n = {many[0]['n']:,}", "'A is better'", f"{right} of {len(many)}", right == len(many)),
    ]


def _sizes(result: Result) -> list[int]:
    sizes = sorted({r["n"] for r in result["rows"]})
    return [sizes[0], sizes[-1]]


def more_ranking(result: Result) -> list[str]:
    lines = [f"{result['n_real']:,} real pictures. Plain FID beside what the comparison takes, its bias taken out:", ""]
    lines += [
        "| n | seed | FID of A | FID of B | corrected A | corrected B | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {r['n']:,} | {r['seed']} | {r['fid'][0]:.2f} | {r['fid'][1]:.2f} | {r['corrected'][0]:.2f} "
        f"| {r['corrected'][1]:.2f} | {r['verdict']} |"
        for r in result["rows"]
    ]


def streaming(result: Result) -> list[Row]:
    worst = max(result["apart"].values())
    batches = ", ".join(map(str, result["batches"]))
    what = f"{result['processes']} processes, and batches of {batches}, against one process and one batch"
    return [Row(what, "relative difference ≤ 1e-6", f"{worst:.1e}", worst <= 1e-6)]


def more_streaming(result: Result) -> list[str]:
    lines = ["| metric | largest relative difference |", "|---|---|"]
    return lines + [f"| {name} | {value:.1e} |" for name, value in result["apart"].items()]


def memory(result: Result) -> list[Row]:
    mib = result["mib"]
    what = f"evaluation of {result['n_fake']:,} synthetic pictures of {result['dim']:,} features"
    return [Row(what, "highest memory under 2 GiB", f"{mib / GIB:.2f} GiB", mib < 2 * GIB)]


def more_memory(result: Result) -> list[str]:
    return [
        f"The whole process, with torch: {', '.join(result['metrics'])} with their floors and intervals at their "
        f"defaults, against {result['real']:,} real pictures, in {result['seconds'] / 60:.0f} minutes.",
    ]


Shown = tuple[str, str, Callable[[Result], list[Row]], Callable[[Result], list[str]]]
ROWS: dict[str, Shown] = {
    "features": ("Inception features", "≤ 1e-3", features, more_features),
    "metrics": ("Figures of equal features", "≤ 1e-4, shares ≤ 1e-6", metrics, more_metrics),
    "golden": ("Published values", "to the digits given", golden, more_golden),
    "golden-cifar": ("Published values of CIFAR-10", "to the digits given", golden_cifar, more_golden_cifar),
    "cifar": ("CIFAR-10", f"FID about {CIFAR}, within 1 %", cifar, more_cifar),
    "bf16": ("FID in bfloat16", "within 0.05", bf16, more_bf16),
    "speed-fid": ("Speed of FID", "at least 1.5 times torch-fidelity's", speed_fid, more_speed_fid),
    "speed-pr": ("Speed and memory of precision and recall", "3 times prdc's, a fifth of it", speed_pr, more_speed_pr),
    "ranking": ("Ranking two models", "right, or 'too few samples to tell'", ranking, more_ranking),
    "streaming": ("Streaming", "relative difference ≤ 1e-6", streaming, more_streaming),
    "memory": ("Memory", "under 2 GiB", memory, more_memory),
}
