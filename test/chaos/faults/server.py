"""The whole server goes down and comes back."""

from collections.abc import Callable

from stage import Round, make_site

__all__ = ["FAULTS", "make_site"]


def postmaster_killed(round_: Round) -> None:
    def kill() -> None:
        round_.cluster.kill()
        round_.cluster.start()

    _down(round_, kill)


def server_stopped_immediately(round_: Round) -> None:
    _down(round_, lambda: round_.cluster.restart("immediate"))


def server_stopped_fast(round_: Round) -> None:
    _down(round_, lambda: round_.cluster.restart("fast"))


def _down(round_: Round, fault: Callable[[], None]) -> None:
    for _ in round_.moments(2, 4):
        round_.crash(fault)


FAULTS = (postmaster_killed, server_stopped_immediately, server_stopped_fast)
