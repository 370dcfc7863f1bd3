"""migrator: a whole run, from the start of the migration to FIX_PROCESS_TRACKING."""

from collections.abc import Callable

from harness import wait_until
from stage import Stage

from . import Metrics

WORK = ("reading", "encoding", "writing", "waiting")  # of a publisher, as migrator.chunk tells it; it waits for Kafka


class Ours:
    def __init__(self, stage: Stage, copies: bool = True) -> None:
        self.stage = stage
        self.copies = copies
        self.name = "ours" if copies else "ours-no-copies"
        self.title = "migrator" if copies else "migrator, copies switched off"

    def run(self, look: Callable[[str], None] = lambda topic: None) -> Metrics:
        """`look` may read the topic before it is removed."""
        database = self.stage.fresh()
        with self.stage.topic() as topic:
            database.execute(
                "update migrator.company set has_in_migration = true, kafka_server = 'events', in_topic = %s, workers = %s, copy_days = %s",
                topic, self.stage.workers, 10 if self.copies else 0,
            )
            database.execute("insert into in_tables.process_tracking (oper_date, load_status) values (current_date, 1)")
            self.stage.used()
            answer = database.value("select migrator.try_to_start_migration('bench')")
            assert answer.startswith("started: migration "), answer
            migration = int(answer.rsplit(" ", 1)[1])
            wait_until(
                lambda: database.value("select state from migrator.migration where id = %s", migration) == "DONE",
                timeout=7200, what="the migration ends", interval=0.2,
            )
            look(topic)
        rows = database.query(f"select in_status, count(*) from {self.stage.load.table} group by 1")
        assert rows == [("DONE", self.stage.load.rows)], f"not all rows are DONE: {rows}"
        return self.metrics(migration)

    def metrics(self, migration: int) -> Metrics:
        """Seconds of the run and of its stages, the bytes of a message, and what the publishers did: µs a row, all of them together."""
        (row,) = self.stage.database.query(
            """select extract(epoch from max(t.finished_at) filter (where type = 'FIX_PROCESS_TRACKING') - m.started_at),
                      extract(epoch from max(t.finished_at) filter (where type = 'BEGIN') - m.started_at),
                      extract(epoch from max(t.finished_at) filter (where type = 'MIGRATE_SINGLE_FIELDS')
                                       - min(t.started_at) filter (where type = 'MIGRATE_SINGLE_FIELDS'))
                 from in_tables.task t join migrator.migration m on m.id = t.migration_id where m.id = %s group by m.id""",
            migration,
        )
        (chunks,) = self.stage.database.query(
            """select sum(bytes) / sum(rows), extract(epoch from sum(reading)) * 1e6 / sum(rows), extract(epoch from sum(encoding)) * 1e6 / sum(rows),
                      extract(epoch from sum(writing)) * 1e6 / sum(rows), extract(epoch from sum(publishing)) * 1e6 / sum(rows)
                 from migrator.chunk where migration_id = %s""",
            migration,
        )
        return dict(zip(("seconds", "beginning", "publishing", "message_bytes", *WORK), map(float, row + chunks), strict=True))
