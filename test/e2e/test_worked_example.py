"""The worked example with rows in all its tables: every message, status, task and column of the bookkeeping."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from harness import Broker, Cluster, Message, wait_until
from helpers import (
    WORKED_EXAMPLE,
    Company,
    check_message,
    check_record,
    fields_message,
    link_message,
    link_record,
    partition_of,
    row_record,
)
from helpers.messages import Value

PARTITIONS = 6
LINK_TABLES = {
    "in_naturalclaim_natural": ("NaturalClaim", "Natural", "NaturalPerson"),
    "in_clientclaim_coclient_naturalperson": ("ClientClaim", "CoClient", "NaturalPerson"),
    "in_clientclaim_coclient_legalperson": ("ClientClaim", "CoClient", "LegalPerson"),
}
LINKS = {
    "in_naturalclaim_natural": [("nc-1", "np-1"), ("nc-2", "np-2"), ("nc-2", "np-1"), ("nc-3", "np-nowhere")],
    "in_clientclaim_coclient_naturalperson": [("cc-1", "np-3"), ("cc-2", "np-1")],
    "in_clientclaim_coclient_legalperson": [("cc-2", "lp-2"), ("cc-3", "lp-1")],
}
CODES = {
    "in_naturalperson": ("NaturalPerson", {"surname": "Surname", "name": "Name", "iin": "IIN", "birthdate": "BirthDate"}),
    "in_legalperson": ("LegalPerson", {"name": "Name", "bin": "BIN", "createdate": "CreateDate"}),
    "in_naturalclaim": ("NaturalClaim", {"name": "Name", "descr": "Descr"}),
    "in_clientclaim": ("ClientClaim", {"name": "Name", "descr": "Descr"}),
}
BORN = datetime(1983, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
ROWS: dict[str, list[dict[str, Value]]] = {
    "in_naturalperson": [
        {"surname": f"Оспанов {i}", "name": "Нурлан", "iin": f"83022{i:07}", "birthdate": BORN + timedelta(days=i)}
        for i in range(1, 41)
    ],
    "in_legalperson": [{"name": f'ТОО "Алма {i}"', "bin": f"{i:012}", "createdate": BORN} for i in range(1, 31)],
    "in_naturalclaim": [{"name": f"claim {i}", "descr": "first line\nsecond"} for i in range(1, 21)],
    "in_clientclaim": [{"name": f"claim {i}", "descr": None} for i in range(1, 11)],
}
PREFIX = {"in_naturalperson": "np", "in_legalperson": "lp", "in_naturalclaim": "nc", "in_clientclaim": "cc"}


def fill(company: Company) -> None:
    for table, rows in ROWS.items():
        company.insert(table, *({"in_id": f"{PREFIX[table]}-{i}", **row} for i, row in enumerate(rows, 1)))
    for table, pairs in LINKS.items():
        owner, target = table.split("_")[1] + "_id", table.split("_")[2] + "_id"
        company.insert(table, *({owner: pair[0], target: pair[1]} for pair in pairs))


def expected_messages(company: Company, migration: int) -> dict[str, tuple[str, str]]:
    """recordId -> (key, value) of every message of the run."""
    prefix = company.record_prefix(migration)
    expected = {}
    for table, rows in ROWS.items():
        code, fields = CODES[table]
        for i, row in enumerate(rows, 1):
            in_id, record = f"{PREFIX[table]}-{i}", row_record(prefix, table, i)
            values = {fields[column]: value for column, value in row.items()}
            expected[record] = (in_id, fields_message(record, in_id, code, values))
    for table, pairs in LINKS.items():
        code, link_field, target_code = LINK_TABLES[table]
        for owner, target in pairs:
            record = link_record(prefix, table, owner, target)
            expected[record] = (owner, link_message(record, owner, code, link_field, target, target_code))
        for owner in {owner for owner, _ in pairs}:
            record = check_record(prefix, table, owner)
            targets = sorted(target for other, target in pairs if other == owner)
            expected[record] = (owner, check_message(record, owner, code, link_field, target_code, targets))
    return expected


@dataclass(frozen=True)
class Finished:
    company: Company
    migration: int
    messages: list[Message]


@pytest.fixture(scope="module")
def finished(cluster: Cluster, session_broker: Broker) -> Iterator[Finished]:
    """One run that most tests of this file look at."""
    with cluster.database("migrator") as database:
        topic = session_broker.create_topic("worked_example", PARTITIONS)
        company = Company(database, session_broker, topic, WORKED_EXAMPLE)
        fill(company)
        migration = company.migrate()
        yield Finished(company, migration, company.messages())


def kind(message: Message) -> str:
    value = json.loads(message.value or "")
    return next(member for member in ("fields", "boFields", "check") if member in value)


def test_every_message_is_as_required(finished: Finished) -> None:
    expected = expected_messages(finished.company, finished.migration)
    found = {json.loads(m.value or "")["recordId"]: m for m in finished.messages}
    assert len(finished.messages) == len(found) == len(expected)
    for record, (key, value) in expected.items():
        assert json.loads(found[record].value or "") == json.loads(value)
        assert found[record].value == value  # also key order, escapes and spaces
        assert found[record].key == key
        assert found[record].partition == partition_of(key, PARTITIONS)
    assert len({m.partition for m in found.values()}) == PARTITIONS


def test_fields_come_before_links_and_links_before_their_check(finished: Finished) -> None:
    order = ["fields", "boFields", "check"]
    by_key: dict[tuple[str | None, int], list[str]] = {}
    for message in finished.messages:
        by_key.setdefault((message.key, message.partition), []).append(kind(message))
    assert by_key[("nc-2", partition_of("nc-2", PARTITIONS))] == ["fields", "boFields", "boFields", "check"]
    for kinds in by_key.values():
        assert kinds == sorted(kinds, key=order.index)


def test_the_bookkeeping_of_the_rows(finished: Finished) -> None:
    company, migration = finished.company, finished.migration
    for table, rows in ROWS.items():
        assert company.statuses(table) == {"DONE": len(rows)}
        assert company.in_schema(f"select distinct occupied_id, occupied_at is not null from {{}}.{table}") == [(migration, True)]
    for table, pairs in LINKS.items():
        assert company.statuses(table) == {"DONE": len(pairs)}
    assert company.errors() == []
    assert dict(company.database.query("select bo, rows from in_migration.migrated_table where migration_id = %s", migration)) == {
        CODES[table][0]: len(rows) for table, rows in ROWS.items()
    }
    assert company.database.value(
        "select bool_and(t.migrated_at between m.started_at and m.finished_at) and bool_and(t.company = m.company)"
        " from in_migration.migrated_table t, migrator.migration m where m.id = t.migration_id"
    )


def test_process_tracking_tells_the_supplier(finished: Finished) -> None:
    company, migration = finished.company, finished.migration
    (row,) = company.in_schema(
        "select load_status, ins_inkafka_status, occupied_by_process, migrate_cur_date = current_date,"
        " start_ins_inkafka_time <= end_ins_inkafka_time, periodic_update_time between start_ins_inkafka_time and end_ins_inkafka_time"
        " from {}.process_tracking"
    )
    assert row == (1, 1, migration, True, True, True)


def test_the_monitor_shows_the_tasks_in_order(finished: Finished) -> None:
    company, migration = finished.company, finished.migration
    tasks = company.tasks()
    assert [task[0] for task in tasks] == (
        ["BEGIN"]
        + ["MIGRATE_SINGLE_FIELDS"] * 4
        + ["NOP"]
        + ["MIGRATE_IN_MIGRATED_AT"] * 4
        + ["MIGRATE_LINKS"] * 3
        + ["CHECK_REFERENCES"] * 3
        + ["FIX_PROCESS_TRACKING", "COPY_ERR", "RUN_PROCESSES", "NOP"]
    )
    assert {task[2] for task in tasks} == {"DONE"}
    assert tasks[5][1] == "simple fields done" and tasks[-1][1] == "migration finished"
    counted = company.in_schema(
        "select type, sum(rows_total), sum(rows_done), sum(rows_failed), sum(rows_skipped) from {}.last_migration_state"
        " where type in ('MIGRATE_SINGLE_FIELDS', 'MIGRATE_LINKS', 'CHECK_REFERENCES') group by type order by type"
    )
    fields, links = sum(map(len, ROWS.values())), sum(map(len, LINKS.values()))
    owners = sum(len({owner for owner, _ in pairs}) for pairs in LINKS.values())
    assert counted == [
        ("CHECK_REFERENCES", owners, owners, 0, 0),
        ("MIGRATE_LINKS", links, links, 0, 0),
        ("MIGRATE_SINGLE_FIELDS", fields, fields, 0, 0),
    ]
    unfinished = "worker is null or duration is null or duration < interval '0' or finished_at < started_at"
    assert company.in_schema(f"select * from {{}}.last_migration_state where {unfinished}") == []
    assert company.in_schema("select distinct migration_id from {}.task") == [(migration,)]


def test_progress_shows_a_running_migration(make_company: Callable[..., Company], broker: Broker) -> None:
    company = make_company(WORKED_EXAMPLE, PARTITIONS)
    fill(company)
    company.announce_load()
    broker.pause()
    migration = company.start_run()
    total = sum(map(len, ROWS.values())) + sum(map(len, LINKS.values()))
    wait_until(lambda: company.database.query("select 1 from migrator.progress where phase = 'simple fields'"))
    (row,) = company.database.query(
        "select migration_id, company, rows_total, rows_done, rows_skipped, rows_failed, heartbeat_at >= started_at from migrator.progress"
    )
    assert row == (migration, "greetgo", total, 0, 0, 0, True)
    wait_until(lambda: company.database.value("select workers from migrator.progress") == 2)
    broker.resume()
    company.wait_for(migration)
    assert company.database.query("select * from migrator.progress") == []
