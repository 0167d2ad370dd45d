"""Diagnosis of a run: one of ours from its log, or anyone's from a table of figures and the samples that it made."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..health.detectors import detect_all
from ..health.finding import Finding, Standing, causes
from ..health.history import History, Reading
from ..health.poll import Poll
from ..health.subject import Subject
from ..losses.adversarial import is_absolute
from ..report import Record
from ..report import read as read_run
from ..training import folder
from .samples_seen import real_pictures, sets_of_samples

STEPS = "samples images nimg step steps iteration iter iterations global_step epoch tick"
ALIASES = (  # what others call the figures that detectors know; the first that fits counts
    (r"^(loss[/_ .-]?d|d[/_ .-]?loss|loss[/_ .-]?disc\w*|disc\w*[/_ .-]?loss|errd|critic[/_ .-]?loss)$", "loss/D"),
    (r"^(loss[/_ .-]?g|g[/_ .-]?loss|loss[/_ .-]?gen\w*|gen\w*[/_ .-]?loss|errg)$", "loss/G"),
    (r"^(d\(x\)|d_x|loss/scores/real|real[/_ .-]?logits?|scores?[/_ .-]?real|d[/_ .-]?real)$", "logit/real"),
    (r"^(d\(g\(z\)\)|d_g_z1?|loss/scores/fake|fake[/_ .-]?logits?|scores?[/_ .-]?fake|d[/_ .-]?fake)$", "logit/fake"),
    (r"^(loss/signs/real|r_?t|signs?[/_ .-]?real)$", "sign"),
    (r"^(grad\w*[/_ .-]?norm[/_ .-]?g|g[/_ .-]?grad\w*([/_ .-]?norm)?)$", "gradient/G"),
    (r"^(grad\w*[/_ .-]?norm[/_ .-]?d|d[/_ .-]?grad\w*([/_ .-]?norm)?)$", "gradient/D"),
    (r"^(fid\w*|fd\w*|frechet\w*)$", "distance"),
)


UNSEEN = (
    "a discriminator that learns its examples by heart: hold some out (--holdout 0.1), or put some into a part of the "
    "data that is called test"
)


@dataclass(frozen=True)
class Diagnosis:
    """What a run suffers from.

    Attributes:
        findings: causes first; their symptoms are left out.
        history: what was looked at.
        looked_at: where that came from, in words.
        blind: what could not be looked at, and how it could be.
    """

    findings: tuple[Finding, ...]
    history: History
    looked_at: str
    blind: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing serious was found."""
        return not any(f.severity in ("serious", "bug") for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "sound": self.sound,
            "looked_at": self.looked_at,
            "readings": len(self.history.readings),
            "samples": self.history.samples,
            "findings": [f.to_json() for f in self.findings],
            "blind": list(self.blind),
        }


def diagnose(
    run: Path | str,
    *,
    samples: Path | str | None = None,
    data: Any = None,
    tile: int | None = None,
    loss: str | None = None,
) -> Diagnosis:
    """What a run suffers from.

    Args:
        run: a run folder of ours; or a CSV file or a TensorBoard folder of anyone's.
        samples: pictures that a generator of anyone's made: a folder, or a folder of folders whose names end in the
            step they were made at (`samples/000400/`); with `tile`, sample grids.
        data: the real pictures, to compare them with.
        tile: side in pixels of each picture in a sample grid.
        loss: name of the adversarial loss, which decides what D's outputs mean: `non_saturating`, `wasserstein`, ...

    Raises:
        UserError: nothing there that can be read; says what can.
    """
    run = Path(run)
    if run.is_dir() and (run / folder.LOG).exists():
        found, history = of_record(read_run(run)), None
        if found is not None:
            return found
        history = _of_ticks(read_run(run))
        told = f"the figures in {run / folder.LOG}; no doctor watched this run"
    elif run.is_dir():
        history, told = _of_tensorboard(run, loss), f"TensorBoard's figures in {run}"
    elif run.is_file():
        history, told = _of_csv(run, loss), f"the figures in {run}"
    else:
        raise UserError(f"there is nothing to diagnose: {run}; give a run folder, a CSV file or a TensorBoard folder")
    if samples is not None:
        if data is None:
            raise UserError("samples say something only beside the real pictures: add --data")
        history = _with_samples(history, Path(samples), data, tile)
        told += f" and the pictures in {samples}"
    return Diagnosis(tuple(causes(detect_all(history))), history, told, _blind(history))


def of_record(record: Record) -> Diagnosis | None:
    """The diagnosis of a run that a doctor watched, from its log; None where none did."""
    readings = [Reading.from_json(e) for e in record.standing("health")]
    watched = record.of("watched")
    if not readings and not watched:
        return None
    about = watched[-1] if watched else {"facts": {}, "length": None}
    history = History(readings, about["length"], _tuples(about["facts"]))
    early = [Finding.from_json(e["finding"]) for e in record.standing("finding") if not e["finding"]["at"]]
    standing = Standing(early)
    standing.see(detect_all(history))
    told = f"{len(readings)} looks of the doctor, in {record.folder}"
    blind = () if not watched or watched[-1].get("held_out") else (UNSEEN,)
    return Diagnosis(tuple(standing.findings()), history, told, blind)


def _tuples(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}


def _of_ticks(record: Record) -> History:
    readings = []
    for tick in record.ticks:
        values = {f"loss/{k}": float(v) for k, v in tick.get("figures", {}).items() if isinstance(v, int | float)}
        readings.append(Reading(int(tick["samples"]), int(tick["step"]), values))
    return History(readings)


def _of_csv(path: Path, loss: str | None) -> History:
    """A table with a column for the step and one for each figure.

    Raises:
        UserError: no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            head = file.read(4096)
            file.seek(0)
            rows = list(csv.DictReader(file, delimiter=max(",;\t", key=head.count)))
    except (OSError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from None
    if not rows or not rows[0]:
        raise UserError(f"{path} holds no rows; wanted: a header such as step,d_loss,g_loss, and a row for each step")
    return _of_rows([{k: _number(v) for k, v in row.items() if k is not None} for row in rows], str(path), loss)


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _of_rows(rows: Sequence[Mapping[str, float | None]], where: str, loss: str | None) -> History:
    """Rows of figures as readings.

    Raises:
        UserError: no figure among them is known.
    """
    names = list(rows[0])
    step = next((n for n in names for s in STEPS.split() if n.strip().lower() == s), None)
    known = {n: signal for n in names if n != step and (signal := _signal(n)) is not None}
    if not known:
        raise UserError(
            f"{where} has no figure that is known: {', '.join(names[:8])}; wanted columns such as d_loss, g_loss, "
            "D(x), D(G(z)), fid, grad_norm_g, or names of signals (docs/health.md)"
        )
    readings = []
    for number, row in enumerate(rows):
        at = row.get(step) if step is not None else None
        place = int(at) if at is not None and math.isfinite(at) else number
        values = {signal: value for n, signal in known.items() if (value := row.get(n)) is not None}
        broken = {f"nonfinite/{s}": 1.0 for s, v in values.items() if not math.isfinite(v)}
        readings.append(Reading(place, place, values | broken))
    return History(_thinned(readings), readings[-1].samples, {"loss": loss, "compares": not is_absolute(loss)})


def _signal(name: str) -> str | None:
    """The signal that a column's name stands for; None where it is none that is known."""
    plain = name.strip().lower()
    for pattern, signal in ALIASES:
        if re.match(pattern, plain):
            return signal
    return name.strip() if "/" in name or plain in OWN.split() else None


OWN = (
    "separation sign overfit diversity coverage density precision recall missing clusters ndb rank distance copying "
    "nearest singled condition labels scale skipped"
)
MOST_READINGS = 200


def _thinned(readings: Sequence[Reading]) -> list[Reading]:
    """At most 200 readings: of each stretch the mean of what is finite, and the sum of what was not."""
    size = -(-len(readings) // MOST_READINGS)
    return [_mean(readings[i : i + size]) for i in range(0, len(readings), size)] if size > 1 else list(readings)


def _mean(readings: Sequence[Reading]) -> Reading:
    names = {name for r in readings for name in r.values}
    values = {}
    for name in names:
        found = [r.values[name] for r in readings if name in r.values and math.isfinite(r.values[name])]
        if name.startswith("nonfinite/"):
            values[name] = sum(found)
        else:
            values[name] = sum(found) / len(found) if found else math.nan
    return Reading(readings[-1].samples, readings[-1].step, values)


def _of_tensorboard(place: Path, loss: str | None) -> History:
    """Scalars of TensorBoard's event files.

    Raises:
        UserError: there are none.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not list(place.rglob("events.out.tfevents.*")):
        raise UserError(
            f"{place} is no run of gansmith and holds no event file of TensorBoard; give a run folder, a CSV file with "
            "columns such as step,d_loss,g_loss, or a folder with events.out.tfevents.*"
        )
    rows: dict[int, dict[str, float | None]] = {}
    for file in sorted(place.rglob("events.out.tfevents.*")):
        events = EventAccumulator(str(file), size_guidance={"scalars": 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            for event in events.Scalars(tag):
                rows.setdefault(event.step, {})[tag] = event.value
    names = {name for row in rows.values() for name in row}
    if not names:
        raise UserError(f"TensorBoard's files in {place} hold no scalars")
    listed = [{"step": float(step), **{n: rows[step].get(n) for n in sorted(names)}} for step in sorted(rows)]
    return _of_rows(listed, str(place), loss)


def _with_samples(history: History, samples: Path, data: Any, tile: int | None) -> History:
    """The same with what a doctor sees in pictures, at each step that there are some of."""
    sets = sets_of_samples(samples, tile)
    real = real_pictures(data, sets[0][1].shape[-1], sets[0][1].shape[1])
    poll = Poll(Subject(real=real, bounds=(-1.0, 1.0)))
    readings = {r.samples: r for r in history.readings}
    for place, pictures in sets:
        at = place if place is not None else history.samples
        seen = poll.compared(pictures)
        old = readings.get(at, Reading(at, at))
        readings[at] = Reading(at, at, {**old.values, **seen.values}, seen.counts, seen.notes)
    return History([readings[at] for at in sorted(readings)], history.length, history.facts)


def _blind(history: History) -> tuple[str, ...]:
    """What nobody could have seen in these figures."""
    found = []
    if not history.names("diversity"):
        found.append("variety, missing modes and copies: add the pictures that were generated, --samples and --data")
    if not history.names("gradient/"):
        found.append("gradients: log their norms, or watch the run itself with gansmith.Doctor (docs/health.md)")
    return tuple(found)
