"""P6: time per row of results from ten thousand rows to ten million: it should not grow with their number."""

from __future__ import annotations

import tinymagic
from benchmarks.contest import Result, compare
from benchmarks.queries import LARGE, embedded

#: The one that the largest is compared with comes second.
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)


def run(sizes: tuple[int, ...] = SIZES, rounds: int = 3) -> list[Result]:
    """Measure P6."""
    with embedded() as (server, token):
        # Ten million rows take a while; it is time that is measured here, not patience.
        workspace = tinymagic.connect(host=server.host, token=token, timeout_s=600)
        workspace.sql("SELECT 1")
        contestants = {
            f"{rows:,} rows": lambda rows=rows: workspace.sql(LARGE.replace("1000000", str(rows))) for rows in sizes
        }
        timings = compare(contestants, rounds=rounds)
    per_row = {rows: timings[f"{rows:,} rows"].median / rows for rows in sizes}
    base, most = sizes[1], sizes[-1]
    over = per_row[most] / per_row[base]
    medians = ", ".join(f"{name} {timing.text()}" for name, timing in timings.items())
    return [
        Result(
            "P6",
            f"{most:,} rows x 5 columns to a DataFrame, time per row",
            f"that of {base:,} rows",
            f"{over:.2f} x",
            "at most 1.2 x",
            over <= 1.2,
            medians,
        )
    ]
