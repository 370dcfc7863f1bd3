#!/usr/bin/python3
"""Runs, for each mutation, the tests that must catch it, and demands that they fail; without a mutation they must pass.

run.py [name of a mutation...]
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TEST = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TEST))

from harness import Installation  # noqa: E402
from harness.cluster import MUTATION  # noqa: E402
from harness.process import ROOT  # noqa: E402
from mutations import MUTATIONS, Mutation  # noqa: E402

FOLDER = ROOT / "build" / "mutations"
FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)  # of pytest's summary; a broken fixture is an ERROR


def run(tests: Sequence[str], pg_config: Path, mutation: str = "") -> tuple[int, str]:
    """Exit status and output of pytest on the variant build."""
    environment = {**os.environ, "PG_CONFIG": str(pg_config)}
    if mutation:
        environment[MUTATION] = mutation
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-x", "--tb=short", "-q", "-rfE", *(f"test/e2e/{test}" for test in tests)]
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    name = re.sub(r"\W+", "_", tests[0].removesuffix(".py")) if mutation else "tests"
    (FOLDER / f"{mutation or 'none'}-{name}.log").write_text(done.stdout)
    return done.returncode, done.stdout


def why(output: str) -> str:
    """What the failed test said first."""
    found = re.search(r"^E\s+(.*)$", output, re.MULTILINE)
    return found[1] if found else "?"


def notices(mutation: Mutation, test: str, pg_config: Path) -> bool:
    """The test itself fails, for the reason expected: not its fixtures, and no other test of that file."""
    start = time.monotonic()
    _, output = run([test], pg_config, mutation.name)
    failed = any(name.split("test/e2e/")[-1] == test for name in FAILED.findall(output))
    good = failed and re.search(mutation.reason, why(output)) is not None
    print(f"  {mutation.name}: {'caught' if good else 'NOT CAUGHT'} by {test} ({time.monotonic() - start:.0f} s)", flush=True)
    print(f"      {why(output)[:160] if good else output[-2000:]}", flush=True)
    return good


def caught(mutation: Mutation, pg_config: Path) -> bool:
    return bool(mutation.tests) and all([notices(mutation, test, pg_config) for test in mutation.tests])


def main(names: list[str]) -> int:
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    unknown = set(names) - {mutation.name for mutation in chosen}
    if unknown:
        sys.exit(f"no such mutation: {', '.join(sorted(unknown))}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Installation("faults") as installation:
        tests = sorted({test for mutation in chosen for test in mutation.tests})
        status, output = run(tests, installation.pg_config)
        if status != 0:
            print(output)
            sys.exit("the tests fail without a mutation")
        print(f"without a mutation: {len(tests)} tests pass", flush=True)
        missed = [mutation.name for mutation in chosen if not caught(mutation, installation.pg_config)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} mutations caught" + "".join(f"; not {name}" for name in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
