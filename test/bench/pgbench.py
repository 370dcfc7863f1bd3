"""A pgbench that goes on in the background, and tells how it fared at any time."""

import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from harness import Database, wait_until
from harness.cluster import bindir
from harness.process import terminate

CLIENTS, SCALE = 2, 10
QUIET = 10  # seconds that are measured without a contender
PROGRESS = re.compile(r"progress: [\d.]+ s, ([\d.]+) tps, lat ([\d.]+) ms")


@dataclass(frozen=True)
class Second:
    at: float  # monotonic time at its end
    tps: float
    latency: float  # ms


class Pgbench:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._seconds: list[Second] = []

    def __enter__(self) -> "Pgbench":
        command, environment = str(bindir() / "pgbench"), self._database.cluster.client_environment()
        subprocess.run([command, "-i", "-q", "-s", str(SCALE), self._database.name], env=environment, check=True, capture_output=True)
        self._process = subprocess.Popen(
            [command, "-n", "-c", str(CLIENTS), "-P", "1", "-T", "86400", self._database.name],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        terminate(self._process, signal.SIGINT, timeout=10)
        self._thread.join()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if match := PROGRESS.match(line):
                self._seconds.append(Second(time.monotonic(), float(match[1]), float(match[2])))

    def idle(self) -> Second:
        """Averages of the next seconds, in which nothing else happens."""
        begin = time.monotonic()
        wait_until(lambda: len([s for s in self._seconds if s.at > begin + 1]) >= QUIET, timeout=60, what="pgbench goes on")
        return self._average(begin + 1, time.monotonic())

    def during(self, seconds: float) -> Second:
        """Averages of the last seconds, which end now."""
        now = time.monotonic()
        return self._average(now - max(seconds, 2), now)

    def _average(self, begin: float, end: float) -> Second:
        chosen = [s for s in self._seconds if begin < s.at <= end]
        if not chosen:
            raise RuntimeError("pgbench has ended")
        return Second(end, sum(s.tps for s in chosen) / len(chosen), sum(s.latency for s in chosen) / len(chosen))
