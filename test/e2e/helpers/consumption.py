"""Topics that are read into the golden record, and what came of them."""

import json
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions
from harness import Broker, Cluster, Database, wait_until

from .faults import clients
from .messages import compact
from .structure import bo, document, field

STRUCTURE = document(
    bo("Thing", field("Code", unique=True), field("Text"), field("Amount", "number"), field("Part", "bo", "Thing"), field("Hub", "bo", "Hub")),
    bo("Hub", field("Name"), field("Key", unique=True)),
    company="eater",
)
CODE = "eater"


def thing(number: int, text: str = "t", **members: Any) -> str:
    """A message for instance number `number`; its recordId is that of these contents."""
    fields = [{"code": "Text", "apiValue": text}, {"code": "Amount", "apiValue": str(number)}]
    message = {"recordId": f"r.{number}.{text}", "externalId": f"x{number}", "boCode": "Thing", "fields": fields} | members
    return compact(message)


class Consumption:
    """A company whose topics are consumed; records are produced by a client that knows nothing of ours."""

    def __init__(self, database: Database, broker: Broker, **settings: Any) -> None:
        self.database = database
        self.broker = broker
        self.cluster: Cluster = database.cluster
        database.execute("select migrator.load_structure(%s)", json.dumps(STRUCTURE))
        database.execute(
            f"""create server events foreign data wrapper migrator_kafka options ("bootstrap.servers" '{broker.bootstrap}')"""
        )
        self.set(kafka_server="events", **settings)

    def set(self, **settings: Any) -> None:
        """Writes columns of migrator.company."""
        columns = ", ".join(f"{name} = %s" for name in settings)
        self.database.execute(f"update migrator.company set {columns} where code = '{CODE}'", *settings.values())

    def subscribe(self, *topics: str) -> None:
        for topic in topics:
            self.database.execute("insert into migrator.in_topic (company, topic) values (%s, %s)", CODE, topic)

    def unsubscribe(self, topic: str) -> None:
        self.database.execute("delete from migrator.in_topic where company = %s and topic = %s", CODE, topic)

    def call(self, function: str, *arguments: Any) -> Any:
        """The answer of migrator.<function>(company, arguments)."""
        marks = "".join(", %s" for _ in arguments)
        return self.database.value(f"select migrator.{function}(%s{marks})", CODE, *arguments)

    # Producing -------------------------------------------------------------------------------------------------

    def produce(self, topic: str, numbers: Iterable[int], text: str = "t") -> None:
        self.broker.produce(topic, *((f"x{number}", thing(number, text)) for number in numbers))

    def produce_bytes(self, topic: str, *values: bytes | None, partition: int = 0) -> None:
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        for value in values:
            producer.produce(topic, key=b"k", value=value, partition=partition)
        assert producer.flush(30) == 0

    def transaction(self, topic: str, numbers: Iterable[int], commit: bool) -> None:
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "transactional.id": f"tests-{topic}"})
        producer.init_transactions(30)
        producer.begin_transaction()
        for number in numbers:
            producer.produce(topic, key=f"x{number}", value=thing(number))
        assert producer.flush(30) == 0
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)

    def add_partitions(self, topic: str, total: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        admin.create_partitions([NewPartitions(topic, total)])[topic].result(30)
        wait_until(lambda: self.broker.topics().get(topic) == total, what=f"{topic} has {total} partitions")

    # What came of it -------------------------------------------------------------------------------------------

    def instances(self) -> int:
        return int(self.database.value("select count(*) from migrator.instance where company = %s", CODE))

    def numbers(self, text: str = "t") -> list[int]:
        """The instances that have this text, by number."""
        sql = "select (fields ->> 'Amount')::integer from migrator.instance where company = %s and fields ->> 'Text' = %s order by 1"
        return [number for (number,) in self.database.query(sql, CODE, text)]

    def wait_for_instances(self, count: int, timeout: float = 60.0) -> None:
        try:
            wait_until(lambda: self.instances() >= count, timeout, f"{count} instances are there")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.state()}; {self.partitions()}") from None
        assert self.instances() == count

    def wait_until_applied(self, timeout: float = 60.0) -> None:
        def applied() -> bool:
            return all(lag == 0 for _, _, lag in self.lag())

        try:
            wait_until(applied, timeout, "everything is applied", interval=0.3)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.state()}; {self.partitions()}") from None

    def lag(self) -> list[tuple[Any, ...]]:
        """(topic, partition, lag)."""
        return self.database.query("select topic, partition, lag from migrator.consumer_lag(%s) order by 1, 2", CODE)

    def state(self) -> dict[str, Any]:
        """The row of migrator.consumption."""
        rows = self.database.query("select to_jsonb(c) from migrator.consumption c where company = %s", CODE)
        return dict(rows[0][0]) if rows else {}

    def partitions(self) -> list[tuple[Any, ...]]:
        """(topic, partition, next_offset, state, reason, worker)."""
        sql = "select topic, partition, next_offset, state, reason, worker from migrator.in_partition where company = %s order by 1, 2"
        return self.database.query(sql, CODE)

    def reason(self, topic: str, partition: int = 0) -> str | None:
        """Why a partition has stopped; None while it has not."""
        sql = "select reason from migrator.in_partition where company = %s and topic = %s and partition = %s and state = 'STOPPED'"
        rows = self.database.query(sql, CODE, topic, partition)
        return rows[0][0] if rows else None

    def wait_for_reason(self, topic: str) -> str:
        """Why partition 0 has stopped, when it has."""
        try:
            return wait_until(lambda: self.reason(topic), 60, "the partition has stopped")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.state()}; {self.partitions()}") from None

    def received(self) -> dict[str, int]:
        """Sums of the counters of from_kafka_to_mongo_tracking."""
        names = ["received", "inserted", "updated", "unchanged", "merged", "skipped", "duplicate", "failed"]
        sums = ", ".join(f"coalesce(sum({name}_counter), 0)::integer" for name in names)
        row = self.database.query(f"select {sums} from in_migration.from_kafka_to_mongo_tracking where company = %s", CODE)[0]
        return dict(zip(names, row, strict=True))

    # Processes -------------------------------------------------------------------------------------------------

    def workers(self, kind: str) -> list[int]:
        """Pids of "supervisor" or "consumer"."""
        sql = "select pid from pg_stat_activity where datname = current_database() and backend_type = %s"
        return [pid for (pid,) in self.database.query(sql, f"migrator {kind}")]

    def wait_for_workers(self, kind: str, count: int) -> list[int]:
        wait_until(lambda: len(self.workers(kind)) == count, 30, f"{count} workers: {kind}")
        return self.workers(kind)

    def stop(self) -> None:
        """Consumers too are gone then: what they waited for when they were stopped is applied, whatever the supervisor does."""
        self.call("stop_consumers")
        for kind in ("supervisor", "consumer"):
            self.wait_for_workers(kind, 0)

    def clients(self) -> list[int]:
        return clients(self.cluster)
