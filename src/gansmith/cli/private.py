"""`gansmith train TABLE --epsilon E`: what differs from other training."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .show import WIDEST, say, table, warn, write_schema

if TYPE_CHECKING:
    from ..pipelines.tables.private_plan import PrivatePlan
    from ..privacy.ledger import Ledger

OWN = ("epsilon", "delta", "stated", "preparation")  # the options that speak of privacy
SEEDED = "noise made from a seed can be taken out again by whoever knows the seed: for a release, leave out --seed"
_STEPS = "a private run is as long as the recipe has steps, over which the budget is spread: set recipe.steps=NUMBER"
_ALONE = "one process draws all the noise of a private run"
_UNKEPT = "nothing of a private run is kept but its result"
REFUSED = {
    "size": "it is for pictures, and --epsilon is for tables",
    "mirror": "it is for pictures, and --epsilon is for tables",
    "labels": "it is for pictures, and --epsilon is for tables",
    "adapt": "it is for pictures, and --epsilon is for tables",
    "keep_best": "it is for pictures, and --epsilon is for tables",
    "patience": "it is for pictures, and --epsilon is for tables",
    "find_gamma": "it is for pictures, and --epsilon is for tables",
    "gamma_samples": "it is for pictures, and --epsilon is for tables",
    "batch": "the accounting is the recipe's: set recipe.batch=NUMBER, where it has one",
    "samples": _STEPS,
    "minutes": _STEPS,
    "precision": "clipping and noise are exact in fp32 alone",
    "devices": _ALONE,
    "shard": _ALONE,
    "save_every": _UNKEPT,
    "tick": _UNKEPT,
    "constraints": "whether the rows keep them would be asked outside of the budget",
    "holdout": "a score on held-out rows would be paid for; keep rows back in a file of their own, and give it to: "
    "gansmith evaluate --test",
    "start_from": "weights of another run may know rows that this budget does not pay for",
}


def check(ctx: click.Context) -> None:
    """Refuses options that do not go together with privacy.

    Raises:
        click.UsageError: a sentence that says why, and what to do.
    """
    given = [name for name in ctx.params if _given(ctx, name)]
    if ctx.params["epsilon"] is None:
        for name in OWN:
            if name in given:
                raise click.UsageError(f"--{name} is of differential privacy: add --epsilon 1", ctx)
        return
    for name in given:
        if name in REFUSED:
            option = next(p.opts[0] for p in ctx.command.params if p.name == name)
            raise click.UsageError(f"{option} does not go with --epsilon: {REFUSED[name]}", ctx)


def _given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def train(ctx: click.Context, data: str, changes: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Trains a private model and prints its ledger."""
    from ..pipelines.tables.private_runs import train_private

    seeded = _given(ctx, "seed")
    if seeded:
        warn(SEEDED)

    def tell(plan: PrivatePlan) -> None:
        show(plan)
        if settings["save_schema"] is not None:
            say(f"wrote {write_schema(plan.table.schema, settings['save_schema'])}\n")

    made = train_private(
        data,
        recipe=settings["recipe"],
        preset=settings["preset"],
        epsilon=settings["epsilon"],
        delta=settings["delta"],
        stated=settings["stated"],
        preparation=settings["preparation"],
        target=settings["target"],
        schema=settings["schema"],
        seed=settings["seed"] if seeded else None,
        changes=changes,
        out=settings["out"],
        overwrite=settings["overwrite"],
        dry_run=settings["dry_run"],
        tell=tell,
    )
    if made is None:
        say("nothing was asked of the rows, and nothing was trained: this was a dry run")
        return
    path, model = made
    ledger(model.ledger_)
    say(f"\ndone. The model is in {path}")
    asked = ["-n", "1000", "--out", "synthetic.csv"]
    say(f"next: {shlex.join(['gansmith', 'generate', str(path), *asked])}")
    say(f"      {shlex.join(['gansmith', 'evaluate', str(path), '--data', data])}")


def show(plan: PrivatePlan) -> None:
    """What will be asked of the rows."""
    from ..privacy.stated import to_fill_in

    for note in plan.table.notes():
        say(note)
    say()
    table(plan.rows(), ("column", "kind", "what is known of it"))
    say(
        f"\n{plan.recipe} on {plan.table.rows:,} rows within epsilon {plan.epsilon:g}, delta {plan.delta:.1e}. "
        "Names and kinds of columns, and the number of rows, count as public. "
        "No doctor watches: each of its looks at real rows would have to be paid for."
    )
    if unstated := plan.unstated():
        names = [column.name for column in unstated[:3]]
        more = f" and {len(unstated) - 3} more" if len(unstated) > 3 else ""
        say(
            f"Whatever you know of {', '.join(names)}{more} without looking at the rows, "
            f"state it (--stated): it saves budget. To fill in, as stated.yaml:\n{to_fill_in(unstated)}"
        )
    say()


def ledger(spent: Ledger) -> None:
    """The ledger as a table, and the promise as a sentence."""
    head, *rows = spent.rows(folded=True)
    columns = [0, 1, 2, 4, 6]  # sensitivity and delta are in the file
    table(([row[i] for i in columns] for row in rows), [head[i] for i in columns])
    say()
    say(textwrap.fill(spent.promise(), WIDEST))
