#!/usr/bin/python3
"""Measures migrator beside what users would pick instead, and by itself; make bench, make bench SERIES=…

Results go to build/bench/<series>.tsv, the report to docs/benchmark.md.
"""

import argparse
import datetime
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import report  # noqa: E402
import series  # noqa: E402
from contenders import Contender  # noqa: E402
from contenders.bare import Bare  # noqa: E402
from contenders.debezium import Debezium  # noqa: E402
from contenders.ours import Ours  # noqa: E402
from contenders.pipes import Copy, Kcat  # noqa: E402
from contenders.statuses import Statuses  # noqa: E402
from load import natural_client  # noqa: E402
from results import Results  # noqa: E402
from rounds import measure, say  # noqa: E402
from series import Plan, Series  # noqa: E402
from stage import SETTINGS, machine  # noqa: E402


def compare(plan: Plan, results: Results) -> None:
    """The whole run beside COPY | kcat, Debezium, plain COPY and a bare producer."""
    with plan.stage(natural_client(plan.rows)) as stage:
        ours, pipes = [Ours(stage), Ours(stage, copies=False)], [Kcat(stage), Kcat(stage, flat=True), Copy(stage)]
        parts = [Bare(stage), Bare(stage, through_client=True), Statuses(stage)]
        contenders: list[Contender] = [*ours, *pipes, *parts, Debezium(stage)]
        measure(results, contenders, plan.rounds)


SERIES: Mapping[str, Series] = {"compare": Series(compare, 1000000, 5)} | series.ALL


def chosen(names: list[str]) -> list[str]:
    """The series of these names; exits if there is no such series."""
    for name in names:
        if name not in {*SERIES, "all", "report"}:
            sys.exit(f"There is no series {name}. There are: {', '.join(SERIES)}; all; report.")
    return list(SERIES) if "all" in names else [name for name in names if name != "report"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", nargs="*", default=["compare"], help=f"{', '.join(SERIES)}; all: all of them; report: only writes the report anew")
    parser.add_argument("--rows", type=int, help="in place of those of the series")
    parser.add_argument("--rounds", type=int, help="likewise")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    arguments = parser.parse_args()
    for name in chosen(arguments.series):
        which = SERIES[name]
        plan = Plan(arguments.rows or which.rows, arguments.rounds or which.rounds, arguments.partitions, arguments.workers, SETTINGS | dict(which.settings))
        say(f"== {name}: {which.run.__doc__} {plan.rows:,} rows, rounds: {plan.rounds}; scratch servers, removed at the end.")
        start = time.monotonic()
        which.run(plan, Results(name, plan.facts() | {"machine": machine(), "date": datetime.date.today().isoformat()}))
        say(f"   {time.monotonic() - start:.0f} s in all")
    report.write()


if __name__ == "__main__":
    main()
