"""The failpoints by the process and the phase that they lie in, and how to strike there."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness import Cluster, wait_until

from .faults import Load, thaw
from .oracle import Verdict

# In the order in which a chunk passes them. Those of the worker, whose death restarts the server, and of the client process.
WORKER = ("after_claim", "after_kafka_commit", "inside_finish", "after_finish", "recovery_decided")
CLIENT = ("after_begin", "mid_produce", "after_marker", "end_txn_sent", "before_answer", "recovery_fenced", "recovery_scan", "recovery_read")
RECOVERY = ("recovery_fenced", "recovery_scan", "recovery_read", "recovery_decided")
CYCLE = tuple(point for point in (*WORKER, *CLIENT) if point not in RECOVERY)


def kill_at(load: Load, points: Sequence[str], skip: int = 0) -> None:
    """Kills the process that comes to the first point, then the one that comes to the next on the way of recovery, and so on.

    The run must be under way, or about to begin. Returns when the last one is dead and somebody has taken the run over.
    """
    failpoints = load.cluster.failpoints
    load.cluster.announce_kill()
    failpoints.arm(points[0], "stop", skip)
    for point, following in zip(points, [*points[1:], None], strict=True):
        pid = failpoints.wait(point)
        if following is not None:
            failpoints.arm(following, "stop")
        if point in WORKER:
            load.crash(lambda pid=pid: os.kill(pid, signal.SIGKILL))  # type: ignore[misc]
        else:
            os.kill(pid, signal.SIGKILL)


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
    assert not doubts(load)
    return load.oracle.check(migration)


def doubts(load: Load) -> list[str]:
    return [doubt for (doubt,) in load.database.query("select in_doubt from migrator.slot where in_doubt is not null")]
