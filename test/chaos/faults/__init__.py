"""The families of faults: each module has FAULTS, functions that break something in a round, and a site to do it on."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

from stage import Site

from . import broker, consume, disk, failpoints, frozen, kills, proxy, restore, server

FAMILIES: Mapping[str, ModuleType] = {
    module.__name__.split(".")[-1]: module for module in (kills, server, broker, proxy, frozen, restore, disk, failpoints, consume)
}

Fault = Callable[[Any], None]  # what its site's begin gives
MakeSite = Callable[[], AbstractContextManager[Site]]


def select(name: str | None) -> dict[Fault, MakeSite]:
    """The faults of a family, the one of that name, or all; each with what makes its site."""
    found = {
        fault: module.make_site
        for family, module in FAMILIES.items()
        for fault in module.FAULTS
        if name in (None, family, fault.__name__)
    }
    if not found:
        raise SystemExit(f"no fault or family is called {name}; families: {', '.join(FAMILIES)}")
    return found
