"""The handshake with the supplier: when a migration starts, why it does not, and which rows belong to it."""

import json
import threading
from collections.abc import Callable

import psycopg2
import pytest
from harness import Broker, Database, KafkaClient, wait_until
from helpers import Company, bo, check_record, document, field, link_record, row_record

THING = document(bo("Thing", field("Text"), field("Part", "bo", "Thing")))
NOWHERE = "127.0.0.1:1"  # nobody answers there


@pytest.fixture
def company(database: Database) -> Company:
    """A company that can start a migration; its broker is away, so that the run waits."""
    return Company(database, KafkaClient(NOWHERE), "topic", THING)


def load_row(company: Company, **values: object) -> None:
    company.supply(
        "insert into process_tracking (oper_date, load_status) values (current_date, %s)", values.get("load_status", 1)
    )


def test_settings_that_prevent_a_start(company: Company) -> None:
    load_row(company)
    company.set(has_in_migration=False)
    assert company.start() == "not started: has_in_migration is false"
    company.set(has_in_migration=True, kafka_server=None)
    assert company.start() == 'not started: kafka_server of company "greetgo" is not set'
    company.set(kafka_server="nobody")
    assert company.start() == 'not started: foreign server "nobody" of migrator_kafka does not exist'
    company.set(kafka_server="events")
    company.database.execute("update migrator.field set need_load_from_in_tables = false")
    assert company.start() == 'not started: no field of company "greetgo" is marked for IN migration'
    with pytest.raises(psycopg2.errors.UndefinedObject, match='company "nobody" does not exist'):
        company.database.execute("select migrator.try_to_start_migration('nobody')")
    assert company.database.query("select * from migrator.migration") == []
    assert company.in_schema("select start_ins_inkafka_time, occupied_by_process from {}.process_tracking") == [(None, 0)]


def test_missing_tables_are_named(company: Company) -> None:
    company.database.execute("drop table in_tables.process_tracking")
    assert company.start() == "not started: table in_tables.process_tracking does not exist"
    company.database.execute("drop table in_tables.in_thing")
    with pytest.raises(psycopg2.errors.UndefinedTable, match="in_tables.in_thing does not exist") as error:
        company.start()
    assert "apply_in_ddl" in str(error.value.diag.message_hint)


@pytest.mark.parametrize("status", [0, 2, -1, None])
def test_a_load_that_is_not_finished(company: Company, status: int | None) -> None:
    load_row(company)  # an older one does not count
    load_row(company, load_status=status)
    assert company.start() == f"not started: load_status of row 2 in process_tracking is {'null' if status is None else status}"
    company.supply("update process_tracking set load_status = 1 where id = 2")
    assert company.start() == "started: migration 1"
    assert company.in_schema("select id, occupied_by_process from {}.process_tracking order by id") == [(1, 0), (2, 1)]


def test_a_running_a_paused_and_an_ended_migration(company: Company) -> None:
    load_row(company)
    with company.database.connect() as connection, connection.cursor() as cursor:
        # An empty run would be over before it is paused.
        connection.autocommit = False
        cursor.execute("lock table in_tables.in_thing")
        assert company.start() == "started: migration 1"
        wait_until(lambda: company.start() == "not started: migration 1 is running")
        company.database.execute("select migrator.pause_migration('greetgo')")
        assert company.start() == "not started: migration 1 is paused"
        company.database.execute("select migrator.cancel_migration('greetgo')")
    connection.close()
    assert company.start() == (
        "not started: row 1 in process_tracking belongs to a migration that was cancelled; a new row starts the next one"
    )
    load_row(company)
    assert company.start() == "started: migration 2"


def test_a_row_that_the_supplier_still_holds(company: Company) -> None:
    load_row(company)
    connection = company.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("update in_tables.process_tracking set end_load_time = now() where id = 1")
        assert company.start() == "not started: row 1 in process_tracking is locked by another session"
    connection.commit()
    connection.close()
    assert company.start() == "started: migration 1"


def test_a_refusal_is_logged_once(company: Company) -> None:
    load_row(company, load_status=0)
    for _ in range(3):
        company.start()
    query = "select company, message from in_migration.log where message like 'not started%%'"
    assert company.database.query(query) == [("greetgo", "not started: load_status of row 1 in process_tracking is 0")]


def test_overlapping_starts_make_one_run(company: Company) -> None:
    load_row(company)
    answers: list[str] = []
    gate = threading.Barrier(8)

    def start() -> None:
        with company.database.connect() as connection, connection.cursor() as cursor:
            gate.wait()
            for _ in range(5):
                cursor.execute("select migrator.try_to_start_migration('greetgo')")
                answers.append(cursor.fetchall()[0][0])
        connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("started: migration 1") == 1
    assert set(answers) - {"started: migration 1"} <= {
        "not started: another start is under way",
        "not started: migration 1 is starting",
        "not started: migration 1 is running",
        "not started: row 1 in process_tracking is locked by another session",
    }
    assert company.database.value("select count(*) from migrator.migration") == 1


def test_a_dry_run_over_empty_tables(make_company: Callable[..., Company]) -> None:
    """process_tracking is empty too: the run inserts its own row. The working tables appear."""
    company = make_company(THING)
    assert company.database.value("select to_regclass('in_tables.task')") is None
    migration = company.start_run()
    company.wait_for(migration)
    assert company.in_schema(
        "select id, oper_date = current_date, load_status, occupied_by_process, ins_inkafka_status from {}.process_tracking"
    ) == [(1, True, 1, migration, 1)]
    assert {state for _, _, state in company.tasks()} == {"DONE"}
    assert len(company.tasks()) == 10
    assert company.errors() == []
    assert company.messages() == []
    assert company.start() == "not started: row 1 in process_tracking was migrated already"


def test_empty_tables_need_no_kafka(make_company: Callable[..., Company]) -> None:
    company = make_company(THING)
    company.set(in_topic=f"{company.topic}_missing")
    # The run lasts until a publisher would have opened Kafka, and told why it cannot.
    company.database.execute(
        """create function publisher() returns void language plpgsql as $$ begin
             for i in 1..100 loop exit when exists (select from migrator.slot); perform pg_sleep(0.01); end loop; end $$;
           insert into migrator.hook (company, name, command) select code, 'publisher', 'select public.publisher()' from migrator.company"""
    )
    company.wait_for(company.start_run())
    assert company.database.query("select from migrator.slot") == []
    assert company.database.query("select message from in_migration.log where message like 'waiting%%'") == []
    assert company.database.query("select message from in_migration.errors") == []


def test_rows_of_a_later_time_wait_for_the_next_run(make_company: Callable[..., Company], broker: Broker) -> None:
    """Also a row whose id is smaller because its transaction began before the run and committed after its start."""
    company = make_company(THING)
    slow = company.database.connect()
    slow.autocommit = False
    cursor = slow.cursor()
    cursor.execute("insert into in_tables.in_thing (in_id, text) values ('slow', 't')")
    cursor.execute("insert into in_tables.in_thing_part values ('a', 'slow')")
    company.insert("in_thing", {"in_id": "first", "text": "t"}, {"in_id": "second", "text": "t"})
    company.insert("in_thing_part", {"thing_id": "first", "part_id": "p"}, {"thing_id": "z", "part_id": "p"})
    company.announce_load()
    broker.pause()
    first = company.start_run()
    wait_until(lambda: company.database.value("select stage = 2 from migrator.migration"), what="the run is planned")
    slow.commit()
    slow.close()
    company.insert("in_thing", {"in_id": "late", "text": "t"})
    company.insert("in_thing_part", {"thing_id": "first", "part_id": "late"})
    broker.resume()
    company.wait_for(first)

    assert sorted(m.key or "" for m in company.messages() if '"fields"' in (m.value or "")) == ["first", "second"]
    assert company.in_schema("select in_id, in_status from {}.in_thing order by id") == [
        ("slow", ""),
        ("first", "DONE"),
        ("second", "DONE"),
        ("late", ""),
    ]
    assert company.in_schema("select thing_id, part_id, in_status from {}.in_thing_part order by 1, 2") == [
        ("a", "slow", ""),
        ("first", "late", ""),
        ("first", "p", "DONE"),
        ("z", "p", "DONE"),
    ]
    assert company.database.value("select rows_total from migrator.migration") == 4

    company.migrate()
    assert company.statuses("in_thing") == {"DONE": 4}
    assert company.statuses("in_thing_part") == {"DONE": 4}
    assert sorted(m.key or "" for m in company.messages() if '"fields"' in (m.value or "")) == ["first", "late", "second", "slow"]
    # The check of an owner with a new link names all its links.
    checks = [json.loads(m.value or "")["check"] for m in company.messages() if m.key == "first" and '"check"' in (m.value or "")]
    assert [[link["externalId"] for link in check] for check in checks] == [["p"], ["late", "p"]]


def test_rows_that_the_supplier_changes_under_way_go_again(make_company: Callable[..., Company]) -> None:
    company = make_company(THING)
    for in_id in ("unchanged", "changed", "reset", "deleted"):
        company.insert("in_thing", {"in_id": in_id, "text": "old"})
    for target in ("unchanged", "touched", "reset", "deleted"):
        company.insert("in_thing_part", {"thing_id": "owner", "part_id": target})
    # Between "published" and DONE the run stops at a lock of ours.
    company.database.psql("""
        create function public.hold() returns trigger language plpgsql set search_path = pg_catalog as
          $$ begin perform pg_advisory_xact_lock(4711); return new; end $$;
        create trigger hold before update on in_tables.in_thing for each row when (new.in_status = 'DONE') execute function public.hold();
        create trigger hold before update on in_tables.in_thing_part for each row when (new.in_status = 'DONE') execute function public.hold();
    """)
    holder = company.database.connect()
    hold = holder.cursor()
    hold.execute("select pg_advisory_lock(4711)")
    company.announce_load()
    migration = company.start_run()
    wait_until(lambda: company.statuses("in_thing") == {"ON_WORK": 4} and len(company.messages()) == 4)
    company.supply("update in_thing set text = 'new' where in_id = 'changed'")
    company.supply("update in_thing set text = 'new', in_status = '' where in_id = 'reset'")
    company.supply("delete from in_thing where in_id = 'deleted'")
    hold.execute("select pg_advisory_unlock(4711), pg_advisory_lock(4711)")  # whoever waits comes first
    wait_until(lambda: company.statuses("in_thing_part") == {"ON_WORK": 4} and len(company.messages()) == 8)
    company.supply("update in_thing_part set inserted_date = now() where part_id = 'touched'")
    company.supply("update in_thing_part set in_status = '' where part_id = 'reset'")
    company.supply("delete from in_thing_part where part_id = 'deleted'")
    holder.close()
    company.wait_for(migration)

    assert company.in_schema("select in_id, in_status, occupied_id from {}.in_thing order by id") == [
        ("unchanged", "DONE", migration),
        ("changed", "", None),
        ("reset", "", migration),
    ]
    assert company.in_schema("select part_id, in_status from {}.in_thing_part order by 1") == [
        ("reset", ""),
        ("touched", ""),
        ("unchanged", "DONE"),
    ]

    before = len(company.messages())
    company.migrate()
    values = [json.loads(m.value or "") for m in company.messages()]
    again = sorted((v["externalId"], v["fields"][0]["apiValue"]) for v in values if "fields" in v)
    assert again == [
        ("changed", "new"),
        ("changed", "old"),
        ("deleted", "old"),
        ("reset", "new"),
        ("reset", "old"),
        ("unchanged", "old"),
    ]
    assert len(values) == before + 2 + 2 + 1  # rows, links, the owner's check
    assert len({v["recordId"] for v in values}) == len(values)
    assert company.statuses("in_thing") == {"DONE": 3} and company.statuses("in_thing_part") == {"DONE": 3}


def test_a_new_load_gives_new_record_ids(make_company: Callable[..., Company]) -> None:
    company = make_company(THING)
    company.insert("in_thing", {"in_id": "a", "text": "t"})
    company.insert("in_thing_part", {"thing_id": "a", "part_id": "p"})
    first = company.migrate()
    company.supply("update in_thing set in_status = ''")
    company.supply("update in_thing_part set in_status = ''")
    second = company.migrate()
    records = [json.loads(m.value or "")["recordId"] for m in company.messages()]
    prefixes = [company.record_prefix(migration) for migration in (first, second)]
    assert sorted(records) == sorted(
        record
        for prefix in prefixes
        for record in (
            row_record(prefix, "in_thing", 1),
            link_record(prefix, "in_thing_part", "a", "p"),
            check_record(prefix, "in_thing_part", "a"),
        )
    )
    assert len(set(records)) == 6
