"""What becomes of the values of a row: every type with its edges, and the rows that cannot be sent."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from harness import Broker, Cluster
from helpers import Company, bo, document, field, fields_message, link_message, link_record, row_record

ALL_TYPES = document(
    bo(
        "Thing",
        field("Key", key=True),
        field("Text"),
        field("Block", "text_block"),
        field("Choice", "choice"),
        field("Moment", "date"),
        field("Flag", "flag"),
        field("Amount", "number"),
        field("Scan", "file"),
    )
)
PLAIN = document(bo("Thing", field("Text"), field("Moment", "date"), field("Amount", "number")))

TEXTS = [
    'quotes "double" \'single\' \\ backslash / slash',
    "".join(chr(c) for c in range(1, 0x21)) + "\x7f\x80\x9f",
    "Қазақстан, ёлка, 日本語, עברית, é e\u0301",
    "😀👨‍👩‍👧 \U0010ffff \ufeff \u2028 \ufffd \uffff",
    "",
    " ",
    '{"json": [null]}',
    "null",
]
MOMENTS = [
    datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),  # cut, not rounded into another century
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2024, 12, 26, 8, 59, 33, 261_000, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 0, 0, 500, tzinfo=UTC),  # less than a millisecond
    datetime(1900, 2, 28, 1, 2, 3, 1_999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]
AMOUNTS = [
    Decimal(text)
    for text in ("0", "-0.0000", "1.0000", "-0.5", "100", "0.0001", "10.0100", "99999999999999999999.9999", "-99999999999999999999.9999")
]


def values_of(messages: list[Any], code: str) -> dict[str, str]:
    """apiValue of a field by externalId."""
    found = {}
    for message in messages:
        value = json.loads(message.value)
        for item in value["fields"]:
            if item["code"] == code:
                assert set(item) == {"code", "apiValue"} and isinstance(item["apiValue"], str)
                found[value["externalId"]] = item["apiValue"]
    return found


def test_all_types(make_company: Callable[..., Company]) -> None:
    company = make_company(ALL_TYPES)
    company.insert("in_filestorage", {"file_id": "file-1", "file_name": "scan.png", "content": b"\x89PNG"})
    rows: list[dict[str, Any]] = [
        {"text": text, "block": text, "choice": text[:32]} for text in TEXTS
    ]
    rows += [{"moment": moment} for moment in MOMENTS]
    rows += [{"amount": amount} for amount in AMOUNTS]
    rows += [{"flag": True}, {"flag": False}, {"scan": "file-1"}]
    full = {"text": "t", "block": "b", "choice": "c", "moment": MOMENTS[0], "flag": True, "amount": Decimal("1.5"), "scan": "file-1"}
    rows.append(full)
    for i, row in enumerate(rows, 1):
        company.insert("in_thing", {"in_id": f"ключ {i}"} | row)
    migration = company.migrate()

    prefix = company.record_prefix(migration)
    codes = {"text": "Text", "block": "Block", "choice": "Choice", "moment": "Moment", "flag": "Flag", "amount": "Amount", "scan": "Scan"}
    expected = {}
    for i, row in enumerate(rows, 1):
        in_id = f"ключ {i}"
        values = {"Key": in_id} | {code: row.get(column) for column, code in codes.items()}
        expected[in_id] = fields_message(row_record(prefix, "in_thing", i), in_id, "Thing", values)
    assert {m.key: m.value for m in company.messages()} == expected
    assert company.statuses("in_thing") == {"DONE": len(rows)}


def test_the_clock_of_the_server_plays_no_part(make_company: Callable[..., Company]) -> None:
    company = make_company(PLAIN)
    company.database.execute(f"alter database {company.database.name} set timezone = 'Asia/Almaty'")
    company.database.execute(f"alter database {company.database.name} set datestyle = 'German'")
    company.insert("in_thing", {"in_id": "a", "moment": "2024-07-01 00:00:00.1239+05"})
    company.migrate()
    assert values_of(company.messages(), "Moment") == {"a": "2024-06-30T19:00:00.123Z"}


def test_bad_values_end_in_err_and_harm_nobody(make_company: Callable[..., Company]) -> None:
    company = make_company(PLAIN)
    bad = {
        "infinite": ("moment", "infinity", "22008"),
        "minus infinite": ("moment", "-infinity", "22008"),
        "Rome": ("moment", "0044-03-15 BC", "22008"),
        "year 10000": ("moment", "10000-01-01 00:00:00+00", "22008"),
        "NaN": ("amount", "NaN", "22003"),
    }
    for in_id, (column, value, _) in bad.items():
        company.insert("in_thing", {"in_id": f"before {in_id}", "text": "good"})
        company.insert("in_thing", {"in_id": in_id, "text": "good", column: value})
    company.insert("in_thing", {"in_id": None, "text": "nobody"}, {"in_id": None}, {"in_id": None, "removed": True})
    company.insert("in_thing", {"in_id": "last", "text": "good"})
    migration = company.migrate()

    assert company.statuses("in_thing") == {"DONE": len(bad) + 1, "ERROR": len(bad) + 3}
    assert {m.key for m in company.messages()} == {f"before {in_id}" for in_id in bad} | {"last"}
    errors = company.in_schema(
        "select in_id, column_name, sqlstate, reason <> '', migration_id, table_name, row_id, at is not null from {}.err where in_id is not null"
    )
    assert sorted(errors) == sorted(
        (in_id, column, code, True, migration, "in_thing", 2 * i, True) for i, (in_id, (column, _, code)) in enumerate(bad.items(), 1)
    )
    nameless = company.in_schema("select column_name, sqlstate, reason, row_id from {}.err where in_id is null order by row_id")
    assert nameless == [("in_id", "23502", "in_id is null", 2 * len(bad) + i) for i in (1, 2, 3)]
    failed = company.in_schema("select rows_done, rows_failed, state from {}.last_migration_state where type = 'MIGRATE_SINGLE_FIELDS'")
    assert failed == [(len(bad) + 1, len(bad) + 3, "DONE")]


def test_removed_out_id_and_empty_rows(make_company: Callable[..., Company]) -> None:
    company = make_company(PLAIN)
    company.insert(
        "in_thing",
        {"in_id": "removed", "removed": True, "text": "not looked at", "moment": "infinity", "amount": "NaN"},
        {"in_id": "known", "out_id": "dgL9~4keReK7Z1qi", "text": "t"},
        {"in_id": "removed and known", "out_id": "bfss", "removed": True},
        {"in_id": "empty"},
        {"in_id": "null flag", "removed": None, "text": "t"},
    )
    migration = company.migrate()
    prefix = row_record(company.record_prefix(migration), "in_thing", "")
    assert {m.key: m.value for m in company.messages()} == {
        "removed": fields_message(f"{prefix}1", "removed", "Thing", {}, removed=True),
        "known": fields_message(f"{prefix}2", "known", "Thing", {"Text": "t"}, id="dgL9~4keReK7Z1qi"),
        "removed and known": fields_message(f"{prefix}3", "removed and known", "Thing", {}, id="bfss", removed=True),
        "null flag": fields_message(f"{prefix}5", "null flag", "Thing", {"Text": "t"}),
    }
    assert company.in_schema("select in_id, in_status from {}.in_thing order by id") == [
        ("removed", "DONE"),
        ("known", "DONE"),
        ("removed and known", "DONE"),
        ("empty", "SKIPPED"),
        ("null flag", "DONE"),
    ]
    assert company.in_schema(
        "select rows_total, rows_done, rows_skipped, rows_failed from {}.last_migration_state where type = 'MIGRATE_SINGLE_FIELDS'"
    ) == [(5, 4, 1, 0)]


def test_a_skipped_row_keeps_its_links(make_company: Callable[..., Company]) -> None:
    company = make_company(document(bo("Thing", field("Text"), field("Part", "bo", "Thing"))))
    company.insert("in_thing", {"in_id": "empty"})
    company.insert("in_thing_part", {"thing_id": "empty", "part_id": "p"})
    migration = company.migrate()
    record = link_record(company.record_prefix(migration), "in_thing_part", "empty", "p")
    assert company.statuses("in_thing") == {"SKIPPED": 1}
    assert company.messages()[0].value == link_message(record, "empty", "Thing", "Part", "p", "Thing")


def test_a_key_field_alone_is_a_value(make_company: Callable[..., Company]) -> None:
    company = make_company(document(bo("Thing", field("Key", key=True))))
    company.insert("in_thing", {"in_id": "a"})
    migration = company.migrate()
    record = row_record(company.record_prefix(migration), "in_thing", 1)
    assert [m.value for m in company.messages()] == [fields_message(record, "a", "Thing", {"Key": "a"})]


def test_unmarked_fields_stay_at_home(make_company: Callable[..., Company]) -> None:
    """A field that is unmarked after its column was made: the column stays, its value is not sent."""
    company = make_company(PLAIN)
    unmarked = field("Amount", "number") | {"in": False}
    company.load_structure(document(bo("Thing", field("Text"), field("Moment", "date"), unmarked)))
    company.insert("in_thing", {"in_id": "a", "text": "t", "amount": 1}, {"in_id": "b", "amount": 1})
    company.migrate()
    assert [json.loads(m.value or "")["fields"] for m in company.messages()] == [[{"code": "Text", "apiValue": "t"}]]
    assert company.statuses("in_thing") == {"DONE": 1, "SKIPPED": 1}


def test_duplicates_are_refused_where_the_index_is_gone(make_company: Callable[..., Company]) -> None:
    company = make_company(PLAIN)
    company.database.execute("drop index in_tables.in_thing_in_id_idx")
    for in_id in ("twice", "once", "twice", None, None):
        company.insert("in_thing", {"in_id": in_id, "text": "t"})
    company.migrate()
    assert [m.key for m in company.messages()] == ["once"]
    assert company.in_schema("select in_status from {}.in_thing order by id") == [("ERROR",), ("DONE",)] + [("ERROR",)] * 3
    assert [error for error in company.errors() if error[0]] == [
        ("twice", "in_id", "23505", "in_id occurs more than once in the table")
    ] * 2
    total = "select sum(rows_total), sum(rows_done), sum(rows_failed) from {}.last_migration_state"
    assert company.in_schema(total + " where type = 'MIGRATE_SINGLE_FIELDS'") == [(5, 1, 4)]


def test_a_message_that_the_topic_does_not_take(make_company: Callable[..., Company]) -> None:
    company = make_company(PLAIN, config={"max.message.bytes": "100000"})
    company.supply(
        "insert into in_thing (in_id, text) values ('a', 'small'), ('toasted', repeat('x', 2000000)), ('b', 'small'),"
        " ('random', (select string_agg(md5(i::text), '') from generate_series(1, 4000) i)), ('many escapes', repeat(E'\\x01', 20000)),"
        " ('c', repeat('y', 90000))"
    )
    company.migrate()
    assert company.in_schema("select in_id, in_status from {}.in_thing order by id") == [
        ("a", "DONE"),
        ("toasted", "ERROR"),
        ("b", "DONE"),
        ("random", "ERROR"),
        ("many escapes", "ERROR"),
        ("c", "DONE"),
    ]
    assert {m.key for m in company.messages()} == {"a", "b", "c"}
    errors = {in_id: (column, code, reason) for in_id, column, code, reason in company.errors()}
    assert errors.keys() == {"toasted", "random", "many escapes"}
    assert errors["toasted"][:2] == ("text", "54000") and "message of 2000000 bytes" in errors["toasted"][2]
    assert errors["many escapes"][0] is None and company.topic in errors["many escapes"][2]


def test_a_large_message_arrives_where_the_topic_takes_it(make_company: Callable[..., Company]) -> None:
    company = make_company(PLAIN, config={"max.message.bytes": "10000000"})
    company.supply("insert into in_thing (in_id, text) values ('a', repeat('Ж', 2000000)), ('b', 'small')")
    company.migrate()
    assert company.statuses("in_thing") == {"DONE": 2}
    assert values_of(company.messages(), "Text") == {"a": "Ж" * 2_000_000, "b": "small"}


@pytest.fixture
def make_encoded_company(cluster: Cluster, broker: Broker, make_topic: Callable[..., str], request: pytest.FixtureRequest) -> Any:
    """A company in a database of another encoding: make_encoded_company(encoding, structure)."""

    def make(encoding: str, structure: dict[str, Any]) -> Company:
        made = cluster.database("migrator", encoding=encoding)
        database = made.__enter__()
        request.addfinalizer(lambda: made.__exit__(None, None, None))
        return Company(database, broker, make_topic(2), structure)

    return make


def test_unchecked_bytes_of_sql_ascii(make_encoded_company: Callable[..., Company]) -> None:
    company = make_encoded_company("SQL_ASCII", document(bo("Thing", field("Text"), field("Part", "bo", "Thing"))))
    company.supply("insert into in_thing (in_id, text) values ('good', 'Жук'), ('bad', E'\\xff\\xfe'), (E'\\xe9', 't'), ('last', 't')")
    company.supply("insert into in_thing_part values ('good', 'p'), (E'\\xe9', 'p'), ('good', E'\\xff'), ('last', 'p')")
    company.migrate()
    assert company.statuses("in_thing") == {"DONE": 2, "ERROR": 2}
    assert company.statuses("in_thing_part") == {"DONE": 2, "ERROR": 2}
    assert values_of([m for m in company.messages() if '"fields"' in (m.value or "")], "Text") == {"good": "Жук", "last": "t"}
    errors = company.in_schema(
        "select table_name, row_id, encode(in_id::bytea, 'escape'), column_name, sqlstate, reason from {}.err order by 1, 2, 3"
    )
    assert errors == [
        ("in_thing", 2, "bad", "text", "22021", "not valid in UTF-8"),
        ("in_thing", 3, "\\351", "in_id", "22021", "not valid in UTF-8"),
        ("in_thing_part", None, "\\351", "thing_id", "22021", "not valid in UTF-8"),
        ("in_thing_part", None, "good", "part_id", "22021", "not valid in UTF-8"),
    ]
    # What Kafka keeps about the run can still be read at the next one.
    company.supply("insert into in_thing (in_id, text) values ('later', 't')")
    company.migrate()
    assert company.statuses("in_thing") == {"DONE": 3, "ERROR": 2}


def test_another_encoding_is_sent_as_utf8(make_encoded_company: Callable[..., Company]) -> None:
    structure = document(bo("Größe", field("Wört"), field("Täil", "bo", "Größe")))
    company = make_encoded_company("LATIN1", structure)
    company.insert("in_größe", {"in_id": "é1", "wört": "ÿ ß"}, {"in_id": "z", "wört": "ascii"})
    for owner in ("é1", "z", "à"):
        company.insert("in_größe_täil", {"größe_id": owner, "täil_id": "ü"})
    migration = company.migrate()
    prefix = company.record_prefix(migration)
    record = row_record(prefix, "in_größe", "")
    messages = {json.loads(m.value or "")["recordId"]: (m.key, m.value) for m in company.messages()}
    assert messages[f"{record}1"] == ("é1", fields_message(f"{record}1", "é1", "Größe", {"Wört": "ÿ ß"}))
    for owner in ("é1", "z", "à"):
        link = link_record(prefix, "in_größe_täil", owner, "ü")
        assert messages[link] == (owner, link_message(link, owner, "Größe", "Täil", "ü", "Größe"))
    checks = [json.loads(value or "") for _, value in messages.values() if '"check"' in (value or "")]
    assert {c["externalId"]: c["check"] for c in checks} == {
        owner: [{"fieldCode": "Täil", "boCode": "Größe", "externalId": "ü"}] for owner in ("é1", "z", "à")
    }
    assert company.statuses("in_größe") == {"DONE": 2}
    assert company.statuses("in_größe_täil") == {"DONE": 3}

    company.insert("in_größe", {"in_id": "ö2", "wört": None}, {"in_id": "ö3", "wört": "ö"})
    company.migrate()
    assert company.statuses("in_größe") == {"DONE": 3, "SKIPPED": 1}


def test_a_character_without_counterpart(make_encoded_company: Callable[..., Company]) -> None:
    """WIN1252 has five bytes that stand for nothing; PostgreSQL lets them in."""
    company = make_encoded_company("WIN1252", document(bo("Thing", field("Text"), field("Part", "bo", "Thing"))))
    with company.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("set client_encoding = 'WIN1252'")
        cursor.execute(b"insert into in_tables.in_thing (in_id, text) values ('a', 't'), ('bad', '\x81'), ('\x8d', 't'), ('z', 't')")
        cursor.execute(b"insert into in_tables.in_thing_part values ('a', 'p'), ('\x81', 'p'), ('z', '\x8d'), ('zz', 'p'), ('zzz', '\x8d')")
    connection.close()
    company.migrate()
    assert company.statuses("in_thing") == {"DONE": 2, "ERROR": 2}
    assert company.statuses("in_thing_part") == {"DONE": 2, "ERROR": 3}
    assert sorted(m.key or "" for m in company.messages()) == ["a", "a", "a", "z", "zz", "zz"]
