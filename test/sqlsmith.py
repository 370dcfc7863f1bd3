#!/usr/bin/python3
"""Random queries of sqlsmith, by an administrator of ours, in a scratch database: no crash, and no internal error with us in it.

sqlsmith.py [queries] [seed]
"""

import re
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent / "e2e")]

from harness import Cluster, KafkaClient  # noqa: E402
from helpers import Company  # noqa: E402
from helpers.structure import WORKED_EXAMPLE  # noqa: E402

ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [^\[]*\[\d+\] ", re.MULTILINE)
CRASH = re.compile(r"PANIC|TRAP|terminated by signal")
INTERNAL = re.compile(r"\[XX\d{3}\] ")


def complaints(log: str) -> list[str]:
    """Crashes, and internal errors that come out of our sources (LOCATION) or pass through our functions (CONTEXT).

    Others are PostgreSQL's own: its parser, for one, has no better code for types that it cannot convert.
    """
    found = [line for line in log.splitlines() if CRASH.search(line)]
    starts = [match.start() for match in ENTRY.finditer(log)] + [len(log)]
    entries = [log[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    for i, entry in enumerate(entries):
        if INTERNAL.search(entry) and " ERROR: " in entry:
            rest = [e for e in entries[i + 1 : i + 5] if re.search(r" (DETAIL|HINT|CONTEXT|LOCATION): ", e)]
            if re.search(r"LOCATION: .*\.cpp:|CONTEXT: .*migrator\.", "".join(rest), re.DOTALL):
                found.append(entry + "".join(rest))
    return found


def main(queries: int, seed: int) -> int:
    with Cluster(settings={"statement_timeout": "2s", "log_min_error_statement": "panic", "log_error_verbosity": "verbose"}) as cluster, cluster.database("migrator") as database:
        Company(database, KafkaClient("127.0.0.1:1"), "topic", WORKED_EXAMPLE)
        database.execute("create role smith login in role migrator_admin")
        target = f"host={cluster.host} port={cluster.port} dbname={database.name} user=smith"
        command = ["sqlsmith", f"--target={target}", f"--seed={seed}", f"--max-queries={queries}"]
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        database.close()
        log = cluster.log
        found = complaints(log)
    print("\n".join(found[:20]))
    print(f"seed {seed}: {queries} queries, {log.count(' ERROR: ')} refused, {len(found)} complaints; sqlsmith ended with {done.returncode}")
    if done.returncode != 0:
        print(done.stdout[-2000:])
    return 1 if found or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000, int(sys.argv[2]) if len(sys.argv) > 2 else 1))
