"""The rows: the requirements' in_Natural_client, or a table of any number of text fields of any width."""

from dataclasses import dataclass
from typing import Any

# Code, type, and a value made of i, the number of the row. Nobody has died, so 11 fields of the 12 are sent.
NATURAL_CLIENT = [
    ("IIN", "text", "lpad((i * 7919 % 1000000000000)::text, 12, '0')"),
    ("Category", "choice", "substr(md5(i::text), 1, 24)"),
    ("Date_Birth", "date", "timestamptz '1940-01-01 UTC' + (i * 7919 % 25000) * interval '1 day'"),
    ("Date_death", "date", "null::timestamptz"),
    ("SUSN_type", "flag", "i % 3 = 0"),
    ("Relationship_status", "text", "(array['married', 'single', 'divorced', 'widowed'])[1 + i % 4]"),
    ("Client_dep_colvir_ID", "number", "1000000 + i % 100000"),
    ("Gender", "choice", "substr(md5((i % 2)::text), 1, 24)"),
    ("Amount_children", "number", "i % 5"),
    ("Client_code", "text", "'C-' || lpad(i::text, 12, '0')"),
    ("Full_name", "text", "(array['Ахметова', 'Иванов', 'Smith', 'Müller', 'Оспанов'])[1 + i % 5] || ' ' || substr(md5((i * 31)::text), 1, 14)"),
    ("Global_client_ID", "number", "i * 17 + 0.25"),
]


@dataclass(frozen=True)
class Load:
    """A business object, its fields as (code, type, value of row i), and its number of rows."""

    rows: int
    bo: str
    fields: list[tuple[str, str, str]]

    @property
    def table(self) -> str:
        return f"in_tables.in_{self.bo.lower()}"

    @property
    def structure(self) -> dict[str, Any]:
        fields = [{"code": code, "type": kind, "in": True} for code, kind, _ in self.fields]
        return {"company": {"code": "bench"}, "bos": [{"code": self.bo, "fields": fields}]}

    @property
    def insert(self) -> str:
        columns = ", ".join(code.lower() for code, _, _ in self.fields)
        values = ", ".join(value for _, _, value in self.fields)
        return f"insert into {self.table} (in_id, {columns}) select 'client-' || i, {values} from generate_series(1::bigint, {self.rows}) i"

    @property
    def messages(self) -> str:
        """The query by which a user would make the same messages: key and JSON."""
        fields = ", ".join(
            f"json_build_object('code', '{code}', 'apiValue', {code.lower()})" for code, _, value in self.fields if not value.startswith("null")
        )
        return (
            f"select in_id, json_build_object('recordId', 'bench.' || id, 'externalId', in_id, 'boCode', '{self.bo}', "
            f"'fields', json_build_array({fields}), 'state', 'ACTUAL') from {self.table}"
        )

    @property
    def flat(self) -> str:
        """Key and row as plain JSON, which is smaller and soon made, but not what the consumer reads."""
        pairs = ", ".join(f"'{code}', {code.lower()}" for code, _, _ in self.fields)
        return f"select in_id, json_build_object({pairs}) from {self.table}"


def natural_client(rows: int) -> Load:
    return Load(rows, "Natural_client", NATURAL_CLIENT)


def texts(rows: int, fields: int, bytes_each: int) -> Load:
    """`fields` text fields whose values have `bytes_each` bytes."""
    value = f"substr(repeat(md5((i + {{n}})::text), {bytes_each // 32 + 1}), 1, {bytes_each})"
    return Load(rows, "Wide", [(f"F{n}", "text", value.format(n=n)) for n in range(1, fields + 1)])
