"""Whatever comes that is no message: a clear error of the right kind, nothing applied, the session alive."""

import json

import psycopg2
import pytest
from harness import Database
from helpers.store import Json, Store, by_value, message, nested
from helpers.structure import bo, document, field

STRUCTURE = document(
    bo("A", field("Text"), field("Number", "number"), field("Date", "date"), field("Flag", "flag"), field("Key", unique=True), field("ToA", "bo", "A"), field("ToC", "co", "C")),
    bo("B", field("Text"), field("Key", unique=True)),
    bo("D", field("Text")),
    cos=[{"code": "C", "members": ["A", "B"]}],
)


def link(**entry: object) -> Json:
    return message("A", "a", [entry])


# What is applied, and the SQLSTATE and a part of the reason.
BAD: list[tuple[Json | str, str, str]] = [
    ("", "22032", "byte 1"),
    ("{", "22032", "byte 2"),
    ("[]", "22023", "must be an object"),
    ('{"boCode":"A"} x', "22032", "follows after its end"),
    ('{"externalId":"\\u0000","boCode":"A"}', "22P05", "u0000"),
    ('{"externalId":"\\ud800","boCode":"A"}', "22032", "surrogate"),
    ('{"externalId":"a","externalId":"b","boCode":"A"}', "22032", "twice"),
    ("[" * 100_000, "22023", "must be an object"),
    ('{"x":' * 100_000, "54000", "too deeply"),
    ({"externalId": "a"}, "22023", "boCode"),
    ({"boCode": "A", "fields": [{"code": "Text", "apiValue": "x"}]}, "22023", "names no instance"),
    ({"boCode": 1, "externalId": "a"}, "22023", "must be a string"),
    (message("Nobody", "a", Text="x"), "42704", 'BO "Nobody" does not exist'),
    (message("A", "a", Nothing="x"), "42704", 'field "Nothing" of BO "A" does not exist'),
    (message("A", "a", ToA="x"), "22023", "is a link"),
    (message("A", "a", Text="x", state="GONE"), "22023", 'unknown state "GONE"'),
    (message("A", "a", Text=["x"]), "22023", "apiValue"),
    (message("A", "a", Number="tall"), "22P02", 'field "Number" of BO "A"'),
    (message("A", "a", Number="1e1000"), "22P02", "1000 digits"),
    ('{"boCode":"A","externalId":"a","fields":[{"code":"Number","apiValue":1e400000000000}]}', "22P02", "1000 digits"),
    ('{"boCode":"A","externalId":"a","fields":[{"code":"Number","apiValue":NaN}]}', "22032", "value is missing"),
    (message("A", "a", Number=True), "22P02", "number"),
    (message("A", "a", Date="yesterday"), "22P02", "date"),
    (message("A", "a", Date="2023-02-29"), "22P02", "date"),
    (message("A", "a", Date="10000-01-01"), "22P02", "date"),
    (message("A", "a", Date=1735203573261), "22P02", "date"),
    (message("A", "a", Flag="yes"), "22P02", "true or false"),
    ({"boCode": "A", "externalId": "a", "fields": [{"code": "Text", "apiValue": "1"}, {"code": "Text", "apiValue": "2"}]}, "22023", "twice"),
    (message("A", "x" * 1001, Text="x"), "22001", "1000 bytes"),
    (message("A", None, id="unknown", Text="x"), "P0002", "no instance"),
    (message("B", "b", id="known", Text="x"), "22023", 'of BO "A"'),
    (message("A", "a", [nested("ToA", message("A", None, id="unknown"))]), "P0002", "no instance"),
    (link(fieldCode="Nothing", apiValue="x"), "42704", "does not exist"),
    (link(fieldCode="Text", toFieldCode="Key", apiValue="x"), "22023", "is not a link"),
    (link(fieldCode="ToA"), "22023", "apiValue"),
    (link(fieldCode="ToA", apiValue="x"), "22023", "toFieldCode"),
    (message("A", "a", [by_value("ToA", "Text", "x")]), "22023", "not unique"),
    (message("A", "a", [by_value("ToA", "Nothing", "x")]), "42704", "does not exist"),
    (message("A", "a", [by_value("ToA", "Key", "x", "B")]), "22023", 'leads to BO "A"'),
    (message("A", "a", [by_value("ToC", "Key", "x")]), "22023", "several BOs"),
    (message("A", "a", [by_value("ToC", "Key", "x", "D")]), "22023", "not a member"),
    (message("A", "a", [nested("ToA", message("B", "b", Text="x"))]), "22023", 'leads to BO "A"'),
    (message("A", "a", [nested("ToA", message("A", "b", Number="deep"))]), "22P02", "number"),
    (message("A", "a", [nested("ToA", {"boCode": "A"})]), "22023", "names no instance"),
    (message("Company", "c", name="x"), "22023", "does not take part"),
    ({"boCode": "A", "check": []}, "22023", "externalId"),
]


def test_each_has_its_error(database: Database) -> None:
    store = Store(database, STRUCTURE)
    store.apply(message("A", "known", id="known", Text="x"))
    before = store.content()
    texts = [bad if isinstance(bad, str) else json.dumps(bad) for bad, _, _ in BAD]
    for text, (_, sqlstate, reason) in zip(texts, BAD, strict=True):
        with pytest.raises(psycopg2.Error) as error:
            store.apply(text)
        assert (error.value.pgcode, reason in str(error.value)) == (sqlstate, True), f"{text[:200]}: {error.value}"
    # All in one batch with good ones around them.
    good = [json.dumps(message("B", f"b{i}", Text="x")) for i in range(len(texts))]
    mixed = [text for pair in zip(good, texts, strict=True) for text in pair]
    rows = database.query("select outcome, sqlstate from migrator.apply_boi_inputs('greetgo', %s) order by n", mixed)
    assert rows[0::2] == [("inserted", None)] * len(good)
    assert rows[1::2] == [(None, sqlstate) for _, sqlstate, _ in BAD]
    database.execute("select migrator.clear_store('greetgo', 'B')")
    assert store.content() == before


def test_unknown_company(database: Database) -> None:
    with pytest.raises(psycopg2.errors.UndefinedObject, match='company "nobody" does not exist'):
        database.execute("select migrator.apply_boi_input('nobody', '{}')")


def test_a_message_of_100_mb(database: Database) -> None:
    store = Store(database, STRUCTURE)
    database.execute(
        """select migrator.apply_boi_input('greetgo',
           '{"boCode":"A","externalId":"big","fields":[{"code":"Text","apiValue":"' || repeat('0123456789', 10000000) || '"}]}')"""
    )
    assert database.value("select octet_length(fields ->> 'Text') from migrator.instance") == 100_000_000
    assert store.apply(message("A", "big", Number=1)) == "updated"


def test_values_never_reach_the_reason(database: Database) -> None:
    store = Store(database, STRUCTURE)
    for bad in (message("A", "canary", Number="canary"), message("A", None, id="canary"), message("A", "canary" * 200, Text="x")):
        reason = database.value("select reason from migrator.apply_boi_inputs(%s, %s)", store.code, [json.dumps(bad)])
        assert "canary" not in reason
