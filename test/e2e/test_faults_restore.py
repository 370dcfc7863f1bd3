"""A database that goes back in time, or exists twice, publishes nothing until somebody has decided."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from harness import Broker, Cluster, Database, wait_until
from helpers.failpoints import doubts, kill_at, stopped_at
from helpers.faults import Load
from helpers.oracle import read

SETTINGS = {"migrator.schedule": "1h", "migrator.heartbeat_timeout": "3s", "migrator.chunk_rows": "250"}


@pytest.fixture
def original() -> Iterator[Cluster]:
    with Cluster(preload="migrator", settings=SETTINGS) as it:
        yield it


@pytest.fixture
def load(original: Cluster, broker: Broker, make_topic: Callable[..., str]) -> Load:
    """Stopped in the middle of its run."""
    original.psql("create database restored")
    database = Database(original, "restored")
    database.execute("create extension migrator")
    it = Load(database, broker, make_topic(), rows=6000)
    it.hold_back()
    it.company.start_run()
    it.wait_for_chunks(4)
    database.close()
    original.stop("fast")
    return it


def copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def finish(load: Load) -> int:
    load.cluster.start()
    load.release()
    load.keep_running()
    migration = int(load.database.value("select max(id) from migrator.migration"))
    load.company.wait_for(migration)
    return migration


def published(load: Load, isolation: str = "read_uncommitted") -> list[tuple[str, str]]:
    return [(record.key, record.value) for record in read(load.oracle.bootstrap, load.company.topic, isolation)]


def test_restored_database_stops(load: Load) -> None:
    cluster = load.cluster
    copy(cluster.data, cluster.root / "backup")
    load.oracle.check(finish(load))
    before = published(load)
    load.database.close()
    cluster.stop("fast")

    copy(cluster.root / "backup", cluster.data)
    cluster.start()
    load.keep_running()
    wait_until(lambda: "in doubt" in (load.company.waiting() or ""), 15, "the run stops in doubt")
    doubt = load.database.query("select server, slot from migrator.slot where in_doubt is not null")
    assert doubt
    # Restarts and further starts change nothing.
    load.database.close()
    cluster.restart()
    load.keep_running()
    wait_until(lambda: "in doubt" in (load.company.waiting() or ""), 15, "the run stops in doubt again")
    assert published(load) == before

    load.release()
    # The operator decides. Every slot tells of its doubt in turn.
    def over() -> bool:
        for server, slot in load.database.query("select server, slot from migrator.slot where in_doubt is not null"):
            load.database.execute("select migrator.resolve_in_doubt(%s, %s)", server, slot)
        return not load.running()

    wait_until(over, 60, "the run goes on after the decision", interval=0.2)
    after = Counter(published(load, "read_committed"))
    # A boolean, for the difference would fill pages: what is published again is the same to the byte.
    same = after.keys() == set(before)
    assert same and set(after.values()) == {1, 2}
    load.company.wait_for(int(load.database.value("select max(id) from migrator.migration")))
    cluster.check_log()


def test_restored_chunk_that_was_published_without_a_row(
    fault_programs: Path, broker: Broker, make_topic: Callable[..., str]
) -> None:
    """The backup holds a claimed chunk; of its rows one has changed before they were published. The marker is not that of all of them."""
    settings = SETTINGS | {"autovacuum": "off"}
    with Cluster(settings=settings, programs=fault_programs) as cluster:
        cluster.psql("create database restored")
        database = Database(cluster, "restored")
        database.execute("create extension migrator")
        load = Load(database, broker, make_topic(), rows=3000, workers=1)
        migration = load.company.start_run()
        cluster.announce_kill()
        with stopped_at(cluster, "after_marker", skip=1) as client:
            row = database.value("select range_from[1]::bigint from migrator.chunk where state = 'CLAIMED'")
            database.close()
            cluster.stop("immediate")
            copy(cluster.data, cluster.root / "backup")
            os.kill(client, signal.SIGKILL)
        cluster.start()
        load.company.supply("update in_buyer set name = 'changed' where id = %s", row)
        cluster.failpoints.arm("after_finish", "stop")
        wait_until(lambda: "resumed" in load.company.start(), 30, "the run is taken over")
        cluster.failpoints.wait("after_finish")
        database.close()
        cluster.stop("immediate")
        cluster.failpoints.clear()

        copy(cluster.root / "backup", cluster.data)
        cluster.start()
        wait_until(lambda: "resumed" in load.company.start(), 30, "the run is taken over")
        wait_until(lambda: doubts(load) or not load.running(), 30, "the run stops")
        status = load.company.in_schema("select in_status from {}.in_buyer where id = %s", row)[0][0]
        assert (status, bool(doubts(load))) == ("ON_WORK", True), f"a row that was never published is {status}"
        assert migration == database.value("select max(id) from migrator.migration")
        database.close()


def clone_of(load: Load) -> Cluster:
    """A second server with a copy of the files, as after a file copy to another place."""
    clone = Cluster(preload="migrator", settings=SETTINGS)
    copy(load.cluster.data, clone.data)
    with open(clone.data / "postgresql.conf", "a") as conf:
        conf.write(f"unix_socket_directories = '{clone.host}'\n")
    return clone


def test_clone_publishes_nothing_until_adopted(load: Load) -> None:
    migration = 1
    with clone_of(load) as clone:
        before = published(load)
        database = Database(clone, "restored")
        load.database, load.company.database, load.oracle.database = database, database, database
        answer = load.company.start()
        assert answer.startswith("not started") and "adopt" in answer, f"a copy of the database started a run: {answer}"
        assert published(load) == before
        assert database.value("select migrator.adopt()").startswith("adopted")
        # The original is stopped for good: the move of a server in the middle of a run loses and doubles nothing.
        assert "resumed" in load.company.start()
        load.complete(migration)
        database.close()
        clone.check_log()


def test_clone_of_a_database_that_went_on(load: Load) -> None:
    """Adopted too early: the original has published more since. That is a doubt, not a repetition."""
    with clone_of(load) as clone:
        load.oracle.check(finish(load))
        before = published(load)
        database = Database(clone, "restored")
        load.database, load.company.database = database, database
        load.release()
        database.execute("select migrator.adopt()")
        assert "resumed" in load.company.start()
        wait_until(lambda: "in doubt" in (load.company.waiting() or "") or published(load) != before, 15, "the run stops in doubt")
        assert published(load) == before, "an unknown marker was passed over"
        database.close()
        clone.check_log()


def test_resolved_doubt_keeps_what_kafka_committed(failpoint_load: Load, broker: Broker) -> None:
    """Behind the marker of the chunk that was on its way stands one that nobody knows."""
    load = failpoint_load
    database = load.database
    migration = load.company.start_run()
    marked: list[int] = []

    def append_unknown_marker() -> None:
        sql = "select migrator.marker_topic(), migrator.transactional_id(server, slot), slot from migrator.chunk where state = 'CLAIMED'"
        ((topic, key, slot),) = database.query(sql)
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        unknown = {"v": 1, "chunk": "00000000-0000-4000-8000-000000000000"}
        producer.produce(topic, json.dumps(unknown), key, slot)
        assert producer.flush(10) == 0
        marked.append(slot)

    kill_at(load, ["after_kafka_commit"], skip=1, note=append_unknown_marker)
    wait_until(lambda: "in doubt" in (load.company.waiting() or ""), 15, "the run stops in doubt")
    ((server, slot),) = database.query("select server, slot from migrator.slot where in_doubt is not null")
    assert [slot] == marked
    database.execute("select migrator.resolve_in_doubt(%s, %s)", server, slot)
    load.company.wait_for(migration)
    after = Counter(published(load, "read_committed"))
    assert set(after.values()) == {1}
    assert len(after) == database.value("select sum(rows) from migrator.chunk where state = 'DONE'")
