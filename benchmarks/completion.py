"""P7: what Tab takes in SQL in a Workspace of 1,000 Data Sources with 100 columns each; no server is asked."""

from __future__ import annotations

from functools import partial

from benchmarks.contest import Result, compare
from tinymagic.notebook.sql_completion import SqlNames, SqlOffer, Tables, offers_in_cell

#: Milliseconds in which an answer seems to be there at once.
GOAL_MS = 50

#: Where the | stands, Tab is pressed.
PLACES = {
    "column of an alias": "%%tbsql\nSELECT t.| FROM table_500 AS t",
    "column before FROM": "%%tbsql\nSELECT col|",
    "table": "%%tbsql\nSELECT 1 FROM |",
    "function": "%%tbsql\nSELECT toStart| FROM table_500 WHERE column_3_of_500 > 1",
    "column through ten CTEs": "%%tbsql\nWITH cte_0 AS (SELECT * FROM table_500), "
    + ", ".join(f"cte_{n} AS (SELECT * FROM cte_{n - 1})" for n in range(1, 10))
    + " SELECT c.| FROM cte_9 AS c",
}


def run(tables: int = 1_000, columns: int = 100, rounds: int = 20) -> list[Result]:
    """Measure P7."""
    schema = Tables(
        (f"table_{table}", tuple((f"column_{n}_of_{table}", "String") for n in range(columns)))
        for table in range(tables)
    )
    names = SqlNames(schema)

    def pressed(text: str) -> list[SqlOffer]:
        place = text.index("|")
        found = offers_in_cell(text[:place] + text[place + 1 :], place, lambda: names, lambda *_: ())
        if not found:
            raise AssertionError(f"Nothing was offered in {text!r}.")
        return found

    timings = compare({name: partial(pressed, text) for name, text in PLACES.items()}, rounds=rounds)
    slowest = max(timing.median for timing in timings.values()) * 1e3
    return [
        Result(
            "P7",
            f"Tab in SQL, {tables:,} Data Sources x {columns} columns, the slowest of {len(PLACES)} places",
            f"{GOAL_MS} ms",
            f"{slowest / GOAL_MS:.2f} x",
            "at most 1 x",
            slowest <= GOAL_MS,
            ", ".join(f"{name} {timing.text()}" for name, timing in timings.items()),
        )
    ]
