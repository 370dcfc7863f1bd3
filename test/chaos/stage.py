"""Where a round takes place and what all faults have in common: moments, the state that was hit, the time to recover."""

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness import Broker, Cluster, wait_until
from helpers.faults import Load, RunEnded, freeze, thaw
from helpers.oracle import Ends, Verdict

SETTINGS = {
    "migrator.schedule": "1s",
    "migrator.heartbeat_timeout": "3s",
    "migrator.kafka_timeout": "10s",
    "migrator.chunk_rows": "500",
}


@dataclass
class Site:
    """Servers that rounds share, until one has failed or a fault has left them unfit for another round."""

    broker: Broker
    cluster: Cluster
    server: Mapping[str, str] | None = None  # options of the foreign server; None: just the broker's address
    rows: int = 20000
    spent: bool = False

    @contextlib.contextmanager
    def begin(self, dice: random.Random) -> Iterator["Round"]:
        """A round whose run is under way; at the end of the block it is completed and judged."""
        with self.cluster.database("migrator") as database:
            topic = self.broker.create_topic(f"chaos_{secrets.token_hex(4)}", dice.choice([1, 4, 12]))
            load = Load(database, self.broker, topic, rows=self.rows, workers=dice.randint(1, 3), server=self.server)
            migration = load.wait_for_start()
            round_ = Round(self, load, dice)
            try:
                with contextlib.suppress(RunEnded):  # before all faults came: then those that did are judged
                    yield round_
            finally:
                round_.close()
            round_.verdict = load.complete(migration, timeout=120)
            self.broker.delete_topic(topic)
        self.cluster.check_log()


@contextlib.contextmanager
def make_site() -> Iterator[Site]:
    with Broker() as broker, Cluster(preload="migrator", settings=SETTINGS) as cluster:
        yield Site(broker, cluster)


class Round:
    """One load in a database and a topic of its own, under way."""

    def __init__(self, site: Site, load: Load, dice: random.Random) -> None:
        self.site = site
        self.load = load
        self.dice = dice
        self.broker = site.broker
        self.cluster = site.cluster
        self.hits = ""  # a letter for each fault: the state that it hit
        self.recoveries: list[float] = []
        self.verdict = Verdict()  # known at the end
        self._ends = Ends(site.broker.bootstrap, load.company.topic)

    def moments(self, least: int, most: int) -> Iterator[None]:
        """So many times: some chunks later, and then anywhere within a chunk. Ends the fault when the run is over."""
        for _ in range(self.dice.randint(least, most)):
            self.load.wait_for_chunks(self.dice.randint(1, 3))
            time.sleep(self.dice.uniform(0, 0.15))  # a moment, not a condition
            yield

    def strike(self, fault: Callable[[list[int]], object], inside: bool = False) -> float:
        """Does something while the client processes, whose pids `fault` gets, stand still: so the state noted is the one hit.

        With `inside` it waits for an open transaction. Returns the moment as a Unix time.
        """

        def struck() -> float | None:
            if inside and not self.load.running():
                raise RunEnded("no transaction was open any more")
            frozen = freeze(self.load.clients())
            try:
                state = self.state()
                if inside and state != "t":
                    return None
                moment = time.time()
                try:
                    fault(frozen)
                except ProcessLookupError:
                    raise RunEnded("the process had ended by itself") from None
                self.hits += state
                return moment
            finally:
                thaw(frozen)

        moment = wait_until(struck, 60, "a transaction is open", interval=0.003)
        assert moment is not None
        return moment

    def state(self) -> str:
        """t: a transaction is open in Kafka; c: a chunk is claimed, its transaction not begun or over; -: neither."""
        if self._ends.transaction_open():
            return "t"
        claimed = self.load.database.value("select exists (select from migrator.chunk where state = 'CLAIMED')")
        return "c" if claimed else "-"

    def note_state(self) -> None:
        """For a fault that makes its own process stand still."""
        self.hits += self.state()

    def recover(self, moment: float) -> None:
        """Waits for the next committed chunk of a slot that was opened anew, and notes how long it took."""
        wait_until(lambda: self.load.recovered_after(moment) or not self.load.running(), 60, "a chunk after the fault", interval=0.02)
        after = self.load.recovered_after(moment)
        if after is not None:  # else the fault hit the last chunk
            self.recoveries.append(after)

    def crash(self, fault: Callable[[], None]) -> None:
        """A fault that takes the server down: until another worker has taken the run over and gone on with it."""
        moments: list[float] = []
        self.load.crash(lambda: moments.append(self.strike(lambda _: fault())))
        self.recover(moments[0])

    def close(self) -> None:
        self._ends.close()
