"""What breaks while topics are consumed: client processes, workers, the server, the broker, and who reads what."""

import signal
import time
from collections.abc import Callable

from consuming import ConsumingRound, make_site
from helpers.faults import kill

__all__ = ["FAULTS", "make_site"]


def consume_clients_killed(round_: ConsumingRound) -> None:
    victims: list[int] = []

    def kill_all() -> None:
        victims[:] = round_.consumption.clients()
        kill(victims)

    for _ in round_.moments(4, 8):
        round_.recover(round_.strike(kill_all), victims)


def consume_one_client_killed(round_: ConsumingRound) -> None:
    """The others go on; one of them is the supervisor's."""
    for _ in round_.moments(4, 8):
        round_.strike(lambda: kill([round_.dice.choice(pids)] if (pids := round_.consumption.clients()) else []))


def consume_clients_frozen(round_: ConsumingRound) -> None:
    """On either side of the consumers' deadline, after which they are replaced."""

    def stand_still() -> None:
        with round_.frozen(round_.consumption.clients()):
            time.sleep(round_.dice.uniform(0.5, 14))

    for _ in round_.moments(1, 2):
        round_.recover(round_.strike(stand_still))


def consume_worker_frozen(round_: ConsumingRound) -> None:
    """It may hold a batch half applied, which others wait for; nobody may take its partitions meanwhile."""

    def stand_still() -> None:
        with round_.frozen([victim]):
            time.sleep(round_.dice.uniform(0.5, 10))

    for _ in round_.moments(1, 2):
        victim = round_.worker("consumer")
        round_.strike(stand_still)


def consume_worker_killed(round_: ConsumingRound) -> None:
    """The postmaster restarts all of the server's processes."""
    for _ in round_.moments(2, 3):
        victim = round_.worker("consumer")
        round_.recover(round_.strike(lambda: round_.cluster.kill_backend(victim)))


def consume_supervisor_killed(round_: ConsumingRound) -> None:
    for _ in round_.moments(2, 3):
        victim = round_.worker("supervisor")
        round_.recover(round_.strike(lambda: round_.cluster.kill_backend(victim)))


def consume_worker_ended(round_: ConsumingRound) -> None:
    """SIGTERM is pg_terminate_backend, SIGINT pg_cancel_backend; who has started the consumption starts it again."""
    for _ in round_.moments(3, 6):
        number = round_.dice.choice([signal.SIGTERM, signal.SIGINT])
        victim = round_.worker(round_.dice.choice(["consumer", "consumer", "supervisor"]))
        round_.strike(lambda: round_.cluster.kill_backend(victim, number))


def consume_postmaster_killed(round_: ConsumingRound) -> None:
    _down(round_, round_.cluster.kill)


def consume_server_stopped(round_: ConsumingRound) -> None:
    _down(round_, lambda: round_.cluster.stop(round_.dice.choice(["immediate", "fast"])))


def consume_broker_killed(round_: ConsumingRound) -> None:
    _away(round_, round_.broker.kill, round_.broker.start, 5)


def consume_broker_stopped(round_: ConsumingRound) -> None:
    _away(round_, round_.broker.stop, round_.broker.start, 5)


def consume_broker_paused(round_: ConsumingRound) -> None:
    """It keeps its connections."""
    _away(round_, round_.broker.pause, round_.broker.resume, 15)


def consumers_rebalanced(round_: ConsumingRound) -> None:
    for _ in round_.moments(6, 12):
        round_.strike(lambda: round_.consumption.set(consumers=round_.dice.randint(1, 8)))


def consumers_rebalanced_and_killed(round_: ConsumingRound) -> None:
    """Partitions change hands while those that hand them over lose their client processes, or end."""

    def change() -> None:
        round_.consumption.set(consumers=round_.dice.randint(1, 8))
        if round_.dice.random() < 0.5:
            kill(round_.consumption.clients())
        else:
            round_.cluster.kill_backend(round_.worker("consumer"), signal.SIGTERM)

    for _ in round_.moments(4, 8):
        round_.recover(round_.strike(change))


def consumption_stopped_and_started(round_: ConsumingRound) -> None:
    pairs = [("pause_consumption", "resume_consumption"), ("stop_consumers", "start_consumers")]
    for _ in round_.moments(3, 6):
        stop, start = round_.dice.choice(pairs)
        round_.strike(lambda name=stop: round_.consumption.call(name))  # type: ignore[misc]
        time.sleep(round_.dice.uniform(0, 1.5))  # on either side of the moment when it is noticed
        moment = time.time()
        round_.consumption.call(start)
        round_.recover(moment)


def _down(round_: ConsumingRound, stop: Callable[[], None]) -> None:
    for _ in round_.moments(2, 3):
        moment = round_.strike(stop)
        round_.consumption.database.close()
        round_.cluster.start()
        round_.recover(moment)


def _away(round_: ConsumingRound, leave: Callable[[], object], come: Callable[[], object], most: float) -> None:
    for _ in round_.moments(1, 2):
        round_.strike(leave)
        time.sleep(round_.dice.uniform(0, most))  # how long it is away
        moment = time.time()
        come()
        round_.recover(moment)


FAULTS = (
    consume_clients_killed,
    consume_one_client_killed,
    consume_clients_frozen,
    consume_worker_frozen,
    consume_worker_killed,
    consume_supervisor_killed,
    consume_worker_ended,
    consume_postmaster_killed,
    consume_server_stopped,
    consume_broker_killed,
    consume_broker_stopped,
    consume_broker_paused,
    consumers_rebalanced,
    consumers_rebalanced_and_killed,
    consumption_stopped_and_started,
)
