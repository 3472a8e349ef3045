"""The options of ``%tbsql`` and ``%%tbsql``, as data: one table parses them, completes them and makes the help. Pure.

`tinymagic.notebook.extension` repeats them in the magic's docstring, which a test compares with the table.
"""

from __future__ import annotations

from tinymagic.notebook.options import Option

#: What a cell is turned into in the place of a table; one of them at a time.
_INSTEAD = ("--explain", "--dry-run", "--fmt", "--to-file", "--background", "--every", "--plot")

#: The checks of ``--expect``, for instance ``rows=10 cols=a,b``.
EXPECTATION_RE = r"(?:rows|cols|columns|value)(?:[<>]=?|=|!=)"


def _others(name: str) -> tuple[str, ...]:
    """Return what contradicts a way of showing a result; a chart may be live."""
    pair = {"--every", "--plot"}
    return tuple(other for other in _INSTEAD if other != name and {name, other} != pair)


TBSQL_OPTIONS: tuple[Option, ...] = (
    Option(("-o", "--out"), "store the result in this variable, and do not display it", "NAME", "variable"),
    Option(("--show",), "display it although it is stored in a variable", excludes=("--quiet",)),
    Option(("-q", "--quiet"), "display nothing; a semicolon at the end of the SQL does the same", excludes=("--show",)),
    Option(("-p", "--param"), "a parameter; wins over the variable of that name", "NAME=VALUE", many=True),
    Option(("--params",), "several parameters: a JSON object, or $name of a dictionary", "JSON", many=True),
    Option(
        ("-t", "--type"),
        "what the result is; pandas is the default",
        "pandas|polars|arrow|dicts",
        "choice",
        ("pandas", "polars", "arrow", "dicts"),
    ),
    Option(
        ("--dtypes",),
        "dtypes of a pandas DataFrame; exact never rounds",
        "exact|numpy|arrow",
        "choice",
        ("exact", "numpy", "arrow"),
    ),
    Option(("--limit", "--max-results", "--rows-limit"), "at most so many rows; a cut result says so", "N", "count"),
    Option(("--stats",), "show under the table what the query cost (the default)", excludes=("--no-stats",)),
    Option(("--no-stats",), "show the table only", excludes=("--stats",)),
    Option(("-e", "--explain"), "show how the query would be run, and do not run it", excludes=_others("--explain")),
    Option(("--dry-run",), "show what would be sent, and do not send it", excludes=_others("--dry-run")),
    Option(("--show-sql",), "print the text that is sent, and the values sent beside it"),
    Option(("--fmt",), "print the SQL in good order, and do not run it", excludes=_others("--fmt")),
    Option(
        ("--format",),
        "how the rows travel; the result is the same",
        "auto|parquet|json",
        "choice",
        ("auto", "parquet", "json"),
    ),
    Option(("--timeout",), "seconds to wait for the whole result", "S", "seconds"),
    Option(("--pipeline",), "the Pipe or Data Source that _ stands for", "PIPE", completes="pipe"),
    Option(("--profile",), "use this saved login for this query", "NAME", completes="profile"),
    Option(("-f", "--file"), "read the SQL from a file", "FILE", completes="file"),
    Option(("-S", "--save"), "keep the SQL as a node that later cells and Pipes can read by this name", "NAME"),
    Option(
        ("-w", "--with"),
        "put these saved nodes in front, also when the SQL does not name them",
        "A,B",
        completes="saved",
    ),
    Option(("-N", "--no-execute"), "with --save or --pipe: do not run it"),
    Option(("--pipe",), "make a Pipe of the cell; variables become parameters", "PIPE", completes="pipe"),
    Option(("--node",), "with --pipe: the name of the node", "NODE"),
    Option(("--publish",), "with --pipe: make it an endpoint, and tell how to call it"),
    Option(("--to",), "with --pipe: write a datafile into this folder instead", "FOLDER", completes="folder"),
    Option(
        ("--plot",),
        "draw a chart",
        "line|bar|area|scatter|hist",
        "choice",
        ("line", "bar", "area", "scatter", "hist"),
        excludes=_others("--plot"),
    ),
    Option(("--x",), "with --plot: column of the horizontal axis", "COLUMN", completes="output"),
    Option(("--y",), "with --plot: columns of the vertical axis", "A,B", completes="output"),
    Option(("--color",), "with --plot: column that tells lines, bars or points apart", "COLUMN", completes="output"),
    Option(("--every",), "run again and again, and redraw in place", "TIME", "duration", excludes=_others("--every")),
    Option(("--for",), "with --every: stop after this time", "TIME", "duration"),
    Option(("--background",), "do not wait: the result is a handle", excludes=(*_others("--background"), "--cache")),
    Option(
        ("--cache",),
        "take a result of the same query from disk when it is not older",
        "TIME",
        "duration",
        excludes=("--freeze", "--every", "--to-file"),
    ),
    Option(
        ("--freeze",),
        "keep the result on disk, and take it from there from then on, also offline",
        excludes=("--cache", "--every", "--to-file", "--background"),
    ),
    Option(
        ("--to-file",),
        "write the rows into a file: .parquet, .csv, .ndjson, also .gz",
        "FILE",
        excludes=_others("--to-file"),
        completes="file",
    ),
    Option(("--yes",), "with --to-file, --pipe, --persist-replace: do not ask"),
    Option(
        ("--expect",),
        "check the result: rows=10 rows>=1 cols=a,b value=42",
        "CHECKS",
        many=True,
        more=EXPECTATION_RE,
    ),
    Option(("--persist",), "%tbsql only: make a Data Source of this DataFrame", "DF", "variable"),
    Option(("--persist-replace",), "%tbsql only: the same; its rows are replaced", "DF", "variable"),
    Option(("--append",), "%tbsql only: add the rows of this DataFrame to its Data Source", "DF", "variable"),
    Option(("--no-index",), "with these three: leave the index of the DataFrame out"),
)
