"""What the results amount to, as a table in Markdown."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from results import Result

HEAD = (
    "fault",
    "rounds",
    "faults",
    "inside a transaction",
    "chunk claimed",
    "between",
    "messages",
    "aborted",
    "failed rounds",
    "recovery: median",
    "99 %",
)


def report(results: Iterable[Result]) -> str:
    by_fault: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_fault[result.fault].append(result)
    everything = [result for group in by_fault.values() for result in group]
    rows = [_row(fault, group) for fault, group in sorted(by_fault.items())] + [_row("all", everything)]
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(name: str, group: Sequence[Result]) -> tuple[str, ...]:
    hits = "".join(result.hits for result in group)
    recoveries = sorted(recovery for result in group for recovery in result.recoveries)
    numbers = (
        len(group),
        len(hits),
        hits.count("t"),
        hits.count("c"),
        hits.count("-"),
        sum(result.messages for result in group),
        sum(result.aborted for result in group),
        sum(not result.ok for result in group),
    )
    return (f"`{name}`", *map(str, numbers), _quantile(recoveries, 0.5), _quantile(recoveries, 0.99))


def _quantile(sorted_values: Sequence[float], share: float) -> str:
    """The smallest value that so large a share of all does not exceed."""
    return f"{sorted_values[math.ceil(share * len(sorted_values)) - 1]:.2f} s" if sorted_values else ""
