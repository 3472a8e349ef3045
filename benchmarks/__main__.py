"""``python -m benchmarks [P1 P2 ...]``: measure, print, and write RESULTS.md when everything was measured."""

from __future__ import annotations

import platform
import sys
from datetime import datetime, timezone
from pathlib import Path

from benchmarks import completion, endpoints, events, growth, load_cost, memory, panel, queries

#: Group -> what measures it.
GROUPS = {
    "load": load_cost.run,
    "queries": queries.run,
    "events": events.run,
    "memory": memory.run,
    "growth": growth.run,
    "completion": completion.run,
    "endpoints": endpoints.run,
    "panel": panel.run,
}

HEAD = """# Measured

Ratios of medians; contestants took turns in one run on one machine ({machine}, Python {python}, {day}).
`make bench` makes this page again. The goals are the project's own.

| id | work | against | ratio | goal | | medians (first to third quartile) |
|---|---|---|---|---|---|---|
"""


def main(wanted: list[str]) -> None:
    """Run the groups that are named, or all."""
    unknown = [name for name in wanted if name not in GROUPS]
    if unknown:
        raise SystemExit(f"There is no {unknown[0]!r}; there are {', '.join(GROUPS)}.")
    results = [result for name, run in GROUPS.items() if not wanted or name in wanted for result in run()]
    rows = "\n".join(result.row() for result in results)
    print(rows)
    if not wanted:
        machine = f"{platform.system()} {platform.machine()}, {_cores()} cores"
        head = HEAD.format(
            machine=machine, python=platform.python_version(), day=datetime.now(timezone.utc).date().isoformat()
        )
        Path(__file__).with_name("RESULTS.md").write_text(f"{head}{rows}\n", encoding="utf-8")


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main(sys.argv[1:])
