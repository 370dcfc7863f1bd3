"""The failpoints by the process and the phase that they lie in, and how to strike there."""

import functools
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from harness import Cluster, wait_until

from .faults import Load, RunEnded, thaw
from .oracle import Verdict

# In the order in which a chunk passes them. Those of the worker, whose death restarts the server, and of the client process.
WORKER = ("after_claim", "after_kafka_commit", "inside_finish", "after_finish", "recovery_decided")
CLIENT = (
    "after_begin",
    "mid_produce",
    "after_marker",
    "end_txn_sent",
    "before_answer",
    "recovery_fenced",
    "recovery_scan",
    "recovery_read",
)
# Where a worker waits for another: only some runs come by, so that nobody is killed there at random.
WAITING = ("predecessor_awaited", "others_awaited")
RECOVERY = ("recovery_fenced", "recovery_scan", "recovery_read", "recovery_decided")


def kill_at(load: Load, points: Sequence[str], skip: int = 0, note: Callable[[], object] = lambda: None) -> float:
    """Kills the process that comes to the first point, then the one that comes to the next on the way of recovery, and so on.

    The run must be under way, or about to begin. `note` is called while the last process stands still. Returns the moment of
    the last kill as a Unix time, when it is done and somebody has taken the run over.
    """
    moment = 0.0
    load.cluster.announce_kill()
    load.cluster.failpoints.arm(points[0], "stop", skip)
    for place, point in enumerate(points):
        pid = _reach(load, point)
        if place + 1 < len(points):
            load.cluster.failpoints.arm(points[place + 1], "stop")
        else:
            note()
        moment = time.time()
        if point in WORKER:
            load.crash(functools.partial(os.kill, pid, signal.SIGKILL))
        else:
            os.kill(pid, signal.SIGKILL)
    return moment


def _reach(load: Load, point: str, timeout: float = 60.0) -> int:
    """The pid of the process that stands at the point."""

    def reached() -> int | None:
        return load.cluster.failpoints.fired(point) or (None if load.running() else -1)

    pid = wait_until(reached, timeout, f"failpoint {point} is reached", interval=0.01)
    assert pid is not None
    if pid < 0:
        load.cluster.failpoints.clear()
        raise RunEnded(f"the run ended before {point}")
    return pid


@contextmanager
def stopped_at(cluster: Cluster, point: str, skip: int = 0) -> Iterator[int]:
    """While the block runs, the process that has come to the point stands still; the block may kill it."""
    cluster.failpoints.arm(point, "stop", skip)
    pid = cluster.failpoints.wait(point)
    try:
        yield pid
    finally:
        thaw([pid])


def complete(load: Load, migration: int, timeout: float = 60.0) -> Verdict:
    """Waits for the end of the run, as long as nothing is in doubt, and lets the oracle judge."""
    wait_until(lambda: not load.running() or doubts(load), timeout, "the run is over")
    found = doubts(load)
    assert not found, found
    return load.oracle.check(migration)


def doubts(load: Load) -> list[str]:
    return [doubt for (doubt,) in load.database.query("select in_doubt from migrator.slot where in_doubt is not null")]
