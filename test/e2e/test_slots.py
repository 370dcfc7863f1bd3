"""Slots that several runs and several companies share, and what a cancelled run leaves in them."""

import os
import re
import signal
from collections.abc import Callable

import psycopg2
import pytest
from helpers.company import Company
from helpers.failpoints import stopped_at
from helpers.structure import bo, document, field

from harness import Broker, Cluster, Database, wait_until


def structure(company: str = "greetgo") -> dict[str, object]:
    return document(bo("Thing", field("Name")), company=company) | {
        "company": {"code": company, "in_schema": f"in_{company}"}
    }


def fill(company: Company, rows: int, prefix: str = "t") -> None:
    company.supply("insert into in_thing (in_id, name) select %s || i, 'name ' || i from generate_series(1, %s) i", prefix, rows)


def keys(company: Company) -> list[str]:
    return sorted(message.key or "" for message in company.messages())


def test_a_company_that_cannot_go_on_does_not_hold_up_another(
    database: Database, broker: Broker, make_topic: Callable[..., str]
) -> None:
    stuck = Company(database, broker, "no_such_topic", structure("stuck"))
    free = Company(database, broker, make_topic(), structure("free"))
    for company in (stuck, free):
        fill(company, 50)
        company.announce_load()
    stuck_run = stuck.start_run()
    wait_until(lambda: "no_such_topic" in (stuck.waiting() or ""), 30, "the first company waits with its reason")
    free.wait_for(free.start_run(), timeout=60)
    assert free.statuses("in_thing") == {"DONE": 50}
    assert stuck.statuses("in_thing") == {"": 50}
    # The reason is not there while the next attempt is under way.
    wait_until(lambda: "no_such_topic" in (stuck.waiting() or ""), 30, "the first company still waits with its reason")
    broker.create_topic("no_such_topic", 1)
    stuck.wait_for(stuck_run)
    assert keys(stuck) == sorted(f"t{i}" for i in range(1, 51))
    broker.delete_topic("no_such_topic")


def test_companies_at_the_same_time(database: Database, broker: Broker, make_topic: Callable[..., str]) -> None:
    companies = [Company(database, broker, make_topic(), structure(code)) for code in ("one", "two", "three")]
    for company in companies:
        fill(company, 30000)
        company.announce_load()
    runs = [company.start_run() for company in companies]
    for company, run in zip(companies, runs, strict=True):
        company.wait_for(run, timeout=90)
        assert company.statuses("in_thing") == {"DONE": 30000}
        assert len(keys(company)) == len(set(keys(company))) == 30000
    # Slots were taken once a publisher, not again and again.
    assert database.value("select max(restarts) from migrator.slot") <= len(companies) * 2


def test_what_a_cancelled_run_had_claimed_goes_with_the_next(
    database: Database, broker: Broker, make_topic: Callable[..., str]
) -> None:
    rows = 120000
    company = Company(database, broker, make_topic(), structure(), workers=1)
    fill(company, rows)
    company.announce_load()
    run = company.start_run()
    claimed = "select exists (select from migrator.chunk where state = 'CLAIMED')"
    wait_until(lambda: database.value(claimed), 60, "a chunk is claimed")
    broker.pause()
    try:
        wait_until(lambda: company.statuses("in_thing").get("ON_WORK", 0) > 0, 60, "rows are on their way")
        company.database.execute("select migrator.cancel_migration('greetgo')")
        company.wait_for(run, "CANCELLED")
        with pytest.raises(psycopg2.Error, match="on their way"):
            company.set(kafka_server="elsewhere")
        with pytest.raises(psycopg2.Error, match="on their way"):
            database.execute("delete from migrator.company where code = 'greetgo'")
    finally:
        broker.resume()
    # What was left behind is settled before the next run is planned, so that it goes with it.
    company.migrate(timeout=120)
    assert company.statuses("in_thing") == {"DONE": rows}
    found = keys(company)
    assert len(found) == len(set(found)) == rows


def test_a_column_that_does_not_fit_its_field_is_named_at_the_start(
    database: Database, broker: Broker, make_topic: Callable[..., str]
) -> None:
    """A cast that may fail on some row would stop all of them, so that the column's type is refused before anything begins."""
    things = bo("Thing", field("Amount", "number"), field("Day", "date"), field("Name"), field("Part", "bo", "Thing"))
    company = Company(database, broker, make_topic(), document(things))
    database.psql("""
        create type in_tables.own as (value text);
        create function in_tables.to_text(in_tables.own) returns text language plpgsql as
          'begin if $1.value = $$bad$$ then raise exception $$cast$$; end if; return $1.value; end';
        create cast (in_tables.own as text) with function in_tables.to_text(in_tables.own);
        create domain in_tables.of_own as in_tables.own;
        create domain in_tables.of_text as text""")
    company.announce_load()
    for table, column, type_name in [
        ("in_thing", "amount", "text"),
        ("in_thing", "amount", "in_tables.of_text"),
        ("in_thing", "day", "time without time zone"),
        ("in_thing", "name", "in_tables.own"),
        ("in_thing", "name", "in_tables.of_own"),
        ("in_thing", "in_id", "in_tables.own"),
        ("in_thing_part", "part_id", "in_tables.own"),
    ]:
        was = database.value("select format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attname = %s",
                             f"in_tables.{table}", column)
        database.execute(f"alter table in_tables.{table} alter column {column} type {type_name} using null")
        named = re.escape(f"column {column} of in_tables.{table} has type {type_name}")
        with pytest.raises(psycopg2.Error, match=named) as refusal:
            company.start()
        assert refusal.value.pgcode == "42804"
        database.execute(f"alter table in_tables.{table} alter column {column} type {was} using null")
    assert company.start().startswith("started")


def test_environment_variables_of_others_are_not_read(database: Database) -> None:
    server = """create server s foreign data wrapper migrator_kafka options ("bootstrap.servers:ENV" '{}')"""
    with pytest.raises(psycopg2.Error, match="environment variable \"AWS_SECRET\" may not be read") as refusal:
        database.execute(server.format("AWS_SECRET"))
    assert refusal.value.pgcode == "HV024"
    database.execute(server.format("KAFKA_SERVERS"))


def test_a_table_in_the_way_of_the_working_tables(database: Database, broker: Broker, make_topic: Callable[..., str]) -> None:
    company = Company(database, broker, make_topic(), structure())
    fill(company, 1)
    database.execute("create role passer_by")
    try:
        database.execute("grant create, usage on schema in_greetgo to passer_by")
        database.psql("set role passer_by; create table in_greetgo.task (id bigint)")
        company.announce_load()
        run = company.start_run()
        wait_until(lambda: "is in the way" in (company.waiting() or ""), 30, "the reason is shown")
        database.execute("drop table in_greetgo.task")
        company.wait_for(run)
        assert company.statuses("in_thing") == {"DONE": 1}
    finally:
        database.execute("drop owned by passer_by")
        database.execute("drop role passer_by")


def test_recovery_of_a_slot_waits_for_no_other(failpoint_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> None:
    """Recovery notes which slots Kafka remembers, while other publishers write theirs and do the same: who waited would wait in a circle."""
    with failpoint_cluster.database("migrator") as database:
        company = Company(database, broker, make_topic(), structure(), workers=4, copy_days=0)
        fill(company, 12000)
        company.migrate()
        assert database.value("select count(*) from migrator.slot") == 4
        company.set(workers=1)
        fill(company, 100, "again")
        company.announce_load()
        migration = company.start_run()
        with stopped_at(failpoint_cluster, "after_begin") as client, database.connect() as other, other.cursor() as cursor:
            other.autocommit = False
            own = database.value("select slot from migrator.chunk where state = 'CLAIMED'")
            cursor.execute("update migrator.slot set tainted = tainted where slot <> %s", [own])
            os.kill(client, signal.SIGKILL)
            company.wait_for(migration, timeout=30)
            other.rollback()
