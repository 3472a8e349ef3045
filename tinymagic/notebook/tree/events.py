"""``%tinybird events``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import Command, Noun

_WAITING = (
    Option(("--wait",), "be answered when the rows are stored (this is the default)", excludes=("--no-wait",)),
    Option(("--no-wait",), "be answered when the rows are read; they may still be lost", excludes=("--wait",)),
)
_BATCH = Option(("--batch",), "most rows of a request; default: what goes into 8 MB", "N", "count")
_GO_ON = Option(("--go-on",), "go on with the next batch when one fails")

EVENTS = Noun(
    "events",
    "rows as JSON: one, many, or as they come",
    (
        Command(
            ("events", "send"),
            "send rows, and account for each",
            "events:send",
            ("NAME", "DF|{json}|FILE..."),
            (*_WAITING, _BATCH, _GO_ON),
            'For instance: %tinybird events send visits {"page": "/", "n": 1}\n'
            "A variable may hold a DataFrame, an Arrow table, dictionaries or a generator; a file is NDJSON.",
            {"DF|{json}|FILE": "rows|file"},
        ),
        Command(
            ("events", "stream"),
            "send rows as a generator gives them, until it ends or you interrupt",
            "events:stream",
            ("NAME", "GENERATOR"),
            (
                *_WAITING,
                Option(("--batch",), "a batch is full with so many rows; default 10,000", "N", "count"),
                Option(("--every",), "a row waits so many seconds at most; default 1", "SECONDS", "seconds"),
                _GO_ON,
            ),
            "GENERATOR is a variable: a generator of dictionaries, or a function that gives one.",
        ),
        Command(
            ("events", "retry"),
            "send again what the last send, stream or append did not store, and nothing else",
            "events:retry",
            (),
            (
                Option(
                    ("--include-unknown",),
                    "also what may be stored already: those rows could be there twice",
                ),
            ),
        ),
    ),
)
