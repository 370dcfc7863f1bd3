"""Things that must end at once during a run, also while the broker answers nothing: drops, and a stop of the server."""

import time
from collections.abc import Callable, Iterator

import pytest
from harness import Broker, wait_until
from helpers.faults import Load, leftovers

LIMIT = 2.0  # seconds


@pytest.fixture(params=["broker answers", "broker is a black hole"])
def running_load(request: pytest.FixtureRequest, make_load: Callable[..., Load], broker: Broker) -> Iterator[Load]:
    """In the middle of its run, with client processes at work."""
    load = make_load({"chunk_rows": "250"})
    load.hold_back()
    load.company.start_run()
    load.wait_for_chunks(2)
    if request.param == "broker is a black hole":
        broker.pause()
        load.release()
        wait_until(load.company.waiting, 15, "the workers wait for Kafka")
    assert load.clients()
    load.release()
    load.database.close()  # a session of ours would hold up a drop
    yield load
    broker.resume()


def take_time(act: Callable[[], object], record: Callable[..., None]) -> None:
    start = time.monotonic()
    act()
    duration = time.monotonic() - start
    record("seconds", f"{duration:.2f}")
    print(f"took {duration:.2f} s")
    assert duration < LIMIT


def assert_nothing_left(load: Load) -> None:
    wait_until(lambda: not leftovers(load.cluster), 2, "every client process has ended")
    sql = f"select count(*) from pg_stat_activity where datname = '{load.database.name}' and backend_type like 'migrator %'"
    wait_until(lambda: load.cluster.psql(sql) == "0", 2, "every worker has ended")


def test_drop_extension(running_load: Load, record_property: Callable[..., None]) -> None:
    take_time(lambda: running_load.database.psql("drop extension migrator cascade"), record_property)
    assert_nothing_left(running_load)
    # What belongs to the supplier stays.
    assert running_load.database.value("select count(*) from in_tables.in_buyer") == 6000


@pytest.mark.parametrize("option", ["", "with (force)"])
def test_drop_database(running_load: Load, option: str, record_property: Callable[..., None]) -> None:
    name = running_load.database.name
    take_time(lambda: running_load.cluster.psql(f"drop database {name} {option}"), record_property)
    assert_nothing_left(running_load)


def test_fast_stop(running_load: Load, record_property: Callable[..., None]) -> None:
    cluster = running_load.cluster
    try:
        take_time(lambda: cluster.stop("fast"), record_property)  # waits for every process in the data directory
        assert not leftovers(cluster)
    finally:
        cluster.start()
