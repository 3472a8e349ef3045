"""``%tinybird analyze``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

ANALYZE = Noun(
    "analyze",
    "what columns and types a file has",
    (
        Command(
            ("analyze",),
            "columns, types and null share of a file, and its first rows",
            "analyze:analyze",
            ("[FILE|URL|DF]",),
            (
                Option(
                    ("--format",),
                    "of the file, when its name does not tell",
                    "csv|ndjson|parquet",
                    "choice",
                    ("csv", "ndjson", "parquet"),
                ),
                Option(("--create",), "make a Data Source with these columns, and load the file into it", "NEW_NAME"),
                Option(("--to",), "write datasources/NAME.datasource into this project folder", "FOLDER"),
                YES,
            ),
            "The service looks at the beginning of the file (of Parquet at the whole), and guesses: check it.\n"
            "--to names the file after --create, else after the file.",
        ),
    ),
)
