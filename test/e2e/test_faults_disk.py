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
            migration = load.company.start_run()
            load.wait_for_chunks(1)
            workers = load.workers("runner") + load.workers("publisher")
            with filled(disk):
                wait_until(lambda: "No space left" in (load.company.waiting() or ""), 30, "the reason is visible")
                assert load.workers("runner") + load.workers("publisher") == workers  # none has ended for it
            load.complete(migration)
        cluster.check_log()
