"""Messages end in the same store in whatever order, in whatever batches, and by however many sessions they are applied."""

import json
import random
import threading
from collections.abc import Callable

import psycopg2
import pytest
from harness import Database
from helpers import consumption
from helpers.feed import Messages
from helpers.store import Json, Store, by_value, message, nested
from helpers.structure import bo, document, field

STRUCTURE = document(
    bo("A", field("Name"), field("Key", unique=True), field("ToB", "bo", "B"), field("ToC", "co", "C")),
    bo("B", field("Name"), field("Key", "number", unique=True), field("ToA", "bo", "A")),
    cos=[{"code": "C", "members": ["A", "B"]}],
)


def messages_of(seed: int, count: int = 40) -> list[Json]:
    """Messages that do not contradict each other: each field is given one value, wherever it is given."""
    chance = random.Random(seed)

    def part(kind: str, n: int) -> Json:
        given = {"Name": f"name {kind}{n}"} if chance.random() < 0.5 else {"Key": str(n)}
        return message(kind, f"{kind}{n}", **given)

    def link(kind: str, depth: int) -> Json:
        name, target = chance.choice([("ToB", "B"), ("ToC", "A"), ("ToC", "B")] if kind == "A" else [("ToA", "A")])
        n = chance.randrange(count // 4)
        form = chance.randrange(3)
        if form == 0:
            return by_value(name, "Key", n, target)
        if form == 1:
            return nested(name, message(target, f"{target}{n}"))
        inside = part(target, n)
        if depth < 4 and chance.random() < 0.5:
            inside["boFields"] = [link(target, depth + 1)]
        return nested(name, inside)

    result = []
    for i in range(count):
        kind, n = chance.choice("AB"), chance.randrange(count // 4)
        one = part(kind, n)
        if chance.random() < 0.6:
            one["boFields"] = [link(kind, 0) for _ in range(chance.randrange(1, 4))]
        result.append(one | {"recordId": f"{seed}-{i}"})
    # In the end everybody has everything: nothing depends on who was named and never came.
    for kind in "AB":
        result += [message(kind, f"{kind}{n}", Name=f"name {kind}{n}", Key=str(n)) for n in range(count // 4)]
    return result


@pytest.mark.parametrize("seed", range(8))
def test_any_order_and_any_batches(database: Database, seed: int) -> None:
    store = Store(database, STRUCTURE)
    messages = messages_of(seed)
    for message_ in messages:
        store.apply(message_)
    expected = store.content()
    assert expected["waiting"] == [] and len(expected["links"]) > 10
    chance = random.Random(1000 + seed)
    for _ in range(5):
        database.execute("select migrator.clear_store('greetgo')")
        chance.shuffle(messages)
        rest = messages[:]
        while rest:
            size = chance.choice([1, 2, 10, 100])
            store.apply_all(rest[:size])
            rest = rest[size:]
        assert store.content() == expected


@pytest.mark.parametrize("seed", range(4))
def test_batches_change_no_verdict(database: Database, seed: int) -> None:
    """What becomes of a message is what becomes of it alone, however much of what it meets stands in the same batch."""
    store = Store(database, consumption.STRUCTURE)
    drawn = Messages(random.Random(seed), 20)
    chance = random.Random(seed)
    messages = [m.decode() for m in (drawn.next(chance.randrange(drawn.groups)) for _ in range(600)) if m and b"\xff" not in m]

    def outcomes(size: Callable[[], int]) -> list[tuple[str, ...]]:
        database.execute("select migrator.clear_store(%s)", store.code)
        database.execute("delete from migrator.seen_record")
        result: list[tuple[str, ...]] = []
        while len(result) < len(messages):
            batch = messages[len(result) : len(result) + size()]
            result += database.query("select outcome, sqlstate from migrator.apply_boi_inputs(%s, %s) order by n", store.code, batch)
        return result

    alone = outcomes(lambda: 1)
    content = store.content()
    assert {outcome for outcome, _ in alone} == {"inserted", "updated", "unchanged", "merged", "skipped", "duplicate", None}
    for sizes in ([len(messages)], [2, 3], [1, 10, 100]):
        together = outcomes(lambda sizes=sizes: chance.choice(sizes))  # type: ignore[misc]
        differences = [(n, messages[n], *pair) for n, pair in enumerate(zip(alone, together, strict=True)) if pair[0] != pair[1]]
        assert differences == []
        assert store.content() == content


def test_several_sessions_at_once(database: Database) -> None:
    store = Store(database, STRUCTURE)
    messages = messages_of(77, 400)
    store.apply_all(messages)
    expected = store.content()
    database.execute("select migrator.clear_store('greetgo')")
    random.Random(1).shuffle(messages)
    errors: list[BaseException] = []
    repeated = [0]

    def session(part: list[Json]) -> None:
        connection = database.connect()
        try:
            with connection.cursor() as cursor:
                while part:
                    batch = [json.dumps(m) for m in part[:20]]
                    try:
                        cursor.execute("select outcome, reason from migrator.apply_boi_inputs('greetgo', %s)", [batch])
                    except psycopg2.Error as error:
                        assert error.pgcode in ("40001", "40P01"), error
                        repeated[0] += 1
                        continue
                    assert not [row for row in cursor.fetchall() if row[1]]
                    part = part[20:]
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=session, args=(messages[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.content() == expected
