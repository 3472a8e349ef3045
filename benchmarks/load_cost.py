"""P1: what ``%load_ext tinymagic`` adds to a fresh IPython, beside other SQL magics."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys

from benchmarks.contest import Result, compare

PEERS = {"sql": "JupySQL", "bigquery_magics": "bigquery-magics"}


def _shell(line: str) -> None:
    command = [sys.executable, "-m", "IPython", "--quick", "--no-banner", "--colors=nocolor", "-c", line]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def run() -> list[Result]:
    """Measure the shell alone, with tinymagic, and with each peer that is installed."""
    contestants = {"bare": lambda: _shell("1")}
    for module in ("tinymagic", *PEERS):
        if importlib.util.find_spec(module):
            line = f"get_ipython().run_line_magic('load_ext', '{module}')"
            contestants[module] = functools.partial(_shell, line)
    timings = compare(contestants, rounds=15)
    bare = timings["bare"].median
    cost = timings["tinymagic"].median - bare
    medians = f"bare {timings['bare'].text()}, tinymagic {timings['tinymagic'].text()}"
    work = "`%load_ext tinymagic` over bare IPython"
    results = [Result("P1", work, "the bare shell", f"+{cost:.3f} s", "at most +0.10 s", cost <= 0.10, medians)]
    for module, name in PEERS.items():
        if module in timings:
            ratio = (timings[module].median - bare) / max(cost, 0.001)
            results.append(
                Result("P1", work, name, f"{ratio:.1f} x less", "at least 5 x less", ratio >= 5, timings[module].text())
            )
    return results
