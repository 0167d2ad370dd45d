"""A poll: everything that is looked at now and then, as one reading."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .signals import conditions, critic, distribution
from .signals.distribution import HELD, Reference
from .signals.feed import Feed
from .signals.space import Space
from .signals.weights import first_broken, overheard
from .subject import Generate, Subject, squashed, training_mode, unnoticed

NOISE = 0  # the same at every poll, so that what changes is the network
LABELLED = 2_000  # training rows that labels are compared with
ODD = 0.5  # widths of the bounds beyond which a row is of a broken batch
SELDOM = 4  # readings from one look at training mode to the next
Normalising = nn.modules.batchnorm._BatchNorm


@dataclass
class Seen:
    """What a poll saw: see `Reading`."""

    values: dict[str, float] = field(default_factory=dict)
    counts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


class Poll:
    """Takes readings of a subject; what about the real examples need be found only once is found in the beginning.

    Args:
        count: examples that are generated for a reading, and held-out ones that they are compared with; 512 at most.
    """

    def __init__(self, subject: Subject, count: int = HELD) -> None:
        self.subject = subject
        self.taken = 0
        self.space = Space(subject.real, subject.features)
        real, held, apart = self.space(subject.real), subject.held_out, subject.held_out is not None
        order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
        self.order = order
        others = self.space(held) if held is not None else real[order]
        self.reference = Reference(real[order], others[:count], apart)
        self.rows = min(count, max(64, len(self.reference.held)))
        self.normalises = any(isinstance(m, Normalising) for net in self._generators().values() for m in net.modules())
        self.bounded: bool | None = None  # whether D ends in a sigmoid, as far as one can tell
        self.known = self._labelled()
        self.constant = self._constant()

    def _generators(self) -> dict[str, nn.Module]:
        return {name: net for name, net in self.subject.networks.items() if name.startswith("G")}

    def take(self, feed: Feed) -> Seen:
        """Looks at everything there is to see; changes nothing."""
        seen, subject = Seen(), self.subject
        self.taken += 1
        broken = first_broken(subject.networks)
        if broken is not None:
            seen.notes["broken"] = broken
        fed = self._usable(feed.rows())
        seen.values |= feed.read()
        if subject.repeats or subject.uneven:
            seen.values.pop("feed/unique", None)
        with unnoticed(subject.networks), overheard(subject.networks) as dead:
            self._look(seen, fed)
        for name, units in dead.items():
            seen.values[f"dead/{name}"] = float(units.double().mean())
        return seen

    def _usable(self, fed: tuple[Tensor, Tensor | None] | None) -> tuple[Tensor, Tensor | None] | None:
        """What was fed without the rows of broken batches, whose place is the range of what was fed."""
        if fed is None:
            return None
        x, y = fed
        sound = x.flatten(1).isfinite().all(1)
        if (bounds := self.subject.bounds) is not None:
            slack, (low, high) = ODD * (bounds[1] - bounds[0]), bounds
            near = sound & (x.flatten(1).amin(1) >= low - slack) & (x.flatten(1).amax(1) <= high + slack)
            sound = near if bool(near.any()) else sound  # all are odd: a mistake in the range, which is told elsewhere
        if not bool(sound.any()):
            return None
        return x[sound], None if y is None else y[sound]

    def compared(self, made: Tensor) -> Seen:
        """What examples that are at hand tell, beside the real ones."""
        seen = Seen()
        self._compared(seen, made)
        return seen

    def _look(self, seen: Seen, fed: tuple[Tensor, Tensor | None] | None) -> None:
        subject = self.subject
        if fed is not None:
            served = self.space(fed[0])
            seen.counts["clusters/fed"] = tuple(self.reference.cluster_counts(served).tolist())
            if self.known is not None and fed[1] is not None:
                found = conditions.recognise(served, *self.known)
                seen.values["feed/labels"] = conditions.agreement(found, fed[1].cpu())
        if subject.generate is None:
            return
        made, asked = subject.make(self.rows, NOISE, subject.generate)
        points = self._compared(seen, made)
        if points is None:
            return
        self._averaged(seen, points)
        self._modes(seen, subject.raw or subject.generate)
        self._judged(seen, made, asked, fed)
        self._recognised(seen, points, asked)

    def _compared(self, seen: Seen, made: Tensor) -> Tensor | None:
        """Compares what was made with reals; its points, or None where some are not finite."""
        if not bool(made.isfinite().all()):
            seen.values["nonfinite/output"] = float((~made.flatten(1).isfinite()).any(1).sum())
            return None
        points = self.space(made)
        values, counts = distribution.compare(points, self.reference)
        seen.values |= values | {"output/low": float(made.amin()), "output/high": float(made.amax())}
        seen.counts |= counts
        return points

    def _averaged(self, seen: Seen, points: Tensor) -> None:
        """What the weights in training make, beside what their average makes of the same noise."""
        if self.subject.raw is None:
            return
        made, _ = self.subject.make(self.rows, NOISE, self.subject.raw)
        if not bool(made.isfinite().all()):
            seen.values["nonfinite/output"] = float((~made.flatten(1).isfinite()).any(1).sum())
            return
        raw = self.space(made)
        if self.reference.frechet is not None:
            seen.values["average_distance"] = max(0.0, self.reference.frechet.distance_to(raw))
        seen.values["average_gap"] = self._apart(raw, points)

    def _modes(self, seen: Seen, how: Generate) -> None:
        """What a generator with batch normalisation makes as it trains, beside what it makes in evaluation mode."""
        if not self.normalises or (self.taken - 1) % SELDOM:
            return
        evaluated, _ = self.subject.make(self.rows, NOISE, how)
        nets = self._generators().values()
        for net in nets:
            with training_mode(net):
                trained, _ = self.subject.make(self.rows, NOISE, how)
        if bool(trained.isfinite().all()) and bool(evaluated.isfinite().all()):
            seen.values["evaluation_gap"] = self._apart(self.space(trained), self.space(evaluated))

    def _apart(self, a: Tensor, b: Tensor) -> float:
        """Mean distance of equal noise's examples, beside that of any two reals."""
        return float((a - b).norm(dim=1).mean()) / max(self.reference.spread, 1e-12)

    def _judged(self, seen: Seen, made: Tensor, asked: Tensor | None, fed: tuple[Tensor, Tensor | None] | None) -> None:
        subject = self.subject
        if subject.critic is None or fed is None:
            return
        if subject.uneven:
            known = None if subject.labels is None else subject.labels[self.order[:HELD]].to(fed[0].device)
            fed = subject.real[self.order[:HELD]].to(fed[0].device), known
        held = None
        if subject.held_out is not None and (fed[1] is None or subject.held_out_labels is not None):
            rows = subject.held_out[:HELD].to(fed[0].device)
            labels = subject.held_out_labels[:HELD].to(rows.device) if subject.held_out_labels is not None else None
            held = subject.judge(rows, labels)
        logits = subject.judge(fed[0], fed[1]), subject.judge(made, asked)
        if self.bounded is None:
            self.bounded = squashed(subject.networks, lambda: subject.judge(*fed)) == (0.0, 1.0)
        seen.values["critic_sigmoid"] = float(self.bounded)
        if all(bool(side.isfinite().all()) for side in logits):
            seen.values |= critic.judged(*logits, held)
        else:
            seen.values["nonfinite/logit"] = 1.0

    def _recognised(self, seen: Seen, points: Tensor, asked: Tensor | None) -> None:
        """Which classes were made, and whether those that were asked for."""
        if self.known is None:
            return
        found = conditions.recognise(points, *self.known)
        count = max(len(self.subject.classes), int(self.known[1].max()) + 1)
        seen.counts["classes/fake"] = tuple(found.bincount(minlength=count).tolist())
        seen.counts["classes/real"] = tuple(self.known[1].bincount(minlength=count).tolist())
        seen.values |= self.constant
        if asked is not None:
            seen.values["condition"] = conditions.agreement(found, asked.cpu())

    def _labelled(self) -> tuple[Tensor, Tensor] | None:
        """Training points and their labels, for comparisons with neighbours."""
        if self.subject.labels is None:
            return None
        return self.reference.training[:LABELLED], self.subject.labels[self.order][:LABELLED].cpu()

    def _constant(self) -> dict[str, float]:
        """How well real examples' classes are recognised in the same way: of training ones, and of unseen ones."""
        if self.known is None:
            return {}
        known, names = self.known
        own = conditions.agreement(conditions.recognise(known, known, names, own=True), names)
        labels = self.subject.held_out_labels
        if labels is None:
            return {"labels": own, "condition_real": own}
        held = self.reference.held
        found = conditions.recognise(held, known, names)
        return {"labels": own, "condition_real": conditions.agreement(found, labels[: len(held)].cpu())}
