"""``%tinybird datasource``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

_ENGINE_OPTIONS = (
    Option(("--engine",), "table engine; default MergeTree", "ENGINE"),
    Option(("--sorting-key",), "columns by which rows are sorted, with commas", "COLUMNS"),
    Option(("--partition-key",), "expression by which rows are kept apart", "EXPRESSION"),
    Option(("--description",), "in words", "TEXT"),
)
_FORMAT = Option(
    ("--format",),
    "of the file, when its name does not tell",
    "csv|ndjson|parquet",
    "choice",
    ("csv", "ndjson", "parquet"),
)

DATASOURCE = Noun(
    "datasource",
    "tables: what there is, and getting rows in",
    (
        Command(("datasource", "ls"), "all Data Sources, as a DataFrame", "datasource:ls"),
        Command(("datasource", "show"), "columns, engine, size, quarantine of one", "datasource:show", ("NAME",)),
        Command(
            ("datasource", "data"),
            "its first rows",
            "datasource:data",
            ("NAME",),
            (Option(("--limit",), "so many; default 10", "N", "count"),),
        ),
        Command(
            ("datasource", "create"),
            "make one, empty or from rows",
            "datasource:create",
            ("NAME",),
            (
                Option(("--schema",), "columns, for instance 'day Date, amount Float64'", "SCHEMA"),
                Option(("--from-df",), "take columns and rows from this DataFrame", "DF", "variable"),
                Option(("--file",), "take columns and rows from a CSV, NDJSON or Parquet file", "FILE"),
                _FORMAT,
                *_ENGINE_OPTIONS,
            ),
            "One of --schema, --from-df and --file is needed; --schema may go with --file.",
        ),
        Command(
            ("datasource", "append"),
            "add rows from a file or a DataFrame",
            "datasource:append",
            ("NAME", "FILE|DF"),
            (_FORMAT,),
        ),
        Command(
            ("datasource", "rm"),
            "delete one with its rows",
            "datasource:rm",
            ("NAME",),
            (YES, Option(("--force",), "also when something depends on it")),
        ),
    ),
)
