"""Failpoints and mutations of a server that runs the variant build: files that it looks for (src/base/fault.hpp)."""

import os
from pathlib import Path

from .process import give_to_server
from .wait import wait_until


class Failpoints:
    def __init__(self, data: Path) -> None:
        """`data` is the server's data directory."""
        self._folder = data / "migrator_faults"

    def arm(self, point: str, action: str = "kill", skip: int = 0) -> None:
        """What happens, once, to the process that comes by next, or after `skip` others: kill, stop or error."""
        self._fired(point).unlink(missing_ok=True)
        self._write(point, f"{action} {skip}")

    def fired(self, point: str) -> int | None:
        """The pid of the process to which it happened."""
        try:
            return int(self._fired(point).read_text())
        except FileNotFoundError:
            return None

    def wait(self, point: str, timeout: float = 30.0) -> int:
        pid = wait_until(lambda: self.fired(point), timeout, f"failpoint {point} is reached", interval=0.005)
        assert pid is not None
        return pid

    def switch_off(self, rule: str) -> None:
        """A mutation: the protocol without one of its rules."""
        self._write(rule, "")

    def clear(self) -> None:
        """Forgets the failpoints, not the mutations."""
        for file in self._folder.glob("*"):
            if file.suffix == ".fired" or file.stat().st_size > 0:
                file.unlink(missing_ok=True)

    def _fired(self, point: str) -> Path:
        return self._folder / f"{point}.fired"

    def _write(self, name: str, text: str) -> None:
        self._folder.mkdir(exist_ok=True)
        give_to_server(self._folder)
        draft = self._folder / ".draft"  # complete when it gets its name
        draft.write_text(text)
        give_to_server(draft)
        os.rename(draft, self._folder / name)
