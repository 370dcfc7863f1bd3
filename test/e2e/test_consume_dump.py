"""A dumped and restored database has the store and how far it was read: consumption goes on there, without loss or repetition."""

import subprocess
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from harness import Database
from harness.cluster import bindir
from helpers.consumption import CODE, Consumption

TABLES = (
    "migrator.instance", "migrator.instance_link", "migrator.instance_unique", "migrator.instance_alias", "migrator.seen_record",
    "migrator.incomplete_reference", "migrator.in_topic", "migrator.in_partition", "migrator.dead_letter", "in_migration.boi_reference",
    "in_migration.from_kafka_to_mongo_tracking",
)  # fmt: skip


class Copy(Consumption):
    def __init__(self, database: Database, original: Consumption) -> None:
        self.database = database
        self.broker = original.broker
        self.cluster = original.cluster


@pytest.fixture
def restore(consumption: Consumption) -> Iterator[Callable[[], Copy]]:
    """pg_dump | psql."""
    cluster = consumption.cluster
    made: list[Database] = []

    def dump_and_restore() -> Copy:
        name = f"{consumption.database.name}_copy{len(made)}"
        cluster.psql(f"create database {name}")
        made.append(Database(cluster, name))
        dump = subprocess.run([str(bindir() / "pg_dump"), consumption.database.name], env=cluster.client_environment(), capture_output=True, text=True, check=True)
        made[-1].psql(dump.stdout)
        return Copy(made[-1], consumption)

    yield dump_and_restore
    for database in made:
        database.close()
        cluster.psql(f"drop database {database.name} with (force)")


def contents(consumption: Consumption) -> dict[str, list[str]]:
    return {table: sorted(text for (text,) in consumption.database.query(f"select t::text from {table} t")) for table in TABLES}


def fill(consumption: Consumption, topic: str) -> None:
    """Something of everything."""
    consumption.subscribe(topic)
    consumption.produce(topic, range(100))
    part = b'"boFields":[{"fieldCode":"Part","toBoCode":"Thing","toFieldCode":"Code","apiValue":"awaited"}]'
    check = b'"check":[{"fieldCode":"Part","boCode":"Thing","externalId":"nobody"}]'
    code = b'"fields":[{"code":"Code","apiValue":"c"}]'
    for name, members in ((b"x1", part), (b"x2", code), (b"alias", code), (b"x1", check)):
        consumption.produce_bytes(topic, b'{"externalId":"%s","boCode":"Thing",%s}' % (name, members))
    consumption.produce_bytes(topic, b"{")
    consumption.database.execute("call migrator.consume(%s)", CODE)


def test_a_restored_database_goes_on(consumption: Consumption, make_topic: Callable[..., str], restore: Callable[[], Copy]) -> None:
    topic = make_topic(2)
    fill(consumption, topic)
    before = contents(consumption)
    assert [table for table, rows in before.items() if not rows] == ["migrator.instance_link"]
    copy = restore()
    assert contents(copy) == before
    # The original goes on, and what it applies does not count for the copy.
    consumption.produce(topic, range(100, 150))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert (consumption.instances(), copy.instances()) == (150, 100)
    copy.database.execute("call migrator.consume(%s)", CODE)
    assert copy.numbers() == consumption.numbers() == list(range(150))
    assert copy.received() == consumption.received()
    assert copy.received()["duplicate"] == 0
    # Sequences go on, waiting links resolve, recordIds are known.
    copy.produce_bytes(topic, b"[", b'{"externalId":"late","boCode":"Thing","fields":[{"code":"Code","apiValue":"awaited"}]}')
    copy.produce(topic, range(10))
    copy.database.execute("call migrator.consume(%s)", CODE)
    assert copy.database.query("select id from migrator.dead_letter order by id") == [(1,), (2,)]
    assert copy.database.value("select count(*) from migrator.instance_link") == 1
    assert copy.received()["duplicate"] == 10


def test_a_restored_database_whose_records_are_gone_stops(consumption: Consumption, make_topic: Callable[..., str], restore: Callable[[], Copy]) -> None:
    topic = make_topic(1)
    fill(consumption, topic)
    copy = restore()
    consumption.produce(topic, range(200, 230))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    consumption.broker.delete_records(topic, 0, 120)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="retention was faster: the records from 105 to 119 are gone, and were not applied"):
        copy.database.execute("call migrator.consume(%s)", CODE)
    assert copy.instances() == 100
    copy.call("resume_partition", topic, 0)
    copy.database.execute("call migrator.consume(%s)", CODE)
    assert copy.instances() == 115
