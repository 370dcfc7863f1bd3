"""JSON of all kinds in a topic: what is good is applied, what is not is a dead letter with its reason, and nothing holds up anything."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from helpers.consumption import CODE, Consumption

CASES = Path(__file__).parents[1] / "json" / "cases"
ABSENT = "no such instance"


def cases() -> Iterator[tuple[str, str, bytes]]:
    """(value or document, expected verdict, text)."""
    for line in CASES.read_text().splitlines():
        if line and not line.startswith("#"):
            kind, expected, text = line.split("\t")
            yield kind, expected, unquote_to_bytes(text)


def messages() -> Iterator[tuple[bytes, str, object]]:
    """(message, expected verdict, the Text of its instance); the externalId is x and the message's number."""
    number = 0

    def wrapped(members: bytes, value: bytes) -> bytes:
        return b'{"externalId":"x%d","boCode":"Thing",%s}' % (number, members.replace(b"@", value))

    for kind, expected, text in cases():
        if kind == "document":
            yield text.replace(b"@", b"x%d" % number), expected, "t"
            number += 1
            continue
        yield wrapped(b'"fields":[{"code":"Text","apiValue":"t"}],"x":@', text), expected, "t"
        number += 1
        if b"[" not in text and b"{" not in text:
            good = text.decode().strip(" \t\r\n") if expected == "ok" else ""
            # A number is text as it is written.
            read = json.loads(good) if good[:1] == '"' else None if good == "null" else good
            yield wrapped(b'"fields":[{"code":"Amount","apiValue":"1"},{"code":"Text","apiValue":@}]', text), expected, read
            number += 1


def test_every_case_is_applied_or_a_dead_letter(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    produced = list(messages())
    assert len(produced) > 650
    consumption.produce_bytes(topic, *(text for text, _, _ in produced))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    found = dict(consumption.database.query("select external_id, fields ->> 'Text' from migrator.instance where company = %s", CODE))
    letters = {offset: (bytes(value), sqlstate, reason) for offset, value, sqlstate, reason in consumption.database.query(
        'select "offset", value, sqlstate, reason from migrator.dead_letter where company = %s', CODE)}
    for number, (text, expected, value) in enumerate(produced):
        if expected == "ok":
            assert (found.pop(f"x{number}", ABSENT), letters.get(number)) == (value, None), text
        else:
            kept, sqlstate, reason = letters.pop(number, (b"", "applied", ""))
            assert (kept, sqlstate) == (text, expected) and reason, text
    assert (found, letters) == ({}, {})
    assert consumption.received()["received"] == len(produced)
