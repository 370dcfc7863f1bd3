"""Kafka client processes and workers are killed, and workers asked to end."""

import signal

from helpers.faults import kill
from stage import Round, make_site

__all__ = ["FAULTS", "make_site"]


def clients_killed(round_: Round) -> None:
    for _ in round_.moments(4, 8):
        round_.recover(round_.strike(kill))


def clients_killed_inside(round_: Round) -> None:
    """Only while a transaction is open."""
    for _ in round_.moments(4, 8):
        round_.recover(round_.strike(kill, inside=True))


def one_client_killed(round_: Round) -> None:
    """The others go on."""
    for _ in round_.moments(4, 8):
        round_.recover(round_.strike(lambda pids: kill(pids and [round_.dice.choice(pids)])))


def publisher_killed(round_: Round) -> None:
    _worker_killed(round_, "publisher")


def runner_killed(round_: Round) -> None:
    _worker_killed(round_, "runner")


def worker_ended(round_: Round) -> None:
    """SIGTERM is pg_terminate_backend, SIGINT pg_cancel_backend."""
    for _ in round_.moments(2, 5):
        number = round_.dice.choice([signal.SIGTERM, signal.SIGINT])
        victim = round_.load.worker(round_.dice.choice(["runner", "publisher"]))
        round_.strike(lambda _: round_.cluster.kill_backend(victim, number))


def _worker_killed(round_: Round, kind: str) -> None:
    """The postmaster restarts all of the server's processes."""
    for _ in round_.moments(2, 4):
        victim = round_.load.worker(kind)
        round_.crash(lambda: round_.cluster.kill_backend(victim))


FAULTS = (clients_killed, clients_killed_inside, one_client_killed, publisher_killed, runner_killed, worker_ended)
