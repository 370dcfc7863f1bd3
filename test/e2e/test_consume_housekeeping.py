"""Housekeeping: the schedules of the requirements are the defaults, what is due is done, in portions, and nothing else goes."""

from collections.abc import Callable

from harness import wait_until
from helpers.consumption import CODE, Consumption

CHORES = ["retry of waiting links", "cleaning of recordIds", "removal of what is settled", "cleaning of tracking and timings"]


def chores(consumption: Consumption) -> list[str]:
    """What is due, done."""
    done = []
    while (chore := consumption.database.value("select migrator.do_chore(id) from migrator.in_consumption")) is not None:
        done.append(chore)
    return done


def age(consumption: Consumption, column: str, interval: str) -> None:
    """The chore was last done so long ago."""
    consumption.database.execute(f"update migrator.in_consumption set {column} = clock_timestamp() - interval '{interval}'")


def begin(consumption: Consumption) -> None:
    consumption.database.execute("insert into migrator.in_consumption (company) values (%s)", CODE)
    assert chores(consumption) == CHORES
    assert chores(consumption) == []


def test_the_defaults_are_the_sources(consumption: Consumption) -> None:
    assert consumption.database.query(
        "select record_clean_hours, reference_interval, old_record_delete_minutes from migrator.company where code = %s", CODE
    ) == [(5, 10, 10080)]


def test_each_is_due_at_its_time(consumption: Consumption) -> None:
    begin(consumption)
    for column, early, due, chore in (
        ("references_retried_at", "9 min 58 s", "10 min", CHORES[0]),
        ("records_forgotten_at", "4 h 59 min 58 s", "5 h", CHORES[1]),
        ("cleaned_at", "58 s", "1 min", CHORES[3]),
    ):
        age(consumption, column, early)
        assert chores(consumption) == []
        age(consumption, column, due)
        assert chores(consumption) == [chore]
    # At 23:30, whatever the time is now: due if the last 23:30 is later than the last removal.
    evening = "date_trunc('day', clock_timestamp() - interval '23:30') + interval '23:30'"
    consumption.database.execute(f"update migrator.in_consumption set settled_removed_at = {evening} + interval '1 ms'")
    assert chores(consumption) == []
    consumption.database.execute(f"update migrator.in_consumption set settled_removed_at = {evening} - interval '1 ms'")
    assert chores(consumption) == [CHORES[2]]


def test_what_is_old_goes_and_nothing_else(consumption: Consumption) -> None:
    begin(consumption)
    execute, query = consumption.database.execute, consumption.database.query
    for name, hours in (("old", 6), ("young", 4)):
        execute("insert into migrator.seen_record (company, record_id, seen_at) values (%s, %s, now() - make_interval(hours => %s))", CODE, name, hours)
    for name, resolved in (("resolved", "now()"), ("waiting", "null")):
        execute(f"insert into in_migration.boi_reference (company, owner_id, field_code, to_bo, value, created_at, resolved_at)"
                f" values ('{CODE}', 'o', 'Part', 'Thing', '{name}', now() - interval '1 year', {resolved})")
    for number, resolved in enumerate(("now() - interval '10081 min'", "now() - interval '10079 min'", "null")):
        execute(f"insert into migrator.dead_letter (company, topic, partition, \"offset\", sqlstate, reason, at, resolved_at)"
                f" values ('{CODE}', 't', 0, {number}, '22023', 'r', now() - interval '1 year', {resolved})")
    execute("insert into migrator.seen_record (company, record_id, seen_at) values ('somebody else', 'old', '2000-01-01')")
    age(consumption, "records_forgotten_at", "5 h")
    age(consumption, "settled_removed_at", "2 days")
    assert chores(consumption) == CHORES[1:3]
    assert query("select record_id from migrator.seen_record order by company desc") == [("old",), ("young",)]
    assert query("select value from in_migration.boi_reference") == [("waiting",)]
    assert query('select "offset" from migrator.dead_letter order by 1') == [(1,), (2,)]


def test_much_goes_in_portions(consumption: Consumption) -> None:
    begin(consumption)
    consumption.database.execute(
        "insert into migrator.seen_record (company, record_id, seen_at) select %s, i::text, now() - interval '1 day' from generate_series(1, 120000) i", CODE)
    age(consumption, "records_forgotten_at", "5 h")
    left = []
    while consumption.database.value("select migrator.do_chore(id) from migrator.in_consumption") is not None:
        left.append(consumption.database.value("select count(*) from migrator.seen_record"))
    assert left == [70000, 20000, 0]


def test_waiting_links_are_retried_in_portions(consumption: Consumption) -> None:
    begin(consumption)
    execute, value = consumption.database.execute, consumption.database.value
    execute("insert into migrator.instance (company, bo, id, external_id) select %s, 'Thing', 'i' || i, 'e' || i from generate_series(1, 60000) i", CODE)
    # Two of each owner, for targets that are there; and two that still wait.
    execute("insert into in_migration.boi_reference (company, owner_id, field_code, to_bo, value)"
            " select %s, 'i' || i, 'Part', 'Thing', 'e' || (i + n) from generate_series(1, 60000) i, generate_series(0, 1) n", CODE)
    execute("insert into in_migration.boi_reference (company, owner_id, field_code, to_bo, value) values (%s, 'i1', 'Part', 'Thing', 'nobody')", CODE)
    age(consumption, "references_retried_at", "10 min")
    left = []
    while value("select migrator.do_chore(id) from migrator.in_consumption") is not None:
        left.append(value("select count(*) from in_migration.boi_reference where resolved_at is null"))
    assert left == [70001, 20001, 2]
    assert value("select count(*) from migrator.instance_link") == 119999


def test_it_happens_while_topics_are_consumed(consumption: Consumption, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    consumption.subscribe(topic)
    consumption.database.execute("insert into migrator.seen_record (company, record_id, seen_at) values (%s, 'old', '2000-01-01')", CODE)
    consumption.call("start_consumers")
    consumption.produce(topic, range(10))
    consumption.wait_for_instances(10)
    done = "select records_forgotten_at is not null and references_retried_at is not null and settled_removed_at is not null and cleaned_at is not null"
    wait_until(lambda: consumption.database.value(f"{done} from migrator.in_consumption"), 30, "everything that is due is done")
    assert consumption.database.value("select count(*) from migrator.seen_record") == 10
