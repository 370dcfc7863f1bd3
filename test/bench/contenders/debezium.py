"""Debezium's snapshot in a standalone Kafka Connect, from the moment at which the connector begins it."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import wait_until
from harness.process import ROOT, free_port, spawn, terminate
from signal import SIGTERM
from stage import Stage

from . import Metrics

WORKER = """\
bootstrap.servers={bootstrap}
offset.storage.file.filename={directory}/offsets
key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
producer.compression.type=lz4
listeners=http://127.0.0.1:{port}
"""
CONNECTOR = """\
name=bench
connector.class=io.debezium.connector.postgresql.PostgresConnector
database.hostname=127.0.0.1
database.port={port}
database.user=postgres
database.password=
database.dbname={database}
plugin.name=pgoutput
topic.prefix={prefix}
table.include.list={table}
snapshot.mode=initial_only
decimal.handling.mode=string
"""


class Debezium:
    name = "debezium"
    title = "Debezium, snapshot"

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rounds = 0

    def run(self) -> Metrics:
        self.rounds += 1
        prefix = f"debezium{self.rounds}"
        with TemporaryDirectory() as directory, self.stage.topic(f"{prefix}.{self.stage.load.table}") as topic:
            return {"seconds": self._snapshot(Path(directory), prefix, topic)}

    def _snapshot(self, directory: Path, prefix: str, topic: str) -> float:
        database, rows = self.stage.logical, self.stage.load.rows
        worker, connector, log = directory / "worker.properties", directory / "connector.properties", directory / "log"
        worker.write_text(WORKER.format(bootstrap=self.stage.broker.bootstrap, directory=directory, port=free_port()))
        connector.write_text(
            CONNECTOR.format(port=database.cluster.port, database=database.name, prefix=prefix, table=self.stage.load.table)
        )
        # The memory of Kafka Connect's own start script.
        command = ["java", "-Xms256m", "-Xmx2g", "-XX:+UseG1GC", "-cp", f"{ROOT}/build/debezium/libs/*"]
        command += ["org.apache.kafka.connect.cli.ConnectStandalone", str(worker), str(connector)]
        log.touch()
        process = spawn(command, log, directory=directory)

        def said(words: str) -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"Kafka Connect has ended:\n{log.read_text()[-3000:]}")
            return words in log.read_text()

        try:
            wait_until(lambda: said("Snapshot step 1 "), 120, "Debezium begins its snapshot", 0.02)
            start = time.monotonic()
            wait_until(lambda: said("Snapshot ended with"), 7200, "Debezium has read the table")
            wait_until(lambda: said("") and self.stage.broker.size(topic) >= rows, 600, "all rows are in the topic")
            return time.monotonic() - start
        finally:
            terminate(process, SIGTERM, timeout=60)
            database.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")
