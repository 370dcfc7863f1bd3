"""A bare transactional producer, or our client process alone: our own messages, ready-made in a file; nothing read, encoded or recorded."""

import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.process import ROOT
from stage import Stage

from . import Metrics
from .ours import Ours

CHUNK = 50000  # messages in a transaction, as many as migrator.chunk_rows


class Bare:
    def __init__(self, stage: Stage, through_client: bool = False) -> None:
        """`through_client`: the same messages through migrator's Kafka client process, as a worker hands them to it."""
        self.stage = stage
        self.name = "client" if through_client else "bare"
        self.title = "migrator's client process" if through_client else "bare transactional producer"
        self.title += ", messages from a file"
        self._how = "process" if through_client else "direct"
        self._directory = TemporaryDirectory(prefix="migrator-bench-")

    def run(self) -> Metrics:
        file = Path(self._directory.name) / "messages"
        if not file.exists():
            Ours(self.stage).run(lambda topic: self._read(topic, file))
        with self.stage.topic() as topic, self.stage.topic() as markers:
            command = [str(ROOT / "build" / "client_bench"), topic, self._how, str(file), str(CHUNK), markers]
            environment = os.environ | {"MIGRATOR_TEST_BROKER": self.stage.broker.bootstrap, "MIGRATOR_KAFKA_CLIENT": str(ROOT / "build" / "migrator_kafka")}
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        match = re.search(r": ([\d.]+) s$", done.stdout)
        assert match, done.stdout
        return {"seconds": float(match[1])}

    def _read(self, topic: str, file: Path) -> None:
        command = ["kcat", "-C", "-e", "-q", "-b", self.stage.broker.bootstrap, "-t", topic, "-f", "%k\t%s\n"]
        with open(file, "wb") as output:
            subprocess.run([*command, "-X", "isolation.level=read_committed"], stdout=output, check=True)
