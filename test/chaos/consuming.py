"""Rounds in which topics are consumed while messages keep coming. Each is judged by what the topics hold in the end."""

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from harness import Broker, Cluster, wait_until
from helpers.consumption import Consumption
from helpers.faults import freeze, thaw
from helpers.feed import Feed
from helpers.oracle import Verdict
from helpers.store_oracle import judge
from stage import SETTINGS, Site

BACKLOG = 2000  # messages that are there at the start


@dataclass
class ConsumingSite(Site):
    @contextlib.contextmanager
    def begin(self, dice: random.Random) -> Iterator["ConsumingRound"]:  # type: ignore[override]  # for faults of its own
        with self.cluster.database("migrator") as database:
            topics = [self.broker.create_topic(f"chaos_{secrets.token_hex(4)}", dice.choice([1, 3, 4, 8])) for _ in range(dice.randint(1, 2))]
            consumption = Consumption(database, self.broker, consumers=dice.randint(1, 4))
            consumption.subscribe(*topics)
            feed = Feed(self.broker.bootstrap, topics, dice, pace=1500)
            round_ = ConsumingRound(self, consumption, topics, dice)
            try:
                feed.begin(BACKLOG)
                consumption.call("start_consumers")
                yield round_
            finally:
                feed.close()
            round_.settle()
            for topic in topics:
                self.broker.delete_topic(topic)
        self.cluster.check_log()


@contextlib.contextmanager
def make_site() -> Iterator[Site]:
    """Small batches, so that a fault finds one being applied, and several behind it."""
    settings = SETTINGS | {"migrator.batch_records": "50"}
    with Broker() as broker, Cluster(preload="migrator", settings=settings) as cluster:
        yield ConsumingSite(broker, cluster)


class ConsumingRound:
    def __init__(self, site: Site, consumption: Consumption, topics: list[str], dice: random.Random) -> None:
        self.cluster = site.cluster
        self.broker = site.broker
        self.consumption = consumption
        self.topics = topics
        self.dice = dice
        self.hits = ""  # a letter for each fault: t while a batch is applied, - while none is, as seen just before
        self.recoveries: list[float] = []
        self._over = 0.0  # when the last fault was over, as a Unix time
        self.verdict = Verdict()

    def ask(self, sql: str, *parameters: Any) -> Any:
        """One value, from a server that may be down for some time."""

        def answer() -> tuple[Any] | None:
            try:
                return (self.consumption.database.value(sql, *parameters),)
            except psycopg2.Error:  # not up yet, or going down
                self.consumption.database.close()
                return None

        found = wait_until(answer, 60, "the server answers", interval=0.1)
        assert found is not None
        return found[0]

    def moments(self, least: int, most: int) -> Iterator[None]:
        """So many times: when some more batches are applied, and then anywhere."""
        for _ in range(self.dice.randint(least, most)):
            self.wait_for_batches(self.dice.randint(1, 10))
            time.sleep(self.dice.uniform(0, 0.1))  # a moment, not a condition
            yield

    def wait_for_batches(self, more: int) -> None:
        sql = "select count(*) from in_migration.from_kafka_to_mongo_tracking"
        goal = self.ask(sql) + more
        try:
            wait_until(lambda: self.ask(sql) >= goal, 60, f"{more} more batches are applied", interval=0.02)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.consumption.state()}; {self.consumption.partitions()}") from None

    def applying(self) -> bool:
        """Does a consumer hold what it locks first when it applies a batch?"""
        return bool(self.ask(
            "select exists (select from pg_locks l join pg_stat_activity a using (pid) where l.relation = 'migrator.in_partition'::regclass "
            "and l.mode = 'RowExclusiveLock' and a.backend_type = 'migrator consumer')"
        ))

    def strike(self, fault: Callable[[], object]) -> float:
        """Does something, most often while a batch is being applied, and notes which; returns the moment as a Unix time."""
        give_up = time.monotonic() + (3 if self.dice.random() < 0.8 else 0)
        while not (inside := self.applying()) and time.monotonic() < give_up:
            time.sleep(0.001)
        self.hits += "t" if inside else "-"
        moment = time.time()
        fault()
        self._over = time.time()
        return moment

    def recover(self, moment: float, replaced: Sequence[int] = ()) -> None:
        """Waits for the next batch that was received when the fault was over, and notes how long that took from its beginning.
        `replaced`: client processes that are gone, one of which must have a successor before."""
        known = set(replaced)
        wait_until(lambda: not known or set(self.consumption.clients()) - known, 60, "a new client process", interval=0.005)
        since = time.time() if known else max(moment, self._over)  # moment: that of coming back, where a fault has two parts
        sql = "select min(extract(epoch from finished_at)) from in_migration.from_kafka_to_mongo_tracking where started_at > to_timestamp(%s)"
        try:
            found = wait_until(lambda: self.ask(sql, since), 60, "a batch after the fault", interval=0.02)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.consumption.state()}; {self.consumption.partitions()}") from None
        self.recoveries.append(float(found) - moment)

    def worker(self, kind: str) -> int:
        sql = "select coalesce(min(pid), 0) from pg_stat_activity where datname = current_database() and backend_type = %s"
        return int(wait_until(lambda: self.ask(sql, f"migrator {kind}"), what=f"a {kind} runs"))

    @contextlib.contextmanager
    def frozen(self, pids: list[int]) -> Iterator[None]:
        stopped = freeze(pids)
        try:
            yield
        finally:
            thaw(stopped)

    def settle(self) -> None:
        """Whatever was stopped goes on; then everything is applied, and judged."""
        self.ask("select migrator.resume_consumption('eater')")
        self.ask("select migrator.start_consumers('eater')")
        self.consumption.wait_until_applied(120)
        wait_until(lambda: self.consumption.state()["waiting"] is None, 30, "nothing waits")
        self.verdict = judge(self.consumption, self.topics)
        assert not self.verdict.complaints, "\n".join(self.verdict.complaints)
