"""The disk of the database's tables, or that of the broker, is full for a while. Needs root, who may mount a small one."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import Broker, Cluster, wait_until
from harness.disk import MOUNTABLE, filled, small_disk
from stage import SETTINGS, Round, Site


@dataclass(kw_only=True)
class SmallSite(Site):
    tables: Path
    logs: Path


@contextlib.contextmanager
def make_site() -> Iterator[SmallSite]:
    """Tables in a tablespace of its own, for a write-ahead log without space stops the whole server, with or without us."""
    with small_disk(300) as tables, small_disk(300) as logs:
        broker = Broker({"log.dirs": str(logs / "data"), "log.index.size.max.bytes": "65536"})
        with broker, Cluster(preload="migrator", settings=SETTINGS) as cluster:
            cluster.keep_tables_on(tables)
            yield SmallSite(broker, cluster, tables=tables, logs=logs)


def tables_full(round_: Round) -> None:
    """The workers wait, and go on when there is space again."""
    assert isinstance(round_.site, SmallSite)
    for _ in round_.moments(1, 3):
        _fill(round_, round_.site.tables, "No space left")


def broker_full(round_: Round) -> None:
    """It ends itself when it cannot write; it is started again when there is space."""
    assert isinstance(round_.site, SmallSite)
    for _ in round_.moments(1, 2):
        _fill(round_, round_.site.logs, "Kafka")
        round_.broker.kill()
        round_.broker.start()


def _fill(round_: Round, disk: Path, reason: str) -> None:
    """Until the run tells that it waits for this reason, and some time longer."""
    with contextlib.ExitStack() as full:
        round_.strike(lambda _: full.enter_context(filled(disk)))
        wait_until(lambda: reason in (round_.load.company.waiting() or "") or not round_.load.running(), 60, "the run waits")
        time.sleep(round_.dice.uniform(0, 5))


FAULTS = (tables_full, broker_full) if MOUNTABLE else ()
