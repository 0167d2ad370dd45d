"""`python -m benchmarks.judging [PART ...]`: judging beside the references; writes docs/benchmarks-judging.md.

Without a part, all are measured; `page` only writes the page. The references run in an environment of their own
(.venv-judging, made on the first call). Downloads and features are kept in runs/judging: what is stopped goes on there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from . import judging_bf16, judging_checks, judging_cifar, judging_page, judging_parity, judging_speed, machine

PAGE = machine.ROOT / "docs" / "benchmarks-judging.md"
PARTS: dict[str, Callable[[int | None], None]] = {
    "features": judging_parity.run_features,
    "metrics": judging_parity.run_metrics,
    "golden": judging_parity.run_golden,
    "golden-cifar": judging_parity.run_golden_cifar,
    "cifar": judging_cifar.run,
    "bf16": judging_bf16.run_bf16,
    "speed-fid": judging_speed.run_fid,
    "speed-pr": judging_speed.run_shares,
    "ranking": judging_checks.run_ranking,
    "streaming": judging_checks.run_streaming,
    "memory": judging_checks.run_memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judging", description="Judging beside the references.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}, page; all when left out")
    parser.add_argument("--count", type=int, help="pictures or points a side, to try a part: its result is not kept")
    given = parser.parse_args()
    if unknown := set(given.parts) - {*PARTS, "page"}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}, page")
    for name in given.parts or PARTS:
        if name in PARTS:
            print(f"== {name}", flush=True)
            PARTS[name](given.count)
        PAGE.write_text(judging_page.render(), encoding="utf-8")


if __name__ == "__main__":
    main()
