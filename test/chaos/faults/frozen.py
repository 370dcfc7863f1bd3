"""Processes stand still beyond their deadlines and wake up again."""

import os
import signal
import time

from helpers.faults import freeze, thaw
from stage import Round, make_site

from .broker import TRANSACTION_TIMEOUT

__all__ = ["FAULTS", "make_site"]


def clients_frozen(round_: Round) -> None:
    """On either side of the workers' deadline, after which they are replaced."""
    for _ in round_.moments(1, 3):
        round_.strike(lambda _: time.sleep(round_.dice.uniform(1, 20)))


def publisher_frozen(round_: Round) -> None:
    _worker_frozen(round_, "publisher")


def runner_frozen(round_: Round) -> None:
    _worker_frozen(round_, "runner")


def all_frozen_beyond_transaction_timeout(round_: Round) -> None:
    """Workers and client processes: when they wake up, the broker has aborted what they were about to commit."""

    def stand_still(_: list[int]) -> None:
        workers = freeze(round_.load.workers("publisher") + round_.load.workers("runner"))
        time.sleep(round_.dice.uniform(TRANSACTION_TIMEOUT + 2, TRANSACTION_TIMEOUT + 10))
        thaw(workers)

    for _ in round_.moments(1, 2):
        round_.strike(stand_still, inside=True)


def _worker_frozen(round_: Round, kind: str) -> None:
    for _ in round_.moments(1, 3):
        _freeze_worker(round_, kind)


def _freeze_worker(round_: Round, kind: str) -> None:
    """Its heartbeat and its deadlines pass, and everyone tries to take the run over; its client process goes on."""
    victim = round_.load.worker(kind)
    round_.strike(lambda _: os.kill(victim, signal.SIGSTOP))
    waking = time.monotonic() + round_.dice.uniform(1, 18)
    try:
        while time.monotonic() < waking:
            answer = round_.load.company.start()
            if kind == "runner" and not answer.startswith("not started"):
                raise AssertionError(f"a run was taken over whose runner still lives: {answer}")
            time.sleep(0.2)  # as often as a very eager cron
    finally:
        thaw([victim])


FAULTS = (clients_frozen, publisher_frozen, runner_frozen, all_frozen_beyond_transaction_timeout)
