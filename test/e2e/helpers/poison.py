"""Rows that cannot be sent, by kind, among rows that can: a load for a database that checks no encoding (SQL_ASCII)."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .company import Company
from .oracle import FieldsTable, LinksTable
from .structure import bo, document, field

STRUCTURE = document(
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
        field("Part", "bo", "Thing"),
    ),
    bo("Wide", field("Name"), field("Day", "date"), field("Local", "date"), field("Amount", "number"), field("Ratio", "number")),
    company="poison",
)
# What an admin may have made of the columns: other types with more values, and domains.
WIDER = """
create domain in_tables.short as text check (length(value) < 50);
create domain in_tables.shorter as in_tables.short;
alter table in_tables.in_wide alter name type in_tables.shorter, alter day type date, alter local type timestamp,
  alter amount type numeric, alter ratio type double precision;
drop index in_tables.in_thing_in_id_idx;
create index on in_tables.in_thing (in_id)
"""
FIELDS = (
    FieldsTable(
        "in_thing",
        "Thing",
        {
            "Key": "in_id",
            "Text": "text",
            "Block": "block",
            "Choice": "choice",
            "Moment": "moment",
            "Flag": "flag",
            "Amount": "amount",
            "Scan": "scan",
        },
    ),
    FieldsTable(
        "in_wide",
        "Wide",
        {"Name": "name", "Day": "day::timestamptz", "Local": "local::timestamptz", "Amount": "amount", "Ratio": "ratio::numeric"},
    ),
)
LINKS = (LinksTable("in_thing_part", "Thing", "thing_id", "Part", "part_id", "Thing"),)

# Bytes that a topic's messages may have when the run begins, and after it has been lowered behind the run's back.
LIMIT, LOWERED = 100_000, 30_000


@dataclass(frozen=True)
class Kind:
    """One kind of poison. `values` are SQL by column, in which n is the number of the row."""

    name: str
    table: str
    values: Mapping[str, str]
    column: str | None
    sqlstate: str
    reason: str  # a regular expression


def _encodings() -> Iterator[Kind]:
    bad = {
        "a lone continuation byte": r"\x80",
        "an overlong slash of two bytes": r"\xc0\xaf",
        "an overlong slash of three bytes": r"\xe0\x80\xaf",
        "an overlong slash of four bytes": r"\xf0\x80\x80\xaf",
        "an overlong NUL": r"\xc0\x80",
        "a high surrogate": r"\xed\xa0\x80",
        "a low surrogate": r"\xed\xbf\xbf",
        "a surrogate pair": r"\xed\xa0\xbd\xed\xb8\x80",
        "more than U+10FFFF": r"\xf4\x90\x80\x80",
        "a form of five bytes": r"\xf8\x88\x80\x80\x80",
        "two bytes cut off": r"\xc3",
        "three bytes cut off": r"\xe2\x82",
        "four bytes cut off": r"\xf0\x9f\x98",
        "cut off before a letter": r"\xe2\x82A",
        "Latin-1": r"t\xe9t\xe9",
        "UTF-16": r"\xff\xfeA",
    }
    for i, (name, value) in enumerate(bad.items()):
        column = ("text", "block", "choice", "scan")[i % 4]
        yield Kind(name, "in_thing", {column: f"E'{value}'"}, column, "22021", "not valid in UTF-8")
    end = {"block": r"repeat('long ', 5000) || E'\xff'"}
    yield Kind("the last byte of a compressed value", "in_thing", end, "block", "22021", "not valid in UTF-8")
    for column in ("in_id", "out_id"):
        yield Kind(f"a bad {column}", "in_thing", {column: r"n || E'\xed\xa0\x80'"}, column, "22021", "not valid in UTF-8")
    bad_name = {"in_id": r"n || E'\x80'", "removed": "true"}
    yield Kind("a removed row of a bad name", "in_thing", bad_name, "in_id", "22021", "not valid in UTF-8")
    owner = {"thing_id": r"'p' || n || E'\xc0\xaf'"}
    yield Kind("a link of a bad owner", "in_thing_part", owner, "thing_id", "22021", "not valid in UTF-8")
    target = {"part_id": r"n || E'\xf0\x9f'"}
    yield Kind("a link to a bad target", "in_thing_part", target, "part_id", "22021", "not valid in UTF-8")


def _values() -> Iterator[Kind]:
    dates = {
        ("in_thing", "moment"): ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01 00:00+00", "294276-12-31 23:59:59+00"),
        ("in_wide", "day"): ("infinity", "4713-11-24 BC", "5874897-12-31"),
        ("in_wide", "local"): ("-infinity",),
    }
    for (table, column), values in dates.items():
        for value in values:
            reason = "a date must lie in the years 1 to 9999"
            yield Kind(f"{column} {value}", table, {column: f"'{value}'"}, column, "22008", reason)
    numbers = [("in_thing", "amount", "NaN"), ("in_wide", "amount", "Infinity"), ("in_wide", "ratio", "-Infinity")]
    for table, column, value in numbers:
        yield Kind(f"{column} {value}", table, {column: f"'{value}'"}, column, "22003", "a number must be finite")


def _names_and_sizes() -> Iterator[Kind]:
    yield Kind("no name, but values", "in_thing", {"in_id": "null"}, "in_id", "23502", "in_id is null")
    yield Kind("no name, no value", "in_thing", {"in_id": "null", "text": "null"}, "in_id", "23502", "in_id is null")
    twice = {"in_id": "'twice'"}
    yield Kind("the name of another", "in_thing", twice, "in_id", "23505", "in_id occurs more than once in the table")
    large = {"text": f"repeat('x', {2 * LIMIT})"}
    yield Kind("a value that is too large", "in_thing", large, "text", "54000", f"message of {2 * LIMIT} bytes or more; .*")
    escapes = {"text": f"repeat(E'\\x01', {LIMIT // 5})"}
    yield Kind("too large by its escapes", "in_thing", escapes, None, "54000", "message of .*; topic topic_.* takes .*")
    refused = {"text": f"repeat('y', {2 * LOWERED})"}
    yield Kind(TOO_LARGE_BY_NOW, "in_thing", refused, None, "22000", "refused by the broker: .*MSG_SIZE_TOO_LARGE.*")


TOO_LARGE_BY_NOW = "larger than the broker takes by now"
KINDS = (*_encodings(), *_values(), *_names_and_sizes())


class Poison:
    """Fills a company's tables with `good` rows, and `each` rows of every kind at random places among them."""

    def __init__(self, company: Company, good: int, each: int, seed: int = 1) -> None:
        self.company = company
        self.rows: dict[str, dict[int, Kind]] = {}  # the poison of each table by number of the row
        company.database.execute(WIDER)
        company.insert("in_filestorage", {"file_id": "file-1", "file_name": "scan.png"})
        draw = random.Random(seed)
        for table, share in (("in_thing", 0.8), ("in_wide", 0.1), ("in_thing_part", 0.1)):
            kinds = [kind for kind in KINDS if kind.table == table and kind.name != TOO_LARGE_BY_NOW]
            total = int(good * share) + len(kinds) * each
            places = draw.sample(range(1, total + 1), len(kinds) * each)
            self.rows[table] = {n: kinds[i % len(kinds)] for i, n in enumerate(places)}
            self._insert_good(table, total)
            for kind in kinds:
                self._insert(kind, [n for n, k in self.rows[table].items() if k is kind])
        # In the end of its table: the topic is lowered while the run is on its way there.
        last = max(self.rows["in_thing"]) + good
        (late,) = (kind for kind in KINDS if kind.name == TOO_LARGE_BY_NOW)
        self.late = list(range(last, last + each))
        self.rows["in_thing"] |= dict.fromkeys(self.late, late)
        self._insert(late, self.late)

    GOOD: Mapping[str, Mapping[str, str]] = {
        "in_thing": {
            "id": "n",
            "in_id": "'g' || n",
            "out_id": "case when n % 10 = 0 then 'o' || n end",
            "text": "case when n % 7 > 0 then 'Строка \"' || n || E'\"\\n' end",
            "block": "case when n % 1000 = 0 then repeat('блок ', 2000) end",
            "choice": "case when n % 3 = 0 then 'choice' end",
            "moment": "timestamptz '0001-01-01 UTC' + n * interval '40 hours 1.2345 s'",
            "flag": "n % 2 = 0",
            "amount": "n / 16.0",
            "scan": "case when n % 5 = 0 then 'file-1' end",
            "removed": "n % 100 = 1",
        },
        "in_wide": {
            "id": "n",
            "in_id": "'w' || n",
            "name": "'имя ' || n",
            "day": "date '0001-01-02' + n",
            "local": "timestamp '9999-12-30' - n * interval '1 hour'",
            "amount": "n * 1e30",
            "ratio": "n / 8.0",
        },
        "in_thing_part": {"thing_id": "'g' || n / 2 * 2", "part_id": "'g' || n"},
    }

    def _insert_good(self, table: str, total: int) -> None:
        columns = self.GOOD[table]
        self.company.supply(
            f"insert into {table} ({', '.join(columns)}) select {', '.join(columns.values()).replace('%', '%%')} "
            f"from generate_series(1, %s) n where n <> all (%s)",
            total,
            list(self.rows[table]),
        )

    def _insert(self, kind: Kind, numbers: Sequence[int]) -> None:
        columns = {"in_thing_part": {"thing_id": "'p' || n", "part_id": "'q' || n"}, "in_wide": {"id": "n", "in_id": "'p' || n"}}.get(
            kind.table, {"id": "n", "in_id": "'p' || n", "text": "'good'"}
        ) | dict(kind.values)
        self.company.supply(
            f"insert into {kind.table} ({', '.join(columns)}) select {', '.join(columns.values()).replace('%', '%%')} from unnest(%s) n",
            list(numbers),
        )

    def expected(self) -> Counter[tuple[str, str]]:
        """How many rows of err there must be by table and kind."""
        return Counter((kind.table, kind.name) for rows in self.rows.values() for kind in rows.values())
