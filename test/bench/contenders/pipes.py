"""Pipelines of psql: plain COPY, and COPY into kcat, of the same messages as ours or of flat rows."""

import shlex
import subprocess
import time

from stage import Stage

from . import Metrics


def pipeline(stage: Stage, query: str, sink: str) -> float:
    """Seconds of `psql -c "copy …" | sink`."""
    database = stage.fresh()
    command = f"set -o pipefail; psql -XqAt -d {database.name} -c {shlex.quote(f'copy {query} to stdout')} {sink}"
    start = time.monotonic()
    subprocess.run(["bash", "-c", command], env=database.cluster.client_environment(), check=True)
    return time.monotonic() - start


class Copy:
    name = "copy"
    title = "plain COPY: the table read, nothing published"

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def run(self) -> Metrics:
        return {"seconds": pipeline(self.stage, self.stage.load.table, "> /dev/null")}


class Kcat:
    def __init__(self, stage: Stage, flat: bool = False) -> None:
        self.stage = stage
        self.query = stage.load.flat if flat else stage.load.messages
        self.name = "kcat-flat" if flat else "kcat"
        self.title = "COPY | kcat" + (", flat rows" if flat else "")

    def run(self) -> Metrics:
        with self.stage.topic() as topic:
            sink = f"| kcat -P -q -b {self.stage.broker.bootstrap} -t {topic} -K '\\t' -z lz4"
            seconds = pipeline(self.stage, f"({self.query})", sink)
            there = self.stage.broker.size(topic)
        assert there == self.stage.load.rows, f"{there} messages instead of {self.stage.load.rows}"
        return {"seconds": seconds}
