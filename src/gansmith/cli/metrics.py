"""`gansmith metrics`."""

from __future__ import annotations

import click

from .options import debug
from .show import say, table


@click.command("metrics", short_help="List what pictures can be judged by.")
@debug
def command() -> None:
    """List the metrics of `gansmith evaluate --metric NAME`, and what each needs. For tables there is no choice."""
    from ..metrics import registry
    from ..pipelines.asked import METRICS, NEEDS, PROBES

    rows = [(name, registry.metric_class(name).__doc__, registry.make(name).needs) for name in registry.names()]
    rows += [(name, probe.__doc__, frozenset({"generator"})) for name, probe in PROBES.items()]
    table(
        [
            (name, ", ".join(NEEDS[n] for n in sorted(needs) if n in NEEDS), (text or "").strip().splitlines()[0])
            for name, text, needs in rows
        ],
        ("metric", "needs", "what it is"),
    )
    say(f"\nwithout --metric: {', '.join(METRICS)}; `--metric all` takes all that fit")
