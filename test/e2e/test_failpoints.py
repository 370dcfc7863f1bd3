"""Processes killed at the named points of the protocol: nothing is lost, nothing arrives twice, wherever it happens.

`make chaos FAULT=failpoints` does the same many times, with chance deciding how far the run has come.
"""

import pytest
from helpers.failpoints import complete, kill_at
from helpers.faults import Load

# What comes before the third chunk, where it is not two: mid_produce is reached by each row, the end of a transaction by the first marker's too.
BEFORE = {"mid_produce": 700, "end_txn_sent": 3}


@pytest.mark.parametrize("point", ["after_begin", "mid_produce", "after_marker", "end_txn_sent", "before_answer"])
def test_client_killed(failpoint_load: Load, point: str) -> None:
    migration = failpoint_load.company.start_run()
    kill_at(failpoint_load, [point], skip=BEFORE.get(point, 2))
    verdict = complete(failpoint_load, migration)
    if point in ("mid_produce", "after_marker"):
        assert verdict.aborted > 0, "no transaction was hit"


def test_worker_killed(failpoint_load: Load) -> None:
    """At each of its points in one run, whose twelve chunks are of every kind; each time the server restarts."""
    migration = failpoint_load.company.start_run()
    met = []
    for point, skip in (("after_claim", 2), ("after_kafka_commit", 2), ("inside_finish", 2), ("after_finish", 2), ("after_kafka_commit", 1)):
        kill_at(failpoint_load, [point], skip)
        met.append(failpoint_load.database.value("select kind from migrator.chunk order by claimed_at desc limit 1"))
    assert met == ["FIELDS", "FIELDS", "FIELDS", "LINKS", "CHECK"]
    complete(failpoint_load, migration)


@pytest.mark.parametrize("outcome", ["before_answer", "after_marker"])
def test_killed_in_recovery(failpoint_load: Load, outcome: str) -> None:
    """Again and again, after a transaction that Kafka has committed, and after one that it aborts."""
    migration = failpoint_load.company.start_run()
    kill_at(failpoint_load, [outcome, "recovery_decided", "recovery_fenced", "recovery_scan", "recovery_read"], skip=2)
    complete(failpoint_load, migration)


def test_errors(failpoint_load: Load) -> None:
    """An error leads the same way as a death, without one."""
    migration = failpoint_load.company.start_run()
    failpoints = failpoint_load.cluster.failpoints
    for point in ("after_claim", "after_kafka_commit", "inside_finish", "before_answer"):
        failpoints.arm("recovery_read", "error")
        failpoints.arm(point, "error")
        failpoints.wait(point)
        failpoints.wait("recovery_read")
    complete(failpoint_load, migration)
