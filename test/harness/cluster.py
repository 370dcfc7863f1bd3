"""A scratch PostgreSQL cluster: socket only, fsync on, removed at the end, its log checked for crashes."""

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

from .failpoints import Failpoints
from .process import give_to_server, processes_in, spawn, terminate, unprivileged
from .wait import wait_until

# A crash counts even if the server came back before anyone looked; XX000 stands for a defect of ours.
ALARMS = re.compile(
    r"terminated by signal|PANIC:|TRAP:|[Ss]egmentation fault|segfault|\[XX\d\d\d\]|Sanitizer|runtime error:"
    r"|stack smashing|corrupted|double free|terminate called"
)
ANNOUNCED = re.compile(r"terminated by signal 9: Killed")
# The rule of the protocol that the server goes without; "make mutations" sets it, for a build that knows it.
MUTATION = "MIGRATOR_MUTATION"


@cache
def pg_config(what: str) -> Path:
    command = [os.environ.get("PG_CONFIG", "pg_config"), f"--{what}"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def bindir() -> Path:
    return pg_config("bindir")


def pgxs_tool(name: str) -> Path:
    """A test program that comes with the server's headers, by its folder and name."""
    return pg_config("pgxs").parent.parent / "test" / name


class Cluster:
    def __init__(
        self,
        *,
        preload: str = "",
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        programs: Path | None = None,
    ) -> None:
        """Prepares a cluster. `preload` is shared_preload_libraries; `environment` is added to the server's; `programs`
        is the bindir of another installation.

        Without `port` there is no TCP: the socket stands in a directory of its own, so any number does.
        """
        self.root = Path(tempfile.mkdtemp(prefix="migrator-pg-"))
        self.data = self.root / "data"
        self.host = str(self.root)
        self.port = port or 5432
        self._addresses = "127.0.0.1" if port else ""
        self.log_file = self.root / "server.log"
        self.environment = dict(environment or {})
        self.programs = programs or bindir()
        self.failpoints = Failpoints(self.data)
        self._process: subprocess.Popen[str] | None = None
        self._checked = 0
        self._kill_announced = False
        give_to_server(self.root)
        with self._removed_on_failure():
            self._initdb({"shared_preload_libraries": preload, **(settings or {})})

    def _initdb(self, settings: Mapping[str, str]) -> None:
        command = [str(self.programs / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(unprivileged() + command, capture_output=True, text=True, cwd=self.root)
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stderr}")
        values = {
            "listen_addresses": self._addresses,
            "unix_socket_directories": self.host,
            "port": str(self.port),
            "log_line_prefix": "%m [%p] %b %a [%e] ",
            "max_worker_processes": "32",
            "shared_buffers": "64MB",
            **settings,
        }
        with open(self.data / "postgresql.conf", "a") as conf:
            for name, value in values.items():
                quoted = value.replace("'", "''")
                conf.write(f"{name} = '{quoted}'\n")
        if MUTATION in os.environ:
            self.failpoints.switch_off(os.environ[MUTATION])

    # Life ------------------------------------------------------------------------------------------------------

    def start(self) -> "Cluster":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")} | self.environment
        self._process = spawn(
            [str(self.programs / "postgres"), "-D", str(self.data)],
            self.log_file,
            as_server=True,
            at_our_death="QUIT",  # the postmaster's immediate shutdown: it takes its children along
            environment=environment,
            directory=self.root,
        )
        wait_until(self._answers, what="PostgreSQL accepts connections", timeout=60)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start:\n{self.log[-3000:]}")
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self, mode: str = "fast") -> None:
        """Stops the server: smart, fast or immediate."""
        if self._process is not None:
            signals = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
            terminate(self._process, signals[mode], timeout=60)
            self._process = None
            self.wait_until_empty()

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """Kills the postmaster as the kernel would, and waits for its children to notice."""
        assert self._process is not None
        self.announce_kill()
        self._process.kill()
        self._process.wait()
        self._process = None
        self.wait_until_empty()

    def wait_until_empty(self, timeout: float = 30.0) -> None:
        wait_until(lambda: not processes_in(self.data), timeout, "every process of the server has left")

    def kill_backend(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Kills one process of the server; with SIGKILL the postmaster restarts all the others."""
        self.announce_kill()
        os.kill(pid, number)

    @property
    def postmaster_pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def remove(self) -> None:
        """Ends whatever still runs and deletes the files."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    @contextlib.contextmanager
    def _removed_on_failure(self) -> Iterator[None]:
        """Until __enter__ has returned, nobody else cleans up, also not after Ctrl-C."""
        try:
            yield
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> "Cluster":
        with self._removed_on_failure():
            return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()

    def keep_tables_on(self, directory: Path) -> None:
        """Tables made from now on get their files there; the write-ahead log and the catalogues stay where they are."""
        give_to_server(directory)
        self.psql(f"create tablespace elsewhere location '{directory}'")
        self.psql("grant create on tablespace elsewhere to public")
        self.psql("alter system set default_tablespace = elsewhere")
        self.psql("select pg_reload_conf()")

    # Log -------------------------------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def announce_kill(self) -> None:
        """Says that the test itself kills a process: until the next check_log that is no failure."""
        self._kill_announced = True

    def alarms(self) -> list[str]:
        """Lines since the last call that no healthy server writes, and the next five after each."""
        if self._process is not None:
            # Before the postmaster takes a connection it has logged every death that it knows of.
            with contextlib.suppress(psycopg2.OperationalError):
                self.connect().close()
        lines = self.log.splitlines()
        fresh = range(self._checked, len(lines))
        self._checked = len(lines)
        announced, self._kill_announced = self._kill_announced, False
        found: list[str] = []
        for i in fresh:
            if ALARMS.search(lines[i]) and not (announced and ANNOUNCED.search(lines[i])):
                found += lines[i : i + 6]
        return found

    def check_log(self) -> None:
        found = self.alarms()
        if found:
            raise AssertionError("the server's log tells of a crash or a defect:\n" + "\n".join(found))

    # SQL -------------------------------------------------------------------------------------------------------

    def client_environment(self) -> dict[str, str]:
        """For psql and other programs of libpq."""
        rest = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        return rest | {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": "postgres", "PGCLIENTENCODING": "UTF8"}

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg2.extensions.connection:
        """A connection in autocommit; set autocommit to False for a transaction of your own."""
        connection = psycopg2.connect(
            host=self.host, port=self.port, dbname=database, user=user, client_encoding="UTF8"
        )
        connection.autocommit = True
        return connection

    def psql(self, sql: str, database: str = "postgres", user: str = "postgres") -> str:
        """What psql prints, unaligned and without headers; an error of SQL raises."""
        command = [str(self.programs / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-U", user]
        done = subprocess.run(command, input=sql, env=self.client_environment(), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.rstrip("\n")

    @contextlib.contextmanager
    def database(self, *extensions: str, encoding: str = "UTF8") -> Iterator["Database"]:
        """A fresh database with these extensions, dropped at the end."""
        name = f"test_{secrets.token_hex(4)}"
        locale = "C.UTF-8" if encoding == "UTF8" else "C"
        self.psql(f"create database {name} encoding {encoding} locale '{locale}' template template0")
        database = Database(self, name)
        try:
            for extension in extensions:
                database.execute(f"create extension {extension}")
            yield database
        finally:
            database.close()
            if self._process is not None:
                self.psql(f"drop database if exists {name} with (force)")


class Database:
    """One database of a cluster, with a connection that is opened at need and again after a restart."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self._connection: psycopg2.extensions.connection | None = None

    def connect(self, user: str = "postgres") -> psycopg2.extensions.connection:
        return self.cluster.connect(self.name, user)

    def psql(self, sql: str, user: str = "postgres") -> str:
        return self.cluster.psql(sql, self.name, user)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of one statement, which commits by itself; %s stands for a parameter."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def execute(self, sql: str, *parameters: Any) -> None:
        self.query(sql, *parameters)

    def value(self, sql: str, *parameters: Any) -> Any:
        """The first column of the only row."""
        rows = self.query(sql, *parameters)
        assert len(rows) == 1, f"{len(rows)} rows instead of one: {sql}"
        return rows[0][0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
