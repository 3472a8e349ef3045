"""A cell made ready: the text and values that are sent, and the way of errors back into the user's own text."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tinymagic.errors import QueryError, TinybirdError
from tinymagic.names import near_names
from tinymagic.notebook.cells.budget import spend_query
from tinymagic.notebook.display import visible
from tinymagic.notebook.failures import attach, problem_card, query_card
from tinymagic.notebook.given_values import parameter_set, variable
from tinymagic.notebook.nodes import Composed
from tinymagic.notebook.parameters import Bound, GivenText, prepare
from tinymagic.notebook.paths import path_of, read_at_most
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Source
from tinymagic.sqltext import meaningful

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.query import Dtypes, FormatChoice, ResultType
    from tinymagic.api.raw_results import KeptReply, Rows
    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.cells.arguments import TbsqlArguments
    from tinymagic.notebook.extension import Notebook

#: A value longer than this is cut where the text that is sent is shown.
_LONGEST_VALUE = 200


@dataclass(frozen=True)
class PreparedCell:
    """What is sent for a cell.

    Attributes:
        arguments: what its line says.
        source: the user's SQL.
        composed: the same with saved cells in front.
        bound: the same with typed calls in the place of ``{{ }}``.
        connect: gives the Workspace that is asked.
        limit: rows, or ``None`` for all.
        timeout_s: seconds for the whole reply.
        wire_format: ``auto``, ``parquet`` or ``json``.
        daily_queries: at most so many a day; ``None`` for no limit.
    """

    arguments: TbsqlArguments
    source: Source
    composed: Composed
    bound: Bound
    connect: Callable[[], Workspace] = field(repr=False)
    limit: int | None
    timeout_s: float
    wire_format: str
    daily_queries: int | None = None

    @cached_property
    def workspace(self) -> Workspace:
        """The Workspace that is asked; what is frozen on disk needs none.

        Raises:
            ConfigurationError: nothing is configured, or the settings cannot be used.
        """
        return self.connect()

    @property
    def request(self) -> dict[str, Any]:
        """What every way of running it is called with, beside the text: parameters, limit, time-out, pipeline."""
        return {
            "params": self.bound.parameters,
            "limit": self.limit,
            "timeout_s": self.timeout_s,
            "pipeline": self.arguments.pipeline,
        }

    def rows(
        self, cancellation: Cancellation | None = None, *, on_reply: Callable[[KeptReply], object] | None = None
    ) -> Rows:
        """Ask the Workspace; return the rows in the type that the cell wants, and the facts about them.

        Args:
            cancellation: ends the request from another thread.
            on_reply: gets the reply, to be kept.

        Raises:
            TinybirdError: as `Query.rows` raises, with its place in the user's text.
        """
        workspace = self.workspace
        with self.placed():
            return workspace.query.rows(
                self.bound.text,
                format=cast("FormatChoice", self.wire_format),
                type=cast("ResultType", self.arguments.type),
                dtypes=cast("Dtypes", self.arguments.dtypes or "exact"),
                cancellation=cancellation,
                on_reply=on_reply,
                **self.request,
            )

    def rows_of(self, kept: KeptReply, *, notice: str) -> Rows:
        """Return the rows of a kept reply, in the type that the cell wants.

        Raises:
            InvalidInput: they cannot be read here.
        """
        from tinymagic.api.kept_replies import rows_of

        arguments = self.arguments
        return rows_of(
            kept,
            type=cast("ResultType", arguments.type),
            dtypes=cast("Dtypes", arguments.dtypes or "exact"),
            notice=notice,
        )

    @contextlib.contextmanager
    def placed(self) -> Iterator[None]:
        """Let the errors of the block speak of the user's own text, and give them their cards.

        Raises:
            CellProblem: the queries of the day are spent; the block is not begun.
        """
        spend_query(self.workspace.host, self.daily_queries)
        try:
            yield
        except TinybirdError as error:
            position = None
            if isinstance(error, QueryError):
                if error.position is not None:
                    error.position = self.composed.position_in_source(self.bound.position_in_source(error.position))
                else:
                    error.position = _missing_parameter(error, self.bound, self.source.sql)
                position = error.position
                error.sql = self.source.sql
            attach(error, query_card(error, self.source, position, self.workspace))
            raise

    def sent_text(self, text: str | None = None) -> str:
        """Return the text that is sent and what travels beside it, without tokens.

        Args:
            text: as it was sent, with the FORMAT at its end; ``None`` for the text before that.
        """
        return self.workspace.redact(sql_text(self.bound.text if text is None else text, self.bound))


def prepare_cell(
    notebook: Notebook, arguments: TbsqlArguments, source: Source, names: Mapping[str, Any]
) -> PreparedCell:
    """Make a cell ready to be sent.

    Args:
        notebook: session, options and saved cells.
        arguments: what its line says.
        source: the SQL.
        names: the notebook's variables.

    Raises:
        CellProblem: the cell cannot be right.
    """
    composed = Composed(source.sql)
    try:
        if notebook.has_nodes or arguments.with_nodes:
            composed = notebook.nodes.compose(source.sql, wanted=arguments.with_nodes, name=arguments.save)
        bound = prepare(composed.text, names, given_parameters(arguments, names))
    except CellProblem as problem:
        if not problem.in_line:
            if problem.position is not None:
                problem.position = composed.position_in_source(problem.position)
            attach(problem, problem_card(problem, source))
        raise
    options = notebook.options
    return PreparedCell(
        arguments,
        source,
        composed,
        bound,
        connect=lambda: notebook.session.workspace(arguments.profile),
        limit=options.limit if arguments.limit is None else arguments.limit,
        timeout_s=arguments.timeout_s or options.timeout_s,
        wire_format=arguments.format or options.format,
        daily_queries=options.daily_queries,
    )


def given_parameters(arguments: TbsqlArguments, names: Mapping[str, Any]) -> dict[str, object]:
    """Return the parameters of the magic's line; ``$name`` stands for a variable."""
    given: dict[str, object] = {}
    for text in arguments.param_sets:
        given.update(parameter_set(text, names))
    for name, text in arguments.params:
        given[name] = variable(text, names) if text.startswith("$") else GivenText(text)
    return given


def read_file(name: str) -> Source:
    """Return the SQL of a file.

    Raises:
        CellProblem: there is none, it is too large, or no text.
    """
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
