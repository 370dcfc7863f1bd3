"""A disk that is full: the run waits, tells why, and goes on by itself."""

from collections.abc import Callable

import pytest
from harness import Broker, Cluster, wait_until
from harness.disk import MOUNTABLE, filled, small_disk
from helpers.faults import Load


@pytest.mark.skipif(not MOUNTABLE, reason="only root can mount a small disk")
def test_no_space_for_tables(broker: Broker, make_topic: Callable[..., str]) -> None:
    settings = {"migrator.schedule": "1h", "migrator.chunk_rows": "500"}
    with small_disk(200) as disk, Cluster(preload="migrator", settings=settings) as cluster:
        cluster.keep_tables_on(disk)
        with cluster.database("migrator") as database:
            load = Load(database, broker, make_topic(), rows=6000)
            # Every status needs room that the table does not have yet.
            database.execute("alter table in_tables.in_buyer set (fillfactor = 100)")
            database.execute("vacuum full in_tables.in_buyer")
            load.hold_back()
            migration = load.company.start_run()
            load.wait_for_chunks(1)
            database.execute("select migrator.pause_migration(%s)", load.company.code)  # until the disk is full
            load.release()
            workers = load.workers("runner") + load.workers("publisher")
            with filled(disk):
                database.execute("select migrator.resume_migration(%s)", load.company.code)
                wait_until(lambda: "No space left" in (load.company.waiting() or ""), 30, "the reason is visible")
                assert load.workers("runner") + load.workers("publisher") == workers  # none has ended for it
            load.complete(migration)
        cluster.check_log()
