"""Faults of the broker: the run waits with its reason in sight and completes when the broker is back."""

from collections.abc import Callable

import pytest
from harness import Broker, wait_until
from helpers.faults import Load


def wait_for_reason(load: Load) -> None:
    load.release()
    wait_until(lambda: "Kafka" in (load.company.waiting() or ""), 10, "the reason is visible")


def assert_no_row_blamed(load: Load) -> None:
    """Only the rows that cannot be sent are errors."""
    assert {column for _, column, _, _ in load.company.errors()} == {"born"}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_broker_restarted(make_load: Callable[..., Load], broker: Broker, how: str) -> None:
    load = make_load()
    load.hold_back()
    migration = load.company.start_run()
    load.wait_for_chunks(2)
    getattr(broker, how)()
    wait_for_reason(load)
    broker.start()
    load.complete(migration)
    assert_no_row_blamed(load)


def test_broker_paused(make_load: Callable[..., Load], broker: Broker) -> None:
    load = make_load()
    load.hold_back()
    migration = load.company.start_run()
    for _ in range(2):
        load.wait_for_chunks(1)
        broker.pause()
        wait_for_reason(load)
        load.allow(0)
        broker.resume()
        wait_until(lambda: load.company.waiting() is None, 30, "the reason is gone")  # or the next round would take it for its own
    load.complete(migration)
    assert_no_row_blamed(load)


def test_broker_away_at_the_start(make_load: Callable[..., Load], broker: Broker) -> None:
    load = make_load(rows=5000)
    broker.kill()
    migration = load.company.start_run()
    wait_for_reason(load)
    broker.start()
    load.complete(migration)
