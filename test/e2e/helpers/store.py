"""A company whose store is filled by messages and looked at."""

import json
from typing import Any

from harness import Database

Json = dict[str, Any]


def message(bo: str, external_id: str | None = None, links: list[Json] | None = None, /, **fields: Any) -> Json:
    """A message with simple fields and entries of boFields; a field called state, id or recordId is the message's own member."""
    result: Json = {"boCode": bo} | ({"externalId": external_id} if external_id else {})
    result |= {name: fields.pop(name) for name in ("state", "id", "recordId") if name in fields}
    if fields:
        result["fields"] = [{"code": code, "apiValue": value} for code, value in fields.items()]
    if links is not None:
        result["boFields"] = links
    return result


def by_value(field: str, to_field: str, value: Any, to_bo: str | None = None) -> Json:
    """A link in standard form."""
    return {"fieldCode": field, "toFieldCode": to_field, "apiValue": value} | ({"toBoCode": to_bo} if to_bo else {})


def nested(field: str, target: Json) -> Json:
    """A link in recursive form."""
    return {"fieldCode": field, "boiInput": target}


class Store:
    def __init__(self, database: Database, structure: Json) -> None:
        self.database = database
        self.code = structure["company"]["code"]
        database.execute("select migrator.load_structure(%s)", json.dumps(structure))

    def apply(self, message: Json | str) -> str:
        text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        return str(self.database.value("select migrator.apply_boi_input(%s, %s)", self.code, text))

    def apply_all(self, messages: list[Json]) -> list[str]:
        """In one batch; a bad message fails the test."""
        texts = [json.dumps(m, ensure_ascii=False) for m in messages]
        rows = self.database.query("select outcome, reason from migrator.apply_boi_inputs(%s, %s) order by n", self.code, texts)
        assert not [reason for _, reason in rows if reason], rows
        return [str(outcome) for outcome, _ in rows]

    def fields(self, bo: str, external_id: str) -> Json | None:
        rows = self.database.query(
            "select fields from migrator.instance where company = %s and id = migrator.instance_id(%s, %s, %s)",
            self.code, self.code, bo, external_id,
        )
        return rows[0][0] if rows else None

    def state(self, bo: str, external_id: str) -> str:
        return str(self.database.value(
            "select state from migrator.instance where company = %s and bo = %s and external_id = %s", self.code, bo, external_id
        ))

    def links(self, bo: str, external_id: str, field: str) -> set[str]:
        """The targets' external ids."""
        rows = self.database.query(
            """select t.external_id from migrator.instance_link l
               join migrator.instance t on t.company = l.company and t.id = l.target_id
               where l.company = %s and l.owner_id = migrator.instance_id(%s, %s, %s) and l.field_code = %s""",
            self.code, self.code, bo, external_id, field,
        )
        return {row[0] for row in rows}

    def waiting(self) -> set[tuple[str, str, str | None, str]]:
        return set(self.database.query(
            "select field_code, to_bo, to_field, value from in_migration.boi_reference where resolved_at is null"
        ))

    def content(self) -> Json:
        """Everything that does not depend on the time or on generated ids."""
        query = self.database.query
        return {
            "instances": query("select bo, external_id, state, fields from migrator.instance order by bo, external_id"),
            "links": query(
                """select o.bo, o.external_id, l.field_code, t.bo, t.external_id from migrator.instance_link l
                   join migrator.instance o on o.company = l.company and o.id = l.owner_id
                   join migrator.instance t on t.company = l.company and t.id = l.target_id order by 1, 2, 3, 4, 5"""
            ),
            "values": query(
                """select u.bo, u.field, u.value, i.external_id from migrator.instance_unique u
                   join migrator.instance i on i.company = u.company and i.id = u.id order by 1, 2, 3"""
            ),
            "waiting": query(
                """select o.external_id, r.field_code, r.to_bo, r.to_field, r.value from in_migration.boi_reference r
                   join migrator.instance o on o.company = r.company and o.id = r.owner_id
                   where r.resolved_at is null order by 1, 2, 3, 4, 5"""
            ),
        }
