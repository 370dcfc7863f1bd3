"""A dumped and restored database has everything, and publishes nothing until it is declared the one that does."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Broker, Cluster, Database, wait_until
from harness.cluster import bindir
from helpers import WORKED_EXAMPLE, Company

COPY = "not started: this database is a copy; migrator.adopt() makes it the one that publishes"


class Copy(Company):
    """The company as it stands in a restored database."""

    def __init__(self, database: Database, original: Company) -> None:
        self.database = database
        self.broker = original.broker
        self.topic = original.topic
        self.code = original.code


@pytest.fixture
def restore(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[Company], Copy]]:
    """pg_dump of a company's database, restored into a new one."""
    made: list[Database] = []

    def dump_and_restore(original: Company) -> Copy:
        archive = str(tmp_path / f"archive{len(made)}")
        name = f"{original.database.name}_copy{len(made)}"
        cluster.psql(f"create database {name}")
        made.append(Database(cluster, name))
        for command in (
            [str(bindir() / "pg_dump"), "-Fc", "-f", archive, original.database.name],
            [str(bindir() / "pg_restore"), "--exit-on-error", "-d", name, archive],
        ):
            done = subprocess.run(command, env=cluster.client_environment(), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        return Copy(made[-1], original)

    yield dump_and_restore
    for database in made:
        database.close()
        cluster.psql(f"drop database {database.name} with (force)")


@pytest.fixture
def company(make_company: Callable[..., Company]) -> Company:
    it = make_company(WORKED_EXAMPLE)
    it.insert("in_naturalperson", {"in_id": "np-1", "surname": "Ж"}, {"in_id": "bad", "birthdate": "infinity"})
    it.insert("in_naturalclaim", {"in_id": "nc-1", "name": "n"})
    it.insert("in_naturalclaim_natural", {"naturalclaim_id": "nc-1", "natural_id": "np-1"})
    it.migrate()
    return it


def contents(company: Company) -> list[object]:
    tables = company.database.query(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('migrator', 'in_migration', 'in_tables') and c.relkind = 'r' order by 1"
    )
    return [
        company.database.value("select migrator.dump_structure(%s)", company.code),
        company.database.value("select migrator.generate_in_ddl(%s)", company.code),
        company.tasks(),
        company.database.query("select srvoptions from pg_foreign_server"),
        *((table, sorted(company.database.query(f"select x::text from {table} x"))) for (table,) in tables),
    ]


def test_everything_is_in_the_dump(company: Company, restore: Callable[[Company], Copy]) -> None:
    before = contents(company)
    copy = restore(company)
    assert contents(copy) == before
    assert copy.database.query("select migrator.apply_in_ddl(%s)", copy.code) == []
    # Sequences go on where they were.
    copy.insert("in_naturalperson", {"in_id": "np-2", "surname": "new"})
    assert copy.in_schema("select id from {}.in_naturalperson where in_id = 'np-2'") == [(3,)]


def test_a_copy_publishes_only_when_adopted(company: Company, restore: Callable[[Company], Copy], broker: Broker) -> None:
    copy = restore(company)
    published = len(company.messages())
    assert published == 4
    copy.insert("in_naturalperson", {"in_id": "np-2", "surname": "from the copy"})
    copy.announce_load()
    assert copy.start() == COPY
    refused = copy.database.query(
        "select \"check\", remedy from migrator.check_migration(%s) where not ok"
        " and \"check\" not like '%% durability'",  # one broker keeps one replica
        copy.code,
    )
    assert [check for check, _ in refused] == ["this database publishes"] and "migrator.adopt()" in refused[0][1]
    assert copy.database.query("select * from migrator.migration where id > 1") == []

    # The original goes on undisturbed as long as nobody adopts.
    company.insert("in_legalperson", {"in_id": "lp-1", "name": "from the original"})
    company.migrate()
    assert len(company.messages()) == published + 1
    assert copy.start() == COPY


def test_an_adopted_copy_fences_the_original_off(company: Company, restore: Callable[[Company], Copy]) -> None:
    copy = restore(company)
    copy.insert("in_naturalperson", {"in_id": "np-2", "surname": "from the copy"})
    copy.announce_load()
    assert copy.start() == COPY
    copy.database.execute("select migrator.adopt()")
    migration = copy.start_run()
    assert migration == 2
    copy.wait_for(migration)
    assert [m.key for m in copy.messages()].count("np-2") == 1
    assert len(copy.messages()) == 5  # nothing of the first run again
    assert copy.statuses("in_naturalperson") == {"DONE": 2, "ERROR": 1}

    company.insert("in_naturalperson", {"in_id": "np-3", "surname": "from the original"})
    company.announce_load()
    company.start_run()
    wait_until(lambda: (company.waiting() or "").startswith("in doubt"), what="the original stops")
    assert company.statuses("in_naturalperson")[""] == 1
    assert len(company.messages()) == 5
