"""Faults of the Kafka client process: the server goes on, the run completes, nothing is lost or doubled."""

import random
import statistics
import time
from collections.abc import Callable

from harness import wait_until
from helpers.faults import Load, freeze
from helpers.oracle import Ends


def test_a_run_without_faults(make_load: Callable[..., Load]) -> None:
    """The oracle agrees with a run that nobody disturbs; also: the load has rows of every final status."""
    load = make_load(rows=20000)
    verdict = load.complete(load.company.start_run())
    assert verdict.messages > 20000
    assert load.company.statuses("in_buyer").keys() == {"DONE", "ERROR"}
    assert load.company.statuses("in_deal").keys() == {"DONE", "SKIPPED"}


def test_client_killed_inside_transactions(make_load: Callable[..., Load], record_property: Callable[..., None]) -> None:
    load = make_load(rows=20000, workers=1)
    ends = Ends(load.company.broker.bootstrap, load.company.topic)
    load.hold_back()
    migration = load.company.start_run()
    moments = []
    for _ in range(6):
        load.wait_for_chunks(1)
        load.release()
        load.kill_clients_inside(ends)
        moments.append(time.time())
        load.allow(0)
    ends.close()
    verdict = load.complete(migration)
    assert verdict.aborted > 0
    finished = [t for (t,) in load.database.query("select extract(epoch from finished_at)::float8 from migrator.chunk order by 1")]
    recoveries = [next(t for t in finished if t > moment) - moment for moment in moments]
    record_property("recovery_median_s", f"{statistics.median(recoveries):.2f}")
    print(f"recovery: median {statistics.median(recoveries):.2f} s, {[f'{r:.2f}' for r in recoveries]}")
    assert statistics.median(recoveries) < 5


def test_client_killed_at_random_moments(make_load: Callable[..., Load]) -> None:
    dice = random.Random(20241)
    load = make_load()
    load.hold_back()
    ends = Ends(load.company.broker.bootstrap, load.company.topic)
    migration = load.company.start_run()
    for _ in range(8):
        load.wait_for_chunks(dice.randint(0, 2), ahead=1)
        load.kill_clients(ends, dice)
    ends.close()
    load.complete(migration)


def test_client_frozen_beyond_its_deadline(make_load: Callable[..., Load]) -> None:
    """A process that answers nothing is replaced; when it wakes up it is gone, and its transaction fenced."""
    load = make_load({"kafka_timeout": "5s"})
    load.hold_back()
    migration = load.company.start_run()
    load.wait_for_chunks(1)
    frozen = freeze(load.clients())
    load.release()
    wait_until(lambda: "Kafka" in (load.company.waiting() or ""), 10, "the reason is visible")
    wait_until(lambda: not set(frozen) & set(load.clients()), 20, "the frozen processes are replaced")
    load.complete(migration)
