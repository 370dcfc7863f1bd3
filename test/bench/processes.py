"""The peak memory of a server's workers and of their client processes."""

import threading
from pathlib import Path

from harness.process import processes_in

KINDS = {"migrator runner": "runner", "migrator publisher": "publisher", "migrator consumer": "consumer", "migrator_kafka": "client"}
INTERVAL = 0.05  # s


class MemoryWatch:
    """Looks at the processes that work in a directory until it is left; then `peaks` has MB by kind of process.

    peak_mb is what the system says of the whole process (VmHWM), shared buffers that it touched included; own_mb the most that
    was its alone (RssAnon) at any look.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peaks: dict[str, float] = {}

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            for pid in processes_in(self._directory):
                self._look(Path(f"/proc/{pid}"))

    def _look(self, process: Path) -> None:
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            status = (process / "status").read_text()
        except OSError:
            return  # it has ended
        values = dict(line.split(":", 1) for line in status.splitlines())
        for words, kind in KINDS.items():
            if words in command and "VmHWM" in values:
                for metric, entry in ((f"{kind}_peak_mb", "VmHWM"), (f"{kind}_own_mb", "RssAnon")):
                    self.peaks[metric] = max(self.peaks.get(metric, 0), int(values[entry].split()[0]) / 1024)
