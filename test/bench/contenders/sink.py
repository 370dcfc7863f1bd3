"""Debezium's JDBC sink in a standalone Kafka Connect, from the moment at which its task begins, upserting into a plain table."""

import time
from pathlib import Path
from signal import SIGTERM
from tempfile import TemporaryDirectory

from harness import wait_until
from harness.process import ROOT, free_port, spawn, terminate
from inbound import TABLE, Inbound

from . import Metrics

WORKER = """\
bootstrap.servers={bootstrap}
offset.storage.file.filename={directory}/offsets
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=true
listeners=http://127.0.0.1:{port}
"""
CONNECTOR = """\
name={name}
connector.class=io.debezium.connector.jdbc.JdbcSinkConnector
topics={topic}
connection.url=jdbc:postgresql://127.0.0.1:{port}/{database}{options}
connection.username=postgres
connection.password=none
insert.mode=upsert
primary.key.mode=record_value
primary.key.fields=in_id
schema.evolution=none
collection.name.format={table}
connection.pool.min_size=1
connection.pool.max_size=8
connection.pool.acquire_increment=1
"""
BATCH = 5000  # as migrator.batch_records; its own default is 500


class Sink:
    def __init__(self, inbound: Inbound, tuned: bool) -> None:
        """`tuned`: with all that makes it faster. Otherwise as it comes: one task and its own batches."""
        self.inbound = inbound
        self.tuned = tuned
        self.name = "sink-tuned" if tuned else "sink"
        self.title = "Debezium's JDBC sink, " + ("tuned" if tuned else "as it comes")
        self.rounds = 0

    def run(self) -> Metrics:
        self.rounds += 1
        database, topic = self.inbound.database, self.inbound.flat_topic
        database.execute(f"truncate {TABLE}")
        database.execute("checkpoint")
        with TemporaryDirectory() as directory:
            return {"seconds": self._sink(Path(directory), topic)}

    def _sink(self, directory: Path, topic: str) -> float:
        database, stage = self.inbound.database, self.inbound.stage
        worker, connector, log = directory / "worker.properties", directory / "connector.properties", directory / "log"
        common = WORKER.format(bootstrap=stage.broker.bootstrap, directory=directory, port=free_port())
        own = CONNECTOR.format(
            name=f"{self.name}-{topic}-{self.rounds}", topic=topic, port=database.cluster.port, database=database.name,
            table=TABLE, options="?reWriteBatchedInserts=true" if self.tuned else "",
        )  # fmt: skip
        if self.tuned:
            common += f"consumer.max.poll.records={BATCH}\n"
            own += f"tasks.max={stage.workers}\nbatch.size={BATCH}\n"
        worker.write_text(common)
        connector.write_text(own)
        # The memory of Kafka Connect's own start script.
        command = ["java", "-Xms256m", "-Xmx2g", "-XX:+UseG1GC", "-cp", f"{ROOT}/build/sink/libs/*"]
        command += ["org.apache.kafka.connect.cli.ConnectStandalone", str(worker), str(connector)]
        log.touch()
        process = spawn(command, log, directory=directory)

        def said(words: str) -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"Kafka Connect has ended:\n{log.read_text()[-3000:]}")
            return words in log.read_text()

        try:
            wait_until(lambda: said("Sink task finished initialization and start"), 120, "the task begins", 0.02)
            start = time.monotonic()
            rows = self.inbound.load.rows
            wait_until(lambda: said("") and database.value(f"select count(*) from {TABLE}") == rows, 7200, "all rows are in the table", 0.2)
            return time.monotonic() - start
        finally:
            terminate(process, SIGTERM, timeout=60)
