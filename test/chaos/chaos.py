#!/usr/bin/python3
"""Runs under random faults: each round migrates a load, breaks something at random moments, and lets the oracle judge.

Every round appends a line to the file of results (results.py tells its columns), and the next start goes on from there. A
failed round leaves the logs of its servers beside the file. The seed decides the fault and its moments, as far as a clock can.
"""

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

TEST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TEST), str(TEST / "e2e")]

from faults import FAMILIES, Fault, MakeSite, select  # noqa: E402
from harness.process import ROOT  # noqa: E402
from report import report  # noqa: E402
from results import Result, append, read  # noqa: E402
from stage import Site  # noqa: E402


class Stand:
    """Keeps a site for the rounds that want the same kind."""

    def __init__(self) -> None:
        self._make: MakeSite | None = None
        self._open = contextlib.ExitStack()
        self._site: Site | None = None

    def site(self, make: MakeSite) -> Site:
        if self._site is None or self._site.spent or make is not self._make:
            self.close()
            self._site, self._make = self._open.enter_context(make()), make
        return self._site

    def close(self) -> None:
        self._open.close()
        self._site = None


def commit() -> str:
    """What is built and installed: that of the sources when the run starts, which may go on while the rounds are played."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def play(number: int, seed: int, fault: Fault, site: Site, folder: Path, build: str) -> Result:
    began, start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.monotonic()
    round_ = None
    outcome = "ok"
    try:
        with site.begin(random.Random(seed)) as round_:
            fault(round_)
    except Exception as error:  # whatever it is, it is this round's result, and the next one begins with new servers
        outcome = "FAILED " + " ".join(f"{type(error).__name__}: {error}".split())[:500]
        site.spent = True
        shutil.copy(site.cluster.log_file, folder / f"server-{number}.log")
        shutil.copy(site.broker.log_file, folder / f"broker-{number}.log")
    hits, recoveries, verdict = (round_.hits, tuple(round_.recoveries), round_.verdict) if round_ else ("", (), None)
    return Result(
        number,
        seed,
        fault.__name__,
        began,
        build,
        hits,
        verdict.messages if verdict else 0,
        verdict.aborted if verdict else 0,
        time.monotonic() - start,
        recoveries,
        outcome,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    parser.add_argument("--fault", help=f"one fault by name, or a family: {', '.join(FAMILIES)}")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "chaos" / "results")
    parser.add_argument("--report", action="store_true", help="prints what the results amount to, and runs nothing")
    options = parser.parse_args()
    if options.report:
        print(report(read(options.results)))
        return 0
    options.results.parent.mkdir(parents=True, exist_ok=True)
    done = len(list(read(options.results)))
    first = done + 1 if options.seed is None else options.seed
    build = commit()
    makers = select(options.fault)
    stand = Stand()
    good = 0
    try:
        for index in range(options.rounds):
            # A string, so that the choice says nothing about the numbers that the round draws.
            fault = random.Random(f"fault {first + index}").choice(list(makers))
            result = play(done + 1 + index, first + index, fault, stand.site(makers[fault]), options.results.parent, build)
            append(options.results, result)
            print(result.line(), flush=True)
            good += result.ok
    finally:
        stand.close()
    print(f"{good} of {options.rounds} rounds without loss, duplicate or crash; all results: {options.results}")
    return 0 if good == options.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
