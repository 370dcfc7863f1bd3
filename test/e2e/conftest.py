"""Fixtures of the end-to-end tests: one cluster and one broker for the session, a database of its own for each test."""

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import Broker, Cluster, Database, Installation  # noqa: E402
from harness.cluster import bindir, pg_config  # noqa: E402
from helpers import Company  # noqa: E402
from helpers.consumption import Consumption  # noqa: E402
from helpers.faults import Load  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--poison-rows", type=int, default=20_000, help="good rows of test_poison.py")
    parser.addoption("--round-trip-rows", type=int, default=10_000, help="rows of test_round_trip.py")
    parser.addoption("--calls", type=int, default=1000, help="random calls of test_calls.py")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL without shared_preload_libraries: a test calls what starts workers."""
    with Cluster() as it:
        yield it


@pytest.fixture(scope="session")
def preloaded_cluster() -> Iterator[Cluster]:
    """PostgreSQL with the launcher, which looks once a second."""
    with Cluster(preload="migrator", settings={"migrator.schedule": "1s"}) as it:
        yield it


@pytest.fixture(scope="session")
def session_broker() -> Iterator[Broker]:
    with Broker() as it:
        yield it


@pytest.fixture
def broker(session_broker: Broker) -> Iterator[Broker]:
    """Kafka, running again after a test that stopped it."""
    yield session_broker
    if session_broker.running:
        session_broker.resume()
    else:
        session_broker.start()


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A fresh database with the extension."""
    with cluster.database("migrator") as it:
        yield it


@pytest.fixture
def make_topic(broker: Broker) -> Callable[..., str]:
    """Creates a topic that no other test has: make_topic(partitions, {config})."""

    def make(partitions: int = 4, config: dict[str, str] | None = None) -> str:
        return broker.create_topic(f"topic_{secrets.token_hex(4)}", partitions, config)

    return make


@pytest.fixture
def make_company(database: Database, broker: Broker, make_topic: Callable[..., str]) -> Callable[..., Company]:
    """A company with its in-tables and a topic of its own: make_company(structure, partitions, config, **settings)."""

    def make(
        structure: dict[str, Any], partitions: int = 4, config: dict[str, str] | None = None, **settings: Any
    ) -> Company:
        return Company(database, broker, make_topic(partitions, config), structure, **settings)

    return make


@pytest.fixture
def consumption(database: Database, broker: Broker) -> Consumption:
    """A company whose topics are consumed, in a fresh database."""
    return Consumption(database, broker)


# Small chunks so that a run has many, and deadlines that a test can wait for.
FAULT_SETTINGS = {
    "migrator.schedule": "1h",  # the tests decide when a run is taken over
    "migrator.chunk_rows": "500",
    "migrator.heartbeat_timeout": "2s",
    "migrator.kafka_timeout": "10s",
}


@pytest.fixture(scope="session")
def fault_cluster() -> Iterator[Cluster]:
    """PostgreSQL with the launcher, for faults that come from outside."""
    with Cluster(preload="migrator", settings=FAULT_SETTINGS) as it:
        yield it


@pytest.fixture(scope="session")
def fault_programs() -> Iterator[Path]:
    """The bindir of an installation with the variant build, which has failpoints, unless those under test have them already."""
    if b"migrator_faults" in (pg_config("pkglibdir") / "migrator.so").read_bytes():  # test/sanitize, test/mutations
        yield bindir()
        return
    with Installation("faults") as it:
        yield it.bindir


@pytest.fixture(scope="session")
def session_failpoint_cluster(fault_programs: Path) -> Iterator[Cluster]:
    settings = FAULT_SETTINGS | {"migrator.chunk_rows": "300", "autovacuum": "off"}
    with Cluster(settings=settings, programs=fault_programs) as it:
        yield it


@pytest.fixture
def failpoint_cluster(session_failpoint_cluster: Cluster) -> Iterator[Cluster]:
    """PostgreSQL with failpoints, and without the launcher: nobody but the test takes a run over."""
    yield session_failpoint_cluster
    session_failpoint_cluster.failpoints.clear()


@pytest.fixture
def failpoint_load(failpoint_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> Iterator[Load]:
    """A load of a dozen chunks for one publisher, so that a test can count where it is."""
    with failpoint_cluster.database("migrator") as database:
        yield Load(database, broker, make_topic(), rows=3000, workers=1)


@pytest.fixture
def make_load(fault_cluster: Cluster, broker: Broker, make_topic: Callable[..., str]) -> Iterator[Callable[..., Load]]:
    """A load in a fresh database of the fault cluster: make_load({setting: value}, rows, workers)."""

    def make(settings: dict[str, str] | None = None, **options: Any) -> Load:
        for name, value in (settings or {}).items():
            fault_cluster.psql(f"alter system set migrator.{name} = '{value}'")
        fault_cluster.psql("select pg_reload_conf()")
        return Load(fresh, broker, make_topic(), **options)

    with fault_cluster.database("migrator") as fresh:
        yield make
    fault_cluster.psql("alter system reset all")
    fault_cluster.psql("select pg_reload_conf()")


@pytest.fixture(autouse=True)
def check_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test passes over a crash, though the server be up again before anyone looks."""
    yield
    for name in ("cluster", "preloaded_cluster", "fault_cluster", "session_failpoint_cluster"):
        if name in request.fixturenames:
            request.getfixturevalue(name).check_log()
