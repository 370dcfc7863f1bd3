#!/usr/bin/python3
"""Runs under random faults: each round migrates a load, breaks something at random moments, and lets the oracle judge.

Every round appends one line to build/chaos/results, whose end it goes on from when it is started again:

    round  seed  fault  moments hit (t: inside an open transaction, -: between two)  messages  aborted  seconds  result

A failed round leaves the server's log beside it. The seed decides the fault and its moments, as far as a clock can.
"""

import argparse
import random
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

TEST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TEST), str(TEST / "e2e")]

from harness import Broker, Cluster  # noqa: E402
from harness.process import ROOT  # noqa: E402
from helpers.faults import Load, freeze, thaw  # noqa: E402
from helpers.oracle import Ends  # noqa: E402

FOLDER = ROOT / "build" / "chaos"
RESULTS = FOLDER / "results"
SETTINGS = {
    "migrator.schedule": "1s",
    "migrator.heartbeat_timeout": "3s",
    "migrator.kafka_timeout": "10s",
    "migrator.chunk_rows": "1000",
}


class Round:
    def __init__(self, load: Load, broker: Broker, dice: random.Random) -> None:
        self.load = load
        self.cluster = load.cluster
        self.broker = broker
        self.dice = dice
        self.ends = Ends(broker.bootstrap, load.company.topic)
        self.hits = ""

    def moment(self) -> None:
        """Some chunks later, and then anywhere within a chunk."""
        self.load.wait_for_chunks(self.dice.randint(1, 6))
        time.sleep(self.dice.uniform(0, 0.15))  # a moment, not a condition

    def note(self, inside: bool) -> None:
        self.hits += "t" if inside else "-"

    # Faults ----------------------------------------------------------------------------------------------------

    def clients_killed(self) -> None:
        for _ in range(self.dice.randint(1, 3)):
            self.moment()
            self.note(self.load.kill_clients(self.ends, self.dice))

    def clients_killed_inside(self) -> None:
        for _ in range(self.dice.randint(1, 2)):
            self.moment()
            self.load.kill_clients_inside(self.ends)
            self.note(True)

    def clients_frozen(self) -> None:
        self.moment()
        frozen = freeze(self.load.clients())
        self.note(self.ends.transaction_open())
        time.sleep(self.dice.uniform(1, 20))  # on either side of the deadline
        thaw(frozen)

    def publisher_killed(self) -> None:
        self._crash(lambda: self.cluster.kill_backend(self.load.worker("publisher")))

    def runner_killed(self) -> None:
        self._crash(lambda: self.cluster.kill_backend(self.load.worker("runner")))

    def postmaster_killed(self) -> None:
        def kill() -> None:
            self.cluster.kill()
            self.cluster.start()

        self._crash(kill)

    def server_stopped_immediately(self) -> None:
        self._crash(lambda: self.cluster.restart("immediate"))

    def server_stopped_fast(self) -> None:
        self._crash(lambda: self.cluster.restart("fast"))

    def worker_ended(self) -> None:
        for _ in range(self.dice.randint(1, 3)):
            self.moment()
            self.note(self.ends.transaction_open())
            number = self.dice.choice([signal.SIGTERM, signal.SIGINT])
            self.cluster.kill_backend(self.load.worker(self.dice.choice(["runner", "publisher"])), number)

    def broker_killed(self) -> None:
        self._away(self.broker.kill, self.broker.start)

    def broker_stopped(self) -> None:
        self._away(self.broker.stop, self.broker.start)

    def broker_paused(self) -> None:
        self._away(self.broker.pause, self.broker.resume)

    def _crash(self, fault: Callable[[], None]) -> None:
        self.moment()
        self.note(self.ends.transaction_open())
        self.load.crash(fault)

    def _away(self, leave: Callable[[], object], come: Callable[[], object]) -> None:
        self.moment()
        self.note(self.ends.transaction_open())
        leave()
        time.sleep(self.dice.uniform(0, 15))
        come()


# Faults and their weights.
FAULTS: dict[Callable[[Round], None], int] = {
    Round.clients_killed: 6,
    Round.clients_killed_inside: 6,
    Round.clients_frozen: 1,
    Round.publisher_killed: 2,
    Round.runner_killed: 1,
    Round.postmaster_killed: 2,
    Round.server_stopped_immediately: 1,
    Round.server_stopped_fast: 1,
    Round.worker_ended: 2,
    Round.broker_killed: 1,
    Round.broker_stopped: 1,
    Round.broker_paused: 1,
}


def play(number: int, seed: int, cluster: Cluster, broker: Broker) -> bool:
    dice = random.Random(seed)
    fault = dice.choices(list(FAULTS), list(FAULTS.values()))[0]
    start = time.monotonic()
    hits, messages, aborted = "", 0, 0
    try:
        with cluster.database("migrator") as database:
            topic = broker.create_topic(f"chaos_{secrets.token_hex(4)}", dice.choice([1, 4, 12]))
            load = Load(database, broker, topic, rows=20000, workers=dice.randint(1, 3))
            migration = load.wait_for_start()
            round_ = Round(load, broker, dice)
            try:
                fault(round_)
            finally:
                hits = round_.hits
                round_.ends.close()
            verdict = load.complete(migration, timeout=120)
            messages, aborted = verdict.messages, verdict.aborted
            broker.delete_topic(topic)
        cluster.check_log()
        result = "ok"
    except Exception as error:  # whatever it is, the next round is another chance
        result = "FAILED " + " ".join(str(error).split())[:500]
        shutil.copy(cluster.log_file, FOLDER / f"server-{number}.log")
    seconds = time.monotonic() - start
    line = f"{number}\t{seed}\t{fault.__name__}\t{hits or '.'}\t{messages}\t{aborted}\t{seconds:.1f}\t{result}"
    with open(RESULTS, "a") as results:
        results.write(line + "\n")
    print(line, flush=True)
    return result == "ok"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = len(RESULTS.read_text().splitlines()) if RESULTS.exists() else 0
    first = done + 1 if options.seed is None else options.seed
    good = 0
    for index in range(options.rounds):
        # Servers of its own for each round: a failure must not follow into the next one.
        with Broker() as broker, Cluster(preload="migrator", settings=SETTINGS) as cluster:
            good += play(done + 1 + index, first + index, cluster, broker)
    print(f"{good} of {options.rounds} rounds without loss, duplicate or crash; all results: {RESULTS.relative_to(ROOT)}")
    return 0 if good == options.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
