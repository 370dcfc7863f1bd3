"""Processes are killed at named points of the protocol: one fault for each point."""

import contextlib
from collections.abc import Callable, Iterator

from harness import Broker, Cluster, Installation
from helpers.failpoints import CLIENT, RECOVERY, WORKER, kill_at
from stage import SETTINGS, Round, Site

__all__ = ["FAULTS", "make_site"]


@contextlib.contextmanager
def make_site() -> Iterator[Site]:
    with (
        Installation("faults") as installation,
        Broker() as broker,
        Cluster(preload="migrator", settings=SETTINGS | {"migrator.chunk_rows": "200"}, programs=installation.bindir) as cluster,
    ):
        yield Site(broker, cluster, rows=8000)


def _at(point: str) -> Callable[[Round], None]:
    def fault(round_: Round) -> None:
        dice = round_.dice
        for _ in round_.moments(6, 9):
            # A recovery needs a reason: a transaction that is committed, or one that will be aborted.
            points = [dice.choice(["before_answer", "after_marker"]), point] if point in RECOVERY else [point]
            skip = dice.randint(0, 400) if point == "mid_produce" else dice.randint(0, 2)  # rows, and chunks
            round_.recover(kill_at(round_.load, points, skip, note=round_.note_state))

    fault.__name__ = f"killed_{point}"
    return fault


FAULTS = tuple(_at(point) for point in (*WORKER, *CLIENT))
