"""Who is compared, one file each."""

from typing import Protocol

Metrics = dict[str, float]  # "seconds" and whatever else a contender tells


class Contender(Protocol):
    name: str   # in the files of results
    title: str  # in the report

    def run(self) -> Metrics:
        """One run on a load of fresh rows; what it needs before is made ready outside the time that it returns."""
