"""How a check speaks."""

import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]


def finish(faults: list[str], remedy: str) -> NoReturn:
    """Ends the check: in silence, or with the faults and what to do about them."""
    if faults:
        print("\n".join([*faults, remedy]))
    sys.exit(1 if faults else 0)


def sources(*suffixes: str) -> list[Path]:
    return sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in suffixes)
