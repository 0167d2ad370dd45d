"""Checkup: the monitor that has a doctor watch a run."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..batch import Batch
from ..data.source import Source
from ..health.doctor import BUDGET, Doctor
from ..health.finding import Finding
from ..health.history import Reading
from ..health.policy import Policy, Remedy
from ..health.signals.distribution import alike
from ..health.subject import unnoticed
from ..recipes.base import SETTLING, Context, Networks, Recipe, fold, sample
from ..schedule import at
from ..spec import Spec
from .journal import read
from .monitors import Monitor, View

NUMBERS = 1 << 25  # of real examples that are looked at
MOST, LEAST = 20_000, 256  # of them
FEWEST = 8  # that a doctor wants
HELD, FEWEST_HELD = 512, 64  # of those held out, and how few tell nothing
ALIKE = 0.7  # share of own neighbours from which on held-out examples are of another kind; .5 are usual
PART = 256
LOOKED_AT = 256  # examples that are generated for each look
PASSES = 4  # of 64 examples over which batch normalisation settles for it
PRIVATE = "no doctor watches a private run: each of its looks at real rows would have to be paid for"
IN_TURNS = "no doctor watches a run whose players begin one after the other: each would look frozen until its turn"
SETTLED = 500  # steps before which nothing but a mistake is treated: every run is poor in the beginning


class Checkup(Monitor):
    """Gives a run to a doctor: polls within a budget, findings into the log, and nothing else: a run that is watched
    is the same to the bit.

    Args:
        held_out: examples that training does not see; without them overfitting cannot be measured.
        remarks: what to say of them, a sentence each.
        budget: share of the run's time that looking may take.
        every: samples between two polls; None leaves it to the budget.
        treat: act on serious findings, as `health.policy` says.

    Attributes:
        doctor: from the start of the run on, on the first process.
    """

    def __init__(
        self,
        *,
        held_out: Source | Batch | None = None,
        remarks: Sequence[str] = (),
        budget: float = BUDGET,
        every: int | None = None,
        treat: bool = True,
    ) -> None:
        self.held_out, self.budget, self.every, self.treat = held_out, budget, every, treat
        self.remarks = tuple(remarks)
        self.policy: Policy | None = None
        self.doctor: Doctor | None = None
        self._told: set[str] = set()
        self._figures: dict[str, float] = {}
        self._refused, self._steps = 0, 0
        self._optimizers: Mapping[tuple[str, ...], Optimizer] = {}

    def start(self, view: View) -> None:
        """A resumed run knows its past from its log. Sharded networks are not watched, for all processes would have to
        take part in every look; nor is a run on so few examples that nothing can be told from them; nor one that spends
        a privacy budget, for every look at real examples would have to be paid for; nor one that trains its networks in
        turns, as after a pre-training."""
        in_turns = any(phase.start or phase.stop is not None for phase in view.recipe.phases().values())
        if hasattr(view.recipe, "within_budget") or in_turns:
            view.journal.write("warning", **view.where(), message=IN_TURNS if in_turns else PRIVATE)
        elif view.first and not view.config.shard and len(view.source) >= FEWEST:
            with self._giving_up(view), view.alone():
                self._start(view)

    def _start(self, view: View) -> None:
        if self.doctor is not None:
            self.doctor.close()
        self.doctor, self._optimizers = self._meet(view), view.optimizers
        past = view.journal.path
        known = [e for e in read(past) if e.get("event") == "health"] if past is not None and past.exists() else []
        self.doctor.go_on([Reading.from_json(e) for e in known], view.step, view.samples)
        self._told = {f.name for f in self.doctor.ever()}
        self._introduce(view, self.doctor)
        if not view.samples:
            self.doctor.check()
        self.policy = self._policy(view) if self.treat else None
        self._decide(view)

    def _introduce(self, view: View, doctor: Doctor) -> None:
        """Who watches, and by what."""
        about, held = doctor.history.to_json(), doctor.subject.held_out
        seen = 0 if held is None else len(held)
        view.journal.write("watched", **view.where(), facts=about["facts"], length=about["length"], held_out=seen)
        for remark in self.remarks:
            view.journal.write("warning", **view.where(), message=remark)

    def _policy(self, view: View) -> Policy:
        """What this run can be treated with, and what was tried already."""
        spec, offers = view.source.spec, {"return"}
        offers |= {"calm"} if view.recipe.calmer(spec) is not None else set()
        offers |= {"augment"} if view.recipe.augmented(spec) is not None else set()
        policy, log = Policy(frozenset(offers), view.config.samples), view.journal.path
        for event in list(read(log)) if log is not None and log.exists() else []:
            if event.get("event") == "treatment":
                remedy = Remedy(event["action"], Finding.from_json(event["finding"]), event["attempt"])
                policy.took(remedy, event["samples"])
        return policy

    def _meet(self, view: View) -> Doctor:
        spec, recipe, x = view.source.spec, view.recipe, self._examples(view, view.source, MOST)
        held = self._unseen(view, x["x"])
        entry = "x"
        settled: dict[str, int] = {}
        heeds = _heeds_labels(recipe, view.networks, spec)

        def made(kind: str, nets: Networks, n: int, seed: int) -> Tensor | tuple[Tensor, Tensor]:
            if any(net.training for net in nets.values()):
                parts = [_as_it_trains(recipe, nets, part, view.device) for part in spec.request(n).split(PART)]
            else:
                now = len(self.doctor.history.readings) if self.doctor is not None else -1
                if settled.get(kind) != now:  # `View.generator` would remember that it did, and the doctor undoes it
                    requests = (spec.request(SETTLING, start=i * SETTLING).to(view.device) for i in range(PASSES))
                    recipe.settle(nets, requests, Context(seed=fold("settle"), device=view.device))
                    settled[kind] = now
                parts = [sample(recipe, nets, part, seed=fold("checkup", seed)) for part in spec.request(n).split(PART)]
            out, asked = torch.cat([p[entry] for p in parts]), spec.request(n).get("y") if heeds else None
            return out if asked is None else (out, asked.to(out.device))

        def critic(examples: Tensor, y: Tensor | None = None) -> Tensor:
            batch = Batch(x=examples) if y is None else Batch(x=examples, y=y)
            ctx = Context(seed=fold("checkup"), samples=view.samples, step=view.step, device=view.device)
            logits = recipe.verdict(view.networks, batch.to(view.device), ctx)
            assert logits is not None
            return logits

        some = Batch({name: values[:4] for name, values in x.items()})
        judges = "y" in some or "y" not in spec.request(1)
        return Doctor(
            real=x[entry],
            labels=_classes(x),
            held_out=held.get(entry),
            held_out_labels=_classes(held),
            generate=lambda n, seed: made("averaged", view.averaged(), n, seed),
            raw=(lambda n, seed: made("raw", view.networks, n, seed)) if recipe.ema else None,
            critic=critic if judges and self._has_critic(view, some) else None,
            networks=dict(view.networks.items()),
            optimizers=_owners(view),
            bounds=spec.bounds.get(entry) if spec.fills else None,
            classes=tuple(getattr(spec, "classes", ())),
            examples=len(view.source),
            repeats=spec.repeats,
            uneven=next(iter(recipe.phases().values())).draw != "shuffled",
            samples=view.config.samples,
            batch=view.config.batch,
            loss=recipe.adversarial,
            half_life={name: float(at(length, view.samples)) for name, length in recipe.ema.items()},
            budget=self.budget,
            every=self.every,
            count=LOOKED_AT,
        )

    def _has_critic(self, view: View, some: Batch) -> bool:
        with unnoticed(dict(view.networks.items())):
            return view.recipe.verdict(view.networks, some.to(view.device), Context(device=view.device)) is not None

    def _unseen(self, view: View, x: Tensor) -> Batch:
        """The held-out examples; none where they are too few, or plainly of another kind than the training ones `x`, so
        that whatever D says of them says nothing of overfitting."""
        if self.held_out is None:
            return Batch()
        held = self.held_out if isinstance(self.held_out, Batch) else self._examples(view, self.held_out, HELD)
        count, own = len(held), alike(held["x"], x)
        if count >= FEWEST_HELD and own < ALIKE:
            return Batch({name: values[:HELD] for name, values in held.items()})
        few = f"{count} are too few to tell anything ({FEWEST_HELD} at least)"
        other = f"{own:.0%} of them have their like among themselves, where 50 % are usual: they are of another kind"
        why = few if count < FEWEST_HELD else other
        message = f"the doctor does without the held-out examples: {why}"
        view.journal.write("warning", **view.where(), message=message)
        return Batch()

    @staticmethod
    def _examples(view: View, source: Source, most: int) -> Batch:
        """A fixed sample of a source."""
        cpu, first = torch.device("cpu"), source.batch(torch.arange(1), torch.device("cpu"))
        count = max(LEAST, min(most, NUMBERS // max(1, first["x"][0].numel())))
        rows = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[:count]
        parts = [source.batch(part, cpu) for part in rows.split(PART)]
        return Batch({name: torch.cat([p[name] for p in parts]) for name in ("x", "y") if name in first})

    def stepped(self, view: View) -> None:
        if self.doctor is not None:
            with self._giving_up(view), view.alone():
                self._look(view, self.doctor)

    @contextmanager
    def _giving_up(self, view: View) -> Iterator[None]:
        """A doctor that fails must not cost anyone a run: it says so and leaves."""
        try:
            yield
        except Exception as error:
            message = f"the doctor cannot watch this run any longer: {type(error).__name__}: {error}"
            view.journal.write("warning", **view.where(), message=message, trace=traceback.format_exc())
            self.close()
            self.doctor, self.remedy, self.sound = None, None, None

    def _look(self, view: View, doctor: Doctor) -> None:
        if view.samples < doctor.samples:  # the run went back to a checkpoint
            doctor.rewind(view.samples - view.config.batch)
            self._tell(view)
            if self.policy is not None:
                self.policy.returned(view.samples)
        if view.optimizers is not self._optimizers:  # a treatment made fresh ones
            self._optimizers = view.optimizers
            doctor.watch(_owners(view))
        fed = view.fed()
        x = fed.get("x")
        if x is None or x.shape[1:] != doctor.shape:  # smaller pictures of a stage of growth
            return
        self._steps += 1
        figures = self._figures | {"skipped": (view.refused - self._refused) / self._steps}
        if doctor.observe(x, fed.get("y"), samples=view.samples, figures=figures):
            self._refused, self._steps = view.refused, 0
            self._log(view)

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        self._figures = {f"loss/{name}": value for name, value in figures.items()}

    def end(self, view: View) -> None:
        doctor = self.doctor
        if doctor is not None and doctor.step and doctor.history.samples < view.samples:
            with self._giving_up(view), view.alone():
                doctor.poll()
                self._log(view)

    def _log(self, view: View) -> None:
        assert self.doctor is not None
        reading = self.doctor.history.readings[-1].to_json()
        view.journal.write("health", **view.where() | reading)
        self._decide(view)

    def _decide(self, view: View) -> None:
        """Tells what is new, and asks for what is to be done."""
        assert self.doctor is not None
        self._tell(view)
        findings = self.doctor.findings()
        self.sound = not any(f.severity in ("serious", "bug") for f in findings)
        mistaken = any(f.severity == "bug" for f in findings)
        if self.policy is not None and (mistaken or view.step >= SETTLED):
            self.remedy = self.policy.decide(findings, view.samples) or self.remedy

    def _tell(self, view: View) -> None:
        """Each finding once, when it is new; and when it is gone."""
        assert self.doctor is not None
        now = {f.name: f for f in self.doctor.findings()}
        for name in [name for name in now if name not in self._told]:
            self._write(view, now[name])
        for name in self._told - set(now):
            view.journal.write("recovered", **view.where(), name=name)
        self._told = set(now)

    def _write(self, view: View, finding: Finding) -> None:
        view.journal.write("finding", **view.where(), finding=finding.to_json())

    def close(self) -> None:
        if self.doctor is not None:
            self.doctor.close()


def _as_it_trains(recipe: Recipe, nets: Networks, request: Batch, device: torch.device) -> Batch:
    """What a generator in training mode makes of the noise of `sample`."""
    ctx = Context(seed=fold(fold("checkup", 0), "sample"), row=int(request["index"][0]), device=device)
    return recipe.generate(nets, request.to(device), ctx)


def _heeds_labels(recipe: Recipe, nets: Networks, spec: Spec) -> bool:
    """Whether other labels make other examples of the same noise."""
    request = spec.request(8)
    if "y" not in request:
        return False
    y = request["y"]
    other = (y + 1) % max(len(getattr(spec, "classes", ())), 2) if y.dim() == 1 else 1 - y
    made = [sample(recipe, nets, r, seed=0)["x"] for r in (request, Batch(request | {"y": other}))]
    return not torch.equal(*made)


def _owners(view: View) -> dict[str, Optimizer]:
    """The optimizer of each network."""
    return {name: optimizer for trains, optimizer in view.optimizers.items() for name in trains}


def _classes(batch: Batch) -> Tensor | None:
    """One class for each example, where there is one; of several attributes there is not."""
    y = batch.get("y")
    return y if y is not None and y.dim() == 1 else None
