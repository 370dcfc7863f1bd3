"""Both statuses of every row by plain UPDATEs of as many sessions as there are workers: what they cost whoever publishes."""

import threading
import time

from harness import Database
from stage import Stage

from . import Metrics

CHUNK = 50000  # rows in a transaction, as many as migrator.chunk_rows


class Statuses:
    name = "statuses"
    title = "both statuses by UPDATE, nothing published"

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def run(self) -> Metrics:
        database, workers = self.stage.fresh(), self.stage.workers
        self.stage.used()
        first, last = database.query(f"select min(id), max(id) from {self.stage.load.table}")[0]
        parts = [range(first + n * CHUNK, last + 1, workers * CHUNK) for n in range(workers)]
        sessions = [threading.Thread(target=self._write, args=(database, part)) for part in parts]
        start = time.monotonic()
        for session in sessions:
            session.start()
        for session in sessions:
            session.join()
        seconds = time.monotonic() - start
        rows = database.query(f"select in_status, count(*) from {self.stage.load.table} group by 1")
        assert rows == [("DONE", self.stage.load.rows)], f"not all rows are DONE: {rows}"
        return {"seconds": seconds}

    def _write(self, database: Database, chunks: range) -> None:
        connection = database.connect()
        with connection.cursor() as cursor:
            for chunk in chunks:
                for status in ("ON_WORK", "DONE"):
                    cursor.execute(f"update {self.stage.load.table} set in_status = %s where id >= %s and id < %s", (status, chunk, chunk + CHUNK))
        connection.close()
