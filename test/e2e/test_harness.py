"""The harness itself: a crash that it overlooked, or a topic that it misread, would spoil every other test."""

import os
import signal
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from harness import Broker, Cluster, wait_until


def crash_a_backend(cluster: Cluster, number: signal.Signals) -> None:
    connection = cluster.connect()
    pid = connection.info.backend_pid
    os.kill(pid, number)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    wait_until(lambda: "database system is ready" in cluster.log.rpartition("was terminated by signal")[2])


def test_a_crash_is_noticed(cluster: Cluster) -> None:
    crash_a_backend(cluster, signal.SIGSEGV)
    with pytest.raises(AssertionError, match="terminated by signal 11"):
        cluster.check_log()


def test_an_announced_kill_is_no_crash(cluster: Cluster) -> None:
    cluster.announce_kill()
    crash_a_backend(cluster, signal.SIGKILL)
    cluster.check_log()


def test_an_announced_kill_hides_no_segfault(cluster: Cluster) -> None:
    cluster.announce_kill()
    crash_a_backend(cluster, signal.SIGSEGV)
    with pytest.raises(AssertionError, match="terminated by signal 11"):
        cluster.check_log()


def test_an_internal_error_is_noticed(cluster: Cluster) -> None:
    cluster.psql("do $$ begin raise warning 'as a defect would' using errcode = 'XX000'; end $$")
    with pytest.raises(AssertionError, match="as a defect would"):
        cluster.check_log()


def test_a_killed_server_comes_back(cluster: Cluster) -> None:
    cluster.psql("create table kept as select 1 as a")
    cluster.kill()
    cluster.start()
    assert cluster.psql("select a from kept; drop table kept") == "1"


def test_both_isolation_levels_are_read(broker: Broker, make_topic: Callable[..., str]) -> None:
    topic = make_topic(partitions=1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    for value, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, key="k", value=value, headers={"h": b"1"})
        producer.flush(30)
        end(30)
    assert [m.value for m in broker.messages(topic)] == ["committed"]
    assert [m.value for m in broker.messages(topic, "read_uncommitted")] == ["aborted", "committed"]
    assert broker.messages(topic)[0].headers == (("h", b"1"),)


def test_a_killed_broker_keeps_its_data(broker: Broker, make_topic: Callable[..., str]) -> None:
    topic = make_topic(partitions=2)
    broker.produce(topic, ("a", "1"), ("b", "2"))
    broker.kill()
    broker.start()
    assert sorted((m.key, m.value) for m in broker.messages(topic)) == [("a", "1"), ("b", "2")]
