"""The messages that a row must become, written from the requirements and not from the code under test."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

Value = str | bool | int | Decimal | datetime | None


def compact(message: Mapping[str, object]) -> str:
    """The canonical form: keys in the given order, no spaces, UTF-8 as it is."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def api_value(value: Value) -> str:
    """A value as the REST interface of the platform spells it; always a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        date = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
        return f"{date}T{moment.hour:02}:{moment.minute:02}:{moment.second:02}.{moment.microsecond // 1000:03}Z"
    if isinstance(value, int | Decimal):
        digits = f"{Decimal(value):f}"
        if "." in digits:
            digits = digits.rstrip("0").rstrip(".")
        return "0" if digits in ("-0", "") else digits
    assert value is not None
    return value


def row_record(prefix: str, table: str, row: object) -> str:
    return f"{prefix}row.{len(table.encode())}:{table}.{row}"


def link_record(prefix: str, table: str, owner: str, target: str) -> str:
    return f"{prefix}link.{len(table.encode())}:{table}.{len(owner.encode())}:{owner}.{target}"


def check_record(prefix: str, table: str, owner: str) -> str:
    """Of the first part; lists too long for one message have more."""
    return f"{prefix}check.{len(table.encode())}:{table}.0.{owner}"


def fields_message(
    record_id: str,
    external_id: str,
    bo_code: str,
    fields: Mapping[str, Value],
    *,
    id: str | None = None,
    removed: bool = False,
) -> str:
    """The message of a row; `fields` in the order of the structure, None for a column that is null."""
    message: dict[str, object] = {"recordId": record_id, "externalId": external_id}
    if id is not None:
        message["id"] = id
    message["boCode"] = bo_code
    if not removed:
        message["fields"] = [{"code": code, "apiValue": api_value(v)} for code, v in fields.items() if v is not None]
    message["state"] = "REMOVED" if removed else "ACTUAL"
    return compact(message)


def link_message(
    record_id: str, external_id: str, bo_code: str, field_code: str, to_external_id: str, to_bo_code: str
) -> str:
    target = {"externalId": to_external_id, "boCode": to_bo_code}
    links = [{"fieldCode": field_code, "boiInput": target}]
    return compact({"recordId": record_id, "externalId": external_id, "boCode": bo_code, "boFields": links})


def check_message(
    record_id: str, external_id: str, bo_code: str, field_code: str, to_bo_code: str, targets: Iterable[str]
) -> str:
    """The reference check of one owner and one link table."""
    links = [{"fieldCode": field_code, "boCode": to_bo_code, "externalId": target} for target in targets]
    return compact({"recordId": record_id, "externalId": external_id, "boCode": bo_code, "check": links})


def partition_of(key: str, partitions: int) -> int:
    """Where the Java client's default partitioner puts a key."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    whole = len(data) & ~3
    result = 0x9747B28C ^ len(data)
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        result = result * multiplier & mask ^ word
    if len(data) > whole:
        result = (result ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    result = (result ^ result >> 13) * multiplier & mask
    return result ^ result >> 15
