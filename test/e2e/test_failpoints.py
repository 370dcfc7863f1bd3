"""Processes killed at the named points of the protocol: nothing is lost, nothing arrives twice, wherever it happens."""

import pytest
from helpers.failpoints import CYCLE, RECOVERY, complete, kill_at
from helpers.faults import Load

ROWS_OF_TWO_CHUNKS = 700  # mid_produce is reached by each row


@pytest.mark.parametrize("point", CYCLE)
def test_killed_in_the_cycle(failpoint_load: Load, point: str) -> None:
    migration = failpoint_load.company.start_run()
    kill_at(failpoint_load, [point], skip=ROWS_OF_TWO_CHUNKS if point == "mid_produce" else 2)
    verdict = complete(failpoint_load, migration)
    if point in ("mid_produce", "after_marker"):
        assert verdict.aborted > 0, "no transaction was hit"


@pytest.mark.parametrize("kind", ["LINKS", "CHECK"])
def test_killed_with_another_kind_of_chunk(failpoint_load: Load, kind: str) -> None:
    """The last chunks of the run: links, then reference checks."""
    migration = failpoint_load.company.start_run()
    kill_at(failpoint_load, ["before_answer"], skip={"LINKS": 10, "CHECK": 11}[kind])
    assert failpoint_load.database.value("select kind from migrator.chunk where state = 'CLAIMED'") == kind
    complete(failpoint_load, migration)


@pytest.mark.parametrize("outcome", ["before_answer", "after_marker"])
@pytest.mark.parametrize("point", RECOVERY)
def test_killed_in_recovery(failpoint_load: Load, outcome: str, point: str) -> None:
    """Twice in a row, after a transaction that Kafka has committed, and after one that it aborts."""
    migration = failpoint_load.company.start_run()
    kill_at(failpoint_load, [outcome, point, point], skip=2)
    complete(failpoint_load, migration)


@pytest.mark.parametrize("point", ["after_claim", "after_kafka_commit", "inside_finish", "before_answer", "recovery_read"])
def test_error(failpoint_load: Load, point: str) -> None:
    """An error leads the same way as a death, without one."""
    migration = failpoint_load.company.start_run()
    failpoint_load.cluster.failpoints.arm(point, "error", 0 if point == "recovery_read" else 2)
    failpoint_load.cluster.failpoints.wait(point)
    complete(failpoint_load, migration)
