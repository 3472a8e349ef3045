"""``%tinybird analyze``: what columns and types a file has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tinymagic.names import valid_name
from tinymagic.notebook.commands.panels import open_panel
from tinymagic.notebook.commands.rows_in import is_url, rows_named, say, sending, unit_of
from tinymagic.notebook.commands.writing import write_datafile
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.progress import progress

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.api.analyze import Analysis
    from tinymagic.notebook.tinybird import Call

_HOW = """%tinybird analyze FILE tells columns, types and null share of a CSV, NDJSON or Parquet file:

  %tinybird analyze sales.csv
  %tinybird analyze https://example.com/events.ndjson
  %tinybird analyze df                          a DataFrame of this notebook

--create NAME makes a Data Source of it and loads it, --to FOLDER writes its definition into a project folder."""


def analyze(call: Call) -> pd.DataFrame | None:
    """Say what a file seems to be, and make a Data Source of it when that is asked for."""
    given = call.word(0)
    if given is None:
        if "create" in call.options or "to" in call.options:
            raise CellProblem(f"Of which file? FILE is missing: %tinybird {call.command.usage()}.")
        open_panel(call, "Analyze", otherwise=_HOW)
        return None
    rows = rows_named(call, given)
    analysis = _analysis(call, given, rows)
    frame = _columns(analysis)
    _show(call, analysis)
    if "create" in call.options:
        _create(call, call.options["create"], rows, analysis)
    if "to" in call.options:
        _write(call, call.options.get("create") or _name_of(given), analysis)
    return frame


def _analysis(call: Call, given: str, rows: Any) -> Analysis:
    if is_url(rows):
        with interruptible() as cancellation:
            return call.workspace.analyze.url(rows, cancellation=cancellation)
    with progress(f"analyze {given}", unit="B") as tell, interruptible() as cancellation:
        return call.workspace.analyze.file(
            rows, format=call.options.get("format"), on_progress=tell, cancellation=cancellation
        )


def _columns(analysis: Analysis) -> pd.DataFrame:
    import pandas as pd

    columns = analysis.columns
    frame: pd.DataFrame = pd.DataFrame(
        {
            "name": [each.name for each in columns],
            # With Nullable, as it would be stored.
            "type": [analysis.types.get(each.name) or each.type for each in columns],
            "null share": pd.Series([each.null_share for each in columns], dtype="Float64").round(4),
            "path": [each.path for each in columns],
        }
    )
    return frame


def _show(call: Call, analysis: Analysis) -> None:
    if analysis.dialect:
        print("Dialect: " + ", ".join(f"{name} {value!r}" for name, value in analysis.dialect.items()))
    if analysis.schema:
        print("Schema:")
        print("\n".join(f"  {visible(line)}" for line in _schema_lines(analysis.schema)))
    else:
        print("The service proposes no schema.")
    if analysis.preview:
        preview = analysis.preview_frame()
        call.notebook.presenter.show(preview, f"the first {count_of(len(preview), 'row')}, as a table would have them")


def _schema_lines(schema: str) -> list[str]:
    from tinymagic.datafiles.columns import split_columns

    columns = split_columns(schema)
    return [f"{column}," for column in columns[:-1]] + columns[-1:]


def _create(call: Call, name: str, rows: Any, analysis: Analysis) -> None:
    # A DataFrame knows its types better than a guess does.
    schema = None if hasattr(rows, "columns") else analysis.schema or None
    with sending(call, f"create {name}", unit=unit_of(rows)) as (tell, cancellation):
        report = call.workspace.datasources.create_from(
            name,
            rows,
            schema=schema,
            format=call.options.get("format"),
            on_progress=tell,
            cancellation=cancellation,
        )
    reasons = say(call, report, before=f"Created {visible(name)}.")
    if reasons is not None:
        call.notebook.presenter.show(reasons, None)


def _write(call: Call, name: str, analysis: Analysis) -> None:
    from tinymagic.api.refusals import datafile_for
    from tinymagic.datafiles import datasource_text
    from tinymagic.names import name_problem

    problem = name_problem(name)
    if problem:
        raise CellProblem(problem)
    if not analysis.schema:
        raise CellProblem("Nothing was written: the service proposes no schema.")
    text = datasource_text(name, analysis.schema, engine={"engine": "MergeTree"})
    write_datafile(call.options["to"], datafile_for("Data Source", name, text), yes="yes" in call.options)


_ENDING_RE = re.compile(r"(\.(csv|ndjson|jsonl|json|parquet))?(\.gz)?$", re.IGNORECASE)


def _name_of(given: str) -> str:
    """Return a name for a Data Source out of a path, a URL or the name of a variable.

    Example:
        >>> _name_of("data/2024 sales.csv.gz"), _name_of("https://example.com/a/events.ndjson?x=1"), _name_of("$df")
        ('c_2024_sales', 'events', 'df')
    """
    path = urlsplit(given).path if is_url(given) else given.removeprefix("$")
    last = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return valid_name(_ENDING_RE.sub("", last))
