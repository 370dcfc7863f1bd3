"""Child processes that never outlive this one, and what the system knows about them."""

import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[2]
# PostgreSQL refuses to run as root; Debian's package brings this user.
SERVER_USER = "postgres"


def unprivileged() -> list[str]:
    """The command prefix that leaves root's rights behind; empty for anyone else."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups", "--"]


def give_to_server(path: Path) -> None:
    """Makes a directory of ours the server's own."""
    if os.geteuid() == 0:
        entry = pwd.getpwnam(SERVER_USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def spawn(
    command: list[str],
    output: Path | TextIO,
    *,
    as_server: bool = False,
    at_our_death: str = "KILL",
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> subprocess.Popen[str]:
    """Starts a process that gets the signal `at_our_death` when we die, however we die.

    It has a session of its own, so that a Ctrl-C meant for us does not reach it before we have cleaned up.
    """
    prefix = ["setpriv", f"--pdeathsig={at_our_death}"]
    prefix += unprivileged()[1:] if as_server and unprivileged() else ["--"]
    stream = open(output, "a") if isinstance(output, Path) else output
    try:
        return subprocess.Popen(
            prefix + command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=directory,
            start_new_session=True,
            text=True,
        )
    finally:
        if isinstance(output, Path):
            stream.close()


def terminate(process: subprocess.Popen[str], number: signal.Signals, timeout: float) -> None:
    """Asks a process to leave and insists after `timeout` seconds."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def processes_in(directory: Path) -> list[int]:
    """Processes that work in `directory`: a PostgreSQL server's own, and whatever they started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if Path(os.readlink(entry / "cwd")) == directory:
                    found.append(int(entry.name))
            except OSError:
                continue  # it ended while we looked, or is not ours to look at
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
