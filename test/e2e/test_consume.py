"""What stands in the topics arrives in the store exactly once, in order, whatever else stands there."""

import json
from collections.abc import Callable

import psycopg2
import pytest
from harness import wait_until
from helpers.consumption import CODE, STRUCTURE, Consumption, thing
from helpers.messages import compact


def test_everything_arrives_once(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    one, other = make_topic(3), make_topic(1)
    consumption.subscribe(one, other)
    consumption.produce(one, range(2000))
    consumption.produce(other, range(2000, 2500))
    assert consumption.call("start_consumers") == 'started: consumption of company "eater"'
    consumption.wait_for_instances(2500)
    assert consumption.numbers() == list(range(2500))
    # What comes while it runs, and what came before.
    consumption.produce(one, range(1990, 2010), text="again")
    consumption.produce(one, range(100))
    consumption.wait_until_applied()
    assert consumption.numbers("again") == list(range(1990, 2010))
    received = consumption.received()
    assert received == {"received": 2620, "inserted": 2500, "updated": 20, "unchanged": 0, "merged": 0, "skipped": 0, "duplicate": 100, "failed": 0}


def test_sessions_of_another_isolation_level_by_default(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    """Workers look again for what others have written meanwhile, whatever is the default of the database."""
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.produce(topic, range(10))
    name = consumption.database.name
    consumption.database.execute(f"""
        alter database {name} set default_transaction_isolation = serializable;
        create table public.seen (level text);
        create function public.look() returns trigger language plpgsql as $$ begin insert into public.seen select current_setting('transaction_isolation'); return new; end $$;
        create trigger look after insert on migrator.instance for each statement execute function public.look()""")
    consumption.call("start_consumers")
    consumption.wait_for_instances(10)
    assert consumption.database.query("select distinct level from public.seen") == [("read committed",)]


def test_the_operators_query_gives_records_per_second(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.produce(topic, range(100))
    consumption.database.execute("call migrator.consume(%s)", CODE)
    consumption.produce(topic, range(100), text="new")
    consumption.database.execute("call migrator.consume(%s)", CODE)
    # As the requirements have it, word for word.
    query = (
        "SELECT (SUM(inserted_data_counter) / extract(epoch from MAX(finished_at) - MIN(started_at))) as avg_speed"
        " FROM in_migration.from_kafka_to_mongo_tracking WHERE started_at >= <время начало миграции>;"
    )
    speed = consumption.database.value(query.replace("<время начало миграции>", "now() - interval '1 hour'"))
    assert speed > 0
    assert consumption.database.value("select sum(inserted_data_counter) from in_migration.from_kafka_to_mongo_tracking") == 200


def test_what_a_reference_check_misses_is_listed(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)

    def check(*targets: int) -> str:
        return compact({"externalId": "x1", "boCode": "Thing", "check": [{"fieldCode": "Part", "boCode": "Thing", "externalId": f"x{n}"} for n in targets]})

    def listed() -> str:
        return consumption.database.psql("set role migrator_reader; select string_agg(external_id || '.' || field_code || ' -> ' || to_external_id, ', ' order by 1) from migrator.incomplete_reference")

    links = [{"fieldCode": "Part", "boiInput": {"externalId": f"x{n}", "boCode": "Thing"}} for n in (2, 3)]
    consumption.produce_bytes(topic, thing(1, boFields=links).encode(), thing(2).encode(), check(2, 3, 4).encode())
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert listed() == "x1.Part -> x3, x1.Part -> x4", "one waits for its target, one has no link at all"
    # The target comes; the next check says so, and so does the retry of waiting links.
    consumption.produce_bytes(topic, thing(3).encode())
    consumption.database.execute("call migrator.consume(%s)", CODE)
    consumption.call("retry_references")
    assert listed() == "x1.Part -> x4"
    consumption.produce_bytes(topic, thing(1, boFields=[{"fieldCode": "Part", "boiInput": json.loads(thing(4))}], recordId="more").encode(), check(2, 3, 4).encode())
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert listed() == ""


def test_order_within_a_key(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(4)
    consumption.set(consumers=2)
    consumption.subscribe(topic)
    for text in ("1", "2", "3", "last"):
        consumption.produce(topic, range(300), text)
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert consumption.numbers("last") == list(range(300))


def test_aborted_transactions_are_never_seen(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    consumption.subscribe(topic)
    consumption.call("start_consumers")
    consumption.transaction(topic, range(50), commit=False)
    consumption.transaction(topic, range(50, 100), commit=True)
    consumption.transaction(topic, range(100, 150), commit=False)
    consumption.wait_for_instances(50)
    # The lag counts no record that can never be applied.
    consumption.wait_until_applied()
    assert consumption.numbers() == list(range(50, 100))


BAD = (
    b"",
    b"{",
    b"[]",
    b'{"externalId":"x"}',
    b'{"externalId":"x","boCode":"Nothing"}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Nothing","apiValue":"1"}]}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Amount","apiValue":"many"}]}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Text","apiValue":"\xff\xfe"}]}',
    b'{"externalId":"x","boCode":"Thing","fields":[{"code":"Text","apiValue":"\\u0000"}]}',
    None,
)


def test_bad_messages_become_dead_letters_and_hold_up_nobody(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    for index, value in enumerate(BAD):
        consumption.produce_bytes(topic, thing(index).encode(), value)
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert consumption.numbers() == list(range(len(BAD)))
    letters = consumption.database.query('select topic, partition, "offset", key, value, sqlstate, reason, tries, resolved_at from migrator.dead_letter order by id')
    assert [bytes(letter[4]) if letter[4] is not None else None for letter in letters] == list(BAD)
    assert [letter[:3] for letter in letters] == [(topic, 0, 2 * index + 1) for index in range(len(BAD))]
    assert all(bytes(letter[3]) == b"k" and letter[6] and letter[7:] == (1, None) for letter in letters)
    assert {letter[5][:2] for letter in letters} <= {"22", "42", "54"}
    assert consumption.received()["failed"] == len(BAD)
    assert consumption.state()["dead_letters"] == len(BAD)


def test_dead_letters_are_retried(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    late = '{"externalId":"x1","boCode":"Late","fields":[{"code":"Text","apiValue":"later"}]}'
    consumption.produce_bytes(topic, b"{", late.encode(), thing(2).encode())
    consumption.database.execute("call migrator.consume(%s)", CODE)
    assert consumption.call("retry_dead_letters") == "0 of 2 dead letters applied"
    assert consumption.database.query("select tries from migrator.dead_letter order by id") == [(2,), (2,)]
    with_late = json.loads(json.dumps(STRUCTURE))
    with_late["bos"].append({"code": "Late", "fields": [{"code": "Text", "type": "text"}]})
    consumption.database.execute("select migrator.load_structure(%s)", json.dumps(with_late))
    assert consumption.call("retry_dead_letters", 1) == "0 of 1 dead letter applied"
    assert consumption.call("retry_dead_letters") == "1 of 2 dead letters applied"
    assert consumption.database.query("select id, tries, resolved_at is null from migrator.dead_letter order by id") == [(1, 4, True), (2, 3, False)]
    assert consumption.database.value("select fields ->> 'Text' from migrator.instance where bo = 'Late'") == "later"
    assert consumption.call("retry_dead_letters", 2) == "dead letter 2 is not open"
    with pytest.raises(psycopg2.errors.UndefinedObject):
        consumption.database.value("select migrator.retry_dead_letters('nobody')")


def test_topics_come_and_go_while_it_runs(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    first, second = make_topic(2), make_topic(2)
    consumption.call("start_consumers")
    consumption.produce(first, range(50))
    consumption.produce(second, range(50, 100))
    consumption.subscribe(first)
    consumption.wait_for_instances(50)
    consumption.subscribe(second)
    consumption.wait_for_instances(100)
    consumption.unsubscribe(first)
    wait_until(lambda: {topic for topic, *_ in consumption.partitions()} == {second}, what="one topic is read")
    consumption.produce(first, range(100, 150))
    consumption.produce(second, range(150, 200))
    consumption.wait_for_instances(150)
    # A new subscription begins anew: what is known is known by its recordId.
    consumption.subscribe(first)
    consumption.wait_for_instances(200)
    consumption.wait_until_applied()
    assert consumption.received()["duplicate"] == 50


def test_a_topic_that_comes_later(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    there = make_topic(1)
    later = f"{there}_later"
    consumption.subscribe(there, later)
    consumption.call("start_consumers")
    wait_until(lambda: "does not exist" in str(consumption.state().get("waiting")), what="the missing topic is named")
    consumption.produce(there, range(10))
    consumption.wait_for_instances(10)
    assert (later, None, None) in consumption.lag()
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="cannot be read"):
        consumption.database.execute("call migrator.consume(%s)", CODE)
    consumption.broker.create_topic(later, 1)
    consumption.produce(later, range(10, 20))
    consumption.wait_for_instances(20)
    wait_until(lambda: consumption.state()["waiting"] is None, what="nothing waits")


def test_partitions_are_added(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.call("start_consumers")
    consumption.produce(topic, range(50))
    consumption.wait_for_instances(50)
    consumption.add_partitions(topic, 4)
    consumption.produce(topic, range(50, 150))
    consumption.wait_for_instances(150)
    assert len(consumption.partitions()) == 4


def test_the_number_of_consumers_changes_while_it_runs(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(4)
    consumption.subscribe(topic)
    consumption.call("start_consumers")
    consumption.wait_for_workers("consumer", 1)
    made = 0
    for consumers, working in ((3, 3), (8, 4), (2, 2), (1, 1)):
        consumption.set(consumers=consumers)
        consumption.produce(topic, range(made, made + 300))
        made += 300
        consumption.wait_for_workers("consumer", working)
        numbers = set(range(1, working + 1))
        wait_until(lambda: {p[5] for p in consumption.partitions()} == numbers, what="the partitions are shared")
        advice = consumption.state()["advice"]
        assert (advice is None) == (consumers in (1, 2, 4)), advice
    consumption.wait_for_instances(made)
    consumption.wait_until_applied()
    assert consumption.received()["received"] == made
