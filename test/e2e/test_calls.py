"""Every function and procedure of the extension, called as nobody should: with null, empty, odd, random and huge arguments, by every
role, in read-only and in failed transactions, under a statement_timeout, and trigger functions on tables of others.

Nothing may crash, and no error may be without an SQLSTATE of its own; the server's log is searched after the test.
--calls=100000 makes it long (make calls CALLS=100000).
"""

import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg2
import pytest
from harness import Cluster, Database
from helpers import Company
from helpers.structure import WORKED_EXAMPLE
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

SEED = 1
ROLES = ["migrator_admin", "migrator_operator", "migrator_reader", "migrator_supplier", "test_passer_by"]
# Defects, and what a function raises that names no reason: internal errors, and plain `raise exception`.
NAMELESS = ("XX", "P0001", "P0000", "P0004", "F0")
TEXTS = [
    "null",
    "''",
    "' '",
    "'greetgo'",
    "'nobody'",
    "'events'",
    "'NaturalPerson'",
    "'$'",
    "'%s %I %L %'",
    """'x"; drop schema migrator cascade; --'""",
    """'''; select pg_terminate_backend(pg_backend_pid()); --'""",
    "'$$; drop table migrator.company; $$'",
    r"E'\\x00\\u0000 \n\t\x7f'",
    r"U&'\200F\200B\FEFF\FFFF\+10FFFF'",
    "repeat('ы', 63)",
    "repeat('{\"a\":', 5000)",
    "'{\"company\": {\"code\": \"c\", \"in_schema\": \"s\"}, \"bos\": [], \"cos\": []}'",
    "'{\"company\": {\"in_schema\": null}, \"bos\": [{\"code\": 1, \"fields\": {}}], \"cos\": [[]]}'",
    "repeat('x', 1000000)",
]
NUMBERS = ["null", "0", "1", "7", "-1", "2147483647", "-2147483648", "(random() * 1000)::int"]
DOCUMENTS = [
    "null",
    "'null'",
    "'{}'",
    "'[]'",
    "'1'",
    "'\"\"'",
    "'{\"company\": null, \"bos\": null}'",
    "'{\"company\": {\"code\": \"\"}, \"bos\": []}'",
    "'{\"company\": {\"code\": \"greetgo\"}, \"bos\": [], \"cos\": []}'",
    "'{\"company\": {\"code\": \"c\"}, \"bos\": [{\"code\": \"A\", \"fields\": [{\"code\": \"f\", \"type\": \"text\", \"in\": true}]}]}'",
    "'{\"company\": {\"code\": \"c\"}, \"bos\": [{\"code\": \"A\", \"fields\": [null, 1, [], {}]}, null]}'",
    "'{\"company\": {\"code\": \"c\"}, \"bos\": [{}], \"cos\": [{\"code\": \"C\", \"members\": [{}], \"fields\": [{\"code\": \"f\", \"map\": {\"A\": 1}}]}]}'",
    "'{\"code\": \"string!\", \"x\": \"array\"}'",
    "(repeat('[', 3000) || repeat(']', 3000))::jsonb",
    "jsonb_build_object('company', jsonb_build_object('code', repeat('x', 1000000)), 'bos', '[]'::jsonb)",
    "(select jsonb_build_object('company', '{\"code\": \"many\"}'::jsonb, 'bos', jsonb_agg(jsonb_build_object('code', 'B' || i, 'fields', '[]'::jsonb))) "
    "from generate_series(1, 300) i)",
]
ARRAYS = ["null", "'{}'", "'{null}'", "array['a=b', null, '=']", "array['bootstrap.servers=a:1']", "array[['x', 'y'], ['z', 'w']]", "'[5:5]={x=1}'"]
VALUES = {
    "text": TEXTS,
    "jsonb": DOCUMENTS,
    "text[]": ARRAYS,
    "integer": NUMBERS,
    "bigint": [*NUMBERS, "9223372036854775807"],
    "oid": ["null", "0", "1417", "1418", "2328", "4294967295", "'pg_class'::regclass"],
    "regclass": ["null", "0", "'migrator.company'", "'in_tables.in_naturalperson'", "4294967295", "'pg_type'"],
    "boolean": ["null", "true", "false", "true"],
    "timestamp with time zone": ["null", "now()", "'epoch'", "'infinity'", "'-infinity'", "'4714-11-24 BC'"],
    "interval": ["null", "'0'", "'5 hours'", "'-1 day'", "'178000000 years'", "'-178000000 years'"],
    "name": ["null", "''", "'migrator'", "'in_tables'", "repeat('n', 100)"],
}
HUGE = {"text": "repeat('x', 100000000)", "jsonb": "to_jsonb(repeat('x', 100000000))", "text[]": "array_fill('a=b'::text, array[1000000])"}


@dataclass(frozen=True)
class Routine:
    name: str  # qualified and quoted
    kind: str  # f: function, p: procedure
    returns: str
    arguments: tuple[str, ...]

    def call(self, values: Sequence[str]) -> str:
        typed = ", ".join(f"{value}::{type_name}" for value, type_name in zip(values, self.arguments, strict=True))
        if self.kind == "p":
            return f"call {self.name}({typed})"
        # What returns a row is looked into; a trigger function is no source of rows.
        return f"select {'' if self.returns.endswith('trigger') else '* from '}{self.name}({typed})"


def routines(database: Database) -> list[Routine]:
    sql = """select p.oid::regproc::text, p.prokind, p.prorettype::regtype::text,
                    array(select format_type(t, null) from unnest(p.proargtypes::oid[]) with ordinality as a (t, n) order by n)
             from pg_proc p where p.pronamespace in ('migrator'::regnamespace, 'in_migration'::regnamespace) order by p.oid::regprocedure::text"""
    return [Routine(name, kind, returns, tuple(arguments)) for name, kind, returns, arguments in database.query(sql)]


@pytest.fixture
def victim(cluster: Cluster, database: Database) -> Iterator[Database]:
    """A company with its tables whose broker nobody can reach."""
    database.execute("create role test_passer_by")
    database.execute("""create server events foreign data wrapper migrator_kafka options ("bootstrap.servers" '127.0.0.1:1')""")
    company = Company(database, Nowhere(), "topic", WORKED_EXAMPLE)  # type: ignore[arg-type]
    company.insert("in_naturalperson", {"in_id": "1", "surname": "Ivanov"})
    yield database
    database.execute("drop role test_passer_by")


class Nowhere:
    bootstrap = "127.0.0.1:1"


class Caller:
    """Makes calls, each in a transaction that is rolled back, and notes what became of them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.connection = database.connect()
        with self.connection.cursor() as cursor:
            cursor.execute("set statement_timeout = '2s'")
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)

    def call(self, name: str, sql: str, *before: str) -> None:
        """`before` are statements of the same transaction."""
        code = "00000"
        with self.connection.cursor() as cursor:
            # A procedure that commits takes no transaction around it.
            if before or not sql.startswith("call"):
                cursor.execute("begin")
            for statement in (*before, sql):
                try:
                    cursor.execute(statement)
                except psycopg2.Error as error:
                    assert error.pgcode is not None, f"the connection is lost: {sql[:2000]}: {error}"
                    assert not error.pgcode.startswith(NAMELESS), f"{error.pgcode}: {sql[:2000]}: {error}"
                    code = error.pgcode
            while self.connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
                with contextlib.suppress(psycopg2.Error):  # the timeout of the call
                    cursor.execute("rollback")
        self.outcomes[name][code] += 1


def test_calls_that_nobody_should_make(victim: Database, request: pytest.FixtureRequest) -> None:
    draw = random.Random(SEED)
    caller = Caller(victim)
    called = routines(victim)
    assert {type_name for routine in called for type_name in routine.arguments} <= VALUES.keys()
    for routine in called:
        for values in edges(routine):
            caller.call(routine.name, routine.call(values))
    for _ in range(request.config.getoption("--calls")):
        routine = draw.choice(called)
        sql = routine.call([draw.choice(VALUES[type_name]) for type_name in routine.arguments])
        before = [f"set local role {draw.choice(ROLES)}"] if draw.random() < 0.7 else []
        how = draw.random()
        if how < 0.2:
            before.append("set transaction read only")
        elif how < 0.25:
            before.append("nonsense")
        elif how < 0.3:
            before.append(f"set local search_path = {draw.choice(['pg_temp, public', 'migrator', quote('')])}")
        elif how < 0.6:
            before.append(f"set local statement_timeout = {draw.choice(['1', '5'])}")
        caller.call(routine.name, sql, *before)
    assert set(caller.outcomes) == {routine.name for routine in called}
    # They were reached: they give a result for some arguments.
    successful = [name for name, codes in caller.outcomes.items() if codes["00000"]]
    print(f"{sum(codes.total() for codes in caller.outcomes.values())} calls of {len(called)} routines, {len(successful)} of them successful at times")
    print(Counter(code for codes in caller.outcomes.values() for code in codes.elements()))
    answering = [routine.name for routine in called if routine.returns not in ("trigger", "event_trigger")]
    # These need arguments that fit each other, or a broker that answers.
    demanding = {"migrator.migrate", "migrator.check_object", "migrator.apply_in_schema", "migrator.apply_in_tables", "migrator.consume"}
    demanding |= {"migrator.resume_partition"}
    assert sorted(set(answering) - set(successful) - demanding) == []


def quote(text: str) -> str:
    return "'" + text + "'"


def edges(routine: Routine) -> Iterator[list[str]]:
    """Each argument once with each of its values, beside others that are harmless."""
    harmless = [VALUES[type_name][3] for type_name in routine.arguments]
    yield harmless
    for i, type_name in enumerate(routine.arguments):
        for value in VALUES[type_name]:
            yield [*harmless[:i], value, *harmless[i + 1 :]]


def test_huge_arguments(victim: Database, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--calls") <= 10_000:
        pytest.skip("100 MB a call: only in the long form")
    caller = Caller(victim)
    for routine in routines(victim):
        for i, type_name in enumerate(routine.arguments):
            if type_name in HUGE:
                values = [VALUES[other][3] for other in routine.arguments]
                caller.call(routine.name, routine.call([*values[:i], HUGE[type_name], *values[i + 1 :]]), "set local statement_timeout = '20s'")


def test_trigger_functions_on_tables_of_others(victim: Database) -> None:
    caller = Caller(victim)
    functions = [routine.name for routine in routines(victim) if routine.returns == "trigger"]
    assert functions
    victim.execute("create table strange (code text, x int)")
    for function in functions:
        for timing in ("before", "after"):
            for level in ("row", "statement"):
                create = (
                    f"create trigger strange {timing} insert or update or delete on strange for each {level} execute function {function}()"
                )
                for sql in ("insert into strange values ('a', 1)", "update strange set x = 2", "delete from strange"):
                    fill = "insert into strange values ('b', 2)"
                    caller.call(function, sql, fill, create)
    assert sum(codes.total() for codes in caller.outcomes.values()) == len(functions) * 12
