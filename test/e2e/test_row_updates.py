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
