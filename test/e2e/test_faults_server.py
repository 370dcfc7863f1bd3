"""Faults of the server and its workers: whoever takes the run over completes it, with nothing lost or doubled."""

import random
import signal
import threading
from collections.abc import Callable

import pytest
from harness import Broker, wait_until
from helpers.faults import Load


@pytest.mark.parametrize("victim", ["publisher", "runner"])
def test_worker_killed(make_load: Callable[..., Load], victim: str) -> None:
    """The postmaster then restarts all of the server's processes."""
    load = make_load()
    load.hold_back()
    migration = load.company.start_run()
    load.wait_for_chunks(3)
    load.crash(lambda: load.cluster.kill_backend(load.worker(victim)))
    load.complete(migration)


@pytest.mark.parametrize("how", ["kill", "immediate"])
def test_server_stopped(make_load: Callable[..., Load], how: str) -> None:
    load = make_load()
    dice = random.Random(how)

    def stop_and_start() -> None:
        if how == "kill":
            load.cluster.kill()
        else:
            load.cluster.stop(how)
        assert load.clients() == [], "client processes outlive the server"
        load.cluster.start()

    load.hold_back()
    migration = load.company.start_run()
    load.wait_for_chunks(dice.randint(1, 8))
    load.crash(stop_and_start)
    load.complete(migration)


@pytest.mark.parametrize("victim", ["publisher", "runner"])
def test_worker_asked_to_end(make_load: Callable[..., Load], victim: str) -> None:
    load = make_load({"chunk_rows": "250"})
    load.hold_back()
    migration = load.company.start_run()
    for function in ("pg_terminate_backend", "pg_cancel_backend"):
        load.wait_for_chunks(1)
        pid = load.worker(victim)
        assert load.database.value(f"select {function}(%s)", pid)
        wait_until(lambda: pid not in load.workers(victim), 10, "the worker has ended")
        load.keep_running()
    load.complete(migration)


def test_many_starts_of_one_run(make_load: Callable[..., Load]) -> None:
    """Several sessions start the migration again and again while processes die: there is one run."""
    load = make_load()
    load.hold_back()
    dice = random.Random(7)
    answers: list[str] = []
    over = threading.Event()

    def hammer() -> None:
        connection = load.database.connect()
        with connection.cursor() as cursor:
            while not over.is_set():
                cursor.execute("select migrator.try_to_start_migration('faults')")
                answers.append(cursor.fetchone()[0])  # type: ignore[index]
        connection.close()

    sessions = [threading.Thread(target=hammer) for _ in range(3)]
    for session in sessions:
        session.start()
    try:
        migration = wait_until(lambda: load.database.query("select id from migrator.migration"), what="a run started")[0][0]
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            load.wait_for_chunks(1)
            load.cluster.kill_backend(load.worker(dice.choice(["runner", "publisher"])), number)
        load.release()
        load.company.wait_for(migration)
    finally:
        over.set()
        for session in sessions:
            session.join()
    load.oracle.check(migration)
    assert load.database.value("select count(*) from migrator.migration") == 1
    assert sum(answer.startswith("started") for answer in answers) == 1
    assert len(answers) > 50


def test_supplier_holds_a_lock(make_load: Callable[..., Load]) -> None:
    """A lock that a supplier holds shows as the reason; the run goes on when it is released."""
    load = make_load()
    load.hold_back()
    supplier = load.database.connect()
    supplier.autocommit = False
    migration = load.company.start_run()
    load.wait_for_chunks(1)
    with supplier.cursor() as cursor:
        cursor.execute("set local lock_timeout = 0; lock table in_tables.in_deal in share mode")
    load.release()
    wait_until(lambda: "lock" in (load.company.waiting() or ""), 30, "the reason is visible")
    supplier.rollback()
    supplier.close()
    load.complete(migration)


def restart(load: Load) -> None:
    load.cluster.kill()
    load.cluster.start()


def open_slots(load: Load) -> int:
    return int(load.database.value("select count(*) from migrator.slot where recovered_at is not null"))


def test_one_publisher_takes_up_the_chunks_of_two(make_load: Callable[..., Load], broker: Broker) -> None:
    load = make_load()
    load.hold_back()
    migration = load.wait_for_start()
    wait_until(lambda: open_slots(load) == 2, what="both publishers are at work")
    broker.pause()
    try:
        load.release()
        claimed = "select count(*) from migrator.chunk where state = 'CLAIMED'"
        wait_until(lambda: load.database.value(claimed) == 2, 30, "both publishers have claimed a chunk")
        load.database.execute("update migrator.company set workers = 1")
        load.crash(lambda: restart(load))
    finally:
        broker.resume()
    load.complete(migration)


def test_slots_are_opened_under_each_start_whatever_the_clocks_say(make_load: Callable[..., Load]) -> None:
    """As on a standby that ran already when they were settled, or after a restore to where the clock is behind."""
    load = make_load()
    load.hold_back()
    migration = load.wait_for_start()
    wait_until(lambda: open_slots(load) == 2, what="two slots are open")
    load.database.execute("select migrator.pause_migration('faults')")
    load.release()
    claims = "select count(*) from pg_stat_activity where backend_type = 'migrator publisher' and xact_start is not null"
    wait_until(lambda: load.database.value(claims) == 0, what="the claims before the pause are over")
    wait_until(lambda: not load.database.value("select exists (select from migrator.chunk where state = 'CLAIMED')"), what="nothing is on its way")
    load.database.execute("update migrator.company set workers = 1")
    load.database.execute("update migrator.slot set recovered_at = recovered_at + interval '1 day'")
    before = load.database.value("select min(restarts) from migrator.slot")
    load.crash(lambda: restart(load))
    load.database.execute("select migrator.resume_migration('faults')")
    load.complete(migration)
    assert load.database.value("select min(restarts) from migrator.slot") > before
