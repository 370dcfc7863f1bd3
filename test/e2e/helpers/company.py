"""A company whose in-tables are filled, migrated and looked at."""

import json
from typing import Any

from harness import Database, KafkaClient, Message, wait_until


class Company:
    def __init__(self, database: Database, broker: KafkaClient, topic: str, structure: dict[str, Any], **settings: Any) -> None:
        """Loads the structure, makes the in-tables and turns the migration on; `settings` are columns of migrator.company."""
        self.database = database
        self.broker = broker
        self.topic = topic
        self.code = structure["company"]["code"]
        self.load_structure(structure)
        if not database.value("select exists (select from pg_foreign_server where srvname = 'events')"):
            database.execute(
                f"""create server events foreign data wrapper migrator_kafka options ("bootstrap.servers" '{broker.bootstrap}')"""
            )
        self.set(**({"has_in_migration": True, "kafka_server": "events", "in_topic": topic} | settings))

    def load_structure(self, structure: dict[str, Any]) -> None:
        self.database.execute("select migrator.load_structure(%s)", json.dumps(structure))
        self.database.execute("select migrator.apply_in_ddl(%s)", self.code)

    def set(self, **settings: Any) -> None:
        """Writes columns of migrator.company."""
        columns = ", ".join(f"{name} = %s" for name in settings)
        self.database.execute(f"update migrator.company set {columns} where code = %s", *settings.values(), self.code)

    @property
    def schema(self) -> str:
        return str(self.database.value("select in_schema from migrator.company where code = %s", self.code))

    # The supplier ----------------------------------------------------------------------------------------------

    def supply(self, sql: str, *parameters: Any) -> None:
        """One statement of the supplier; names without a schema are in-tables."""
        with self.database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("set role migrator_supplier")
            cursor.execute("select set_config('search_path', quote_ident(%s), false)", [self.schema])
            cursor.execute(sql, parameters or None)
        connection.close()

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Rows of an in-table, by column name as the database spells it."""
        for row in rows:
            columns = ", ".join('"' + name.replace('"', '""').replace("%", "%%") + '"' for name in row)
            target = '"' + table.replace('"', '""').replace("%", "%%") + '"'
            self.supply(f"insert into {target} ({columns}) values ({', '.join(['%s'] * len(row))})", *row.values())

    def announce_load(self) -> None:
        """A finished load: a new row of process_tracking that says so."""
        self.supply("insert into process_tracking (oper_date, load_status) values (current_date, 1)")

    # The run ---------------------------------------------------------------------------------------------------

    def start(self) -> str:
        return str(self.database.value("select migrator.try_to_start_migration(%s)", self.code))

    def start_run(self) -> int:
        """Starts a migration and returns its id."""
        answer = self.start()
        assert answer.startswith("started: migration "), answer
        return int(answer.rsplit(" ", 1)[1])

    def wait_for(self, migration: int, state: str = "DONE", timeout: float = 60.0) -> None:
        def reached() -> bool:
            return bool(self.database.value("select state = %s from migrator.migration where id = %s", state, migration))

        try:
            wait_until(reached, timeout, f"migration {migration} is {state}")
        except TimeoutError as error:
            details = self.database.query("select phase, waiting, rows_done, rows_total from migrator.progress")
            raise TimeoutError(f"{error}; progress: {details}") from None

    def migrate(self, timeout: float = 60.0) -> int:
        """A new load, migrated to its end; returns the migration's id."""
        self.announce_load()
        migration = self.start_run()
        self.wait_for(migration, timeout=timeout)
        return migration

    # What came of it -------------------------------------------------------------------------------------------

    def in_schema(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query in which {} stands for the in-schema."""
        return self.database.query(sql.replace("{}", '"' + self.schema.replace('"', '""') + '"'), *parameters)

    def statuses(self, table: str) -> dict[str, int]:
        """Number of rows of an in-table by status."""
        return dict(self.in_schema(f"select in_status, count(*) from {{}}.{table} group by 1"))

    def errors(self) -> list[tuple[Any, ...]]:
        """(in_id, column_name, sqlstate, reason) of all rows of err."""
        return self.in_schema("select in_id, column_name, sqlstate, reason from {}.err order by at, in_id")

    def tasks(self) -> list[tuple[Any, ...]]:
        """(type, title, state) in the order of last_migration_state."""
        return self.in_schema("select type, title, state from {}.last_migration_state")

    def waiting(self) -> str | None:
        """Why the running migration does not move."""
        rows = self.database.query("select waiting from migrator.progress where company = %s", self.code)
        return rows[0][0] if rows else None

    def messages(self) -> list[Message]:
        return self.broker.messages(self.topic)

    def record_prefix(self, migration: int) -> str:
        """What the recordIds of a run begin with: company, run, and the time of its start."""
        start = self.database.value("select extract(epoch from started_at)::bigint from migrator.migration where id = %s", migration)
        return f"{self.code}.{migration}.{start}."
