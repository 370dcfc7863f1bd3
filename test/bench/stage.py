"""What all runs share: a broker, a server with the company, and a second server for Debezium, which demands wal_level = logical."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property

from harness import Broker, Cluster, Database
from harness.process import free_port
from load import Load

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min"}
BROKER = {"log.segment.delete.delay.ms": "1000"}
# As Kafka's own start script has it, but for the tests' small heap.
JAVA = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]


class Stage:
    def __init__(self, load: Load, partitions: int, workers: int, settings: Mapping[str, str]) -> None:
        self.load = load
        self.partitions = partitions
        self.workers = workers
        self._stack = contextlib.ExitStack()
        self._topics = 0
        self.server_settings = dict(settings)
        self._fresh = False

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # Kafka -----------------------------------------------------------------------------------------------------

    @cached_property
    def broker(self) -> Broker:
        return self._stack.enter_context(Broker(BROKER, java=JAVA))

    @contextlib.contextmanager
    def topic(self, name: str = "") -> Iterator[str]:
        """A topic for one run; the name is chosen unless given."""
        self._topics += 1
        topic = name or f"bench-{self._topics}"
        self.broker.create_topic(topic, self.partitions)
        try:
            yield topic
        finally:
            self.broker.delete_topic(topic)

    # PostgreSQL ------------------------------------------------------------------------------------------------

    @cached_property
    def cluster(self) -> Cluster:
        return self._stack.enter_context(Cluster(settings=self.server_settings))

    @cached_property
    def database(self) -> Database:
        database = self._stack.enter_context(self.cluster.database("migrator"))
        database.execute(
            f"""create server events foreign data wrapper migrator_kafka options
                ("bootstrap.servers" '{self.broker.bootstrap}', "compression.codec" 'lz4')"""
        )
        return database

    @cached_property
    def logical(self) -> Database:
        """A server that Debezium accepts, with the same rows."""
        cluster = self._stack.enter_context(Cluster(settings=self.server_settings | {"wal_level": "logical"}, port=free_port()))
        database = self._stack.enter_context(cluster.database("migrator"))
        self._fill(database)
        return database

    def _fill(self, database: Database) -> None:
        database.execute("select migrator.load_structure(%s)", json.dumps(self.load.structure))
        database.execute("select migrator.apply_in_ddl('bench')")
        database.execute(self.load.insert)
        self.settle(database)

    def settle(self, database: Database) -> None:
        """The state in which every run begins: vacuumed, analysed, nothing left for the checkpointer."""
        database.execute(f"vacuum (analyze) {self.load.table}")
        database.execute("checkpoint")

    def fresh(self) -> Database:
        """The database with a load that nobody has migrated yet."""
        if not self._fresh:
            self.database.execute("drop schema if exists in_tables cascade")
            self.database.execute("delete from in_migration.copy_table_info")
            self._fill(self.database)
        self._fresh = True
        return self.database

    def used(self) -> None:
        """A run has changed the rows: the next one gets them anew."""
        self._fresh = False

    def supply_again(self) -> None:
        """A supplier's next load: every row of the table changed, and waiting."""
        self.database.execute(f"update {self.load.table} set inserted_date = clock_timestamp(), in_status = ''")
        self.settle(self.database)
        self._fresh = True


def machine() -> str:
    """Processors and memory, for the report."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    with open("/proc/meminfo") as lines:
        memory = int(lines.readline().split()[1]) // (1 << 20)
    return f"{os.cpu_count()} x {model}, {memory} GB"
