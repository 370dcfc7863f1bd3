"""The whole way of a load without a superuser: an admin prepares it, a supplier fills, an operator starts, a reader looks on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg2
import pytest
from harness import Broker, Database, wait_until

STRUCTURE = """{"company": {"code": "c", "in_schema": "loads"},
  "bos": [{"code": "Thing", "fields": [{"code": "Text", "type": "text", "in": true}, {"code": "Moment", "type": "date", "in": true},
                                       {"code": "Part", "type": "bo", "target": "Thing", "in": true}]}]}"""
SEQUENCES = "select setval(pg_get_serial_sequence('loads.in_thing', 'id'), 1)"


@dataclass
class People:
    """A login for each of the four roles, and one for nobody."""

    database: Database
    connections: dict[str, psycopg2.extensions.connection]

    def run(self, who: str, sql: str) -> list[tuple[object, ...]]:
        with self.connections[who].cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def refuse(self, who: str, *statements: str) -> None:
        for sql in statements:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                self.run(who, sql)
                pytest.fail(f"{who} may: {sql}")


@pytest.fixture
def people(database: Database) -> Iterator[People]:
    names = ("admin", "operator", "reader", "supplier", "nobody")
    suffix = database.name
    for name in names:
        membership = "" if name == "nobody" else f" in role migrator_{name}"
        database.execute(f"create role {name}_{suffix} login{membership}")
    it = People(database, {name: database.connect(f"{name}_{suffix}") for name in names})
    yield it
    for connection in it.connections.values():
        connection.close()
    for name in names:
        database.execute(f"reassign owned by {name}_{suffix} to postgres")
        database.execute(f"drop owned by {name}_{suffix}")
        database.execute(f"drop role {name}_{suffix}")


def test_a_load_without_a_superuser(people: People, broker: Broker, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    people.run("admin", f"select migrator.load_structure('{STRUCTURE}')")
    people.run("admin", "select migrator.apply_in_ddl('c')")
    server = f"""create server events foreign data wrapper migrator_kafka options ("bootstrap.servers" '{broker.bootstrap}')"""
    people.run("admin", server)
    people.run("admin", """create user mapping for migrator_admin server events options ("sasl.username" 'unused')""")
    people.run("admin", f"update migrator.company set kafka_server = 'events', in_topic = '{topic}', has_in_migration = true")
    people.run("admin", "insert into migrator.hook (company, name, command) values ('c', 'h', 'select $1')")

    people.run("supplier", "insert into loads.process_tracking (oper_date, start_load_time) values (current_date, now())")
    people.run("supplier", "insert into loads.in_thing (in_id, text) values ('a', 't'), ('b', 't')")
    people.run("supplier", "insert into loads.in_thing (in_id, moment) values ('bad', 'infinity')")
    people.run("supplier", "insert into loads.in_thing_part values ('a', 'b')")
    people.run("supplier", "insert into loads.in_filestorage (file_id) values ('f')")
    people.run("supplier", "update loads.process_tracking set end_load_time = now(), load_status = 1 where id = 1")

    checks = people.run("operator", "select \"check\", ok from migrator.check_migration('c')")
    one_broker_keeps_one_replica = " durability"
    assert len(checks) > 10
    assert [check for check, ok in checks if not ok and one_broker_keeps_one_replica not in str(check)] == []
    assert people.run("operator", "select migrator.try_to_start_migration('c')") == [("started: migration 1",)]
    wait_until(lambda: people.run("reader", "select state from migrator.migration") == [("DONE",)], what="the run is done")
    assert len(broker.messages(topic)) == 4
    assert people.run("supplier", "select in_id, in_status from loads.in_thing order by id") == [("a", "DONE"), ("b", "DONE"), ("bad", "ERROR")]
    assert people.run("supplier", "select ins_inkafka_status from loads.process_tracking") == [(1,)]

    assert len(people.run("reader", "select * from loads.last_migration_state")) == 10
    assert people.run("reader", "select in_id from loads.err") == [("bad",)]
    assert len(people.run("reader", "select * from loads.task")) == 10
    for view in ("migrator.progress", "migrator.chunk", "migrator.slot", "in_migration.errors", "in_migration.log", "in_migration.copy_table_info"):
        people.run("reader", f"select * from {view}")

    assert people.run("operator", "select migrator.retry_failed('c')") == [("1 row waits again; started: migration 2",)]
    wait_until(lambda: people.run("operator", "select count(*) from migrator.migration where state = 'DONE'") == [(2,)])
    people.run("supplier", "insert into loads.process_tracking (oper_date, load_status) values (current_date, 1)")
    people.run("operator", "call migrator.migrate('c')")
    assert people.run("admin", "select migrator.clean()") == [(0,)]
    assert people.run("admin", "select count(*) from in_migration.log where message = 'hook \"h\" done'") == [(3,)]


def test_everybody_has_exactly_a_part(people: People) -> None:
    people.run("admin", f"select migrator.load_structure('{STRUCTURE}')")
    people.run("admin", "select migrator.apply_in_ddl('c')")

    people.refuse(
        "supplier",
        "select * from migrator.company",
        "select * from migrator.progress",
        "select * from in_migration.log",
        "select migrator.try_to_start_migration('c')",
        "select migrator.generate_in_ddl('c')",
        "insert into loads.process_tracking (oper_date, ins_inkafka_status) values (current_date, 1)",
        "insert into loads.process_tracking (id, oper_date) values (1, current_date)",
        "update loads.process_tracking set occupied_by_process = 0",
        "update loads.process_tracking set start_ins_inkafka_time = null",
        "delete from loads.process_tracking",
        "truncate loads.process_tracking",
        "drop table loads.in_thing",
        "create table loads.x ()",
        "create trigger t before insert on loads.in_thing for each row execute function suppress_redundant_updates_trigger()",
        SEQUENCES,
    )
    people.refuse(
        "reader",
        "select migrator.try_to_start_migration('c')",
        "select migrator.pause_migration('c')",
        "select migrator.retry_failed('c')",
        "call migrator.migrate('c')",
        "select migrator.kafka_check('x')",
        "select migrator.check_migration('c')",
        "select migrator.adopt()",
        "select migrator.clean()",
        "update migrator.company set has_in_migration = true",
        "insert into in_migration.log (message) values ('x')",
        "insert into loads.process_tracking (oper_date) values (current_date)",
        "insert into loads.in_thing (in_id) values ('x')",
        "select * from loads.in_thing",
    )
    people.refuse(
        "operator",
        "update migrator.company set has_in_migration = true",
        f"select migrator.load_structure('{STRUCTURE}')",
        "select migrator.apply_in_ddl('c')",
        "insert into migrator.hook (company, name, command) values ('c', 'h', 'select 1')",
        "select migrator.adopt()",
        "select migrator.clean()",
        "select migrator.resolve_in_doubt('x', 0)",
        "update migrator.migration set state = 'DONE'",
        "update migrator.slot set in_doubt = null",
        "create server s foreign data wrapper migrator_kafka",
        "insert into loads.in_thing (in_id) values ('x')",
    )
    people.refuse(
        "admin",
        "update migrator.migration set state = 'DONE'",
        "update migrator.slot set in_doubt = null",
        "delete from migrator.chunk",
        "update migrator.identity set system_identifier = '1'",
        "update migrator.hook set run_as = 'postgres'",
        "delete from in_migration.log",
    )
    people.refuse(
        "nobody",
        "select * from migrator.company",
        "select * from in_migration.log",
        "select migrator.try_to_start_migration('c')",
        "select migrator.generate_in_ddl('c')",
        "select * from loads.process_tracking",
        "select * from loads.in_thing",
        "create server s foreign data wrapper migrator_kafka",
    )


def test_an_operators_search_path_changes_nothing(people: People) -> None:
    """What runs with more rights than the caller's finds its own operators and tables."""
    people.run("admin", f"select migrator.load_structure('{STRUCTURE}')")
    people.database.psql(f"""
        create schema trap; grant create, usage on schema trap to operator_{people.database.name};
    """)
    people.run("operator", "create table trap.company (code text)")
    people.run("operator", "create function trap.equal(text, text) returns boolean language plpgsql as $$ begin raise 'trapped'; end $$")
    people.run("operator", "create operator trap.= (leftarg = text, rightarg = text, function = trap.equal)")
    people.run("operator", "set search_path = trap, pg_catalog")
    assert people.run("operator", "select migrator.try_to_start_migration('c')") == [("not started: has_in_migration is false",)]
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="no migration"):
        people.run("operator", "select migrator.pause_migration('c')")
    people.run("operator", "select * from migrator.progress")
    people.run("operator", "select * from migrator.check_migration('c')")
