"""Typed views of BOs, and what a changed code costs a store that has data."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import psycopg2
import pytest
from harness import Database
from helpers.store import Store, by_value, message, nested
from helpers.structure import bo, document, field

EVERY_TYPE = (
    field("Text"), field("Block", "text_block"), field("Choice", "choice"), field("Date", "date"), field("Flag", "flag"), field("Number", "number"),
    field("File", "file"), field("One", "bo", "Other"), field("Any", "co", "Both"),
)  # fmt: skip
STRUCTURE = document(
    bo("Everything", *EVERY_TYPE),
    bo("Other", field("Key", unique=True), field("Name")),
    bo("Человек", field("Фамилия"), field('odd "code"; --'), field("select"), field("x" * 60)),
    cos=[{"code": "Both", "members": ["Everything", "Other"]}],
    company="Greet Go",
)
OWN = ["id", "external_id", "state", "created_at", "updated_at", "in_migrated_at"]


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database, STRUCTURE)


def columns(store: Store, view: str) -> list[tuple[str, str]]:
    return store.database.query(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum", view
    )


def test_columns_are_typed(store: Store) -> None:
    view = store.database.value("select migrator.create_bo_view(%s, 'Everything')", store.code)
    assert view == '"greet go".everything'
    moment = "timestamp with time zone"
    assert columns(store, view) == [
        ("id", "text"), ("external_id", "text"), ("state", "text"), ("created_at", moment), ("updated_at", moment), ("in_migrated_at", moment),
        ("text", "text"), ("block", "text"), ("choice", "text"), ("date", moment), ("flag", "boolean"), ("number", "numeric"), ("file", "text"),
        ("one", "text[]"), ("any", "text[]"),
    ]  # fmt: skip
    links = [nested("One", message("Other", "o", id="other", Name="n")), nested("Any", message("Other", "o")), nested("Any", message("Everything", "e", id="self"))]
    values = {"Text": "t", "Block": "a\nb", "Choice": "c", "Date": "2024-12-26T08:59:33.261Z", "Flag": "true", "Number": "12345678901234567890.123456789", "File": "f"}
    assert store.apply(message("Everything", "e", links, id="self", **values)) == "inserted"
    assert store.apply(message("Everything", "empty", state="ARCHIVED")) == "inserted"
    rows = store.database.query(f'select id, state, text, block, choice, date, flag, number, file, one, "any" from {view} order by external_id = \'empty\'')
    assert rows[0] == ("self", "ACTUAL", "t", "a\nb", "c", datetime(2024, 12, 26, 8, 59, 33, 261000, UTC), True, Decimal("12345678901234567890.123456789"), "f", ["other"], ["other", "self"])
    assert rows[1][1:] == ("ARCHIVED", None, None, None, None, None, None, None, [], [])
    assert store.database.value(f"select count(*) from {view} where date > '2020-01-01' and number > 1 and flag") == 1


def test_codes_of_any_kind(store: Store) -> None:
    view = store.database.value("select migrator.create_bo_view(%s, 'Человек', 'люди', 'Все \"люди\"')", store.code)
    assert view == '"люди"."Все ""люди"""'
    # Only ASCII letters fold, as in PostgreSQL.
    assert [name for name, _ in columns(store, view)] == [*OWN, "Фамилия", 'odd "code"; --', "select", "x" * 60]
    store.apply({"boCode": "Человек", "externalId": "p", "fields": [{"code": code, "apiValue": code} for code in ("Фамилия", 'odd "code"; --', "select")]})
    assert store.database.query(f'select "Фамилия", "odd ""code""; --", "select" from {view}') == [("Фамилия", 'odd "code"; --', "select")]


def test_what_cannot_be_a_view_is_refused(store: Store) -> None:
    with pytest.raises(psycopg2.errors.UndefinedObject, match='BO "Nobody" does not exist'):
        store.database.execute("select migrator.create_bo_view(%s, 'Nobody')", store.code)
    with pytest.raises(psycopg2.errors.NameTooLong, match="longer than 63 bytes"):
        store.database.execute("select migrator.create_bo_view(%s, 'Other', null, %s)", store.code, "Ж" * 32)
    # Two codes that fold to one name, and one that is a column which every view has.
    store.database.execute("insert into migrator.field (company, bo, code, type) values (%s, 'Everything', 'State', 'text')", store.code)
    with pytest.raises(psycopg2.errors.DuplicateColumn, match='"State" and "state"'):
        store.database.execute("select migrator.create_bo_view(%s, 'Everything')", store.code)


def test_renamed_codes(store: Store) -> None:
    """A view shows what it was made for until it is made anew; the store follows at once and says how many rows that were."""
    database = store.database
    store.apply_all([message("Other", f"o{i}", Key=str(i), Name="n") for i in range(10)])
    links = [by_value("One", "Key", "1"), by_value("One", "Key", "late"), nested("Any", message("Other", "late by name"))]
    store.apply(message("Everything", "e", links, Text="t"))
    store.apply(message("Other", "alias", Key="3"))
    view = database.value("select migrator.create_bo_view(%s, 'Other')", store.code)
    connection = database.connect()
    with connection.cursor() as cursor:
        for statement, told in (
            ("update migrator.bo set code = 'Another' where code = 'Other'", 'BO "Other" is now "Another": 20 rows of the store were rewritten'),
            ("update migrator.field set code = 'Label' where code = 'Name' and bo = 'Another'", 'field "Another"."Name" is now "Label": 10 rows'),
            ("update migrator.field set code = 'Mark' where code = 'Key'", 'field "Another"."Key" is now "Mark": 20 rows'),
            ("update migrator.field set code = 'Two' where code = 'One'", 'field "Everything"."One" is now "Two": 1 rows'),
            ("update migrator.field set name = 'only a name', position = 99 where code = 'Two'", None),
        ):
            connection.notices.clear()
            cursor.execute(statement)
            assert (told in "".join(connection.notices)) if told else not connection.notices, connection.notices
    connection.close()
    assert database.value(f"select count(*) from {view}") == 0, "it shows instances of a BO that is not there any more"
    view = database.value("select migrator.create_bo_view(%s, 'Another')", store.code)
    assert [name for name, _ in columns(store, view)] == [*OWN, "mark", "label"]
    assert database.value(f"select count(*) from {view} where label = 'n' and mark is not null") == 10
    # Everything that was known is known by the new codes.
    assert store.links("Everything", "e", "Two") == {"o1"}
    assert store.waiting() == {("Two", "Another", "Mark", "late"), ("Any", "Another", None, "late by name")}
    assert store.apply(message("Another", "alias", Mark="3", Label="n")) == "unchanged"
    assert store.apply_all([message("Another", "x", Mark="late"), message("Another", "late by name", Label="l")]) == ["inserted", "inserted"]
    assert store.links("Everything", "e", "Two") == {"o1", "x"} and store.links("Everything", "e", "Any") == {"late by name"}
    assert store.apply(message("Everything", "e", [by_value("Two", "Mark", "1")])) == "unchanged"
    with pytest.raises(psycopg2.errors.UndefinedObject, match='BO "Other" does not exist'):
        store.apply(message("Other", "o1", Key="1"))


def test_renamed_company(store: Store) -> None:
    store.apply(message("Other", "o", Key="1", recordId="r"))
    store.database.execute("update migrator.company set code = 'new' where code = %s", store.code)
    assert store.database.value("select migrator.apply_boi_input('new', %s)", json.dumps(message("Other", "o", recordId="r"))) == "duplicate"
    assert store.database.value("select migrator.apply_boi_input('new', %s)", json.dumps(message("Other", "p", Key="1"))) == "merged"


def test_privileges(store: Store) -> None:
    def run(role: str, sql: str) -> str:
        return store.database.psql(f"set role migrator_{role}; {sql}")

    store.apply(message("Other", "o", Name="n"))
    create = "select migrator.create_bo_view('Greet Go', 'Other')"
    for role in ("operator", "reader", "supplier"):
        with pytest.raises(RuntimeError, match="permission denied"):
            run(role, create)
    assert run("admin", create) == '"greet go".other'
    assert run("admin", create) == '"greet go".other', "made anew"
    assert run("reader", 'select name from "greet go".other') == "n"
    for role, sql in (("supplier", 'select * from "greet go".other'), ("reader", 'delete from "greet go".other'), ("reader", "delete from migrator.instance")):
        with pytest.raises(RuntimeError, match="permission denied"):
            run(role, sql)
