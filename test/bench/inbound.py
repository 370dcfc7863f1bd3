"""The way back: topics full of messages, and the server that takes them in, a golden record and a plain table beside each other."""

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterator
from functools import cached_property

from harness import Cluster, Database
from harness.process import free_port
from load import Load
from stage import Stage

TABLE = "plain_client"
# For Kafka Connect and for the plain table.
TYPES = {
    "flag": ({"type": "boolean"}, "boolean"),
    "number": ({"type": "double"}, "double precision"),
    "date": ({"type": "string", "name": "io.debezium.time.ZonedTimestamp"}, "timestamptz"),
}
TEXT = ({"type": "string"}, "text")
STORE = "migrator.instance, migrator.instance_link, migrator.instance_unique, migrator.instance_alias, migrator.seen_record, in_migration.boi_reference"


class Inbound:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.load: Load = stage.load
        self._stack = contextlib.ExitStack()
        self.held = False  # the store holds what is in the topic

    def __enter__(self) -> "Inbound":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def database(self) -> Database:
        cluster = self._stack.enter_context(Cluster(settings=self.stage.server_settings, port=free_port()))
        database = self._stack.enter_context(cluster.database("migrator"))
        database.execute(f"""create server events foreign data wrapper migrator_kafka options ("bootstrap.servers" '{self.stage.broker.bootstrap}')""")
        database.execute("select migrator.load_structure(%s)", json.dumps(self.load.structure))
        database.execute("update migrator.company set kafka_server = 'events', consumers = %s", self.stage.workers)
        columns = ", ".join(f"{code.lower()} {TYPES.get(kind, TEXT)[1]}" for code, kind, _ in self.load.fields)
        database.execute(f"create table {TABLE} (in_id text primary key, {columns})")
        return database

    # Topics ----------------------------------------------------------------------------------------------------

    @cached_property
    def topic(self) -> str:
        """The rows as messages that migrator reads."""
        return self._stack.enter_context(self.filled(self.messages(f"generate_series(1::bigint, {self.load.rows}) i")))

    @cached_property
    def flat_topic(self) -> str:
        """The rows as Kafka Connect reads them: flat, with their schema."""
        fields: list[dict[str, object]] = [{"field": "in_id", "optional": False, "type": "string"}]
        fields += [{"field": code.lower(), "optional": True, **TYPES.get(kind, TEXT)[0]} for code, kind, _ in self.load.fields]
        schema = json.dumps({"type": "struct", "optional": False, "fields": fields})
        pairs = ", ".join(f"'{code.lower()}', {value}" for code, _, value in self.load.fields)
        query = (
            f"select 'client-' || i, json_build_object('schema', '{schema}'::json, 'payload', json_build_object('in_id', 'client-' || i, {pairs})) "
            f"from generate_series(1::bigint, {self.load.rows}) i"
        )
        return self._stack.enter_context(self.filled(query))

    def messages(self, numbers: str, load: int = 1) -> str:
        """The query of key and message for the rows `i` of `numbers`; another load has other recordIds."""
        fields = ", ".join(
            f"json_build_object('code', '{code}', 'apiValue', ({value})::text)" if kind != "date" else
            f"""json_build_object('code', '{code}', 'apiValue', to_char(({value}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))"""
            for code, kind, value in self.load.fields if not value.startswith("null")
        )
        return (
            f"select 'client-' || i, json_build_object('recordId', 'bench.1.1795545648.row.{load}:in_natural_client.' || i, 'externalId', 'client-' || i, "
            f"'boCode', '{self.load.bo}', 'fields', json_build_array({fields}), 'state', 'ACTUAL') from {numbers}"
        )

    @contextlib.contextmanager
    def filled(self, query: str) -> Iterator[str]:
        with self.stage.topic() as topic:
            sink = f"kcat -P -q -b {self.stage.broker.bootstrap} -t {topic} -K '\\t' -z lz4"
            command = f"set -o pipefail; psql -XqAt -d {self.database.name} -c {shlex.quote(f'copy ({query}) to stdout')} | {sink}"
            subprocess.run(["bash", "-c", command], env=self.database.cluster.client_environment(), check=True)
            yield topic

    # The store -------------------------------------------------------------------------------------------------

    def empty_store(self) -> None:
        self.database.execute(f"truncate {STORE}")
        self.held = False

    def subscribe(self, topic: str) -> None:
        """From its beginning on, and to nothing else."""
        self.database.execute("delete from migrator.in_topic")
        self.database.execute("insert into migrator.in_topic (company, topic) values ('bench', %s)", topic)
        self.database.execute("truncate in_migration.from_kafka_to_mongo_tracking")
        self.database.execute("checkpoint")

    def applied(self) -> dict[str, int]:
        """Messages by what became of them, since the subscription."""
        names = ("inserted", "updated", "unchanged", "duplicate")
        (row,) = self.database.query(f"select {', '.join(f'sum({name}_counter)' for name in names)} from in_migration.from_kafka_to_mongo_tracking")
        return dict(zip(names, map(int, row), strict=True))
