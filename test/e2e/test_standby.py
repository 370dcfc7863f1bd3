"""A standby starts nothing; promoted, it goes on where the primary stopped."""

import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from harness import Broker, Cluster, Database, wait_until
from harness.cluster import bindir
from harness.process import give_to_server, unprivileged
from helpers.faults import Load

SETTINGS = {"migrator.schedule": "1h", "migrator.chunk_rows": "250"}


@pytest.fixture
def primary() -> Iterator[Cluster]:
    with Cluster(preload="migrator", settings=SETTINGS) as it:
        yield it


@pytest.fixture
def standby(primary: Cluster) -> Iterator[Cluster]:
    """Streams from the primary, whose commits wait for it."""
    it = Cluster(preload="migrator", settings=SETTINGS)
    shutil.rmtree(it.data)
    command = [str(bindir() / "pg_basebackup"), "-h", primary.host, "-p", str(primary.port), "-U", "postgres"]
    command += ["-D", str(it.data), "-R", "--checkpoint=fast", "--no-sync"]
    subprocess.run(unprivileged() + command, check=True, capture_output=True, text=True, cwd=it.root)
    give_to_server(it.data)
    with open(it.data / "postgresql.conf", "a") as conf:
        conf.write(f"unix_socket_directories = '{it.host}'\n")
    with it:
        primary.psql("alter system set synchronous_standby_names = '*'")
        primary.psql("select pg_reload_conf()")
        streaming = "select count(*) from pg_stat_replication where sync_state = 'sync'"
        wait_until(lambda: primary.psql(streaming).strip() == "1", what="the standby is synchronous")
        yield it


def test_failover(primary: Cluster, standby: Cluster, broker: Broker, make_topic: Callable[..., str]) -> None:
    primary.psql("create database moved")
    database = Database(primary, "moved")
    database.execute("create extension migrator")
    load = Load(database, broker, make_topic(), rows=6000)
    load.hold_back()
    replica = Database(standby, "moved")
    start = "select migrator.try_to_start_migration('faults')"
    wait_until(lambda: standby.psql("select count(*) from pg_database where datname = 'moved'").strip() == "1")
    wait_until(lambda: replica.query("select code from migrator.company"), what="the standby has the company")
    assert replica.value(start) == "not started: this server is a standby"

    migration = load.company.start_run()
    load.wait_for_chunks(4)
    assert replica.value(start) == "not started: this server is a standby"
    primary.kill()
    database.close()
    assert standby.psql("select pg_promote()").strip() == "t"
    load.database, load.company.database, load.oracle.database = replica, replica, replica
    # Another server, as far as anybody can tell: somebody must say that the primary is gone for good.
    assert "adopt" in load.company.start()
    replica.execute("select migrator.adopt()")
    wait_until(lambda: "resumed" in load.company.start(), 15, "the run is taken over", interval=0.2)
    load.complete(migration)
    replica.close()
    standby.check_log()
