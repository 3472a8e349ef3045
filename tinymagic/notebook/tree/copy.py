"""``%tinybird copy``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import PARAM, PARAMS, WAIT, YES, Command, Noun

_MODE = Option(
    ("--mode",), "append rows, or replace all that are there", "append|replace", "choice", ("append", "replace")
)

COPY = Noun(
    "copy",
    "Pipes whose rows go into a Data Source, when asked or by a schedule",
    (
        Command(("copy", "ls"), "all Copy Pipes, as a DataFrame", "copy:ls"),
        Command(
            ("copy", "create"),
            "let a node's rows be copied into a Data Source",
            "copy:create",
            ("PIPE", "NODE", "DATASOURCE"),
            (Option(("--schedule",), "cron in quotes, UTC, for instance '0 * * * *'", "CRON"), _MODE),
        ),
        Command(("copy", "run"), "copy now", "copy:run", ("NAME",), (PARAM, PARAMS, _MODE, WAIT, YES)),
        Command(
            ("copy", "sql"),
            "copy what a query gives into a Data Source, once and without a Pipe",
            "copy:sql",
            ("DATASOURCE", "SQL|NAME..."),
            (_MODE, WAIT, YES),
            "Options stand before the SQL. NAME is a notebook variable that holds SQL.",
        ),
        Command(("copy", "pause"), "let the schedule rest", "copy:pause", ("NAME",)),
        Command(("copy", "resume"), "let the schedule run again", "copy:resume", ("NAME",)),
        Command(("copy", "cancel"), "cancel its runs, and let the schedule rest", "copy:cancel", ("NAME",)),
        Command(
            ("copy", "schedule"),
            "set when it runs by itself, or with none: only when asked",
            "copy:schedule",
            ("NAME", "CRON|none"),
        ),
        Command(("copy", "rm"), "make it a plain node again; rows stay", "copy:rm", ("NAME",), (YES,)),
    ),
)
