"""PostgreSQL with a build of ours other than the installed one, without touching the installation."""

import os
import shutil
import tempfile
from pathlib import Path

from .cluster import pg_config
from .process import ROOT


class Installation:
    """A relocated copy: PostgreSQL finds its files relative to its programs, as long as their folders lie to each other alike."""

    def __init__(self, variant: str) -> None:
        """`variant` is a folder of build with our module and client program."""
        self.root = Path(tempfile.mkdtemp(prefix="migrator-installation-"))
        self.root.chmod(0o755)  # the server runs as another user
        self.bindir = self._copy("bindir", links=False)  # they ask where they themselves are, behind links
        self._copy("sharedir")
        self.pkglibdir = self._copy("pkglibdir")
        for name in ("migrator.so", "migrator_kafka"):
            (self.pkglibdir / name).unlink(missing_ok=True)
            shutil.copy(ROOT / "build" / variant / name, self.pkglibdir / name)

    def _copy(self, what: str, links: bool = True) -> Path:
        source = pg_config(what)
        target = self.root / source.relative_to("/")
        if source.is_dir():
            shutil.copytree(source, target, copy_function=os.symlink if links else shutil.copy2, symlinks=not links)
        return target

    @property
    def pg_config(self) -> Path:
        return self.bindir / "pg_config"

    def __enter__(self) -> "Installation":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
