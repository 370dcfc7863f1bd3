"""Starting, stopping, pausing; what the operator sees; what each role may."""

import signal
import threading
from collections.abc import Callable

import psycopg2
import pytest
from harness import Broker, Cluster, Database, wait_until
from helpers.consumption import CODE, Consumption


def test_start_and_stop(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    consumption.subscribe(topic)
    assert consumption.call("stop_consumers") == 'not stopped: consumption of company "eater" is not started'
    assert consumption.call("start_consumers").startswith("started")
    consumption.wait_for_workers("consumer", 1)
    assert consumption.call("start_consumers") == 'not started: consumption of company "eater" is running'
    state = consumption.state()
    assert (state["state"], state["consumers"], state["topics"], state["stopped"]) == ("running", 1, 1, 0)
    assert consumption.call("stop_consumers") == 'stopped: consumption of company "eater"'
    consumption.wait_for_workers("consumer", 0)
    consumption.wait_for_workers("supervisor", 0)
    assert consumption.clients() == []
    consumption.produce(topic, range(10))
    assert consumption.state()["state"] == "stopped"
    consumption.call("start_consumers")
    consumption.wait_for_instances(10)


def test_consuming_again_at_once(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    """Who wants consumers just after the last ones have ended gets new ones without a wait."""
    topic = make_topic(2)
    consumption.subscribe(topic)
    consumption.produce(topic, range(10))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    consumption.wait_for_workers("supervisor", 0)
    id, starting_at = consumption.database.query("select id, starting_at from migrator.in_consumption")[0]
    assert starting_at is None, "a supervisor that ends says so"
    assert consumption.database.value("select migrator.start_supervisor(%s)", id) == "started"


def test_a_consumer_of_before_is_waited_for(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    """It may live longer than its supervisor: as long as it has its place, the next supervisor starts nobody for that."""
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.produce(topic, range(10))
    database, cluster = consumption.database, consumption.cluster
    database.execute("select pg_advisory_lock(hashtextextended('migrator:consumer ' || id || '/1', 0)) from migrator.consumption_of(%s)", CODE)
    cluster.psql("alter system set log_min_messages = debug1; select pg_reload_conf()")
    try:
        wait_until(lambda: cluster.psql("show log_min_messages") == "debug1", 10, "the server tells which workers it starts")
        before = len(cluster.log)

        def started(what: str) -> int:
            return cluster.log[before:].count(f'starting background worker process "migrator {what}')

        consumption.call("start_consumers")
        wait_until(lambda: [worker for *_, worker in consumption.partitions()] == [1], 30, "the partition is given to the first consumer")
        for _ in range(2):  # the supervisor looks several times between two heartbeats
            beat = database.value("select heartbeat_at from migrator.in_consumption")
            wait_until(lambda: database.value("select heartbeat_at from migrator.in_consumption") != beat, 10, "a heartbeat")
        assert (started("supervisor"), started("consumer"), consumption.instances()) == (1, 0, 0)
        database.execute("select pg_advisory_unlock_all()")
        consumption.wait_for_instances(10)
        assert started("consumer") == 1
    finally:
        cluster.psql("alter system reset log_min_messages; select pg_reload_conf()")


def test_wanted_again_while_the_supervisor_ends(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.call("start_consumers")
    [supervisor] = consumption.wait_for_workers("supervisor", 1)
    database = consumption.database
    with database.connect() as stopping, database.connect() as starting, stopping.cursor() as stop, starting.cursor() as start:
        stop.execute("select pg_backend_pid(), migrator.stop_consumers(%s)", [CODE])
        [(pid, _)] = stop.fetchall()
        # The row goes from hand to hand: the supervisor finds that it is to end, and can not yet say so.
        waiting = threading.Thread(target=start.execute, args=["select from migrator.in_consumption for update"])
        waiting.start()
        wait_until(lambda: database.value("select count(*) from pg_stat_activity where %s = any (pg_blocking_pids(pid)) and query like '%%for update'", pid) == 1, 10, "it waits")
        stopping.commit()
        waiting.join()
        blocked = "select count(*) from pg_locks where pid = %s and not granted"
        wait_until(lambda: database.value(blocked, supervisor) == 1, 10, "the supervisor is about to end")
        start.execute("select migrator.start_consumers(%s)", [CODE])
        assert start.fetchone() == ('started: consumption of company "eater"',)
        starting.commit()
    stopping.close()
    starting.close()
    consumption.produce(topic, range(10))
    consumption.wait_for_instances(10)
    assert consumption.workers("supervisor") == [supervisor]


def test_what_is_missing_is_said(consumption: Consumption) -> None:
    assert consumption.call("start_consumers").endswith("; no topic is subscribed yet, see migrator.in_topic")
    consumption.call("stop_consumers")
    consumption.set(kafka_server=None)
    assert consumption.call("start_consumers") == 'not started: kafka_server of company "eater" is not set'
    consumption.set(kafka_server="nothing")
    assert consumption.call("start_consumers") == 'not started: foreign server "nothing" of migrator_kafka does not exist'
    for function in ("start_consumers", "stop_consumers", "pause_consumption", "resume_consumption", "retry_dead_letters", "consumer_lag"):
        with pytest.raises(psycopg2.errors.UndefinedObject, match='company "nobody" does not exist'):
            consumption.database.execute(f"select migrator.{function}('nobody')")
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="no topic is subscribed"):
        consumption.database.execute("call migrator.consume(%s)", CODE)


def test_pause_and_resume(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    consumption.subscribe(topic)
    consumption.call("start_consumers")
    consumption.produce(topic, range(10))
    consumption.wait_for_instances(10)
    consumption.call("pause_consumption")
    assert consumption.state()["state"] == "paused"
    wait_until(lambda: len(consumption.clients()) == 1, what="only the supervisor's client process is left")
    consumption.produce(topic, range(10, 20))
    wait_until(lambda: consumption.state()["lag"] == 10, 30, "the lag is seen")
    assert consumption.instances() == 10
    consumption.call("resume_consumption")
    consumption.wait_for_instances(20)


def test_lag(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    assert consumption.lag() == []
    consumption.subscribe(topic)
    assert consumption.lag() == [(topic, 0, 0), (topic, 1, 0)]
    consumption.produce(topic, range(100))
    assert sum(lag for _, _, lag in consumption.lag()) == 100
    consumption.database.execute("call migrator.consume(%s)", CODE)
    rows = consumption.database.query("select next_offset, end_offset, lag from migrator.consumer_lag(%s)", CODE)
    assert sum(row[0] for row in rows) == 100 and all(row[0] == row[1] and row[2] == 0 for row in rows)


def test_consume_reads_to_the_end_and_stops_what_it_started(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    consumption.subscribe(topic)
    consumption.produce(topic, range(500))
    connection = consumption.database.connect()
    with connection.cursor() as cursor:
        cursor.execute("call migrator.consume(%s)", [CODE])
    assert connection.notices[0] == "NOTICE:  500 records to consume\n"
    assert connection.notices[-1] == "NOTICE:  done: 500 messages applied, 0 skipped, 0 duplicate, 0 failed\n"
    connection.close()
    assert consumption.instances() == 500
    consumption.wait_for_workers("supervisor", 0)
    consumption.wait_for_workers("consumer", 0)


def test_consume_leaves_running_consumers_alone(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.call("start_consumers")
    consumption.produce(topic, range(10))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert consumption.instances() == 10
    consumption.produce(topic, range(10, 20))
    consumption.wait_for_instances(20)
    assert consumption.state()["state"] == "running"


def test_ctrl_c_ends_consume_and_what_it_started(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.call("pause_consumption")  # so that it has no end by itself
    consumption.produce(topic, range(10))
    session = consumption.database.connect()
    failures: list[Exception] = []

    def consume() -> None:
        try:
            with session.cursor() as cursor:
                cursor.execute("call migrator.consume(%s)", [CODE])
        except psycopg2.errors.QueryCanceled as error:
            failures.append(error)

    thread = threading.Thread(target=consume)
    thread.start()
    consumption.wait_for_workers("supervisor", 1)
    session.cancel()
    thread.join(10)
    assert len(failures) == 1
    consumption.wait_for_workers("supervisor", 0)
    consumption.call("resume_consumption")
    session.close()
    assert consumption.instances() == 0
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert consumption.instances() == 10


def test_tracking_and_timings(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.produce(topic, range(100))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert {step for (step,) in consumption.database.query("select step from in_migration.timings")} == {"receive", "apply", "record"}
    rows = consumption.database.query("select worker, finished_at >= started_at from in_migration.from_kafka_to_mongo_tracking")
    assert set(rows) == {("Consumer 1", True)}
    consumption.wait_for_workers("consumer", 0)  # settings take effect within a second
    consumption.set(track_timings=False)
    consumption.database.execute("delete from in_migration.timings")
    consumption.produce(topic, range(100, 200))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert consumption.instances() == 200
    assert consumption.database.value("select count(*) from in_migration.timings") == 0
    consumption.database.execute("update in_migration.from_kafka_to_mongo_tracking set started_at = started_at - interval '11 days'")
    batches = consumption.database.value("select count(*) from in_migration.from_kafka_to_mongo_tracking")
    assert consumption.database.value("select migrator.clean_tracking()") == batches


def test_the_launcher_goes_on_after_a_restart(preloaded_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> None:
    with preloaded_cluster.database("migrator") as database:
        consumption = Consumption(database, broker)
        topic = make_topic(2)
        consumption.subscribe(topic)
        consumption.call("start_consumers")
        consumption.produce(topic, range(10))
        consumption.wait_for_instances(10)
        database.close()
        preloaded_cluster.restart()
        consumption.produce(topic, range(10, 20))
        consumption.wait_for_instances(20)
        consumption.stop()


def test_the_roles(consumption: Consumption, make_topic: Callable[..., str], database: Database) -> None:
    topic = make_topic(1)
    consumption.produce(topic, range(5))

    def run(role: str, sql: str) -> str:
        return database.psql(f"set role migrator_{role}; {sql}")

    def refuse(role: str, *statements: str) -> None:
        for sql in statements:
            with pytest.raises(RuntimeError, match="permission denied"):
                run(role, sql)

    run("admin", f"insert into migrator.in_topic (company, topic) values ('eater', '{topic}')")
    refuse("operator", "insert into migrator.in_topic (company, topic) values ('eater', 'x')", "delete from migrator.in_topic",
           "update migrator.in_partition set next_offset = 0", "delete from migrator.dead_letter")
    refuse("reader", "select migrator.start_consumers('eater')", "call migrator.consume('eater')", "select migrator.retry_dead_letters('eater')",
           "select migrator.resume_partition('eater', 't', 0)")
    refuse("supplier", "select * from migrator.in_topic", "select migrator.may_clear_in_tables('eater')")
    refuse("admin", "update migrator.in_partition set next_offset = 0", "update migrator.in_consumption set started = true")
    run("operator", "call migrator.consume('eater')")
    assert consumption.instances() == 5
    assert run("reader", "select lag from migrator.consumer_lag('eater')") == "0"
    assert run("reader", "select state || ' ' || partitions from migrator.consumption") == "stopped 1"
    assert run("reader", "select count(*) from migrator.dead_letter") == "0"
    assert run("operator", "select migrator.start_consumers('eater')").startswith("started")
    assert run("operator", "select migrator.stop_consumers('eater')").startswith("stopped")


def test_a_supervisor_that_is_asked_to_end_is_started_again(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    consumption.subscribe(topic)
    consumption.call("start_consumers")
    for number in (signal.SIGTERM, signal.SIGINT):
        [pid] = consumption.wait_for_workers("supervisor", 1)
        consumption.cluster.kill_backend(pid, number)
        wait_until(lambda: pid not in consumption.workers("supervisor"), 10, "the supervisor has ended")
        wait_until(lambda: consumption.call("start_consumers").startswith("resumed"), 10, "it is started again")
    consumption.produce(topic, range(10))
    consumption.wait_for_instances(10)
