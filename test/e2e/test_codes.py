"""Codes that are no plain identifiers: every field arrives under its own code, whatever the column is called."""

import json
from collections.abc import Callable
from typing import Any

from helpers import Company, bo, document, field, fields_message, row_record
from psycopg2 import sql

ROWS = 20_000
LONG = "Очень_длинный_код_справочника_контрагентов_"
CODES = [
    ("Order", ["User", "select", "Group"]),
    ("Заявка клиента", ["Дата рождения", "Ёлка", "имя"]),
    ('it\'s "quoted"', ['"', "'", "\\", "semi; drop table x; --", "$1", "%s", "{}", ","]),
    (LONG + "1", [LONG + "первое", LONG + "второе"]),
    (LONG + "2", ["a" * 62 + "x", "a" * 62 + "y", "a" * 70]),
]


def structure() -> dict[str, Any]:
    bos = [bo(code, *map(field, fields)) for code, fields in CODES]
    bos[0]["fields"].append(field("Заявка; клиента", "bo", "Заявка клиента"))
    bos[2]["fields"].append(field("to co", "co", 'c"o'))
    return document(*bos, cos=[{"code": 'c"o', "members": ["Order", LONG + "1", LONG + "2"]}])


def test_odd_codes_with_many_rows(make_company: Callable[..., Company]) -> None:
    company = make_company(structure())
    layout = company.database.query("select kind, bo, field, member_bo, relname, attname, owner_attname from migrator.in_layout('greetgo')")
    tables = {code: relname for kind, code, _, _, relname, _, _ in layout if kind == "fields"}
    columns = {(code, name): attname for kind, code, name, _, _, attname, _ in layout if kind == "fields"}
    assert len(set(tables.values())) == len(CODES)
    for code, fields in CODES:
        query = sql.SQL("insert into {} (in_id, {}) select 'k' || i, {} from generate_series(1, {}) i").format(
            sql.Identifier(tables[code]),
            sql.SQL(", ").join(sql.Identifier(columns[code, name]) for name in fields),
            sql.SQL(", ").join(sql.Literal(name) + sql.SQL(" || i") for name in fields),
            sql.Literal(ROWS),
        )
        company.supply(query)  # type: ignore[arg-type]
    links = [row for row in layout if row[0] == "links"]
    assert len(links) == 1 + 3
    for _, _, _, _, relname, attname, owner_attname in links:
        company.insert(relname, {owner_attname: "k1", attname: "k2"})

    migration = company.migrate(timeout=120)
    prefix = company.record_prefix(migration)
    expected = {}
    for code, fields in CODES:
        for i in range(1, ROWS + 1):
            record = row_record(prefix, tables[code], i)
            expected[record] = fields_message(record, f"k{i}", code, {name: f"{name}{i}" for name in fields})
    found: dict[str, str] = {}
    linked = []
    for message in company.messages():
        value = json.loads(message.value or "")
        if "fields" in value:
            assert value["recordId"] not in found
            found[value["recordId"]] = message.value or ""
        elif "boFields" in value:
            (link,) = value["boFields"]
            linked.append((value["boCode"], link["fieldCode"], link["boiInput"]["boCode"]))
    assert found == expected
    assert sorted(linked) == sorted(
        [
            ("Order", "Заявка; клиента", "Заявка клиента"),
            ('it\'s "quoted"', "to co", "Order"),
            ('it\'s "quoted"', "to co", LONG + "1"),
            ('it\'s "quoted"', "to co", LONG + "2"),
        ]
    )


def test_codes_that_run_together_alike(make_company: Callable[..., Company]) -> None:
    """The row of one table and the link of another spell the same text: their recordIds stay apart all the same."""
    structure = document(bo("p", field("q", "bo", "p")), bo("p_q.1:a", field("Text")))
    company = make_company(structure)
    company.insert("in_p_q.1:a", {"in_id": "row", "text": "t"})
    company.insert("in_p_q", {"p_id": "a", "q_id": "1"})
    company.migrate()
    records = [json.loads(m.value or "")["recordId"] for m in company.messages()]
    assert len(records) == len(set(records)) == 3
