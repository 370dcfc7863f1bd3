"""A small disk that can be filled. Mounting it takes root."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

MOUNTABLE = os.geteuid() == 0 and shutil.which("mount") is not None


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Gone at the end, when nobody may use it any more."""
    path = Path(tempfile.mkdtemp(prefix="migrator-disk-"))
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], check=True)
        yield path
    finally:
        subprocess.run(["umount", "--quiet", str(path)], check=False)
        path.rmdir()


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a block of it is left."""
    filler = disk / "filler"
    try:
        with open(filler, "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        yield
    finally:
        filler.unlink()
