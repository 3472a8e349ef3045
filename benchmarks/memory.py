"""P5: the peak memory of a large result and of a large import over the frame's own size, and of ``to_file``.

Each is measured in a process of its own, as the peak over what the same process had just before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contest import Result
from benchmarks.queries import LARGE, embedded

#: Rows of the frame (P2's and P4's), and of the files.
FRAME_ROWS = 1_000_000
FILE_ROWS = (1_000_000, 10_000_000)

# The peak is that of the operating system, which counts what numpy and Arrow hold too. It can only grow, so what
# stands at "before" is the peak so far: everything is loaded by then, and a small run has been made.
_PROGRAM = """
import resource, sys, tinymagic

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

what, host, token, rows, sql, path = sys.argv[1:]
workspace = tinymagic.connect(host=host, token=token)
few = "SELECT * FROM (" + sql + ") LIMIT 10"
if what == "file":
    saved = workspace.query.to_file(sql, path)
    print(saved.bytes, peak())
    raise SystemExit
small = workspace.sql(few)
# The second one comes as Parquet, as the large one will.
workspace.sql(few)
if what == "query":
    before = peak()
    frame = workspace.sql(sql)
    size = int(frame.memory_usage(deep=True).sum())
    print(size, peak() - before)
else:
    import numpy as np, pandas as pd
    workspace.datasources.create_from("peak", small)
    # Made here and not by a query, whose own peak would hide that of the import.
    numbers = np.arange(int(rows))
    frame = pd.DataFrame({"id": numbers.astype("uint64"), "ratio": numbers / 7})
    frame["name"] = np.array([f"name {n}" for n in range(1000)], dtype=object)[numbers % 1000]
    frame["moment"] = np.datetime64("2024-01-01", "s") + numbers
    frame["maybe"] = pd.arrays.IntegerArray(numbers.astype("int32"), numbers % 10 == 0)
    size = int(frame.memory_usage(deep=True).sum())
    before = peak()
    workspace.datasources.append("peak", frame)
    # The frame itself was there before, and counts.
    print(size, peak() - before + size)
"""


def run() -> list[Result]:
    """Measure P5."""
    with embedded() as (server, token):
        return [*_frames(server.host, token), *_files(server.host, token)]


def _frames(host: str, token: str) -> list[Result]:
    results = []
    for what, work in (("query", "SQL to a DataFrame"), ("import", "a DataFrame to a Data Source")):
        size, peak = measured(what, host, token, FRAME_ROWS)
        over = peak / size
        spent = f"frame {size / 1e6:,.0f} MB, peak {peak / 1e6:,.0f} MB"
        work = f"{FRAME_ROWS:,} rows x 5 columns, {work}: peak memory"
        results.append(Result("P5", work, "the frame's own size", f"{over:.2f} x", "at most 2.0 x", over <= 2.0, spent))
    return results


def _files(host: str, token: str) -> list[Result]:
    results = []
    for rows in FILE_ROWS:
        size, peak = measured("file", host, token, rows)
        work = f"{rows:,} rows x 5 columns to a Parquet file: memory of the whole process"
        spent = f"file {size / 1e6:,.0f} MB"
        results.append(
            Result("P5", work, "a constant", f"{peak / 1e6:,.0f} MB", "at most 200 MB", peak <= 200e6, spent)
        )
    return results


def measured(what: str, host: str, token: str, rows: int) -> tuple[int, int]:
    """Run one of the works in a process of its own; return the size of what it made and its peak, both in bytes."""
    sql = LARGE.replace("1000000", str(rows))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows.parquet")
        command = [sys.executable, "-c", _PROGRAM, what, host, token, str(rows), sql, path]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment)
    size, peak = map(int, done.stdout.split())
    return size, peak
