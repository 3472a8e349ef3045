"""File templates: ``sales_{country}_{day, '%Y-%m'}_{4}`` and the SQL expression that names the file of each row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.local.engine import quote_identifier, quote_string
from tinymagic.local.errors import BadRequest

from . import SINKS_PAGE
from .buckets import key_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Files that rows may be split into by ``{n}``.
MOST_SPLITS = 1_000

_PIECE_RE = re.compile(r"\{([^{}]*)\}")
_COLUMN_RE = re.compile(r"""\s*([A-Za-z_]\w*)\s*(?:,\s*(?:'([^']*)'|"([^"]*)")\s*)?""")

#: What of a column's value may be in the name of a file; the rest becomes ``_``.
_NOT_IN_VALUES = r"[^\p{L}\p{N} ._=@+:-]"
_NOT_IN_DATES = r"[^\p{L}\p{N} ._=@+:/-]"


@dataclass(frozen=True)
class Literal:
    """Text that every file has."""

    text: str


@dataclass(frozen=True)
class Column:
    """The value of a column, a date or time in a *format* of ``formatDateTime`` when there is one."""

    name: str
    format: str | None = None


@dataclass(frozen=True)
class Split:
    """The number of one of *count* files, between which the rows are dealt out."""

    count: int


@dataclass(frozen=True)
class FileTemplate:
    """A template, taken apart."""

    pieces: tuple[Literal | Column | Split, ...]

    @property
    def is_plain(self) -> bool:
        """Whether all rows go into one file."""
        return all(isinstance(piece, Literal) for piece in self.pieces)

    @property
    def plain_name(self) -> str:
        """The name of the one file."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Literal))

    def expression(self, columns: Sequence[tuple[str, str]]) -> str:
        """Return SQL for the name of the file that a row goes into.

        Args:
            columns: name and type of those that the query gives.

        Raises:
            BadRequest: a column is missing, or has a format and is neither date nor text.
        """
        types = dict(columns)
        parts = [_sql(piece, types) for piece in self.pieces]
        name = parts[0] if len(parts) == 1 else f"concat({', '.join(parts)})"
        # A value must not make empty parts of a path, or parts that lead out of the prefix.
        name = f"trim(LEADING '/' FROM replaceRegexpAll({name}, '/{{2,}}', '/'))"
        return f"replaceRegexpAll({name}, '(^|/)[.]+(/|$)', '\\\\1_\\\\2')"


def parse_file_template(text: str) -> FileTemplate:
    """Take a file template apart.

    Raises:
        BadRequest: something in braces is neither a column, with or without a format, nor a number of files.

    Example:
        >>> parse_file_template("a_{day, '%Y'}").pieces
        (Literal(text='a_'), Column(name='day', format='%Y'))
    """
    pieces: list[Literal | Column | Split] = []
    end = 0
    for match in _PIECE_RE.finditer(text):
        pieces += _literal(text[end : match.start()], text)
        pieces.append(_placeholder(match[1], text))
        end = match.end()
    pieces += _literal(text[end:], text)
    template = FileTemplate(tuple(pieces))
    shape = "".join(piece.text if isinstance(piece, Literal) else "x" for piece in pieces).strip("/")
    problem = key_problem(shape) if shape else "The name of the file is empty."
    if problem or text.strip().startswith("/") or text.strip().endswith("/"):
        raise BadRequest(
            f"file_template: {problem or 'it cannot begin or end with a slash.'}",
            documentation=SINKS_PAGE,
        )
    if sum(isinstance(piece, Split) for piece in pieces) > 1:
        raise BadRequest("file_template: there may be one number of files only.", documentation=SINKS_PAGE)
    return template


def _literal(text: str, whole: str) -> list[Literal]:
    if "{" in text or "}" in text:
        raise BadRequest(f"file_template: a brace in {whole[:80]!r} has no partner.", documentation=SINKS_PAGE)
    return [Literal(text)] if text else []


def _placeholder(text: str, whole: str) -> Column | Split:
    count = text.strip()
    if count.isascii() and count.isdigit():
        if not 1 <= int(count) <= MOST_SPLITS:
            raise BadRequest(
                f"file_template: {{{count}}} is not a number of files from 1 to {MOST_SPLITS}.",
                documentation=SINKS_PAGE,
            )
        return Split(int(count))
    match = _COLUMN_RE.fullmatch(text)
    if match is None:
        raise BadRequest(
            f"file_template: {{{text[:60]}}} in {whole[:80]!r} is neither a column such as {{country}}, a column with "
            "a format such as {day, '%Y-%m-%d'}, nor a number of files such as {4}.",
            documentation=SINKS_PAGE,
        )
    return Column(match[1], match[2] if match[2] is not None else match[3])


def _sql(piece: Literal | Column | Split, types: Mapping[str, str]) -> str:
    if isinstance(piece, Literal):
        return quote_string(piece.text)
    if isinstance(piece, Split):
        return f"toString(rowNumberInAllBlocks() % {piece.count})"
    if piece.name not in types:
        number = " For a number of files write it in digits, for instance {4}." if piece.name == "n" else ""
        raise BadRequest(
            f"file_template: the query has no column {piece.name!r}; it has {', '.join(types)}.{number}",
            documentation=SINKS_PAGE,
        )
    column = quote_identifier(piece.name)
    if piece.format is None:
        return f"replaceRegexpAll(ifNull(toString({column}), 'null'), {quote_string(_NOT_IN_VALUES)}, '_')"
    bare = _bare(types[piece.name])
    if bare.startswith("Date"):
        moment = column
    elif bare.startswith(("String", "FixedString")):
        moment = f"parseDateTimeBestEffortOrNull(toString({column}))"
    else:
        raise BadRequest(
            f"file_template: the column {piece.name!r} is a {types[piece.name]}, and only dates and times take a "
            "format.",
            documentation=SINKS_PAGE,
        )
    formatted = f"ifNull(formatDateTime({moment}, {quote_string(piece.format)}), 'null')"
    return f"replaceRegexpAll({formatted}, {quote_string(_NOT_IN_DATES)}, '_')"


def _bare(type_name: str) -> str:
    """Take Nullable and LowCardinality off."""
    for wrapper in ("LowCardinality(", "Nullable("):
        if type_name.startswith(wrapper):
            type_name = type_name[len(wrapper) : -1]
    return type_name
