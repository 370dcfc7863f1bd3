#!/usr/bin/python3
"""Tests on a build variant under a sanitizer; any report of it fails, whatever the tests say.

sanitize.py address|thread [end-to-end tests...]

The reports, and what pytest wrote, are left in build/sanitize/<sanitizer>/reports.
"""

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

TEST = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TEST))

from harness import Installation  # noqa: E402
from harness.process import ROOT, give_to_server  # noqa: E402

# Known to be harmless or not ours, each with its reason.
SUPPRESSIONS = TEST / "sanitize" / "thread.supp"


@dataclass(frozen=True)
class Sanitizer:
    levels: tuple[str, ...]  # of test/run.py
    tests: tuple[str, ...]  # below test/e2e


# The address sanitizers watch the module as well, so that all ways into it are taken; the thread sanitizer has the client process only.
# Left out is test_consume_bad_input.py: it counts the memory that messages of 100 MB take, and takes so long here that others run into their lock_timeout.
SANITIZERS = {
    "address": Sanitizer(
        ("regress", "isolation", "pgtap"),
        (
            "test_calls.py",
            "test_consume.py",
            "test_consume_json.py",
            "test_failpoints.py",
            "test_handshake.py",
            "test_poison.py",
            "test_row_updates.py",
            "test_rules.py",
            "test_store_semantics.py",
            "test_values.py",
            "test_worked_example.py",
        ),
    ),
    "thread": Sanitizer(
        (),
        (
            "test_consume.py",
            "test_consume_faults.py",
            "test_failpoints.py",
            "test_faults_broker.py",
            "test_faults_client.py",
            "test_faults_proxy.py",
            "test_handshake.py",
            "test_poison.py",
            "test_rules.py",
            "test_slots.py",
            "test_values.py",
            "test_worked_example.py",
        ),
    ),
}


def library(name: str) -> str:
    """Path of a runtime of the compiler."""
    return subprocess.run(["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()


def prepare(sanitizer: str, installation: Installation) -> Path:
    """Puts starters in the place of the programs, which set what a sanitizer wants to know; returns the folder of the reports.

    They are needed because a worker gives its client process no environment, and because nobody but the server may be preloaded.
    """
    reports = installation.root / "reports"
    reports.mkdir()
    give_to_server(reports)
    common = f"log_path={reports}/report:print_stacktrace=1:strip_path_prefix={ROOT}/"
    undefined = f"export UBSAN_OPTIONS={common}\n"
    client = installation.pkglibdir / "migrator_kafka"
    beside = installation.pkglibdir / "sanitized"  # under the same name, by which the tests find it
    beside.mkdir()
    client.rename(beside / client.name)
    if sanitizer == "address":
        # palloc's memory is never given back piece by piece: leaks are a notion for the client process alone.
        server = installation.bindir / "postgres"
        server.rename(installation.bindir / "postgres.sanitized")
        first = shutil.copy(ROOT / "build/sanitize/address/first.so", installation.root)
        preload = f"{library('libasan.so')}:{library('libubsan.so')}:{first}"
        starter(server, f"export LD_PRELOAD={preload} ASAN_OPTIONS={common}:detect_leaks=0\n{undefined}", '-a "$0" "$0.sanitized"')
        starter(client, f"export ASAN_OPTIONS={common}\n{undefined}", str(beside / client.name))
    else:
        shutil.copy(ROOT / "build/sanitize/thread/librdkafka.so.1", beside)
        suppressions = shutil.copy(SUPPRESSIONS, installation.root)
        # Where addresses are strewn more widely than it knows, ThreadSanitizer does not start.
        starter(client, f"export TSAN_OPTIONS={common}:suppressions={suppressions}\n", f"setarch -R {beside / client.name}")
    return reports


def starter(program: Path, environment: str, command: str) -> None:
    program.write_text(f'#!/bin/bash\n{environment}exec {command} "$@"\n')
    program.chmod(0o755)


def main(sanitizer: str, tests: list[str]) -> int:
    chosen = SANITIZERS[sanitizer]
    kept = ROOT / "build" / "sanitize" / sanitizer / "reports"
    shutil.rmtree(kept, ignore_errors=True)
    with Installation(f"sanitize/{sanitizer}") as installation:
        reports = prepare(sanitizer, installation)
        environment = {**os.environ, "PG_CONFIG": str(installation.pg_config)}
        failed = []
        if chosen.levels and not tests:
            failed.append(subprocess.run([sys.executable, "test/run.py", *chosen.levels], cwd=ROOT, env=environment).returncode)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "2", "--dist", "loadfile"]
        command += [test if "/" in test else f"test/e2e/{test}" for test in tests or chosen.tests]
        failed.append(subprocess.run(command, cwd=ROOT, env=environment).returncode)
        shutil.copytree(reports, kept)
    found = sorted(kept.iterdir())
    for report in found:
        print(f"== {report.relative_to(ROOT)}\n{textwrap.indent(report.read_text(errors='replace')[:4000], '  ')}")
    print(f"{sanitizer}: {'tests failed' if any(failed) else 'tests passed'}, {len(found)} processes with reports")
    return 1 if found or any(failed) else 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in SANITIZERS:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
