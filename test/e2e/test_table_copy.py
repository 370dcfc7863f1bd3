"""The copy of an in-table holds what the table held, whatever a supplier has made of it."""

from collections.abc import Callable

import pytest
from harness import Broker, Database
from helpers import Company, bo, document, field

ROWS = 1203  # more than two batches, and part of a third

CHANGES = {  # before the rows came, and after
    "as generated": ("", ""),
    "columns added": ("", "alter table in_tables.in_thing add a smallint default 7, add c text default 'c'"),
    "columns dropped": ("alter table in_tables.in_thing add a bigint default 1, add c text default 'c'", "alter table in_tables.in_thing drop a"),
    "values outside": ("alter table in_tables.in_thing add big text default repeat('big', 5000), alter big set storage external", ""),
    "values compressed": ("alter table in_tables.in_thing add big text default repeat('big', 5000)", ""),
    "generated": ("alter table in_tables.in_thing add twice text generated always as (name || name) stored", ""),
    "rows gone": ("", "delete from in_tables.in_thing where id % 3 = 0; update in_tables.in_thing set name = name || '!' where id % 3 = 1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copy_holds_what_the_table_held(database: Database, broker: Broker, make_topic: Callable[..., str], change: str) -> None:
    company = Company(database, broker, make_topic(), document(bo("Thing", field("Flag", "flag"), field("Name"), field("Sum", "number"))), workers=1, copy_days=1)
    before, after = CHANGES[change]
    for statement in (before, f"insert into in_tables.in_thing (in_id, flag, name, sum) select 't' || i, nullif(i % 3, 0) = 1, "
                      f"nullif(repeat('n', i % 40), ''), i * 1.5 from generate_series(1, {ROWS}) i", after):
        if statement:
            database.execute(statement)
    owner = database.value("select relowner::regrole from pg_class where oid = 'in_tables.in_thing'::regclass")
    database.execute("create table public.expected as table in_tables.in_thing")
    company.migrate()
    rows, copy = database.query("select rows, copy_name from in_migration.copy_table_info")[0]
    assert rows == database.value("select count(*) from public.expected") > 0
    assert database.value(f"select count(*) from {copy}") == rows
    assert database.query(f"(table {copy} except all table public.expected) union all (table public.expected except all table {copy})") == []
    assert database.value(f"select relowner::regrole from pg_class where oid = '{copy}'::regclass") == owner
