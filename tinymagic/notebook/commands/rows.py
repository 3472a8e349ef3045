"""``%tinybird datasource create|append|replace``: making Data Sources, and getting rows into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.api.ingest.fields import format_at
from tinymagic.api.upload import upload_of
from tinymagic.errors import TinybirdError
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.datasource_facts import get_source, near_source
from tinymagic.notebook.commands.rows_in import frame_named, is_url, rows_named, say, sending, unit_of
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.notebook.tinybird import Call


def create(call: Call) -> pd.DataFrame | None:
    """Make a Data Source, empty or from rows."""
    name, options = call.words[0], call.options
    schema = options.get("schema")
    engine: dict[str, Any] = {
        "engine": options.get("engine"),
        "sorting_key": options.get("sorting_key"),
        "partition_key": options.get("partition_key"),
        "description": options.get("description"),
    }
    sources = call.workspace.datasources
    if "from_df" in options and "file" in options:
        raise CellProblem("--from-df and --file are two places to take rows from: give one of them.")
    if "to" in options:
        from tinymagic.notebook.commands.defining import define_datasource

        define_datasource(call)
        return None
    if "from_df" in options:
        rows: Any = frame_named(call, options["from_df"])
    elif "file" in options:
        rows = options["file"]
        schema = schema or _proposed_schema(call, rows)
    elif schema is None:
        raise CellProblem("One of --schema, --from-df and --file is needed: they say which columns it has.")
    else:
        made = sources.create(name, schema, **engine)
        print(f"Created {visible(made.name)} with {count_of(len(made.columns), 'column')}, and no rows yet.")
        return None
    with sending(call, f"create {name}", unit=unit_of(rows)) as (tell, cancellation):
        report = sources.create_from(
            name,
            rows,
            schema=schema,
            format=options.get("format"),
            on_progress=tell,
            cancellation=cancellation,
            **engine,
        )
    return say(call, report, before=f"Created {visible(name)}.")


def _proposed_schema(call: Call, file: str) -> str | None:
    """Return the schema that an NDJSON or Parquet file suggests; ``None`` for CSV, which the service guesses itself."""
    given, analyze = call.options.get("format"), call.workspace.analyze
    if is_url(file):
        return None if format_at(file, given) == "csv" else analyze.url(file).schema
    upload = upload_of(file, file_format=given, any_size=True)
    return None if upload.file_format == "csv" else analyze.file(file, format=given).schema


def append(call: Call) -> pd.DataFrame | None:
    """Add rows, and say what became of them."""
    name, given = call.words
    rows = rows_named(call, given)
    options: dict[str, Any] = {"via": call.options.get("via", "auto"), "format": call.options.get("format")}
    with (
        near_source(call, name),
        sending(call, f"append to {name}", unit=unit_of(rows)) as (tell, cancellation),
    ):
        if "no_wait" in call.options:
            job = call.workspace.datasources.append(name, rows, wait=False, on_progress=tell, **options)
            print(f"Started the job {visible(job.id)}. %tinybird job wait {visible(job.id)} waits for its end.")
            return None
        report = call.workspace.datasources.append(
            name,
            rows,
            batch_rows=call.number("batch"),
            on_progress=tell,
            cancellation=cancellation,
            **options,
        )
    return say(call, report)


def replace(call: Call) -> pd.DataFrame | None:
    """Put rows in the place of others, and say what became of them."""
    name, given = call.words
    rows = rows_named(call, given)
    lost = _replaced(call, name)
    if lost and not confirm(f"Put these rows in the place of {lost}?", yes="yes" in call.options, otherwise=_KEPT):
        return None
    with (
        near_source(call, name),
        sending(call, f"replace {name}", unit=unit_of(rows)) as (tell, cancellation),
    ):
        report = call.workspace.datasources.replace(
            name,
            rows,
            condition=call.options.get("where"),
            via="job" if "job" in call.options else "auto",
            format=call.options.get("format"),
            on_progress=tell,
            cancellation=cancellation,
        )
    return say(call, report)


_KEPT = "Nothing was replaced."


def _replaced(call: Call, name: str) -> str:
    """Return the rows in words that make room for others; ``""`` when there are none."""
    source = get_source(call, name)
    condition = call.options.get("where")
    count = source.statistics.row_count
    if condition is not None:
        try:
            count = call.workspace.datasources.count_rows_to_delete(name, condition)
        except TinybirdError:
            # The replacement itself will say what is wrong, if something is.
            count = None
    if count == 0:
        return ""
    what = "an unknown number of rows" if count is None else count_of(count, "row")
    return f"{what} of {visible(source.name)}"
