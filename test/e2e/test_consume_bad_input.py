"""What is too big, too deep or beyond all types comes through a topic: a dead letter that says why, and the next message is applied."""

import json
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Producer
from harness import wait_until
from helpers.consumption import CODE, Consumption, thing
from helpers.messages import compact

MB = 1_000_000
SIZE = 100 * MB


def member(code: str, json_value: bytes, number: int = 1) -> bytes:
    """A message with one field, whose value is written so."""
    return b'{"externalId":"bad%d","boCode":"Thing","fields":[{"code":"%s","apiValue":%s}]}' % (number, code.encode(), json_value)


def chain(depth: int) -> bytes:
    """Messages nested in each other, each with a value."""
    begin = b'{"externalId":"deep","boCode":"Thing","boFields":[{"fieldCode":"Part","boiInput":'
    return begin * (depth - 1) + b'{"externalId":"deep","boCode":"Thing"}' + b"}]}" * (depth - 1)


# The message, the SQLSTATE of its dead letter, and a part of the reason.
BAD: list[tuple[bytes, str, str]] = [
    (b"x" * SIZE, "22032", "at byte 1:"),
    (b"[" * SIZE, "22023", "must be an object"),
    (b'{"externalId":"' + b"x" * (SIZE - 100) + b'","boCode":"Thing","state":"ACTUAL"}', "22001", "longer than 1000 bytes"),
    (member("Amount", b"9" * (SIZE - 200)), "22P02", "at most 1000 digits"),
    (b'{"x":' * 100_000 + b"1" + b"}" * 100_000, "54000", "nested too deeply"),
    (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "54000", "nested too deeply"),
    (chain(100_000), "54000", "nested too deeply"),
    (chain(101), "54000", "nested too deeply"),
    (member("Amount", b"1e1000"), "22P02", "at most 1000 digits"),
    (member("Amount", b"-1e999999999999999999999"), "22P02", "at most 1000 digits"),
    (member("Amount", b'"NaN"'), "22P02", "at most 1000 digits"),
    (member("Amount", b'"0x10"'), "22P02", "at most 1000 digits"),
    (member("Text", b'"\xff\xfe"'), "22021", "invalid UTF-8"),
    (member("Text", b'"a\x00b"'), "22032", "control character"),
    (member("Text", b'"a\\u0000b"'), "22P05", "u0000"),
    (member("Nothing", b'"x"'), "42704", 'field "Nothing" of BO "Thing" does not exist'),
    (b'{"externalId":"x","boCode":"Nobody"}', "42704", 'BO "Nobody" does not exist'),
    (b'{"externalId":"x","boCode":"Company","fields":[{"code":"name","apiValue":"x"}]}', "22023", "does not take part"),
    (b'{"id":"unknown","boCode":"Thing","fields":[{"code":"Text","apiValue":"x"}]}', "P0002", "no instance"),
    (b'{"boCode":"Thing","fields":[{"code":"Text","apiValue":"x"}]}', "22023", "names no instance"),
]


def memory(pid: int, name: str) -> int:
    """VmRSS or VmHWM of a process, in bytes."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) * 1024


def produce(consumption: Consumption, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": consumption.broker.bootstrap, "message.max.bytes": SIZE + MB, "compression.type": "lz4"})
    for value in values:
        producer.produce(topic, key=b"k", value=value, partition=0)
        assert producer.flush(120) == 0


def test_each_becomes_a_dead_letter_and_the_next_one_is_applied(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, {"max.message.bytes": str(SIZE + MB)})
    consumption.subscribe(topic)
    for number, (value, _, _) in enumerate(BAD):
        produce(consumption, topic, value, thing(number).encode())
    consumption.call("start_consumers")
    consumption.wait_for_instances(len(BAD), 300)
    assert consumption.numbers() == list(range(len(BAD)))
    letters = consumption.database.query('select "offset", octet_length(value), sqlstate, reason from migrator.dead_letter order by id')
    assert [letter[:3] for letter in letters] == [(2 * number, len(value), sqlstate) for number, (value, sqlstate, _) in enumerate(BAD)]
    for (_, _, part), (_, _, _, reason) in zip(BAD, letters, strict=True):
        assert part in reason and len(reason) < 500, reason
    assert consumption.database.query("select place, message from in_migration.errors") == []
    [consumer] = consumption.workers("consumer")
    # In one go: the frame, its hexadecimal form for the table, and copies on the way; afterwards nothing of it is kept.
    assert memory(consumer, "VmHWM") < 11 * SIZE
    wait_until(lambda: memory(consumer, "VmRSS") < 2 * SIZE, what="the memory is given back")


def test_a_message_of_100_mb_is_applied(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, {"max.message.bytes": str(SIZE + MB)})
    consumption.subscribe(topic)
    produce(consumption, topic, member("Text", b'"' + b"0123456789" * (SIZE // 10 - 100) + b'"'), thing(1).encode())
    consumption.call("start_consumers")
    consumption.wait_for_instances(2, 120)
    assert consumption.database.value("select octet_length(fields ->> 'Text') from migrator.instance where external_id = 'bad1'") == SIZE - 1000
    assert consumption.database.query("select reason from migrator.dead_letter") == []


def test_cycles_of_links(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    """Rings through one message, through several, by name and by value, each to itself as well."""
    topic = make_topic(2)
    consumption.subscribe(topic)

    def part(number: int) -> dict[str, object]:
        return {"fieldCode": "Part", "boiInput": {"externalId": f"x{number}", "boCode": "Thing"}}

    ring = 50
    records = [(f"x{n}", thing(n, boFields=[part((n + 1) % ring), part(n)])) for n in range(ring)]
    inside: dict[str, object] = json.loads(thing(100))
    inside["boFields"] = [{"fieldCode": "Part", "boiInput": json.loads(thing(101, boFields=[part(100)]))}]
    by_value = {"fieldCode": "Part", "toFieldCode": "Code", "apiValue": "self"}
    self_made = json.loads(thing(102, boFields=[by_value]))
    self_made["fields"].append({"code": "Code", "apiValue": "self"})
    consumption.broker.produce(topic, *records, ("x100", compact(inside)), ("x102", compact(self_made)))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    links = consumption.database.query(
        "select o.external_id, t.external_id from migrator.instance_link l join migrator.instance o on o.id = l.owner_id"
        " join migrator.instance t on t.id = l.target_id")
    expected = [(f"x{n}", f"x{(n + 1) % ring}") for n in range(ring)] + [(f"x{n}", f"x{n}") for n in range(ring)]
    assert sorted(links) == sorted([*expected, ("x100", "x101"), ("x101", "x100"), ("x102", "x102")])
    assert consumption.database.value("select count(*) from in_migration.boi_reference where resolved_at is null") == 0
