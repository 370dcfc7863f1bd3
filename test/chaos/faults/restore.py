"""The database goes back to a backup, or exists twice. Then what is published must stay as it is.

The round then goes on with the true database, as if nothing had been.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import Cluster, Database, wait_until
from helpers.oracle import read
from stage import SETTINGS, Round, make_site

__all__ = ["FAULTS", "make_site"]


def backup_restored(round_: Round) -> None:
    """From before the last chunk: the run must stop as in doubt."""
    cluster, load = round_.cluster, round_.load
    backup, truth = cluster.root / "backup", cluster.root / "truth"
    for _ in round_.moments(1, 1):
        at: list[float] = []

        def back_up() -> None:
            _stop(round_)
            at.append(time.time())
            _copy(cluster.data, backup)
            cluster.start()

        round_.crash(back_up)
        newer = "select exists (select from migrator.chunk where claimed_at > to_timestamp(%s) and marker_offset is not null)"
        wait_until(lambda: load.database.value(newer, at[0]), 60, "a chunk is published that the backup does not know")

        def restore_and_return() -> None:
            _stop(round_)
            load.database.close()
            shutil.rmtree(truth, ignore_errors=True)
            cluster.data.rename(truth)
            _copy(backup, cluster.data)
            published = _published(round_)
            cluster.start()
            load.keep_running()
            wait_until(lambda: "in doubt" in (load.company.waiting() or ""), 60, "the restored database stops in doubt")
            if _published(round_) != published:
                raise AssertionError("a restored database published something")
            load.database.close()
            cluster.stop("fast")
            shutil.rmtree(cluster.data)
            truth.rename(cluster.data)
            cluster.start()

        if load.running():
            load.crash(restore_and_return)


def files_copied(round_: Round) -> None:
    """To another server, while the original goes on."""
    for _ in round_.moments(1, 1):
        with contextlib.ExitStack() as stack:
            clones: list[Cluster] = []

            def clone() -> None:
                _stop(round_)
                clones.append(stack.enter_context(_clone_of(round_.cluster)))
                round_.cluster.start()

            round_.crash(clone)
            _stays_silent(round_, Database(clones[0], round_.load.database.name))
            clones[0].check_log()


def database_copied(round_: Round) -> None:
    """By CREATE DATABASE … TEMPLATE, in the same server."""
    original = round_.load.database
    copy = original.name + "_copy"

    def create() -> None:
        round_.cluster.psql(f"alter database {original.name} allow_connections false")
        original.close()

        def alone() -> bool:
            round_.cluster.psql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{original.name}'")
            return round_.cluster.psql(f"select count(*) from pg_stat_activity where datname = '{original.name}'") == "0"

        wait_until(alone, 30, "nobody is connected to the original")
        round_.cluster.psql(f"create database {copy} template {original.name}")
        round_.cluster.psql(f"alter database {original.name} allow_connections true")

    for _ in round_.moments(1, 1):
        try:
            round_.crash(create)
            _stays_silent(round_, Database(round_.cluster, copy))
        finally:
            round_.cluster.psql(f"drop database if exists {copy} with (force)")


def _stop(round_: Round) -> None:
    """A backup may be clean or not."""
    stop: Callable[[], None] = round_.dice.choice([round_.cluster.kill, round_.cluster.stop])
    stop()


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def _published(round_: Round) -> int:
    return len(read(round_.broker.bootstrap, round_.load.company.topic, "read_uncommitted"))


@contextlib.contextmanager
def _clone_of(cluster: Cluster) -> Iterator[Cluster]:
    clone = Cluster(preload="migrator", settings=SETTINGS)
    _copy(cluster.data, clone.data)
    with open(clone.data / "postgresql.conf", "a") as conf:
        conf.write(f"unix_socket_directories = '{clone.host}'\n")
    with clone:
        yield clone


def _stays_silent(round_: Round, clone: Database) -> None:
    """Until the run of the original is over. The oracle would find what a clone had published."""
    workers = "select count(*) from pg_stat_activity where datname = current_database() and backend_type in ('migrator runner', 'migrator publisher')"
    opened = "select coalesce(sum(restarts), 0) from migrator.slot"
    with contextlib.closing(clone):
        before = clone.value(opened)

        def knows_itself() -> bool:
            answer = str(clone.value("select migrator.try_to_start_migration(%s)", round_.load.company.code))
            known = "is a copy" in answer
            # Its own launcher asks once a second, under a lock; who asks in that moment is told of it.
            if not (known or "another start is under way" in answer) or clone.value(workers):
                raise AssertionError(f"a clone works: {answer}")
            return known

        while round_.load.running():
            knows_itself()
            time.sleep(0.2)
        wait_until(knows_itself, 10, "the clone says that it is one")
        if clone.value(opened) != before:
            raise AssertionError("a clone has opened a slot")


FAULTS = (backup_restored, files_copied, database_copied)
