"""What was measured: one file of lines a series in build/bench, from which the report can be made again."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.process import ROOT

FOLDER = ROOT / "build" / "bench"


@dataclass(frozen=True)
class Line:
    parameter: str  # of the series: "4 workers"; empty in the comparison
    contender: str
    round: int
    metric: str
    value: float


class Results:
    """The lines of one series, with the facts under which they were measured."""

    def __init__(self, series: str, facts: Mapping[str, str] | None = None) -> None:
        """Begins the file anew if there are facts, else reads it."""
        self._file = FOLDER / f"{series}.tsv"
        self.facts = dict(facts or {})
        self.lines: list[Line] = []
        if facts is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text("".join(f"# {name}\t{value}\n" for name, value in facts.items()))
        elif self._file.exists():
            self._read(self._file)

    def _read(self, file: Path) -> None:
        for text in file.read_text().splitlines():
            if text.startswith("# "):
                name, value = text[2:].split("\t")
                self.facts[name] = value
            else:
                parameter, contender, number, metric, value = text.split("\t")
                self.lines.append(Line(parameter, contender, int(number), metric, float(value)))

    def add(self, parameter: str, contender: str, number: int, metrics: Mapping[str, float]) -> None:
        with open(self._file, "a") as file:
            for metric, value in metrics.items():
                self.lines.append(Line(parameter, contender, number, metric, value))
                file.write(f"{parameter}\t{contender}\t{number}\t{metric}\t{value:.6g}\n")

    def parameters(self) -> list[str]:
        return list(dict.fromkeys(line.parameter for line in self.lines))

    def contenders(self) -> list[str]:
        return list(dict.fromkeys(line.contender for line in self.lines))

    def values(self, contender: str, metric: str = "seconds", parameter: str = "") -> list[float]:
        wanted = (parameter, contender, metric)
        return [line.value for line in self.lines if (line.parameter, line.contender, line.metric) == wanted]

    def median(self, contender: str, metric: str = "seconds", parameter: str = "") -> float:
        return statistics.median(self.values(contender, metric, parameter))
