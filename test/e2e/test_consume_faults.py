"""Whatever breaks while topics are consumed: nothing is lost, nothing is applied twice, and nobody jumps in silence."""

import os
import signal
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from harness import Broker, Cluster, wait_until
from helpers.consumption import CODE, Consumption, thing

MESSAGES = 6000


@pytest.fixture(scope="module")
def consume_cluster() -> Iterator[Cluster]:
    """PostgreSQL with the launcher, and small batches, so that a fault finds some before and some behind it."""
    with Cluster(preload="migrator", settings={"migrator.schedule": "1s", "migrator.batch_records": "100"}) as it:
        yield it
        it.check_log()


@pytest.fixture
def eater(consume_cluster: Cluster, broker: Broker) -> Iterator[Consumption]:
    with consume_cluster.database("migrator") as database:
        yield Consumption(database, broker, consumers=2)


def begin(eater: Consumption, make_topic: Callable[..., str]) -> str:
    """A topic of several partitions that is just being read."""
    topic = make_topic(4)
    eater.subscribe(topic)
    eater.produce(topic, range(MESSAGES))
    eater.call("start_consumers")
    wait_until(lambda: eater.instances() > 0, 60, "the first batch is applied", interval=0.01)
    return topic


def complete(eater: Consumption, topic: str) -> None:
    """Everything is there once: as data, and as messages that were received, none of them again."""
    eater.produce(topic, range(MESSAGES, MESSAGES + 100))
    eater.wait_for_instances(MESSAGES + 100, 120)
    eater.wait_until_applied()
    assert eater.numbers() == list(range(MESSAGES + 100))
    received = eater.received()
    assert (received["received"], received["inserted"], received["duplicate"]) == (MESSAGES + 100, MESSAGES + 100, 0)


def answers(eater: Consumption) -> bool:
    """Is the server up?"""
    try:
        return eater.instances() >= 0
    except psycopg2.Error:
        eater.database.close()
        return False


def test_client_processes_are_killed(eater: Consumption, make_topic: Callable[..., str]) -> None:
    topic = begin(eater, make_topic)
    for _ in range(3):
        for pid in wait_until(eater.clients, 20, "client processes run"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        before = eater.received()["received"]
        further = {*range(before + 1, MESSAGES + 1), MESSAGES}
        wait_until(lambda: eater.received()["received"] in further, 60, "it goes on")
    complete(eater, topic)


@pytest.mark.parametrize("kind", ["consumer", "supervisor"])
def test_a_worker_is_killed(eater: Consumption, make_topic: Callable[..., str], kind: str) -> None:
    topic = begin(eater, make_topic)
    eater.cluster.kill_backend(wait_until(lambda: eater.workers(kind), 20, f"a {kind} runs")[0])
    # The postmaster restarts all of the server's processes, our session among them.
    wait_until(lambda: not answers(eater), 30, "the server goes down", interval=0.01)
    wait_until(lambda: answers(eater), 30, "the server is up", interval=0.2)
    complete(eater, topic)


def test_a_worker_is_asked_to_end(eater: Consumption, make_topic: Callable[..., str]) -> None:
    topic = begin(eater, make_topic)
    for number in (signal.SIGTERM, signal.SIGINT):
        pid = wait_until(lambda: eater.workers("consumer"), 20, "a consumer runs")[0]
        eater.cluster.kill_backend(pid, number)
        wait_until(lambda: pid not in eater.workers("consumer"), 20, "the consumer has ended")
    complete(eater, topic)


def test_the_server_is_killed(eater: Consumption, make_topic: Callable[..., str]) -> None:
    topic = begin(eater, make_topic)
    eater.cluster.kill()
    assert eater.clients() == []
    eater.database.close()
    eater.cluster.start()
    complete(eater, topic)


def test_the_broker_is_restarted(eater: Consumption, make_topic: Callable[..., str]) -> None:
    topic = begin(eater, make_topic)
    eater.broker.kill()
    wait_until(lambda: "Kafka" in str(eater.state()["waiting"]), 60, "the reason is visible")
    eater.broker.start()
    complete(eater, topic)
    wait_until(lambda: eater.state()["waiting"] is None, 30, "nothing waits any more")
    assert eater.state()["stopped"] == 0


def test_a_topic_created_anew_stops(eater: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    eater.subscribe(topic)
    eater.produce(topic, range(20))
    eater.call("start_consumers")
    eater.wait_for_instances(20)
    eater.broker.delete_topic(topic)
    eater.broker.create_topic(topic, 1)
    eater.produce(topic, range(100, 105))
    reason = eater.wait_for_reason(topic)
    assert "created anew or truncated: it ends at 5, and everything below 20 was applied" in reason
    assert eater.instances() == 20 and eater.state()["stopped"] == 1
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="has stopped"):
        eater.database.execute("call migrator.consume(%s)", CODE)
    assert eater.call("resume_partition", topic, 0) == f'resumed: partition 0 of topic "{topic}" at its beginning'
    eater.wait_for_instances(25)


def test_a_topic_created_anew_with_more_in_it_stops(eater: Consumption, make_topic: Callable[..., str]) -> None:
    """Its offsets look like those of before; only the record before the next offset is another one."""
    topic = make_topic(1)
    eater.subscribe(topic)
    eater.produce(topic, range(20))
    eater.call("start_consumers")
    eater.wait_for_instances(20)
    eater.stop()
    eater.broker.delete_topic(topic)
    eater.broker.create_topic(topic, 1)
    eater.produce(topic, range(100, 150))
    eater.call("start_consumers")
    reason = eater.wait_for_reason(topic)
    assert "created anew: the record at offset 19 is not the one that was applied" in reason
    assert eater.instances() == 20
    assert eater.call("resume_partition", topic, 0, 10) == f'resumed: partition 0 of topic "{topic}" at offset 10'
    eater.wait_for_instances(60)


def test_retention_that_was_faster_stops(eater: Consumption, make_topic: Callable[..., str]) -> None:
    """The other partition is read on."""
    topic = make_topic(2)
    eater.subscribe(topic)
    eater.produce_bytes(topic, *(thing(number).encode() for number in range(10)), partition=0)
    eater.call("start_consumers")
    eater.wait_for_instances(10)
    eater.stop()
    eater.produce_bytes(topic, *(thing(number).encode() for number in range(10, 30)), partition=0)
    eater.produce_bytes(topic, thing(100).encode(), partition=1)
    eater.broker.delete_records(topic, 0, 15)
    eater.call("start_consumers")
    reason = eater.wait_for_reason(topic)
    assert reason == "retention was faster: the records from 10 to 14 are gone, and were not applied"
    eater.wait_for_instances(11)
    eater.call("resume_partition", topic, 0)
    eater.wait_for_instances(26)
    assert eater.numbers() == [*range(10), *range(15, 30), 100]


def test_another_cluster_under_the_same_address_stops(eater: Consumption) -> None:
    """It has a topic of the same name, with other records at the same offsets."""
    with Broker() as first:
        topic = first.create_topic("same_name", 1)
        eater.database.execute(f"""alter server events options (set "bootstrap.servers" '{first.bootstrap}')""")
        eater.subscribe(topic)
        first.produce(topic, *((f"x{number}", thing(number)) for number in range(20)))
        eater.call("start_consumers")
        eater.wait_for_instances(20)
        port, cluster_id = first.port, eater.database.value("select cluster_id from migrator.in_partition")
    with Broker(port=port, cluster_id="BBBBBBBBBBBBBBBBBBBBBg") as second:
        assert second.bootstrap == first.bootstrap
        second.create_topic(topic, 1)
        second.produce(topic, *((f"x{number}", thing(number)) for number in range(20, 60)))
        reason = eater.wait_for_reason(topic)
        assert reason == f"another Kafka cluster (BBBBBBBBBBBBBBBBBBBBBg instead of {cluster_id}) answers for the foreign server"
        assert eater.instances() == 20 and eater.state()["stopped"] == 1
        assert eater.state()["waiting"] == f'partition 0 of topic "same_name": {reason}'
        # Whoever has looked goes on with the other one.
        eater.call("resume_partition", topic, 0)
        eater.wait_for_instances(60)
        assert eater.database.value("select cluster_id from migrator.in_partition") == "BBBBBBBBBBBBBBBBBBBBBg"
        eater.stop()


def test_truncated_while_it_is_read_stops(eater: Consumption, make_topic: Callable[..., str]) -> None:
    """Records that were not applied yet go while consumers are paused; everything goes, and the topic is empty."""
    topic = make_topic(1)
    eater.subscribe(topic)
    eater.produce(topic, range(20))
    eater.call("start_consumers")
    eater.wait_for_instances(20)
    eater.call("pause_consumption")
    wait_until(lambda: len(eater.clients()) == 1, what="only the supervisor's client process is left")
    eater.produce(topic, range(20, 30))
    eater.broker.delete_records(topic, 0, 30)
    eater.call("resume_consumption")
    reason = eater.wait_for_reason(topic)
    assert reason == "retention was faster: the records from 20 to 29 are gone, and were not applied"
    assert eater.instances() == 20
