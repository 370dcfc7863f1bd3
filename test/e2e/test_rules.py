"""Each rule of the protocol in the situation that needs it. Without the rule the test fails: see test/mutations."""

import json
import os
import signal
import uuid
from collections.abc import Callable

import psycopg2
import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource
from harness import Broker, Cluster, wait_until
from helpers import Company, bo, document, field
from helpers.failpoints import complete, doubts, kill_at, stopped_at
from helpers.faults import FIELDS, LINKS, STRUCTURE, Load, freeze, thaw
from helpers.oracle import Oracle


def another_owner(load: Load, slot: int = 0) -> Producer:
    """Somebody who has the transactional id of a slot, as a former or a second owner would."""
    name = load.database.value("select migrator.transactional_id('events', %s)", slot)
    producer = Producer({"bootstrap.servers": load.company.broker.bootstrap, "transactional.id": name, "transaction.timeout.ms": 20000})
    producer.init_transactions(30)
    return producer


def commit_marker(load: Load, owner: Producer, slot: int = 0) -> None:
    """A transaction with the marker of a chunk that the database does not know."""
    topic, key = load.database.query("select migrator.marker_topic(), migrator.transactional_id('events', %s)", slot)[0]
    owner.begin_transaction()
    owner.produce(topic, key=key, value=json.dumps({"chunk": str(uuid.uuid4())}), partition=slot)
    owner.commit_transaction(30)


# Fencing ---------------------------------------------------------------------------------------------------------


def test_no_earlier_owner_commits_after_the_markers_are_read(failpoint_load: Load) -> None:
    load = failpoint_load
    migration = load.company.start_run()
    with stopped_at(load.cluster, "after_begin", skip=1) as client:
        earlier = another_owner(load)
        load.cluster.failpoints.arm("recovery_read", "stop")
        os.kill(client, signal.SIGKILL)
    reader = load.cluster.failpoints.wait("recovery_read")
    with pytest.raises(KafkaException):
        commit_marker(load, earlier)
    thaw([reader])
    complete(load, migration)


def test_a_failed_commit_is_no_commit(failpoint_load: Load) -> None:
    load = failpoint_load
    migration = load.company.start_run()
    with stopped_at(load.cluster, "after_marker", skip=1):
        another_owner(load)  # its start aborts the transaction
    assert complete(load, migration).aborted > 0


# Markers ---------------------------------------------------------------------------------------------------------


def test_the_marker_of_another_chunk_does_not_count(failpoint_load: Load) -> None:
    """After adopt() the markers are read from the beginning: the newest is that of an earlier chunk."""
    load = failpoint_load
    migration = load.company.start_run()
    load.cluster.announce_kill()
    load.cluster.failpoints.arm("after_claim", "kill", skip=2)
    load.cluster.failpoints.wait("after_claim")

    def answers(sql: str) -> bool:
        try:
            load.database.query(sql)
            return True
        except psycopg2.Error:
            load.database.close()
            return False

    wait_until(lambda: not answers("select 1"), 30, "the server goes down")
    wait_until(lambda: answers("select migrator.adopt()"), 30, "the server is up again")
    wait_until(lambda: "resumed" in load.company.start(), 30, "the run is taken over")
    complete(load, migration)


def test_every_slot_is_asked_before_anything_is_published(failpoint_load: Load) -> None:
    """Also a slot that this run does not need: its marker may tell that this database is an old one."""
    load = failpoint_load
    complete(load, load.company.start_run())
    load.database.execute("insert into migrator.slot (server, slot) values ('events', 1)")
    commit_marker(load, another_owner(load, 1), 1)
    before = load.company.broker.count(load.company.topic, "read_uncommitted")
    load.company.supply("update in_buyer set in_status = ''")
    load.company.announce_load()
    load.company.start_run()
    wait_until(lambda: doubts(load) or not load.running(), 60, "the run stops")
    assert "slot 1" in "".join(doubts(load)), "an unknown marker was passed over"
    assert load.company.broker.count(load.company.topic, "read_uncommitted") == before


def test_a_slot_that_only_kafka_remembers_is_asked(failpoint_load: Load) -> None:
    """A backup may be older than the first use of a slot: the marker topic tells which ones there are."""
    load = failpoint_load
    complete(load, load.company.start_run())
    commit_marker(load, another_owner(load, 1), 1)
    assert load.database.query("select slot from migrator.slot") == [(0,)]
    before = load.company.broker.count(load.company.topic, "read_uncommitted")
    load.company.supply("update in_buyer set in_status = ''")
    load.company.announce_load()
    load.company.start_run()
    wait_until(lambda: doubts(load) or not load.running(), 60, "the run stops")
    assert "slot 1" in "".join(doubts(load)), "a slot that only Kafka remembers was not asked"
    assert load.company.broker.count(load.company.topic, "read_uncommitted") == before


def test_a_slot_that_another_company_opens_is_waited_for(failpoint_load: Load, make_topic: Callable[..., str]) -> None:
    """It may be the one that knows this database to be an old one."""
    load = failpoint_load
    complete(load, load.company.start_run())
    commit_marker(load, another_owner(load))
    load.company.supply("update in_buyer set in_status = ''")
    load.company.announce_load()
    things = document(bo("Thing", field("Name"))) | {"company": {"code": "other", "in_schema": "other"}}
    other = Company(load.database, load.company.broker, make_topic(), things, workers=1)
    other.supply("insert into in_thing (in_id, name) select 't' || i, 'x' from generate_series(1, 1000) i")
    other.announce_load()

    def published() -> int:
        return other.broker.count(other.topic, "read_uncommitted")

    load.cluster.failpoints.arm("recovery_read", "stop")
    load.company.start_run()
    reader = load.cluster.failpoints.wait("recovery_read")
    try:
        other.start_run()
        # Who waits says so, and tries again.
        wait_until(lambda: published() or "still settling" in (other.waiting() or ""), 30, "the other company waits")
        assert not published(), "the other company did not wait"
    finally:
        thaw([reader])
    wait_until(lambda: "in doubt" in (other.waiting() or ""), 30, "the other company stops in doubt as well")
    assert not published()
    assert other.statuses("in_thing") == {"": 1000}


def test_who_waits_for_another_publisher_leaves_its_reason(failpoint_load: Load) -> None:
    load = failpoint_load
    load.company.set(workers=2)
    load.cluster.failpoints.arm("recovery_read", "stop")
    migration = load.company.start_run()
    reader = load.cluster.failpoints.wait("recovery_read")
    try:
        wait_until(lambda: "Kafka" in (load.company.waiting() or ""), 30, "the silence is told")
        load.cluster.failpoints.arm("others_awaited", "stop", skip=1)  # the second time: what it had to tell the first time is told
        thaw([load.cluster.failpoints.wait("others_awaited")])
    finally:
        thaw([reader])
    complete(load, migration)
    told = [message for (message,) in load.database.query("select message from in_migration.log where message like 'waiting:%%'")]
    assert told and all("Kafka" in message for message in told), told


@pytest.mark.parametrize("chunks", [0, 2])
def test_lost_markers_are_noticed(failpoint_load: Load, broker: Broker, chunks: int) -> None:
    """After so many chunks; the marker of the next one is lost with theirs."""
    load = failpoint_load
    load.company.start_run()
    with stopped_at(load.cluster, "before_answer", skip=chunks) as client:
        # Acknowledged, though not visible yet in each partition to who reads committed records.
        before = broker.count(load.company.topic, "read_uncommitted")
        broker.delete_topic(load.database.value("select migrator.marker_topic()"))
        os.kill(client, signal.SIGKILL)
    wait_until(lambda: doubts(load) or not load.running(), 60, "the run stops")
    assert "made anew" in "".join(doubts(load)), "the loss of the markers went unnoticed"
    assert broker.count(load.company.topic, "read_uncommitted") == before


# Chunks and rows -------------------------------------------------------------------------------------------------


def test_a_chunk_waits_for_the_one_before_it(failpoint_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> None:
    """One publisher takes up what another has claimed, and the other one goes on with the task: the same owner's links."""
    with failpoint_cluster.database("migrator") as database:
        company = Company(database, broker, make_topic(), STRUCTURE, workers=2)
        company.supply("insert into in_deal_buyer (deal_id, buyer_id) select 'd', 'b' || lpad(i::text, 4, '0') from generate_series(1, 900) i")
        company.announce_load()
        failpoint_cluster.failpoints.arm("predecessor_awaited", "stop")
        failpoint_cluster.failpoints.arm("after_begin", "stop")
        failpoint_cluster.failpoints.arm("after_claim", "error")
        migration = company.start_run()
        client = failpoint_cluster.failpoints.wait("after_begin")

        def waiting() -> int | None:
            return failpoint_cluster.failpoints.fired("predecessor_awaited")

        def done() -> int:
            return int(database.value("select count(*) from migrator.chunk where state = 'DONE'"))

        wait_until(lambda: waiting() or done(), 30, "the other publisher comes to the next chunk")
        thaw([client, *filter(None, [waiting()])])
        company.wait_for(migration)
        assert waiting(), "a chunk overtook the one before it"
        Oracle(company, FIELDS, LINKS).check(migration)


def test_a_claim_survives_the_server(failpoint_load: Load) -> None:
    """It is on disk before its rows are published, by its own doing: nobody else writes."""
    load = failpoint_load
    migration = load.company.start_run()
    writers = load.database.query("select pid from pg_stat_activity where backend_type in ('walwriter', 'background writer', 'checkpointer')")
    frozen: list[int] = []

    def asleep() -> bool:
        """Frozen while they wait for work, and not with a lock that others need."""
        frozen[:] = freeze([pid for (pid,) in writers])
        awake = load.database.query("select from pg_stat_activity where pid = any (%s) and wait_event_type is distinct from 'Activity'", frozen)
        if awake:
            thaw(frozen)
        return not awake

    wait_until(asleep, what="the writers are asleep")
    try:
        kill_at(load, ["after_kafka_commit"])
    finally:
        thaw(frozen)
    complete(load, migration)


def test_a_row_that_changed_is_not_done(failpoint_load: Load) -> None:
    """Published is what was claimed. Published again after a fault is only what has not changed since."""
    load = failpoint_load
    migration = load.company.start_run()
    with stopped_at(load.cluster, "after_marker", skip=1) as client:
        row = load.database.value("select range_from[1]::bigint from migrator.chunk where state = 'CLAIMED'")
        load.company.supply("update in_buyer set name = 'changed' where id = %s", row)
        os.kill(client, signal.SIGKILL)
    load.company.wait_for(migration)
    status = load.company.in_schema("select in_status from {}.in_buyer where id = %s", row)
    assert status == [("",)], f"a row that has changed was not given back: {status}"
    load.company.migrate()
    assert load.company.statuses("in_buyer").keys() == {"DONE", "ERROR"}

    def published() -> list[str]:
        values = [message.value or "" for message in load.company.messages()]
        return [value for value in values if f'"externalId":"b{row}"' in value and '"fields"' in value]

    # Kafka shows a transaction a little later than it reports its commit.
    assert len(wait_until(published, 10, "the row is published")) == 1
    assert "changed" in published()[0]


def test_refused_rows_leave_the_rest_of_their_chunk(failpoint_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> None:
    topic = make_topic(partitions=1)

    def refuses() -> bool:
        try:
            broker.produce(topic, ("probe", "x" * 7000))
        except KafkaException:
            return True
        return False

    with failpoint_cluster.database("migrator") as database:
        company = Company(database, broker, topic, document(bo("Thing", field("Name"))), workers=1)
        company.supply("insert into in_thing (in_id, name) select 't' || i, repeat('x', i * 1000) from generate_series(1, 8) i")
        company.announce_load()
        migration = company.start_run()
        with stopped_at(failpoint_cluster, "after_begin"):  # when the limits are read
            limit = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={"max.message.bytes": "6500"})
            admin = AdminClient({"bootstrap.servers": broker.bootstrap})  # the answer comes only while it lives
            admin.alter_configs([limit])[limit].result(30)
            wait_until(refuses, what="the broker has heard of it")
        company.wait_for(migration)
        assert company.statuses("in_thing") == {"DONE": 6, "ERROR": 2}
        assert {in_id for in_id, *_ in company.errors()} == {"t7", "t8"}
        keys = sorted(message.key or "" for message in company.messages() if message.key != "probe")
        assert keys == [f"t{i}" for i in range(1, 7)], f"the rest of the chunk was not published: {keys}"
