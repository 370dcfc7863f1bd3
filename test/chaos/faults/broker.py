"""The broker goes away and comes back."""

import time
from collections.abc import Callable

from stage import Round, make_site

__all__ = ["FAULTS", "make_site"]

TRANSACTION_TIMEOUT = 30.0  # s, as our producers ask for


def broker_killed(round_: Round) -> None:
    _away(round_, round_.broker.kill, round_.broker.start, 0, 8)


def broker_stopped(round_: Round) -> None:
    _away(round_, round_.broker.stop, round_.broker.start, 0, 8)


def broker_paused(round_: Round) -> None:
    """It keeps its connections; on either side of the workers' deadline."""
    _away(round_, round_.broker.pause, round_.broker.resume, 0, 15)


def broker_paused_beyond_transaction_timeout(round_: Round) -> None:
    _away(round_, round_.broker.pause, round_.broker.resume, TRANSACTION_TIMEOUT + 2, TRANSACTION_TIMEOUT + 10)


def _away(round_: Round, leave: Callable[[], object], come: Callable[[], object], least: float, most: float) -> None:
    for _ in round_.moments(1, 3):
        round_.strike(lambda _: leave())
        time.sleep(round_.dice.uniform(least, most))  # how long it is away
        come()


FAULTS = (broker_killed, broker_stopped, broker_paused, broker_paused_beyond_transaction_timeout)
