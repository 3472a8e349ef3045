"""Run contestants in turns and compare their medians."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Timing:
    """Seconds of one contestant, one for each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        """The one that 99 of 100 stay below; the slowest, with fewer rounds."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * 0.99))]

    def text(self) -> str:
        """Median and spread (first to third quartile), in milliseconds."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return f"{self.median * 1e3:,.1f} ms ({low * 1e3:,.1f} to {high * 1e3:,.1f})"


def compare(contestants: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 1) -> dict[str, Timing]:
    """Call every contestant *rounds* times, in turns, after *warm_up* rounds that do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(warm_up + rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            if number >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(each)) for name, each in seconds.items()}


@dataclass(frozen=True)
class Result:
    """One row of RESULTS.md: a ratio, what it compares, and its goal."""

    id: str
    work: str
    against: str
    ratio: str
    goal: str
    reached: bool
    medians: str

    def row(self) -> str:
        """Write it as a row of a Markdown table."""
        verdict = "reached" if self.reached else "**missed**"
        return f"| {self.id} | {self.work} | {self.against} | {self.ratio} | {self.goal} | {verdict} | {self.medians} |"
