#!/usr/bin/python3
"""Shows the main job from the structure to the messages in Kafka, on a scratch cluster that is removed at the end.

KAFKA=host:port publishes to a broker of yours, into topics of this run's own, instead of to the embedded one.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "test"))

import psycopg2  # noqa: E402
from harness import Cluster, Database, KafkaClient, MockBroker, wait_until  # noqa: E402

PARTITIONS = 8
TABLES = [
    "in_naturalperson",
    "in_legalperson",
    "in_naturalclaim",
    "in_clientclaim",
    "in_naturalclaim_natural",
    "in_clientclaim_coclient_naturalperson",
    "in_clientclaim_coclient_legalperson",
]
ROWS_BY_STATUS = "\nunion all ".join(
    f"select '{table}' as table, in_status, count(*) as rows from in_tables.{table} group by in_status" for table in TABLES
)


def heading(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def show(database: Database, sql: str) -> None:
    """A query as a person types it, and its answer as psql prints it."""
    command = ["psql", "-Xq", "-P", "pager=off", "-P", "footer=off", "-P", "null=-", "-d", database.name, "-c", sql]
    subprocess.run(command, env=database.cluster.client_environment(), check=True)


@contextlib.contextmanager
def kafka(database: Database, topic: str) -> Iterator[KafkaClient]:
    """A broker with the topic of this run: yours if KAFKA names one, else an embedded one."""
    address = os.environ.get("KAFKA", "")
    if not address:
        with MockBroker({topic: PARTITIONS}) as mock:
            yield mock
        return
    client = KafkaClient(address)
    client.create_topic(topic, PARTITIONS)
    try:
        yield client
    finally:
        # The marker topic bears the name of this database, which nobody else has.
        for name in (topic, database.value("select migrator.marker_topic()")):
            if name in client.topics():
                client.delete_topic(name)


def describe(database: Database) -> None:
    heading("Structure: four business objects, one composite object")
    database.execute("select migrator.load_structure(%s)", (HERE / "structure.json").read_text())
    show(
        database,
        "select bo, string_agg(code || ' ' || coalesce(target_bo, target_co, type), ', ' order by position) as fields"
        " from migrator.field f where need_load_from_in_tables group by bo order by bo",
    )

    heading("DDL: migrator.generate_in_ddl('demo'), the claims of natural persons")
    ddl = database.value("select migrator.generate_in_ddl('demo')")
    statements = [part.strip() + ";" for part in ddl.split(";") if part.strip()]
    for statement in statements:
        if "in_NaturalClaim" in statement:
            print(statement)
    print(f"… {len(statements)} statements in all; migrator.apply_in_ddl('demo') executes what is missing:")
    database.query("select migrator.apply_in_ddl('demo')")
    show(database, "select tablename as table from pg_tables where schemaname = 'in_tables' order by 1")


def load(database: Database) -> None:
    heading("The supplier loads (as role migrator_supplier) and says so in process_tracking")
    database.psql((HERE / "load.sql").read_text())
    show(database, ROWS_BY_STATUS)


def connect(database: Database, broker: KafkaClient, topic: str) -> None:
    heading("Kafka is a foreign server")
    create = f"""create server events foreign data wrapper migrator_kafka options ("bootstrap.servers" '{broker.bootstrap}')"""
    mapping = "create user mapping for migrator_admin server events"
    update = f"update migrator.company set kafka_server = 'events', in_topic = '{topic}', has_in_migration = true"
    for statement in (create, mapping, update):
        print(statement + ";")
        database.execute(statement)
    print()
    show(database, "select \"check\", ok, left(coalesce(nullif(remedy, ''), detail), 90) as \"detail or remedy\" from migrator.kafka_check('events')")


def migrate(database: Database) -> None:
    heading("The migration")
    print("migrator.try_to_start_migration('demo'):", database.value("select migrator.try_to_start_migration('demo')"))
    print("once more, which is harmless:           ", database.value("select migrator.try_to_start_migration('demo')"))
    last: tuple[object, ...] = ()

    def new_progress() -> bool:
        """Whether the run has moved on or ended; prints where it stands."""
        nonlocal last
        rows = database.query(
            "select phase, rows_done + rows_skipped + rows_failed, rows_total, waiting, rows_per_second from migrator.progress"
        )
        now = rows[0][:4] if rows else ()
        if now == last:
            return False
        last = now
        if now:
            phase, done, total, waiting, speed = rows[0]
            line = f"  {phase:14} {done:6} of {total} rows" + (f", {speed} rows/s" if speed else "")
            print(line + (f", waiting: {waiting}" if waiting else ""))
        return True

    while True:
        wait_until(new_progress, timeout=90, what="the migration goes on", interval=0.25)
        if not last:
            break


def results(database: Database) -> None:
    heading("in_tables.last_migration_state")
    show(
        database,
        "select id, type, title, state, worker, duration::interval(3), rows_total as total, rows_done as done, rows_failed as failed"
        " from in_tables.last_migration_state",
    )
    heading("What became of the rows")
    show(database, ROWS_BY_STATUS)
    show(database, "select table_name, in_id, column_name, reason from in_tables.err")
    show(database, "select id, load_status, ins_inkafka_status, end_ins_inkafka_time from in_tables.process_tracking")


def kind(message: dict[str, object]) -> str:
    if "check" in message:
        return "reference check"
    if "boFields" in message:
        return "links"
    return "removed instance" if message.get("state") == "REMOVED" else "simple fields"


def read_back(broker: KafkaClient, topic: str) -> None:
    heading("What Kafka has")
    command = ["kcat", "-C", "-e", "-q", "-b", broker.bootstrap, "-t", topic, "-f", "%p\t%o\t%k\t%s\n"]
    print(f"kcat -C -e -q -b {broker.bootstrap} -t {topic}")
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    count: Counter[str] = Counter()
    for line in lines:
        partition, offset, key, value = line.split("\t", 3)
        what = kind(json.loads(value))
        if what not in count:
            print(f"\n{what}: partition {partition}, offset {offset}, key {key}\n{value}")
        count[what] += 1
    print(f"\n{len(lines)} messages: " + ", ".join(f"{number} {what}" for what, number in count.items()))


def leave(*_: object) -> NoReturn:
    sys.exit("interrupted; everything is removed")


def main() -> None:
    signal.signal(signal.SIGTERM, leave)
    # Else our lines and psql's would be out of order in a file.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    topic = f"migrator_demo_{secrets.token_hex(4)}" if os.environ.get("KAFKA") else "IN_MIGRATION"
    heading("A scratch cluster of PostgreSQL, and Kafka")
    with Cluster() as cluster, cluster.database("migrator") as database:
        with kafka(database, topic) as broker:
            print(f"PostgreSQL {database.value('show server_version')} in {cluster.root}")
            print(f"Kafka      {broker.bootstrap}{' (embedded)' if isinstance(broker, MockBroker) else ''}, topic {topic}")
            describe(database)
            load(database)
            connect(database, broker, topic)
            migrate(database)
            results(database)
            read_back(broker, topic)
        cluster.check_log()
    heading("Done; the scratch cluster is removed")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        leave()
    except (psycopg2.Error, subprocess.CalledProcessError, AssertionError, RuntimeError, TimeoutError) as error:
        sys.exit(f"\nThe demo failed: {error}")
