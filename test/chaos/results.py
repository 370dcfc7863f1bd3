"""The file of results: one line a round, which is only ever appended to."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    round: int
    seed: int
    fault: str
    at: str  # the round's start, UTC
    commit: str  # of the build
    hits: str  # a letter for each fault: t inside an open transaction (of Kafka; of PostgreSQL, when consuming), c with a chunk claimed, - between two; . none
    messages: int
    aborted: int  # records that readers of committed data never see
    seconds: float
    recoveries: tuple[float, ...]  # s from a fault to the next committed chunk, or applied batch
    outcome: str  # "ok", or what failed

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    def line(self) -> str:
        texts = dataclasses.asdict(self) | {
            "hits": self.hits or ".",
            "seconds": f"{self.seconds:.1f}",
            "recoveries": ",".join(f"{recovery:.2f}" for recovery in self.recoveries) or ".",
        }
        return "\t".join(map(str, texts.values()))


def parse(line: str) -> Result:
    number, seed, fault, at, commit, hits, messages, aborted, seconds, recoveries, outcome = line.split("\t")
    times = () if recoveries == "." else tuple(map(float, recoveries.split(",")))
    return Result(
        int(number), int(seed), fault, at, commit, hits.replace(".", ""), int(messages), int(aborted), float(seconds), times, outcome
    )


def read(file: Path) -> Iterator[Result]:
    if file.exists():
        yield from map(parse, file.read_text().splitlines())


def append(file: Path, result: Result) -> None:
    with open(file, "a") as lines:
        lines.write(result.line() + "\n")
