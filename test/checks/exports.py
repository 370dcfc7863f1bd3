"""The module exports what PostgreSQL calls, and nothing else."""

import re
import subprocess

from _report import ROOT, finish

ALLOWED = re.compile(r"^(migrator_\w+|pg_finfo_migrator_\w+|_PG_init|Pg_magic_func)$")


def main() -> None:
    command = ["nm", "--dynamic", "--defined-only", "--format=just-symbols", str(ROOT / "migrator.so")]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    faults = [f"migrator.so exports {name}" for name in names if not ALLOWED.match(name)]
    if "Pg_magic_func" not in names or "_PG_init" not in names:
        faults.append("migrator.so lacks Pg_magic_func or _PG_init")
    finish(faults, "Remedy: an unnamed namespace, static, or the prefix migrator_ if PostgreSQL is to call it.")


if __name__ == "__main__":
    main()
