"""``--to FOLDER``: the definition goes into a project folder, and the Workspace stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.api.datasource_files import new_datasource
from tinymagic.api.pipe_datafiles import new_pipe_datafile
from tinymagic.names import name_problem
from tinymagic.notebook.commands.rows_in import frame_named
from tinymagic.notebook.commands.writing import write_datafile
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.notebook.tinybird import Call


def define_datasource(call: Call) -> None:
    """Write what ``datasource create`` would make: its columns and engine, no rows.

    Raises:
        CellProblem: there is nothing to take columns from, or the name cannot be used.
    """
    name, options = call.words[0], call.options
    _check_name(name, "Data Source")
    schema, sorting_key = options.get("schema"), options.get("sorting_key")
    if schema is None and "from_df" in options:
        from tinymagic.frames.schema import schema_of, sorting_key_of

        frame = frame_named(call, options["from_df"])
        schema = schema_of(frame)
        if "engine" not in options:
            sorting_key = sorting_key or sorting_key_of(frame) or None
    elif schema is None and "file" in options:
        schema = call.workspace.analyze.file(options["file"], format=options.get("format")).schema
    if not schema:
        raise CellProblem("One of --schema, --from-df and --file is needed: they say which columns it has.")
    fields = {
        "schema": schema,
        "engine": options.get("engine", "MergeTree"),
        "engine_sorting_key": sorting_key,
        "engine_partition_key": options.get("partition_key"),
        "description": options.get("description"),
    }
    write_datafile(options["to"], new_datasource(name, fields), yes="yes" in options)


def define_pipe(call: Call, nodes: Sequence[Mapping[str, Any]], description: str | None) -> None:
    """Write what ``pipe create`` would make.

    Raises:
        CellProblem: the name cannot be used.
    """
    name = call.words[0]
    _check_name(name, "Pipe")
    described = [dict(node) for node in nodes]
    if "publish" in call.options and not any(node.get("type") for node in described):
        described[-1]["type"] = "endpoint"
    yes = "yes" in call.options
    write_datafile(call.options["to"], new_pipe_datafile(name, described, description=description), yes=yes)


def _check_name(name: str, kind: str) -> None:
    problem = name_problem(name, kind=kind)
    if problem:
        raise CellProblem(problem)
