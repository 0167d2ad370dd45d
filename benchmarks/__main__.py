"""`python -m benchmarks [headline zoo modes stacked small_data overhead inputs startup gpu]`: measures, and writes
docs/benchmarks.md; `python -m benchmarks page` only writes it, from what was kept.

`python -m benchmarks health ...` is a benchmark of its own: see benchmarks/health.
"""

from __future__ import annotations

import sys

from . import gpu, headline, inputs, machine, modes, overhead, small_data, stacked, startup, zoo

SECTIONS = {
    "headline": ("The recipes at equal time", headline),
    "zoo": ("Every recipe", zoo),
    "modes": ("Modes of Gaussians", modes),
    "stacked": ("Stacked-MNIST, and the ablation of losses and penalties", stacked),
    "small_data": ("A hundred pictures", small_data),
    "overhead": ("What the engine costs", overhead),
    "inputs": ("Input", inputs),
    "startup": ("Start-up", startup),
    "gpu": ("On a GPU", gpu),
}
ABSENT = "Not measured yet: `python -m benchmarks {name}`."
NO_GPU = "Not measured: no GPU was at hand. `python -m benchmarks gpu` measures it where there is one."


def render() -> str:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make benchmarks` (all) or `python -m benchmarks NAME` (one section); not by hand. Each section "
        "says what it was measured on. Run them alone on the machine: anything beside them spoils the figures.",
    ]
    for name, (title, module) in SECTIONS.items():
        result = machine.kept(name)
        lines += ["", f"## {title}", ""]
        if result is None:
            lines += [NO_GPU if name == "gpu" else ABSENT.format(name=name)]
            continue
        lines += [*module.render(result), "", f"Measured with `{result['command']}` on: {result['machine']}."]
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> None:
    if names[:1] == ["health"]:
        from .health import command

        command.main(names[1:])
        return
    if names != ["page"]:
        measure(names)
    (machine.ROOT / "docs" / "benchmarks.md").write_text(render(), encoding="utf-8")


def measure(names: list[str]) -> None:
    """Runs the sections of these names, or all."""
    unknown = set(names) - SECTIONS.keys()
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    for name in names or list(SECTIONS):
        print(f"== {name}", flush=True)
        SECTIONS[name][1].run()


if __name__ == "__main__":
    main(sys.argv[1:])
