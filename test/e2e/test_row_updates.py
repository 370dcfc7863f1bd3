"""How the status gets into the rows: whatever a supplier has made of the in-table, and whatever happens to it meanwhile."""

from collections.abc import Callable

import pytest
from harness import Broker, Cluster, Database
from helpers import Company, bo, document, field
from helpers.failpoints import stopped_at

ROWS = 50
SEEN = """
    create table in_tables.seen (status text);
    grant insert on in_tables.seen to public;
    create function in_tables.note(status text) returns boolean language plpgsql as
      $$ begin insert into in_tables.seen values (status); return true; end $$;
    create function in_tables.note() returns trigger language plpgsql as
      $$ begin perform in_tables.note(new.in_status); return new; end $$;"""


@pytest.fixture
def company(database: Database, broker: Broker, make_topic: Callable[..., str]) -> Company:
    company = Company(database, broker, make_topic(), document(bo("Thing", field("Name"))), workers=1, copy_days=0)
    company.supply("insert into in_thing (in_id, name) select 't' || i, 'Name ' || i from generate_series(1, %s) i", ROWS)
    return company


@pytest.mark.parametrize(
    "change",
    [
        "create trigger note before update on in_tables.in_thing for each row execute function in_tables.note()",
        "create rule note as on update to in_tables.in_thing do also insert into in_tables.seen values (new.in_status)",
        "alter table in_tables.in_thing add check (in_tables.note(in_status))",
        "alter table in_tables.in_thing enable row level security, force row level security;"
        "create policy all_rows on in_tables.in_thing using (true) with check (in_tables.note(in_status))",
    ],
)
def test_what_somebody_added_sees_each_status(company: Company, change: str) -> None:
    company.database.execute(SEEN + change)
    company.migrate()
    seen = company.database.query("select status, count(*) from in_tables.seen where status <> '' group by 1 order by 1")
    assert seen == [("DONE", ROWS), ("ON_WORK", ROWS)]
    assert company.statuses("in_thing") == {"DONE": ROWS}


def test_generated_columns_follow(company: Company) -> None:
    company.database.execute("alter table in_tables.in_thing add again text generated always as (lower(in_status)) stored")
    company.migrate()
    assert company.database.query("select distinct in_status, again from in_tables.in_thing") == [("DONE", "done")]


def test_columns_of_other_types(company: Company) -> None:
    company.database.execute("alter table in_tables.in_thing alter occupied_id type numeric, alter in_status type text")
    migration = company.migrate()
    assert company.database.query("select distinct in_status, occupied_id from in_tables.in_thing") == [("DONE", migration)]


LAYOUTS = {  # what a supplier may have done to the table before, between, and after its rows came
    "as generated": ("", ""),
    "columns added": ("", "alter table in_tables.in_thing add a smallint default 7, add b bigint, add c text default 'c', add d double precision"),
    "columns dropped": ("alter table in_tables.in_thing add a \"char\" default 'a', add b bigint default 1, add c text default 'c'",
                        "alter table in_tables.in_thing drop a, drop c"),
    "columns made anew": ("", "alter table in_tables.in_thing drop in_status, drop occupied_id, drop occupied_at; alter table in_tables.in_thing "
                          "add occupied_at timestamptz, add in_status varchar(100) default '' not null, add occupied_id bigint"),
    "long headers": ("alter table in_tables.in_thing alter name set storage plain, alter in_id set storage plain, alter in_status set storage plain",
                     "alter table in_tables.in_thing alter name set storage extended"),
    "values outside": ("alter table in_tables.in_thing add big text default repeat('big', 5000), alter big set storage external", ""),
    "no nulls": ("alter table in_tables.in_thing alter out_id set default 'o', alter occupied_id set default 0, "
                 "alter occupied_at set default now()", ""),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_else_in_a_row_stays(database: Database, broker: Broker, make_topic: Callable[..., str], layout: str) -> None:
    """New versions are made of the old ones' bytes: rows with values of every length before others of every alignment."""
    things = document(bo("Thing", field("Flag", "flag"), field("Name"), field("Sum", "number"), field("Day", "date"), field("Rest")))
    company = Company(database, broker, make_topic(), things, workers=1, copy_days=0)
    before, after = LAYOUTS[layout]
    if before:
        database.execute(before)
    rows = (
        "insert into in_thing (in_id, inserted_date, removed, flag, name, sum, day, rest) select left('{0}' || i || repeat('x', 50), 4 + i % 60), now(), "
        "nullif(false, {1} and i % 2 = 0), case when {1} and i % 3 = 0 then null else i % 5 = 0 end, "
        "case when {1} and i % 4 = 0 then null else repeat('n', i % 140) || i end, case when {1} and i % 7 = 0 then null else i / 8.0 end, "
        "case when {1} and i % 11 = 0 then null else timestamptz '2020-01-01 UTC' + i * interval '1 s' end, "
        "case when {1} and i % 13 = 0 then null else repeat('r', i % 9) end from generate_series(1000, 2999) i"
    )
    company.supply(rows.format("a", "true"))
    company.supply(rows.format("b", "false"))
    if after:
        database.execute(after)
    company.supply(rows.format("c", "true"))
    ours = "'in_status', 'occupied_id', 'occupied_at'"
    values = f"select id, (to_jsonb(t) - array[{ours}])::text from in_tables.in_thing t order by id"
    kept = database.query(values)
    migration = company.migrate()
    assert database.query(values) == kept
    assert database.query("select distinct in_status, occupied_id, occupied_at is null from in_tables.in_thing") == [("DONE", migration, False)]
    database.execute("create extension amcheck")
    assert database.query("select * from verify_heapam('in_tables.in_thing')") == []
    assert database.query("select bt_index_check(indexrelid, true) from pg_index where indrelid = 'in_tables.in_thing'::regclass")


def test_pages_without_room(company: Company) -> None:
    """New versions on other pages, which every index has to know."""
    company.database.execute("alter table in_tables.in_thing set (fillfactor = 100)")
    company.supply("insert into in_thing (in_id, name) select 'u' || i, repeat('x', 100) from generate_series(1, 2000) i")
    company.migrate()
    with company.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("set enable_seqscan = off; set enable_indexonlyscan = off")
        cursor.execute("select count(*), count(*) filter (where in_status = 'DONE') from in_tables.in_thing where id > 0")
        assert cursor.fetchone() == (ROWS + 2000, ROWS + 2000)
    connection.close()


@pytest.mark.parametrize("columns", ["(in_status)", "(occupied_id)", "(id) where in_status = 'DONE'", "(lower(in_status))"])
def test_indexes_know_the_new_status(company: Company, columns: str) -> None:
    company.database.execute(f"create index by_status on in_tables.in_thing {columns}")
    migration = company.migrate()
    with company.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("set enable_seqscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off")
        condition = {
            "(in_status)": "in_status = 'DONE'",
            "(occupied_id)": f"occupied_id = {migration}",
            "(id) where in_status = 'DONE'": "id > 0 and in_status = 'DONE'",
            "(lower(in_status))": "lower(in_status) = 'done'",
        }[columns]
        cursor.execute(f"explain select from in_tables.in_thing where {condition}")
        assert "by_status" in str(cursor.fetchall())
        cursor.execute(f"select count(*) from in_tables.in_thing where {condition}")
        assert cursor.fetchone() == (ROWS,)
    connection.close()


def test_a_table_that_is_rewritten_meanwhile(failpoint_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> None:
    """Other rows of the claim lie at the addresses that the publisher remembers, and half of them had nothing to send."""
    with failpoint_cluster.database("migrator") as database:
        company = Company(database, broker, make_topic(), document(bo("Thing", field("Name"))), workers=1, copy_days=0)
        database.execute("alter table in_tables.in_thing set (fillfactor = 100)")
        company.supply("insert into in_thing (in_id, in_status) select 'a' || i, 'DONE' from generate_series(1, 100) i")
        company.supply("insert into in_thing (in_id, name) select 't' || 1000 - i, case when i % 2 = 0 then 'Name' end from generate_series(1, 50) i")
        company.announce_load()
        migration = company.start_run()
        with stopped_at(failpoint_cluster, "after_marker"):
            database.execute("cluster in_tables.in_thing using in_thing_in_id_idx")
        company.wait_for(migration)
        found = company.in_schema("select in_status, count(*), count(name) from {}.in_thing group by 1 order by 1")
        assert found == [("DONE", 125, 25), ("SKIPPED", 25, 0)]
