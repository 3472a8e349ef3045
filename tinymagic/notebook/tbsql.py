"""``%tbsql`` and ``%%tbsql``: SQL in, DataFrame out. Here grammar, binding, client and display meet."""

from __future__ import annotations

import re
from collections import ChainMap
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tinymagic.errors import QueryError, TinybirdError
from tinymagic.names import near_names
from tinymagic.notebook.arguments import TbsqlArguments, parse_tbsql
from tinymagic.notebook.display import footer_text, visible
from tinymagic.notebook.failures import attach, problem_card, query_card, shown_as_card
from tinymagic.notebook.given_values import parameter_set, variable
from tinymagic.notebook.nodes import Composed
from tinymagic.notebook.parameters import Bound, GivenText, prepare
from tinymagic.notebook.paths import path_of, read_at_most
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Source, line_of_cell
from tinymagic.sqltext import meaningful

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tinymagic.api.query import FormatChoice
    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.extension import Notebook

#: A value longer than this is cut by ``--show-sql``.
_LONGEST_VALUE = 200


def run(
    notebook: Notebook, line: str, cell: str | None = None, local_names: Mapping[str, Any] | None = None
) -> pd.DataFrame | None:
    """Run the SQL of a cell or line.

    Args:
        notebook: session, options and display.
        line: what follows the magic's name.
        cell: the body, or ``None`` for the line magic.
        local_names: variables of the function that the magic runs in; they hide those of the notebook.

    Returns:
        The frame, or ``None`` when it went into a variable without being displayed.

    Raises:
        CellProblem: the cell cannot be right; nothing was sent.
        TinybirdError: the query failed.
    """
    names = ChainMap(dict(local_names or {}), notebook.shell.user_ns)
    first_line, before = line_of_cell(_raw_cell(notebook), "%tbsql" if cell is None else "%%tbsql", line)
    interrupted = "interrupted; the query is cancelled on the server."
    with shown_as_card(Source(line, first_line, before), interrupted=interrupted):
        arguments = parse_tbsql(line, cell, first_line=first_line, before=before)
        source = arguments.source if arguments.file is None else _read_file(arguments.file)
        if not arguments.execute:
            _save(notebook, arguments, source)
            return None
        frame = _query(notebook, arguments, source, names)
        # What cannot be run is not kept: a later cell would fail because of this one.
        _save(notebook, arguments, source)
    return _hand_over(notebook, arguments, frame, is_cell=cell is not None)


def _save(notebook: Notebook, arguments: TbsqlArguments, source: Source) -> None:
    """Keep the SQL as a node, when that is asked for."""
    if arguments.save is None:
        return
    notebook.nodes.save(arguments.save, source.sql)
    if not arguments.execute:
        print(f"Saved as {arguments.save}; nothing was run.")


def _raw_cell(notebook: Notebook) -> str:
    """Return the running cell as it was typed; without a history, nothing."""
    typed = getattr(notebook.shell.history_manager, "input_hist_raw", None) or [""]
    return str(typed[-1])


def _read_file(name: str) -> Source:
    path = path_of(name)
    try:
        return Source(read_at_most(path).decode("utf-8-sig"), name=path.name)
    except FileNotFoundError:
        near = near_names(path.name, [each.name for each in path.parent.glob("*.sql")])
        raise CellProblem(f"There is no file {name!r} (looked in {Path.cwd()}).", suggestions=tuple(near)) from None
    except OSError as error:
        raise CellProblem(f"The file {name!r} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CellProblem(f"The file {name!r} is no text in UTF-8.") from None


def _query(notebook: Notebook, arguments: TbsqlArguments, source: Source, names: Mapping[str, Any]) -> pd.DataFrame:
    composed = Composed(source.sql)
    try:
        if notebook.has_nodes or arguments.with_nodes:
            composed = notebook.nodes.compose(source.sql, wanted=arguments.with_nodes, name=arguments.save)
        bound = prepare(composed.text, names, _given_parameters(arguments, names))
    except CellProblem as problem:
        if not problem.in_line:
            if problem.position is not None:
                problem.position = composed.position_in_source(problem.position)
            attach(problem, problem_card(problem, source))
        raise
    options = notebook.options
    workspace = notebook.session.workspace(arguments.profile)
    try:
        frame = workspace.sql(
            bound.text,
            params=bound.parameters,
            format=cast("FormatChoice", arguments.format or options.format),
            limit=options.limit if arguments.limit is None else arguments.limit,
            timeout_s=arguments.timeout_s or options.timeout_s,
        )
    except TinybirdError as error:
        if arguments.show_sql:
            print(workspace.redact(sql_text(bound.text, bound)))
        _place(error, bound, composed, source, workspace)
        raise
    if arguments.show_sql:
        print(workspace.redact(sql_text(frame.attrs["tinybird"]["sql"], bound)))
    return frame


def _place(error: TinybirdError, bound: Bound, composed: Composed, source: Source, workspace: Workspace) -> None:
    """Make the error speak of the user's own text, and give it its card."""
    position = None
    if isinstance(error, QueryError):
        if error.position is not None:
            error.position = composed.position_in_source(bound.position_in_source(error.position))
        else:
            error.position = _missing_parameter(error, bound, source.sql)
        position = error.position
        error.sql = source.sql
    attach(error, query_card(error, source, position, workspace))


_REQUIRED_RE = re.compile(
    r"Required parameter is not defined\. Check the parameters (?P<names>[\w, ]+?)(?: and (?P<last>\w+))?\."
)


def _missing_parameter(error: QueryError, bound: Bound, sql: str) -> int | None:
    """Return where a template first names a parameter that it did not get."""
    found = _REQUIRED_RE.search(error.message)
    if found is None:
        return None
    wanted = {*(name.strip() for name in found["names"].split(",")), found["last"]} - set(bound.parameters)
    return next((token.start for token in meaningful(sql) if token.text in wanted), None)


# --- parameters -------------------------------------------------------------------------------------------------------


def _given_parameters(arguments: TbsqlArguments, names: Mapping[str, Any]) -> dict[str, object]:
    """Return the parameters of the magic's line; ``$name`` stands for a variable."""
    given: dict[str, object] = {}
    for text in arguments.param_sets:
        given.update(parameter_set(text, names))
    for name, text in arguments.params:
        given[name] = variable(text, names) if text.startswith("$") else GivenText(text)
    return given


# --- what becomes of the frame ----------------------------------------------------------------------------------------


def _hand_over(
    notebook: Notebook, arguments: TbsqlArguments, frame: pd.DataFrame, *, is_cell: bool
) -> pd.DataFrame | None:
    """Store, display, both: the one place that decides.

    =====================  ==========================================================================
    target                 stored; nothing displayed (with ``--stats`` the footer alone)
    target and show        stored, and displayed as the cell's value
    no target              the cell's value, displayed; an assignment displays nothing
    no target and show     displayed at once; for ``df = %tbsql --show ...``
    no target and quiet    in ``_`` and ``Out``, not displayed; an assignment gets it
    =====================  ==========================================================================
    """
    stats = notebook.options.stats if arguments.stats is None else arguments.stats
    footer = footer_text(frame.attrs["tinybird"]) if stats else _cut_notice(frame)
    presenter = notebook.presenter
    if arguments.target is not None:
        notebook.shell.user_ns[arguments.target] = frame
        if arguments.quiet or not arguments.show:
            if arguments.stats and not arguments.quiet:
                print(footer)
            return None
        return presenter.expect(frame, footer)
    if arguments.quiet and is_cell:
        presenter.keep(frame)
        return None
    if arguments.quiet:
        # It may be assigned. When it is not, IPython's display is told that there is nothing to show.
        return presenter.expect(frame, footer, hidden=True)
    if arguments.show:
        presenter.show(frame, footer)
        return presenter.expect(frame, footer, hidden=True)
    return presenter.expect(frame, footer)


def _cut_notice(frame: pd.DataFrame) -> str | None:
    """Say that rows are missing, also when no footer is wanted; ``None`` when none are."""
    facts = frame.attrs["tinybird"]
    return footer_text({**facts, "statistics": None, "wall_s": None}) if facts["truncated"] else None


def sql_text(text: str, bound: Bound) -> str:
    """Return the text that is sent and what travels beside it; a piece of template shows where each value goes."""
    lines = [visible(text.strip("\n"))]
    for value in bound.values:
        if value.parameter:
            shown = _shown(bound.parameters[value.parameter])
            lines.append(f"-- {value.parameter} = {shown} ({{{{ {value.path} }}}}, {value.written.type})")
        else:
            lines.append(f"-- {{{{ {value.path} }}}} is {value.written.template}")
    ours = {value.parameter for value in bound.values}
    for name, given in bound.parameters.items():
        if name not in ours:
            lines.append(f"-- {name} = {_shown(given)}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    text = visible(repr(value))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
