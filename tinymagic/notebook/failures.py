"""What a failed cell shows: at most eight lines, with the user's own line and a caret under the mistake; no traceback.

The exception stays what it is, for ``try`` and ``except``. It only gets ``_render_traceback_``, which IPython asks for
instead of writing a traceback, in the terminal and in notebooks.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinymagic.errors import QueryError, TinybirdError
from tinymagic.names import near_names
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem
from tinymagic.sqltext import meaningful, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tinymagic.api.http.answers import Answer
    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.source import Place, Source

MOST_LINES = 8
#: Characters of a message, and of the user's line, that are shown.
_LONGEST_HEAD = 300
_LONGEST_LINE = 110


@dataclass(frozen=True)
class FailureCard:
    """The lines that IPython shows in the place of a traceback; callable, because IPython calls it.

    Attributes:
        lines: at most `MOST_LINES` of them.
    """

    lines: tuple[str, ...]

    def __call__(self) -> list[str]:
        """Return the lines."""
        return list(self.lines)


@contextlib.contextmanager
def shown_as_card(line: Source | None = None, *, interrupted: str = "interrupted.") -> Iterator[None]:
    """Let the errors of the block show as a card.

    Args:
        line: the magic's line, for problems that were found in it.
        interrupted: what an interrupt means here.
    """
    from tinymagic.local import LaunchError

    try:
        yield
    except (TinybirdError, LaunchError) as error:
        _keep(error)
        if not hasattr(error, "_render_traceback_"):
            place = _place_in_line(error, line)
            attach(error, card(error, place=place, length=getattr(error, "length", 1)))
        raise
    except KeyboardInterrupt as interrupt:
        attach(interrupt, FailureCard((f"KeyboardInterrupt: {interrupted}",)))
        raise


@dataclass(frozen=True)
class Failure:
    """What is kept of an error: the error itself would keep alive what the failed code had in its variables.

    Attributes:
        kind: name of its class.
        text: of it.
        answer: of the service, or ``None``.
        request_id: of the service, or ``None``.
    """

    kind: str
    text: str
    answer: Answer | None
    request_id: str | None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Keep what is worth keeping."""
        return cls(type(error).__name__, str(error), getattr(error, "answer", None), getattr(error, "request_id", None))


#: What happened last: a failure, or the facts about a result.
_last: list[Failure | Mapping[str, Any]] = []

#: The error of a cell that Python knew when the last result came.
_known: list[BaseException | None] = []


def _keep(error: Exception) -> None:
    # What the user wrote wrong is on the screen; a reply of the service is not.
    if not isinstance(error, CellProblem):
        _last[:] = [Failure.of(error)]


def note_result(facts: Mapping[str, Any]) -> None:
    """Keep the facts about a result (``attrs["tinybird"]``): what happened last is no failure any more."""
    _last[:] = [facts]
    _known[:] = [getattr(sys, "last_value", None)]


def last_event() -> Failure | Mapping[str, Any] | None:
    """Return the last failure in this process, or the facts about a result that came later; ``None`` for neither.

    A failure is that of a magic, or of a call of the client in a cell, which IPython notes.
    """
    last = _last[0] if _last else None
    error = getattr(sys, "last_value", None)
    known = isinstance(last, dict) and bool(_known) and error is _known[0]
    if isinstance(error, TinybirdError) and not isinstance(error, CellProblem) and not known:
        return Failure.of(error)
    return last


def _place_in_line(error: Exception, line: Source | None) -> Place | None:
    if isinstance(error, CellProblem) and error.in_line and error.position is not None and line is not None:
        return line.place(error.position)
    return None


def attach(error: BaseException, shown: FailureCard) -> None:
    """Make IPython show *shown* for *error*."""
    error._render_traceback_ = shown  # type: ignore[attr-defined] # IPython's protocol


def card(
    error: Exception, *, place: Place | None = None, length: int = 1, suggestions: Sequence[str] = ()
) -> FailureCard:
    """Make the lines for an error.

    Args:
        error: any.
        place: where in the user's text it is, when that is known.
        length: characters from there on that are marked.
        suggestions: names that may have been meant; the error's own when empty.
    """
    head = f"{type(error).__name__}: {_headline(error)}"
    if type(error) is CellProblem:
        head = f"tinymagic: {_headline(error)}"
    lines = [_cut(visible(part), _LONGEST_HEAD) for part in head.splitlines() if part.strip()]
    lines += _marked_line(place, length) if place is not None else []
    meant = list(suggestions) or list(getattr(error, "suggestions", ()))
    if meant:
        lines.append(f"Did you mean {_or([visible(name) for name in meant[:3]])}?")
    after = []
    if getattr(error, "documentation", None):
        after.append(f"Documentation: {visible(str(error.documentation))}")  # type: ignore[attr-defined]
    if getattr(error, "request_id", None):
        after.append(f"Request id: {visible(str(error.request_id))}")  # type: ignore[attr-defined]
    return FailureCard((*lines[: MOST_LINES - len(after)], *after))


def _or(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" or {names[-1]}" if len(names) > 1 else names[0]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


# --- what happened ----------------------------------------------------------------------------------------------------

_NOISE_RES = (
    re.compile(r"^\[Error\]\s*"),
    re.compile(r"^(?:Code: \d+\. )?DB::Exception:\s*"),
    re.compile(r"\s*Maybe you meant:? (?:\[[^\]]*\]|[\w`']+)\.?"),
    # What follows repeats the whole query, or lists the whole grammar.
    re.compile(r"[.:]?\s*:?\s*In scope\b.*?(?=\s*\([A-Z][A-Z0-9_]+\)\.?$|$)", re.DOTALL),
    re.compile(r"[.:]?\s*while processing query:?.*?(?=\s*\([A-Z][A-Z0-9_]+\)\.?$|$)", re.DOTALL),
    re.compile(r"\s*Expected one of:.*$", re.DOTALL),
)
_FAILED_RE = re.compile(
    r":?\s*failed at position \d+ \((?P<token>.*?)\)(?: \(line \d+, col \d+\))?(?P<rest>.*)$", re.DOTALL
)


def _headline(error: Exception) -> str:
    if not isinstance(error, QueryError):
        return str(error).strip() or "no reason was given."
    text = error.message.strip()
    for noise in _NOISE_RES:
        text = noise.sub("", text)
    failed = _FAILED_RE.search(text)
    if failed:
        where = "the end" if failed["token"].startswith("end of query") else repr(visible(_cut(failed["token"], 40)))
        unmatched = " A bracket is not closed." if "Unmatched parentheses" in failed["rest"] else ""
        text = f"{text[: failed.start()]} at {where}.{unmatched}"
    text = " ".join(text.split())
    return text if text[-1:] in (".", "!", "?", ")") else f"{text}."


# --- where ------------------------------------------------------------------------------------------------------------


def _marked_line(place: Place, length: int) -> list[str]:
    """Return the user's line with its number, and the line with the carets."""
    number = f"{place.name}:{place.line}" if place.name else str(place.line)
    margin = f"{number:>4} | "
    text, column = place.text, place.column
    if len(text) > _LONGEST_LINE:
        start = max(0, min(column - _LONGEST_LINE // 2, len(text) - _LONGEST_LINE))
        cut = text[start : start + _LONGEST_LINE]
        text = ("…" if start else "") + cut + ("…" if start + _LONGEST_LINE < len(place.text) else "")
        column = column - start + (1 if start else 0)
    before, marked = _plain(text[:column]), _plain(text[column : column + max(length, 1)])
    carets = "^" * max(_width(marked), 1)
    return [margin + _plain(text), " " * (len(margin) - 2) + "| " + " " * _width(before) + carets]


def _plain(text: str) -> str:
    return visible(text.replace("\t", "    "))


def _width(text: str) -> int:
    """Return how many columns a text takes: wide signs take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def query_card(error: TinybirdError, source: Source, position: int | None, workspace: Workspace | None) -> FailureCard:
    """Make the lines for a query that failed.

    Args:
        error: what came back.
        source: the user's SQL.
        position: where the error is in it, when that is known.
        workspace: asked for the names that there are, when the error is about one.
    """
    length = _token_length(source.sql, position) if position is not None else 1
    place = source.place(position) if position is not None else None
    suggestions = near(error, source.sql, workspace) if isinstance(error, QueryError) else ()
    return card(error, place=place, length=length, suggestions=suggestions)


def problem_card(problem: CellProblem, source: Source) -> FailureCard:
    """Make the lines for a problem that was found in the SQL before it was sent."""
    place = source.place(problem.position) if problem.position is not None else None
    return card(problem, place=place, length=problem.length)


def _token_length(sql: str, position: int) -> int:
    token = next((each for each in tokens(sql) if each.start <= position < each.end), None)
    if token is None or token.kind in ("space", "comment", "string"):
        return 1
    return min(token.end - position, 60)


def near(error: QueryError, sql: str, workspace: Workspace | None) -> tuple[str, ...]:
    """Return names that may have been meant: the service's own proposals, else names of Data Sources and columns.

    Costs one request for metadata, which no quota counts; when that fails, there are simply no proposals.
    """
    if error.suggestions or not error.named or workspace is None or error.named_kind not in ("table", "column"):
        return error.suggestions
    try:
        sources = workspace.datasources.list()
    except TinybirdError:
        return ()
    if error.named_kind == "table":
        return tuple(near_names(error.named, [each.name for each in sources]))
    tables = _tables_of(sql)
    columns = [column.name for each in sources if each.name in tables for column in each.columns]
    return tuple(near_names(error.named.rpartition(".")[2], columns))


def _tables_of(sql: str) -> set[str]:
    """Return the names behind FROM and JOIN."""
    words = meaningful(sql)
    return {
        name.text.strip('`"')
        for keyword, name in itertools.pairwise(words)
        if keyword.text.upper() in ("FROM", "JOIN", ",") and name.kind in ("word", "quoted")
    }
