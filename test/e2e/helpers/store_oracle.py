"""The judge of consumption: reads the topics with kcat, and demands of the store what the messages must have made of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .consumption import CODE, STRUCTURE, Consumption
from .oracle import Verdict, read_bytes
from .store_model import Letter, Model

CONTENT = {
    "instances": "select bo, external_id, state, fields from migrator.instance where company = %s",
    "names": """select bo, external_id, external_id from migrator.instance where company = %s union all
        select a.bo, a.external_id, i.external_id from migrator.instance_alias a join migrator.instance i using (company, id) where company = %s""",
    "values": """select u.bo, u.field, u.value, i.external_id from migrator.instance_unique u
        join migrator.instance i using (company, id) where company = %s""",
    "links": """select o.bo, o.external_id, l.field_code, t.bo, t.external_id from migrator.instance_link l
        join migrator.instance o on o.company = l.company and o.id = l.owner_id
        join migrator.instance t on t.company = l.company and t.id = l.target_id where l.company = %s""",
    "waiting": """select o.external_id, r.field_code, r.to_bo, r.to_field, r.value from in_migration.boi_reference r
        join migrator.instance o on o.company = r.company and o.id = r.owner_id where r.company = %s and r.resolved_at is null""",
    "records": "select record_id from migrator.seen_record where company = %s",
}


def judge(consumption: Consumption, topics: Sequence[str]) -> Verdict:
    """Everything that the topics hold must be applied, each message once: content, counters, positions, dead letters."""
    verdict = Verdict()
    model = Model(STRUCTURE)
    positions: dict[tuple[str, int], int] = {}
    for topic in topics:
        for partition, offset, _, value in read_bytes(consumption.broker.bootstrap, topic):
            verdict.messages += 1
            positions[topic, partition] = offset
            model.apply(topic, partition, offset, value)
        everything = sum(1 for _ in read_bytes(consumption.broker.bootstrap, topic, "read_uncommitted"))
        verdict.aborted += everything
    verdict.aborted -= verdict.messages
    _compare_content(verdict, model, consumption)
    _compare_letters(verdict, model, consumption)
    received = {name: count for name, count in consumption.received().items() if count}
    if received != dict(model.verdicts):
        verdict.complaints.append(f"verdicts {received} instead of {dict(model.verdicts)}")
    for topic, partition, next_offset, state, reason, _ in consumption.partitions():
        if state != "RUNNING" or reason is not None or next_offset <= positions.get((topic, partition), -1):
            verdict.complaints.append(f"partition {partition} of {topic} is left at {next_offset}, {state}: {reason}")
    return verdict


def _compare_content(verdict: Verdict, model: Model, consumption: Consumption) -> None:
    for what, expected in model.content().items():
        sql = CONTENT[what]
        rows = consumption.database.query(sql, *[CODE] * sql.count("%s"))
        _compare(verdict, what, Counter(map(_plain, rows)), Counter(expected))


def _compare_letters(verdict: Verdict, model: Model, consumption: Consumption) -> None:
    rows = consumption.database.query('select topic, partition, "offset", value from migrator.dead_letter where company = %s', CODE)
    found = Counter(Letter(topic, partition, offset, None if value is None else bytes(value)) for topic, partition, offset, value in rows)
    _compare(verdict, "dead letters", found, Counter(model.letters))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(tuple(sorted(value.items())) if isinstance(value, dict) else value for value in row)


def _compare(verdict: Verdict, what: str, found: Counter[Any], expected: Counter[Any]) -> None:
    for fault, counts in (("missing", expected - found), ("doubled or foreign", found - expected)):
        if counts:
            examples = "".join(f"\n  {count} of {row}" for row, count in counts.most_common(3))
            verdict.complaints.append(f"{what}: {counts.total()} are {fault}:{examples}")
