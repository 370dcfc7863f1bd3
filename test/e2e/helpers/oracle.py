"""The judge of the fault tests: reads the topic with kcat, which shares no code with us, and compares it with the tables."""

import json
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from harness import wait_until

from .company import Company
from .messages import (
    check_message,
    check_record,
    fields_message,
    link_message,
    link_record,
    partition_of,
    row_record,
)


@dataclass(frozen=True)
class FieldsTable:
    name: str
    bo: str
    columns: Mapping[str, str]  # column by field code, in the order of the structure


@dataclass(frozen=True)
class LinksTable:
    name: str
    bo: str
    owner: str
    field: str
    target: str
    target_bo: str


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    key: str
    value: str


@dataclass
class Verdict:
    messages: int = 0
    aborted: int = 0  # records that read_committed readers never see: faults have hit transactions
    complaints: list[str] = field(default_factory=list)


def read(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[Record]:
    """All records up to the end."""
    return [
        Record(partition, offset, (key or b"").decode(), (value or b"").decode())
        for partition, offset, key, value in read_bytes(bootstrap, topic, isolation)
    ]


def read_bytes(
    bootstrap: str, topic: str, isolation: str = "read_committed"
) -> Iterator[tuple[int, int, bytes | None, bytes | None]]:
    """(partition, offset, key, value) of all records up to the end, as kcat frames them by the lengths of key and value."""
    command = ["kcat", "-C", "-q", "-e", "-b", bootstrap, "-t", topic, "-o", "beginning", "-f", r"%p %o %K %S\n%k%s"]
    command += ["-X", f"isolation.level={isolation}"]
    output = subprocess.run(command, check=True, capture_output=True, timeout=90).stdout
    position = 0
    while position < len(output):
        line_end = output.index(b"\n", position)
        partition, offset, key_size, value_size = map(int, output[position:line_end].split())
        value_start = line_end + 1 + max(key_size, 0)
        position = value_start + max(value_size, 0)
        key = output[line_end + 1 : value_start] if key_size >= 0 else None
        yield partition, offset, key, output[value_start:position] if value_size >= 0 else None


class Ends:
    """The ends of a topic's partitions as readers of either isolation level see them."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        # Silent, for brokers go away in these tests.
        common = {"bootstrap.servers": bootstrap, "group.id": "test-ends", "log_level": 0}
        self._committed = Consumer(common | {"isolation.level": "read_committed"})
        self._all = Consumer(common | {"isolation.level": "read_uncommitted"})
        partitions = self._all.list_topics(topic, timeout=10).topics[topic].partitions
        self._partitions = [TopicPartition(topic, number) for number in partitions]

    def transaction_open(self) -> bool:
        """Does a record stand in the topic whose transaction has not ended?"""
        for partition in self._partitions:
            # In this order: what ends in between shows as ended.
            everything = self._end(self._all, partition)
            if self._end(self._committed, partition) < everything:
                return True
        return False

    @staticmethod
    def _end(reader: Consumer, partition: TopicPartition) -> int:
        """A broker that was away for long may not lead its own partitions for a moment."""

        def asked() -> tuple[int] | None:
            try:
                return (reader.get_watermark_offsets(partition, timeout=10)[1],)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                    raise
                return None

        (end,) = wait_until(asked, 10, "the broker leads the partition again")
        return end

    def close(self) -> None:
        self._committed.close()
        self._all.close()


class Oracle:
    """Judges one run that published into a topic of its own."""

    def __init__(self, company: Company, fields: Sequence[FieldsTable], links: Sequence[LinksTable]) -> None:
        self.company = company
        self.database = company.database
        self.bootstrap = company.broker.bootstrap
        self.fields = fields
        self.links = links

    def check(self, migration: int) -> Verdict:
        """Raises with the first differences of each kind."""
        verdict = self.judge(migration)
        assert not verdict.complaints, "\n".join(verdict.complaints)
        return verdict

    def judge(self, migration: int) -> Verdict:
        verdict = Verdict()
        self._check_ends(verdict)
        records = read(self.bootstrap, self.company.topic)
        verdict.messages = len(records)
        verdict.aborted = len(read(self.bootstrap, self.company.topic, "read_uncommitted")) - len(records)
        self._check_content(verdict, records, self._expected(migration))
        self._check_order(verdict, records)
        self._check_tables(verdict, migration)
        self._check_markers(verdict, migration, len(records))
        return verdict

    # Messages --------------------------------------------------------------------------------------------------

    def _expected(self, migration: int) -> Counter[tuple[str, str]]:
        """The messages that the DONE rows stand for."""
        prefix = self.company.record_prefix(migration)
        expected: Counter[tuple[str, str]] = Counter()
        for table in self.fields:
            columns = ", ".join(table.columns.values())
            sql = f"select id, in_id, out_id, removed, {columns} from {{}}.{table.name} where in_status = 'DONE'"
            for row_id, in_id, out_id, removed, *values in self.company.in_schema(sql):
                fields = dict(zip(table.columns, values, strict=True))
                record = row_record(prefix, table.name, row_id)
                message = fields_message(record, in_id, table.bo, fields, id=out_id, removed=removed)
                expected[in_id, message] += 1
        for link in self.links:
            owners: dict[str, list[str]] = defaultdict(list)
            sql = f"select {link.owner}, {link.target} from {{}}.{link.name} where in_status = 'DONE'"
            for owner, target in self.company.in_schema(sql):
                owners[owner].append(target)
                record = link_record(prefix, link.name, owner, target)
                expected[owner, link_message(record, owner, link.bo, link.field, target, link.target_bo)] += 1
            for owner, targets in owners.items():
                record = check_record(prefix, link.name, owner)
                message = check_message(record, owner, link.bo, link.field, link.target_bo, sorted(targets))
                expected[owner, message] += 1
        return expected

    def _check_content(self, verdict: Verdict, records: list[Record], expected: Counter[tuple[str, str]]) -> None:
        found = Counter((record.key, record.value) for record in records)
        for what, counts in (("missing", expected - found), ("doubled or foreign", found - expected)):
            if counts:
                examples = "".join(f"\n  {count} of {value}" for (_, value), count in counts.most_common(3))
                verdict.complaints.append(f"{counts.total()} messages are {what}:{examples}")

    def _check_order(self, verdict: Verdict, records: list[Record]) -> None:
        """For each key: fields before links before reference checks, the links in the order of their table; and its partition."""
        partitions = self.company.broker.topics()[self.company.topic]
        rank: dict[str, int] = {}
        links: dict[str, str] = {}
        disorder = misplaced = 0
        for record in sorted(records, key=lambda r: (r.partition, r.offset)):
            message = json.loads(record.value)
            kind = 2 if "check" in message else 1 if "boFields" in message else 0
            disorder += kind < rank.get(record.key, 0)
            rank[record.key] = max(kind, rank.get(record.key, 0))
            if kind == 1:
                table_and_owner, _, target = message["recordId"].rpartition(".")
                disorder += target < links.get(table_and_owner, "")
                links[table_and_owner] = target
            misplaced += record.partition != partition_of(record.key, partitions)
        if disorder or misplaced:
            verdict.complaints.append(f"{disorder} messages out of order, {misplaced} in a wrong partition")

    def _check_ends(self, verdict: Verdict) -> None:
        ends = Ends(self.bootstrap, self.company.topic)
        try:
            wait_until(lambda: not ends.transaction_open(), 10, "every transaction has ended")
        except TimeoutError:
            verdict.complaints.append("an open transaction stops read_committed readers")
        finally:
            ends.close()

    # Tables ----------------------------------------------------------------------------------------------------

    def _check_tables(self, verdict: Verdict, migration: int) -> None:
        done = 0
        for name in (table.name for tables in (self.fields, self.links) for table in tables):
            statuses = self.company.statuses(name)
            done += statuses.get("DONE", 0)
            if not statuses.keys() <= {"DONE", "SKIPPED", "ERROR"}:
                verdict.complaints.append(f"{name} is left with {statuses}")
        # (question, the only good answer)
        questions = [
            ("select state from migrator.migration where id = %(id)s", "DONE"),
            ("select count(*) from migrator.chunk where state = 'CLAIMED'", 0),
            ("select count(*) from migrator.slot where in_doubt is not null", 0),
            ("select count(*) from {}.task where migration_id = %(id)s and state <> 'DONE'", 0),
            ("select sum(rows_done) from {}.task where migration_id = %(id)s and type in ('MIGRATE_SINGLE_FIELDS', 'MIGRATE_LINKS')", done),
            ("select sum(rows) from migrator.chunk where migration_id = %(id)s and state = 'DONE' and kind <> 'CHECK'", done),
            ("select rows_failed from migrator.run_counts(%(id)s)", self._count_errors()),
            ("select ins_inkafka_status from {}.process_tracking where occupied_by_process = %(id)s", 1),
        ]
        for sql, good in questions:
            answer = self.company.in_schema(sql.replace("%(id)s", str(migration)))[0][0]
            if answer != good:
                verdict.complaints.append(f"{answer} instead of {good}: {sql}")

    def _count_errors(self) -> int:
        return int(self.company.in_schema("select count(*) from {}.err")[0][0])

    def _check_markers(self, verdict: Verdict, migration: int, messages: int) -> None:
        """Each chunk that was published has one marker, where the chunk says, and each marker has its chunk."""
        topic = self.database.value("select migrator.marker_topic()")
        slots = dict(self.database.query("select migrator.transactional_id(server, slot), slot from migrator.slot"))
        sql = "select id::text, slot, marker_offset, migration_id from migrator.chunk where state = 'DONE' and marker_offset is not null"
        chunks = {chunk: (slot, offset, of) for chunk, slot, offset, of in self.database.query(sql)}
        seen = set()
        rows = 0
        firsts: list[str] = []
        for record in read(self.bootstrap, topic):
            if record.key not in slots:
                continue  # of another database
            marker = json.loads(record.value)
            if marker.get("kind") == "FIRST":  # of the slot; before any chunk
                firsts.append(record.key)
                continue
            place = (slots[record.key], record.offset, marker["migration"])
            if record.partition != slots[record.key] or chunks.get(marker["chunk"]) != place or marker["chunk"] in seen:
                verdict.complaints.append(f"marker {record} and chunk {chunks.get(marker['chunk'])} do not match")
            seen.add(marker["chunk"])
            rows += marker["rows"] if marker["migration"] == migration else 0
        if len(firsts) != len(set(firsts)):
            verdict.complaints.append(f"slots with two first markers: {firsts}")
        if chunks.keys() != seen:
            verdict.complaints.append(f"chunks without a marker: {chunks.keys() - seen}")
        if rows != messages:
            verdict.complaints.append(f"the markers tell of {rows} messages, the topic has {messages}")
