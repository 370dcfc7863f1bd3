"""Waiting for a condition instead of sleeping for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], timeout: float = 30.0, what: str = "", interval: float = 0.05) -> T:
    """Calls `condition` until it returns something true and returns that; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        # Asked once more after the deadline: the machine may have been busy elsewhere since the last time.
        late = time.monotonic() >= deadline
        result = condition()
        if result:
            return result
        if late:
            raise TimeoutError(f"not within {timeout:g} s: {what or condition}; last answer: {result!r}")
        time.sleep(interval)
