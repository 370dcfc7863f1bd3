#!/usr/bin/python3
"""Runs levels of tests, those named or all, and ends with the line `N passed, N failed`.

What has to be built and installed before is the Makefile's affair.
"""

import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import psycopg2
from harness import Broker, Cluster, Database
from harness.cluster import pgxs_tool
from harness.process import ROOT, spawn, terminate

BUILD = ROOT / "build" / "test"
VERDICT = re.compile(r"^(?:test |     )?(\S+)\s+\.\.\. (ok|FAILED)", re.MULTILINE)
TAP = re.compile(r"^(not )?ok \d+(?P<rest>.*)$", re.MULTILINE)
PLAN = re.compile(r"^1\.\.(\d+)$", re.MULTILINE)
MODEL = re.compile(r"^(ok|FAILED) ", re.MULTILINE)
GTEST = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) {1,2}\] (\d+) tests?[.,]", re.MULTILINE)


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0

    def note(self, good: bool, name: str, report: str = "") -> None:
        """Counts one test and shows at once what went wrong."""
        if good:
            self.passed += 1
            print(f"  ok      {name}", flush=True)
        else:
            self.failed += 1
            print(f"  FAILED  {name}", flush=True)
            print("".join(f"          {line}\n" for line in report.strip().splitlines()), end="", flush=True)


@dataclass
class Session:
    """One run of this script: a cluster that is started when the first level wants it."""

    tallies: dict[str, Tally] = field(default_factory=dict)

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster().__enter__()

    def remove(self) -> None:
        if "cluster" in self.__dict__:
            self.cluster.remove()

    def note(self, tally: Tally, good: bool, name: str, report: str) -> None:
        """A test against the cluster is good only if the server's log is."""
        alarms = "\n".join(self.cluster.alarms())
        tally.note(good and not alarms, name, f"{report}\n{alarms}")


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )


def checks(session: Session, tally: Tally) -> None:
    for script in sorted((ROOT / "test/checks").glob("[a-z]*.py")):
        done = run([sys.executable, str(script)])
        tally.note(done.returncode == 0, script.stem, done.stdout)


def unit(session: Session, tally: Tally) -> None:
    with Broker() as broker:
        environment = {**os.environ, "MIGRATOR_TEST_BROKER": broker.bootstrap, "MIGRATOR_TEST_BROKER_PID": str(broker.pid)}
        # Those without a broker run in "make unit" as well; here nothing is missing, so nothing may be skipped.
        done = run(["make", "--no-print-directory", "-s", "unit"], env=environment)
    for verdict, count in GTEST.findall(done.stdout):
        if verdict == "PASSED":
            tally.passed += int(count)
        else:
            tally.failed += int(count)
    if done.returncode != 0 or not tally.passed:
        tally.failed = tally.failed or 1
        print(done.stdout)
    print(f"  {tally.passed} ok", flush=True)


def model(session: Session, tally: Tally) -> None:
    done = run(["make", "--no-print-directory", "-s", "build/test/model"])
    if done.returncode == 0:
        done = run([str(BUILD / "model")])
    verdicts = MODEL.findall(done.stdout)
    tally.passed, tally.failed = verdicts.count("ok"), verdicts.count("FAILED")
    if done.returncode != 0 or not verdicts:
        tally.failed = tally.failed or 1
        print(done.stdout)
    print(f"  {tally.passed} ok", flush=True)


def regress_with(session: Session, tally: Tally, tool: str, name: str, inputs: Path, level: str) -> None:
    """One test in a database of its own, so that no test leans on what another left behind."""
    output = BUILD / level / name
    output.mkdir(parents=True, exist_ok=True)
    done = run(
        [
            str(pgxs_tool(tool)),
            f"--inputdir={inputs}",
            f"--outputdir={output}",
            f"--host={session.cluster.host}",
            f"--port={session.cluster.port}",
            "--user=postgres",
            f"--dbname=regress_{name}",
            "--load-extension=migrator",
            name,
        ],
        env=session.cluster.client_environment(),
    )
    differences = output / "regression.diffs"
    report = (differences.read_text() if differences.exists() else "") or done.stdout
    good = done.returncode == 0 and [v for _, v in VERDICT.findall(done.stdout)] == ["ok"]
    session.note(tally, good, name, report)


def regress(session: Session, tally: Tally) -> None:
    for script in sorted((ROOT / "sql").glob("*.sql")):
        regress_with(session, tally, "regress/pg_regress", script.stem, ROOT, "regress")


def isolation(session: Session, tally: Tally) -> None:
    folder = ROOT / "test/isolation"
    for spec in sorted((folder / "specs").glob("*.spec")):
        regress_with(session, tally, "isolation/pg_isolation_regress", spec.stem, folder, "isolation")


def pgtap(session: Session, tally: Tally) -> None:
    for script in sorted((ROOT / "test/pgtap").glob("*.sql")):
        try:
            with session.cluster.database("migrator", "pgtap") as database:
                _pgtap_file(session, tally, script, database)
        except psycopg2.Error as error:  # the extension cannot be created
            session.note(tally, False, script.stem, str(error))


def _pgtap_file(session: Session, tally: Tally, script: Path, database: Database) -> None:
    done = run(
        ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", "-d", database.name, "-f", str(script)],
        env=session.cluster.client_environment(),
    )
    failures = [bool(m[1]) and "# TODO" not in m["rest"] for m in TAP.finditer(done.stdout)]
    plan = PLAN.search(done.stdout)
    complete = done.returncode == 0 and plan is not None and int(plan[1]) == len(failures)
    # Assertions are counted one by one, and the file once more, for it may break off or harm the server.
    tally.passed += failures.count(False)
    tally.failed += failures.count(True)
    session.note(tally, complete and not any(failures), f"{script.stem} ({len(failures)} assertions)", done.stdout)


def e2e(session: Session, tally: Tally) -> None:
    report = BUILD / "e2e.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test/e2e", f"--junitxml={report}"]
    # These tests wait more than they work. Each process has servers and a broker of its own.
    command += ["-n", "2", "--dist", "loadfile"]
    command += os.environ.get("PYTEST_ARGS", "").split()
    # Interrupted once and only once, pytest stops what its fixtures started and deletes their files.
    child = spawn(command, sys.stdout, at_our_death="INT", directory=ROOT)
    try:
        status = child.wait()
    except BaseException:
        terminate(child, signal.SIGINT, timeout=60)
        raise
    if report.exists():
        suite = ElementTree.parse(report).getroot()[0]
        tally.failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        # A test may fail twice, in its body and in the check of the log after it.
        tally.passed = max(0, int(suite.get("tests", 0)) - int(suite.get("skipped", 0)) - tally.failed)
    if status != 0 and tally.failed == 0:
        tally.failed = 1


LEVELS: dict[str, Callable[[Session, Tally], None]] = {
    "checks": checks,
    "unit": unit,
    "model": model,
    "regress": regress,
    "isolation": isolation,
    "pgtap": pgtap,
    "e2e": e2e,
}


def leave(*_: object) -> NoReturn:
    sys.exit("interrupted")


def main(names: list[str]) -> int:
    signal.signal(signal.SIGTERM, leave)
    BUILD.mkdir(parents=True, exist_ok=True)
    session = Session()
    try:
        for name in names or list(LEVELS):
            print(f"== {name}", flush=True)
            LEVELS[name](session, session.tallies.setdefault(name, Tally()))
    except KeyboardInterrupt:
        leave()
    finally:
        session.remove()
    print("== summary")
    for name, tally in session.tallies.items():
        print(f"  {name:10} {tally.passed:5} passed {tally.failed:5} failed")
    passed = sum(t.passed for t in session.tallies.values())
    failed = sum(t.failed for t in session.tallies.values())
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
