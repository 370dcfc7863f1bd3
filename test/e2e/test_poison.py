"""Poison among good rows: exactly the poison ends in err, each kind with its column and reason, and every good row arrives.

A short form by default; --poison-rows=1000000 (make poison ROWS=1000000) makes it long.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException
from harness import Broker, Cluster, Database, wait_until
from helpers import Company
from helpers.oracle import Oracle
from helpers.poison import FIELDS, KINDS, LIMIT, LINKS, LOWERED, STRUCTURE, Poison


@pytest.fixture
def unchecked_database(fault_cluster: Cluster) -> Iterator[Database]:
    """A database that takes any bytes."""
    with fault_cluster.database("migrator", encoding="SQL_ASCII") as database:
        yield database


def test_poison_harms_nobody(
    unchecked_database: Database, broker: Broker, make_topic: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    good = request.config.getoption("--poison-rows")
    assert len(KINDS) == 40
    topic = make_topic(4, {"max.message.bytes": str(LIMIT)})
    company = Company(unchecked_database, broker, topic, STRUCTURE, workers=1, copy_days=0)
    # Small batches fit the topic before and after it is lowered.
    company.database.execute("""alter server events options (add "batch.size" '16384')""")
    poison = Poison(company, good, each=max(10, good // 4000))

    company.announce_load()
    migration = company.start_run()
    lower_the_limit_in_mid_run(company, broker, poison, probe=make_topic(1))
    company.wait_for(migration, timeout=30 + good / 1000)

    found: Counter[tuple[str, str]] = Counter()
    for table, kind, _, wrong in judged(company, poison):
        assert not wrong, f"{kind}: {wrong}"
        found[table, kind] += 1
    assert found == poison.expected()
    total = sum(len(rows) for rows in poison.rows.values())
    for table, rows in poison.rows.items():
        assert company.statuses(table)["ERROR"] == len(rows)
    assert sum(company.statuses(table)["DONE"] for table in poison.rows) == good
    verdict = Oracle(company, FIELDS, LINKS).check(migration)
    print(f"{good} good rows and {total} poison rows of {len(KINDS)} kinds: {verdict.messages} messages, {verdict.aborted} records aborted")


def lower_the_limit_in_mid_run(company: Company, broker: Broker, poison: Poison, probe: str) -> None:
    """What the client process believed when it opened its slot no longer holds when the last rows come."""
    late = "select count(*) from {}.in_thing where in_status = '' and id >= %s"
    wait_until(lambda: company.database.value("select count(*) from migrator.chunk where state = 'DONE'") > 0, 30, "the slot is open", interval=0.01)
    company.database.execute("select migrator.pause_migration(%s)", company.code)
    assert company.in_schema(late, min(poison.late)) == [(len(poison.late),)], "the end of the table was reached too early"
    # The broker applies changes in their order, so that the second topic tells of both.
    for topic in (company.topic, probe):
        broker.configure_topic(topic, {"max.message.bytes": str(LOWERED)})
    wait_until(lambda: refuses(broker, probe, LOWERED + 1000), 30, "the broker applies the new limit")
    company.database.execute("select migrator.resume_migration(%s)", company.code)


def refuses(broker: Broker, topic: str, size: int) -> bool:
    try:
        broker.produce(topic, ("probe", "x" * size))
    except KafkaException as error:
        return bool(error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE)
    return False


def judged(company: Company, poison: Poison) -> Iterator[tuple[str, str, int, str]]:
    """(table, kind, number, what is wrong) of every row of err. Names are read as bytes: they are not always text."""
    sql = "select table_name, row_id, convert_to(in_id, 'SQL_ASCII'), column_name, sqlstate, reason from {}.err"
    for table, row_id, in_id, column, sqlstate, reason in company.in_schema(sql):
        named = re.match(rb"p(\d+)", bytes(in_id or b""))
        number = row_id if table != "in_thing_part" else int(named[1]) if named else 0
        kind = poison.rows[table].get(number)
        if kind is None:
            yield table, "good", number, f"row {number} of {table}: {column}, {sqlstate}, {reason}"
            continue
        right = column == kind.column and re.fullmatch(kind.sqlstate, sqlstate) and re.fullmatch(kind.reason, reason)
        yield table, kind.name, number, "" if right else f"{column}, {sqlstate}, {reason}"
