"""Alternating runs: every round has each contender once, and each round begins with another one."""

import os
from collections.abc import Sequence

from contenders import Contender
from results import Results


def say(text: str) -> None:
    print(text, flush=True)


def measure(results: Results, contenders: Sequence[Contender], rounds: int, parameter: str = "", warm_up: bool = True) -> None:
    """One round to warm up, then `rounds` that count."""
    for number in range(0 if warm_up else 1, rounds + 1):
        say(f"{parameter + ', ' if parameter else ''}{f'round {number} of {rounds}' if number else 'warm-up'}")
        first = number % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            os.sync()  # what the one before has left for the kernel to write is not this one's to wait for
            metrics = contender.run()
            say(f"  {metrics['seconds']:8.2f} s  {contender.title}")
            if number > 0:
                results.add(parameter, contender.name, number, metrics)
