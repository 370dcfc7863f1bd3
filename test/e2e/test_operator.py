"""What an operator does to a run: pause, resume, cancel, retry; and what a run does besides publishing."""

import re
import subprocess
import threading
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from harness import Broker, Cluster, Database, KafkaClient, wait_until
from harness.cluster import bindir
from helpers import Company, bo, document, field

THING = document(bo("Thing", field("Text"), field("Moment", "date")))
MANY = 6_000


def fill(company: Company, rows: int) -> None:
    company.supply("insert into in_thing (in_id, text) select 'k' || i, 't' from generate_series(1, %s) i", rows)


@pytest.fixture
def slow_company(cluster: Cluster, make_company: Callable[..., Company]) -> Iterator[Company]:
    """Many rows that go in many small chunks, with one publisher."""
    company = make_company(THING, workers=1, copy_days=0)
    cluster.psql("load 'migrator'; alter system set migrator.chunk_rows = 50; select pg_reload_conf()")
    fill(company, MANY)
    company.announce_load()
    yield company
    cluster.psql("alter system reset migrator.chunk_rows; select pg_reload_conf()")


def wait_for_rows(company: Company) -> None:
    wait_until(lambda: company.database.value("select count(*) > 2 from migrator.chunk where state = 'DONE'"), what="chunks are done")


def is_after(database: Database, moment: object, seconds: float) -> bool:
    return bool(database.value("select clock_timestamp() > %s + make_interval(secs => %s)", moment, seconds))


def test_pause_and_resume(slow_company: Company) -> None:
    company, database = slow_company, slow_company.database
    migration = company.start_run()
    wait_for_rows(company)
    assert database.value("select migrator.pause_migration('greetgo')") == f"paused: migration {migration}"
    moment = database.value("select clock_timestamp()")
    assert database.value("select phase from migrator.progress") == "paused"
    assert company.waiting() == "paused; migrator.resume_migration(company) goes on"
    wait_until(lambda: is_after(database, moment, 1.5))
    claimed = "select count(*) from migrator.chunk"
    before = database.value(claimed)
    assert 50 * before < MANY, "the run was over before the pause"
    assert database.value("select max(claimed_at) < %s + interval '1 second' from migrator.chunk", moment)
    assert database.query("select * from migrator.chunk where state = 'CLAIMED'") == []
    wait_until(lambda: is_after(database, moment, 2.5))
    assert database.value(claimed) == before

    assert database.value("select migrator.resume_migration('greetgo')") == f"resumed: migration {migration}"
    moment = database.value("select clock_timestamp()")
    wait_until(lambda: database.value(claimed) > before)
    assert database.value("select min(claimed_at) < %s + interval '1 second' from migrator.chunk where claimed_at > %s", moment, moment)
    company.wait_for(migration)
    assert company.statuses("in_thing") == {"DONE": MANY}
    assert len(company.messages()) == MANY


def test_a_run_without_its_runner_is_taken_over_soon(slow_company: Company) -> None:
    """Long before the heartbeat is stale; the run goes on and ends as if nothing had been."""
    company, database = slow_company, slow_company.database
    migration = company.start_run()
    wait_for_rows(company)
    runner = "select pid from pg_stat_activity where datname = current_database() and backend_type = 'migrator runner'"
    assert database.value(f"select pg_terminate_backend(({runner}))")
    wait_until(lambda: database.query(runner) == [], what="the runner has ended")
    expected = f"resumed: migration {migration}, whose worker had ended"
    wait_until(lambda: company.start() == expected, 15, "the run is taken over", interval=0.2)
    company.wait_for(migration)
    assert company.statuses("in_thing") == {"DONE": MANY}
    assert len(company.messages()) == MANY


def test_cancel(slow_company: Company) -> None:
    """What is published stays DONE, the rest goes with the next load, nothing twice."""
    company, database = slow_company, slow_company.database
    migration = company.start_run()
    wait_for_rows(company)
    assert database.value("select migrator.cancel_migration('greetgo')") == f"cancelled: migration {migration}"
    moment = database.value("select clock_timestamp()")
    ours = "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'migrator%%'"
    wait_until(lambda: database.value(ours) == 0, what="the workers have gone")
    assert not is_after(database, moment, 1.5)
    assert database.value("select max(claimed_at) < %s + interval '1 second' from migrator.chunk", moment)
    assert company.statuses("in_thing")[""] > 0, "the run was over before it was cancelled"
    assert database.query("select * from migrator.progress") == []
    assert database.value("select state from migrator.migration") == "CANCELLED"
    assert company.in_schema("select ins_inkafka_status from {}.process_tracking") == [(0,)]

    company.migrate()
    assert company.statuses("in_thing") == {"DONE": MANY}
    keys = [m.key for m in company.messages()]
    assert len(keys) == len(set(keys)) == MANY


def test_nothing_to_pause(database: Database) -> None:
    company = Company(database, KafkaClient("127.0.0.1:1"), "topic", THING)
    for function in ("pause_migration", "resume_migration", "cancel_migration"):
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match='no migration of company "greetgo" is running'):
            database.execute(f"select migrator.{function}('greetgo')")
        with pytest.raises(psycopg2.errors.UndefinedObject, match='company "nobody" does not exist'):
            database.execute(f"select migrator.{function}('nobody')")
    assert company.database.query("select * from in_migration.log where message like '%%ed by%%'") == []


def test_retry_failed(make_company: Callable[..., Company]) -> None:
    company = make_company(document(bo("Thing", field("Moment", "date")), bo("Other", field("Moment", "date"))))
    retry = "select migrator.retry_failed('greetgo', %s)"
    for table in ("in_thing", "in_other"):
        company.insert(table, {"in_id": "good", "moment": "2024-01-01"}, {"in_id": "bad", "moment": "infinity"})
    first = company.migrate()
    assert company.database.value("select migrator.retry_failed('greetgo', 'Company')") == "no row has failed"
    with pytest.raises(psycopg2.errors.UndefinedObject, match='BO "Nothing" does not exist'):
        company.database.execute(retry, "Nothing")

    company.supply("update in_thing set moment = '2024-01-02' where in_id = 'bad'")
    second = first + 1
    assert company.database.value(retry, "Thing") == f"1 row waits again; started: migration {second}"
    company.wait_for(second)
    assert company.statuses("in_thing") == {"DONE": 2} and company.statuses("in_other") == {"DONE": 1, "ERROR": 1}

    # Nobody mended the other one: it fails again, with a reason of its own.
    assert company.database.value(retry, None) == f"1 row waits again; started: migration {second + 1}"
    company.wait_for(second + 1)
    assert company.statuses("in_other") == {"DONE": 1, "ERROR": 1}
    assert company.in_schema("select table_name, migration_id from {}.err order by migration_id, table_name") == [
        ("in_other", first),
        ("in_thing", first),
        ("in_other", second + 1),
    ]
    assert len(company.messages()) == 3


def test_retry_leaves_an_unfinished_load_to_the_supplier(make_company: Callable[..., Company]) -> None:
    company = make_company(THING)
    company.insert("in_thing", {"in_id": "bad", "moment": "infinity"})
    company.migrate()
    company.supply("insert into process_tracking (oper_date) values (current_date)")
    answer = company.database.value("select migrator.retry_failed('greetgo')")
    assert answer == "1 row waits again; not started: load_status of row 2 in process_tracking is 0"
    assert company.statuses("in_thing") == {"": 1}


def test_hooks(make_company: Callable[..., Company]) -> None:
    company, run = make_company(THING, copy_days=0), None
    database = company.database
    author = f"author_{database.name}"
    database.psql(f"""
        create role {author} in role migrator_admin;
        create schema private;
        create table private.seen (nth int generated always as identity, who text, migration text);
        grant usage on schema private to {author};
        grant insert on private.seen to {author};
        create table private.secret ();
        set role {author};
        insert into migrator.hook (company, name, position, command) values
          ('greetgo', 'last', 3, 'insert into private.seen (who, migration) values (current_user, $1)'),
          ('greetgo', 'b fails', 1, 'select 1 / (length($1) - length($1))'),
          ('greetgo', 'a reads', 1, 'select * from private.secret where $1 = ''1'''),
          ('greetgo', 'super', 2, 'insert into private.seen (who, migration) select rolname, $1 from pg_authid');
    """)
    with pytest.raises(RuntimeError, match='would run as "postgres"'):
        database.psql(f"""set role {author}; insert into migrator.hook (company, name, command, run_as)
                          values ('greetgo', 'steal', 'select $1', 'postgres')""")
    try:
        fill(company, 1)
        run = company.migrate()
        assert database.query("select who, migration from private.seen") == [(author, str(run))]
        assert database.query("select place, sqlstate from in_migration.errors where migration_id = %s order by id", run) == [
            ('hook "a reads"', "42501"),
            ('hook "b fails"', "22012"),
            ('hook "super"', "42501"),
        ]
        assert ("RUN_PROCESSES", "start what depends on the migrated data", "FAILED") in company.tasks()
        assert company.tasks()[-1] == ("NOP", "migration finished", "DONE")
        assert company.in_schema("select ins_inkafka_status from {}.process_tracking") == [(1,)]

        # A hook that a superuser changes is the superuser's from then on; without faults the task is DONE.
        database.execute("delete from migrator.hook where name <> 'super'")
        database.execute("update migrator.hook set command = 'insert into private.seen (who, migration) values (current_user, $1)'")
        run = company.migrate()
        assert database.query("select who, migration from private.seen where migration = %s", str(run)) == [("postgres", str(run))]
        assert ("RUN_PROCESSES", "start what depends on the migrated data", "DONE") in company.tasks()
    finally:
        database.psql(f"delete from migrator.hook; drop owned by {author}; drop role {author}")


def test_copies(make_company: Callable[..., Company]) -> None:
    company = make_company(document(bo("Thing", field("Text"), field("Part", "bo", "Thing")), bo("Empty", field("Text"))), copy_days=3)
    database = company.database
    today = database.value("select to_char(current_date, 'YYYY_MM_DD')")
    company.insert("in_thing", {"in_id": "a", "text": "before"}, {"in_id": "b"})
    company.insert("in_thing_part", {"thing_id": "a", "part_id": "b"})
    company.migrate()
    copies = "select table_name, copy_name, rows, dropped_at is null from in_migration.copy_table_info order by id"
    expected = [
        ("in_tables.in_thing", f"in_tables.copy_{today}_in_thing", 2, True),
        ("in_tables.in_thing_part", f"in_tables.copy_{today}_in_thing_part", 1, True),
    ]
    assert database.query(copies) == expected
    content = f"select in_id, text, in_status from in_tables.copy_{today}_in_thing order by in_id"
    assert database.query(content) == [("a", "before", ""), ("b", None, "")]

    company.supply("update in_thing set text = 'after', in_status = ''")
    company.migrate()
    assert database.query(copies) == expected
    assert database.query(content) == [("a", "before", ""), ("b", None, "")]

    # Days later: the copy is dropped, and a new one is made.
    database.execute("update in_migration.copy_table_info set created_at = created_at - interval '3 days'")
    company.migrate()
    assert database.query(copies) == [(*row[:3], False) for row in expected] + expected
    assert database.query(content)[0][1] == "after"

    company.set(copy_days=0)
    database.psql(f"drop table in_tables.copy_{today}_in_thing, in_tables.copy_{today}_in_thing_part")
    company.migrate()
    assert database.value(f"select to_regclass('in_tables.copy_{today}_in_thing')") is None


def test_errors_are_copied_aside(make_company: Callable[..., Company]) -> None:
    company = make_company(THING, copy_days=0)
    company.insert("in_thing", {"in_id": "bad", "moment": "infinity"}, {"in_id": "good", "moment": "2024-01-01"})
    first = company.migrate()
    company.supply("update in_thing set in_status = ''")
    second = company.migrate()
    (name,) = {row[0] for row in company.database.query("select copy_name from in_migration.copy_table_info")}
    assert re.fullmatch(r"in_tables\.copy_\d{4}_\d\d_\d\d_err", name)
    assert company.database.query(f"select migration_id, in_id from {name} order by 1") == [(first, "bad"), (second, "bad")]


def test_clean(make_company: Callable[..., Company]) -> None:
    company = make_company(THING, copy_days=0)
    database = company.database
    fill(company, 1)
    company.migrate()
    for days in (9, 11, 12, 13):
        age = f"now() - interval '{days} days'"
        database.execute(f"insert into in_migration.errors (place, sqlstate, message, at) values ('{days}', 'XX001', 'm', {age})")
        database.execute(f"insert into in_migration.log (message, at) values ('{days} days', {age})")
    assert database.value("select migrator.clean(row_limit => 1)") == 2
    left = "select place from in_migration.errors order by place::int"
    assert database.query(left) == [("9",), ("11",), ("12",)]  # the oldest go first
    assert database.value("select migrator.clean()") == 4
    assert database.query(left) == [("9",)]
    assert database.query("select message from in_migration.log where message like '%%days'") == [("9 days",)]
    assert database.value("select migrator.clean(8)") == 2
    # What Kafka's newest marker is compared with stays nevertheless.
    database.execute("update migrator.chunk set claimed_at = claimed_at - interval '1 year', finished_at = finished_at - interval '1 year'")
    database.execute("select migrator.clean()")
    assert database.value("select count(*) from migrator.chunk") == 0
    company.supply("update in_thing set in_status = ''")
    company.migrate()
    for arguments in ("-1", "10, 0"):
        with pytest.raises(psycopg2.errors.InvalidParameterValue):
            database.execute(f"select migrator.clean({arguments})")


def test_call_migrate_waits_and_tells(make_company: Callable[..., Company]) -> None:
    company = make_company(THING)
    company.insert("in_thing", {"in_id": "a", "text": "t"}, {"in_id": "b"}, {"in_id": "c", "moment": "infinity"})
    company.announce_load()
    command = [str(bindir() / "psql"), "-XqAt", "-d", company.database.name, "-c", "call migrator.migrate('greetgo')"]
    done = subprocess.run(command, env=company.database.cluster.client_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"NOTICE:  (.*)", done.stderr)
    assert lines[0] == "started: migration 1"
    assert lines[-1] == "done: 1 rows published, 1 skipped, 1 failed"
    assert company.statuses("in_thing") == {"DONE": 1, "SKIPPED": 1, "ERROR": 1}

    done = subprocess.run(command, env=company.database.cluster.client_environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert "row 1 in process_tracking was migrated already" in done.stderr
    assert "migrator.check_migration('greetgo')" in done.stderr


def test_an_interrupted_call_leaves_the_run(slow_company: Company) -> None:
    company, database = slow_company, slow_company.database
    failures: list[BaseException] = []
    caller = database.connect()

    def call() -> None:
        try:
            caller.cursor().execute("call migrator.migrate('greetgo')")
        except psycopg2.Error as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    wait_for_rows(company)
    assert database.value("select pg_cancel_backend(%s)", caller.info.backend_pid)
    thread.join(30)
    caller.close()
    assert [type(failure) for failure in failures] == [psycopg2.errors.QueryCanceled]
    assert database.value("select state from migrator.migration") == "RUNNING"
    # Called again it waits on for the same run.
    notices = database.connect()
    notices.cursor().execute("call migrator.migrate('greetgo')")
    assert "not started: migration 1 is running" in notices.notices[0]
    assert f"done: {MANY} rows published" in notices.notices[-1]
    notices.close()
    assert len(company.messages()) == MANY


def test_a_topic_for_each_bo(make_company: Callable[..., Company], make_topic: Callable[..., str], broker: Broker) -> None:
    special = make_topic(3)
    other = bo("Other", field("Text"), field("Thing", "bo", "Thing")) | {"topic": special}
    company = make_company(document(bo("Thing", field("Text")), other))
    company.insert("in_thing", {"in_id": "thing", "text": "t"})
    company.insert("in_other", {"in_id": "other", "text": "t"})
    company.insert("in_other_thing", {"other_id": "other", "thing_id": "thing"})
    company.migrate()
    assert [m.key for m in company.messages()] == ["thing"]
    assert [m.key for m in broker.messages(special)] == ["other"] * 3


def test_a_missing_topic_is_waited_for(make_company: Callable[..., Company], broker: Broker) -> None:
    company = make_company(THING)
    topic = f"{company.topic}_later"
    company.set(in_topic=topic)
    fill(company, 10)
    company.announce_load()
    migration = company.start_run()
    reason = wait_until(company.waiting, what="the run tells why it waits")
    assert reason is not None and topic in reason
    assert company.statuses("in_thing") == {"": 10}
    assert company.database.query("select 1 from in_migration.log where message = %s", f"waiting: {reason}") == [(1,)]
    broker.create_topic(topic)
    company.wait_for(migration)
    assert company.statuses("in_thing") == {"DONE": 10}
    assert company.errors() == []
    assert broker.count(topic) == 10


def test_a_broker_that_is_away_is_waited_for(make_company: Callable[..., Company], broker: Broker) -> None:
    company = make_company(THING)
    fill(company, 10)
    company.announce_load()
    broker.stop()
    migration = company.start_run()
    wait_until(lambda: (company.waiting() or "").startswith("Kafka: "), what="the run tells why it waits", timeout=20)
    assert company.statuses("in_thing") == {"": 10}
    assert company.database.value("select workers from migrator.progress") >= 1
    broker.start()
    company.wait_for(migration)
    assert company.waiting() is None
    assert company.statuses("in_thing") == {"DONE": 10}
    assert company.errors() == []
    assert company.broker.count(company.topic) == 10


def test_the_launcher_starts_runs(preloaded_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> None:
    """With shared_preload_libraries nobody calls anything; a company that is off is left alone."""
    with preloaded_cluster.database("migrator") as database:
        company = Company(database, broker, make_topic(), THING)
        off = Company(database, broker, make_topic(), THING | {"company": {"code": "off", "in_schema": "off"}})
        off.set(has_in_migration=False)
        for it in (company, off):
            fill(it, 5)
            it.announce_load()
        wait_until(lambda: company.statuses("in_thing") == {"DONE": 5}, what="the launcher has started a run")
        assert off.statuses("in_thing") == {"": 5}
        assert database.query("select distinct company from in_migration.log") == [("greetgo",)]


@pytest.fixture
def cron_database() -> Iterator[Database]:
    """A database that is pg_cron's; only migrator is not preloaded."""
    settings = {"cron.database_name": "scheduled", "cron.use_background_workers": "on"}
    with Cluster(preload="pg_cron", settings=settings) as cluster:
        cluster.psql("create database scheduled")
        database = Database(cluster, "scheduled")
        database.execute("create extension migrator")
        database.execute("create extension pg_cron")
        yield database
        database.close()
        cluster.check_log()


def test_a_cron_line_starts_runs(cron_database: Database, broker: Broker, make_topic: Callable[..., str]) -> None:
    company = Company(cron_database, broker, make_topic(), THING)
    fill(company, 5)
    company.announce_load()
    # The line of the manual, but for the time: pg_cron's shortest interval is a minute.
    cron_database.execute("select cron.schedule('in', '@reboot', $$select migrator.try_to_start_migration('greetgo')$$)")
    cron_database.close()
    cron_database.cluster.restart()
    wait_until(lambda: company.statuses("in_thing") == {"DONE": 5}, what="pg_cron has started a run")
    assert cron_database.query("select status from cron.job_run_details") == [("succeeded",)]


def test_a_long_preparation_is_no_missing_worker(make_company: Callable[..., Company]) -> None:
    """While the runner copies a large table, or waits for a lock, there is no heartbeat; but it is there."""
    company = make_company(THING)
    fill(company, 5)
    company.announce_load()
    holder = company.database.connect()
    holder.autocommit = False
    holder.cursor().execute("lock table in_tables.in_thing in access exclusive mode")
    migration = company.start_run()
    runner = "select 1 from pg_stat_activity where application_name = %s and wait_event_type = 'Lock'"
    wait_until(lambda: company.database.query(runner, f"migrator runner {migration}/0"), what="the runner waits for the lock")
    company.database.execute("update migrator.migration set heartbeat_at = heartbeat_at - interval '1 minute'")
    assert "no worker" not in (company.waiting() or "")
    holder.rollback()
    holder.close()
    company.wait_for(migration)

    company.database.execute("update migrator.migration set state = 'RUNNING', heartbeat_at = heartbeat_at - interval '1 minute'")
    assert company.waiting() == "no worker; migrator.try_to_start_migration(company) takes the run up again"
    company.database.execute("update migrator.migration set state = 'DONE'")
