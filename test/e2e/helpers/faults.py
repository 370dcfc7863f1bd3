"""What the fault tests do to a run, and the load that they do it to."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg2
from harness import Broker, Cluster, Database, wait_until
from harness.process import processes_in

from .company import Company
from .oracle import Ends, FieldsTable, LinksTable, Oracle, Verdict
from .structure import bo, document, field

STRUCTURE = document(
    bo(
        "Buyer",
        field("Code", key=True),
        field("Name"),
        field("Amount", "number"),
        field("Active", "flag"),
        field("Born", "date"),
    ),
    bo("Deal", field("Title"), field("Sum", "number"), field("Buyer", "bo", "Buyer")),
    company="faults",
)
FIELDS = (
    FieldsTable(
        "in_buyer", "Buyer", {"Code": "in_id", "Name": "name", "Amount": "amount", "Active": "active", "Born": "born"}
    ),
    FieldsTable("in_deal", "Deal", {"Title": "title", "Sum": "sum"}),
)
LINKS = (LinksTable("in_deal_buyer", "Deal", "deal_id", "Buyer", "buyer_id", "Buyer"),)


# A table, not a lock: it outlives crashes, and is copied with the database.
HOLD_BACK = """
create table public.allowance as select 0::bigint as chunks;
grant select on public.allowance to public;
create function public.hold_back() returns trigger language plpgsql as $$
begin
    while (select count(*) from migrator.chunk) >= (select chunks from public.allowance) loop
        perform pg_sleep(0.001);
    end loop;
    return new;
end $$;
create trigger hold_back before insert on migrator.chunk for each row execute function public.hold_back();
"""


class RunEnded(AssertionError):
    """The run is over before the fault could hit it."""


class Load:
    """A company whose in-tables are full and announced. Some rows cannot be sent, some have nothing to send."""

    def __init__(
        self, database: Database, broker: Broker, topic: str, rows: int = 12000, workers: int = 2, server: Mapping[str, str] | None = None
    ) -> None:
        """`server` has options of the foreign server, for those who do not just want the broker's address."""
        self.database = database
        self.cluster = database.cluster
        if server is not None:
            options = ", ".join(f"\"{name}\" '{value}'" for name, value in server.items())
            database.execute(f"create server events foreign data wrapper migrator_kafka options ({options})")
        # A launcher takes an empty process_tracking for a finished load: it must not look before all rows are there.
        self.company = Company(database, broker, topic, STRUCTURE, workers=workers, copy_days=0, has_in_migration=False)
        self.oracle = Oracle(self.company, FIELDS, LINKS)
        buyers, deals, links = rows // 2, rows // 3, rows // 6
        self.company.supply(
            "insert into in_buyer (in_id, name, amount, active, born, removed) "
            """select 'b' || i, 'Покупатель "' || i || '"', i / 8.0, i %% 3 = 0, """
            "case when i %% 1000 = 7 then 'infinity' else timestamptz '1970-01-01 UTC' + i * interval '1 day 1.2345 s' end, "
            "i %% 1000 = 8 from generate_series(1, %s) i",
            buyers,
        )
        self.company.supply(
            "insert into in_deal (in_id, title, sum) select 'd' || i, case when i %% 500 <> 3 then E'Deal\\n' || i end, "
            "case when i %% 500 <> 3 then i end from generate_series(1, %s) i",
            deals,
        )
        # Some owners have two links, so that one reference check stands for both.
        self.company.supply(
            "insert into in_deal_buyer (deal_id, buyer_id) select 'd' || 1 + i / 3 * 2, 'b' || i from generate_series(1, %s) i", links
        )
        self.company.announce_load()
        self.company.set(has_in_migration=True)
        errors = sum(i % 1000 == 7 for i in range(1, buyers + 1))
        skipped = sum(i % 500 == 3 for i in range(1, deals + 1))
        self._final = {  # rows by status, in the end
            "in_buyer": Counter(DONE=buyers - errors, ERROR=errors),
            "in_deal": Counter(DONE=deals - skipped, SKIPPED=skipped),
            "in_deal_buyer": Counter(DONE=links),
        }

    # How far the run may go -----------------------------------------------------------------------------------

    def _held_back(self) -> bool:
        return bool(self.database.value("select to_regclass('public.allowance') is not null"))

    def hold_back(self) -> None:
        """From now on publishers wait before they claim more than was allowed: no run is over before the fault, however fast."""
        self.database.execute(HOLD_BACK)

    def allow(self, more: int) -> None:
        """So many chunks more than are claimed now."""
        self.database.execute("update public.allowance set chunks = (select count(*) from migrator.chunk) + %s", more)

    def release(self) -> None:
        """The run may go on to its end."""
        if self._held_back():
            self.database.execute("update public.allowance set chunks = null")

    def chunks(self) -> int:
        """Chunks committed so far."""
        return int(self.database.value("select count(*) from migrator.chunk where state = 'DONE'"))

    def wait_for_start(self) -> int:
        """Starts the run, unless the launcher is faster; returns its id."""
        self.company.start()
        found = wait_until(lambda: self.database.query("select id from migrator.migration"), what="the run has started")
        return int(found[0][0])

    def running(self) -> bool:
        return bool(self.database.value("select exists (select from migrator.migration where state = 'RUNNING')"))

    def wait_for_chunks(self, more: int = 1, ahead: int = 2, timeout: float = 60.0) -> None:
        """Waits until so many more chunks are committed; fails if the run ends before.

        A run that is held back may then be busy with up to `ahead` chunks beyond those.
        """
        goal = self.chunks() + more
        if self._held_back():
            self.allow(more + ahead)

        def reached() -> bool:
            if not self.running():
                raise RunEnded("the run ended before the fault")
            return self.chunks() >= goal

        try:
            wait_until(reached, timeout, f"{more} more chunks are committed", interval=0.01)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; waiting: {self.company.waiting()}") from None

    def recovered_after(self, moment: float) -> float | None:
        """Seconds from `moment` (a Unix time) to the next committed chunk of a slot that was opened anew since; None: there is none yet."""
        sql = (
            "select min(extract(epoch from c.finished_at)) from migrator.chunk c join migrator.slot s using (server, slot) "
            "where s.recovered_at > to_timestamp(%s) and c.finished_at > s.recovered_at and c.marker_offset is not null"
        )
        finished = self.database.value(sql, moment)
        return None if finished is None else float(finished) - moment

    def crash(self, fault: Callable[[], None]) -> None:
        """A fault that takes the server down. Returns when it is up and the run is taken over, by whoever was first, or over."""
        before = self._takeovers()
        fault()
        self.database.close()

        def taken_over() -> bool:
            try:
                self.company.start()  # as cron does; the launcher does the same
                return self._takeovers() > before or not self.running()
            except psycopg2.Error:  # not up yet, or going down
                self.database.close()
                return False

        wait_until(taken_over, 30, "the run is taken over", interval=0.1)

    def keep_running(self) -> None:
        """What cron does: returns when the run has a runner again, or is over."""

        def running() -> bool:
            return "running" in self.company.start() or not self.running()

        wait_until(running, 30, "the run has a runner", interval=0.2)

    def _takeovers(self) -> int:
        return int(self.database.value("select count(*) from in_migration.log where message = 'taken over'"))

    def complete(self, migration: int, timeout: float = 60.0) -> Verdict:
        """Waits for the end of the run, which nothing holds back any more, and lets the oracle judge."""
        self.release()
        self.company.wait_for(migration, timeout=timeout)
        statuses = {table: Counter(self.company.statuses(table)) for table in self._final}
        assert statuses == self._final, f"{statuses} instead of {self._final}"
        return self.oracle.check(migration)

    # Processes -------------------------------------------------------------------------------------------------

    def clients(self) -> list[int]:
        """The Kafka client processes of the server, whoever started them."""
        return clients(self.cluster)

    def workers(self, kind: str) -> list[int]:
        """Pids of "runner", "publisher", ... of this database."""
        sql = "select pid from pg_stat_activity where datname = current_database() and backend_type = %s"
        return [pid for (pid,) in self.database.query(sql, f"migrator {kind}")]

    def worker(self, kind: str) -> int:
        """One of them, as soon as there is one."""
        return wait_until(lambda: self.workers(kind), what=f"a {kind} runs")[0]

    def kill_clients(self, ends: Ends, dice: random.Random) -> bool:
        """Kills some of the client processes at once. True: a transaction was open in the topic.

        They are frozen first: so the answer is true at the moment of the kill.
        """
        victims = freeze(self.clients())
        inside = bool(victims) and ends.transaction_open()
        kill(dice.sample(victims, dice.randint(1, len(victims))) if victims else [])
        thaw(victims)
        return inside

    def kill_clients_inside(self, ends: Ends, timeout: float = 30.0) -> None:
        """Kills all client processes at a moment when a transaction of theirs is open."""

        def hit() -> bool:
            victims = freeze(self.clients())
            inside = bool(victims) and ends.transaction_open()
            if inside:
                kill(victims)
            thaw(victims)
            return inside

        wait_until(hit, timeout, "a transaction is open", interval=0.003)


def clients(cluster: Cluster) -> list[int]:
    return [pid for pid in processes_in(cluster.data) if _name(pid) == "migrator_kafka"]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """State, parent, and what else /proc tells; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _state(pid: int) -> str:
    return "".join(_stat(pid)[:1])


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def freeze(pids: list[int]) -> list[int]:
    """Stops processes; returns those that were still there."""
    stopped = [pid for pid in pids if _signal(pid, signal.SIGSTOP)]
    wait_until(lambda: all(_state(pid) in ("T", "Z", "") for pid in stopped), 5, "the processes have stopped", interval=0.001)
    return stopped


def thaw(pids: list[int]) -> None:
    for pid in pids:
        _signal(pid, signal.SIGCONT)


def kill(pids: list[int]) -> None:
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def leftovers(cluster: Cluster) -> list[int]:
    """Client processes that are at work, or that ended and that their worker has not collected.

    What its worker left behind when it ended itself is collected by init.
    """
    members = processes_in(cluster.data)
    return [pid for pid in _children(members) if _name(pid) == "migrator_kafka"] + clients(cluster)


def _children(parents: list[int]) -> list[int]:
    wanted = {str(parent) for parent in parents}
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if wanted.intersection(_stat(pid)[1:2])]
