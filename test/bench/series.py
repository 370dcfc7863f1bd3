"""The further series: what the speed depends on, and what a run costs beside time."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from contenders import Contender, Metrics
from contenders.applied import Applied
from contenders.ours import Ours
from contenders.pipes import Kcat
from contenders.sink import Sink
from inbound import Inbound
from load import Load, natural_client, texts
from pgbench import Pgbench
from processes import MemoryWatch
from results import Results
from rounds import measure, say
from stage import Stage


SHORT_ROUNDS = 5  # of the shortest runs in the series of sizes


@dataclass(frozen=True)
class Plan:
    rows: int
    rounds: int
    partitions: int
    workers: int
    settings: Mapping[str, str]  # of the server

    def facts(self) -> dict[str, str]:
        numbers = {name: str(value) for name, value in vars(self).items() if name != "settings"}
        return numbers | {"settings": " ".join(f"{name}={value}" for name, value in self.settings.items())}

    def stage(self, load: Load) -> Stage:
        return Stage(load, self.partitions, self.workers, self.settings)


def _each(plans: Iterable[tuple[str, Plan, Load]], results: Results) -> None:
    for parameter, plan, load in plans:
        with plan.stage(load) as stage:
            measure(results, [Ours(stage)], plan.rounds, parameter)


def workers(plan: Plan, results: Results) -> None:
    """Rows per second by the number of workers."""
    _each(((str(n), replace(plan, workers=n), natural_client(plan.rows)) for n in (1, 2, 4, 8)), results)


def partitions(plan: Plan, results: Results) -> None:
    """Rows per second by the number of partitions."""
    _each(((str(n), replace(plan, partitions=n), natural_client(plan.rows)) for n in (1, 4, 48)), results)


def width(plan: Plan, results: Results) -> None:
    """Rows per second by the bytes of the values of a row, in 11 fields."""
    _each(((str(n), plan, texts(plan.rows, 11, n // 11)) for n in (110, 440, 1760, 7040)), results)


def fields(plan: Plan, results: Results) -> None:
    """Rows per second by the number of fields, 440 bytes of values in all."""
    _each(((str(n), plan, texts(plan.rows, n, 440 // n)) for n in (1, 11, 44, 110)), results)


def size(plan: Plan, results: Results) -> None:
    """Cost per row at 1, 10 and 30 times the number of rows; the first is the median of five rounds."""
    for rows in (plan.rows, 10 * plan.rows, 30 * plan.rows):
        # A long run is its own warming up; short ones need several, until the broker's code is compiled.
        short = rows == plan.rows
        with replace(plan, rows=rows).stage(natural_client(rows)) as stage:
            measure(results, [Ours(stage)], SHORT_ROUNDS if short else plan.rounds, str(rows), warm_up=short)


@dataclass
class Watched:
    """A contender with something measured around each of its runs."""

    contender: Contender
    around: Callable[[Callable[[], Metrics]], Metrics]

    def __post_init__(self) -> None:
        self.name, self.title = self.contender.name, self.contender.title

    def run(self) -> Metrics:
        return self.around(self.contender.run)


def memory(plan: Plan, results: Results) -> None:
    """Peak memory of each process, in MB, at a tenth of the rows and at all of them."""
    for rows in (plan.rows // 10, plan.rows):
        with plan.stage(natural_client(rows)) as stage:
            stage.fresh()

            def around(run: Callable[[], Metrics]) -> Metrics:
                with MemoryWatch(stage.cluster.data) as watch:
                    metrics = run()
                return metrics | watch.peaks

            measure(results, [Watched(Ours(stage), around)], plan.rounds, str(rows))


def wal(plan: Plan, results: Results) -> None:
    """Bytes of WAL for each row, with and without copies."""
    with plan.stage(natural_client(plan.rows)) as stage:

        def around(run: Callable[[], Metrics]) -> Metrics:
            database = stage.fresh()
            before = database.value("select pg_current_wal_insert_lsn()")
            metrics = run()
            written = database.value("select pg_current_wal_insert_lsn() - %s::pg_lsn", before)
            return metrics | {"wal_bytes_per_row": float(written) / plan.rows}

        measure(results, [Watched(Ours(stage, copies), around) for copies in (True, False)], plan.rounds)


def bloat(plan: Plan, results: Results) -> None:
    """Sizes of the table and its indexes over ten loads of all rows, each migrated and then vacuumed."""
    with plan.stage(natural_client(plan.rows)) as stage:
        database, ours = stage.fresh(), Ours(stage)
        for number in range(11):
            metrics: Metrics = {"seconds": 0}
            if number > 0:
                if number > 1:
                    stage.supply_again()
                metrics = ours.run()
                stage.settle(database)
            table = stage.load.table
            sizes = database.query("select pg_table_size(%s), pg_indexes_size(%s)", table, table)[0]
            say(f"  after load {number}: table {sizes[0] >> 20} MB, indexes {sizes[1] >> 20} MB, {metrics['seconds']:.1f} s")
            results.add(str(number), ours.name, 1, metrics | {"table_mb": sizes[0] / (1 << 20), "indexes_mb": sizes[1] / (1 << 20)})


def pgbench(plan: Plan, results: Results) -> None:
    """What a concurrent pgbench notices: transactions per second and latency, alone and beside each contender."""
    with plan.stage(natural_client(plan.rows)) as stage, Pgbench(stage.fresh()) as bench:

        def around(run: Callable[[], Metrics]) -> Metrics:
            stage.fresh()
            alone = bench.idle()
            metrics = run()
            beside = bench.during(metrics["seconds"])
            say(f"  pgbench alone {alone.tps:.0f} tps, {alone.latency:.2f} ms; beside it {beside.tps:.0f} tps, {beside.latency:.2f} ms")
            return metrics | {"tps_alone": alone.tps, "tps_beside": beside.tps, "ms_alone": alone.latency, "ms_beside": beside.latency}

        measure(results, [Watched(Ours(stage), around), Watched(Kcat(stage), around)], plan.rounds)


def consume(plan: Plan, results: Results) -> None:
    """Topics applied to the golden record, beside Debezium's JDBC sink that upserts the same rows into a plain table."""
    with plan.stage(natural_client(plan.rows)) as stage, Inbound(stage) as inbound:

        def around(run: Callable[[], Metrics]) -> Metrics:
            with MemoryWatch(inbound.database.cluster.data) as watch:
                metrics = run()
            return metrics | watch.peaks

        ours = [Watched(Applied(inbound, outcome), around) for outcome in ("inserted", "duplicate", "unchanged")]
        measure(results, [*ours, Sink(inbound, True), Sink(inbound, False)], plan.rounds)


def store_size(plan: Plan, results: Results) -> None:
    """Cost of a message while the store grows to 10 times the number of rows: new ones, and known ones from all over it."""
    with plan.stage(natural_client(plan.rows)) as stage, Inbound(stage) as inbound:
        sample = plan.rows // 10
        for part in range(10):
            first, last = part * plan.rows + 1, (part + 1) * plan.rows
            new = inbound.messages(f"generate_series({first}::bigint, {last}) i")
            known = inbound.messages(f"(select distinct 1 + (n * 7919 * 104729) % {last} as i from generate_series(1::bigint, {sample}) n) s", part + 2)
            metrics: Metrics = {}
            for metric, outcome, query in (("new", "inserted", new), ("known", "unchanged", known)):
                with inbound.filled(query) as topic:
                    inbound.subscribe(topic)
                    start = time.monotonic()
                    inbound.database.execute("call migrator.consume('bench')")
                    seconds = time.monotonic() - start
                found = inbound.applied()
                assert found[outcome] == sum(found.values()), found
                metrics[metric] = 1e6 * seconds / found[outcome]
            say(f"  {last:,} instances: {metrics['new']:.1f} µs a new one, {metrics['known']:.1f} µs a known one")
            results.add(str(last), "applied-inserted", 1, metrics)


@dataclass(frozen=True)
class Series:
    """How a series is measured, and with how many rows and rounds unless others are asked for."""

    run: Callable[[Plan, Results], None]
    rows: int = 300000
    rounds: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)  # of the server, beside SETTINGS


# PostgreSQL's own default: with more, the smallest table would lie in memory and the others not.
SIZE = Series(size, 1000000, 1, {"shared_buffers": "128MB"})
# Little is shared, so that what a process is charged for is nearly its own.
MEMORY = Series(memory, 1000000, 1, {"shared_buffers": "32MB"})
# With the sizes at which docs/benchmark.md was made; what takes long has one round.
ALL = {
    "workers": Series(workers), "partitions": Series(partitions), "width": Series(width, 200000), "fields": Series(fields, 200000),
    "size": SIZE, "memory": MEMORY, "wal": Series(wal), "bloat": Series(bloat, rounds=1), "pgbench": Series(pgbench),
    "consume": Series(consume, rounds=3), "store_size": Series(store_size, 1000000, 1),
}  # fmt: skip
