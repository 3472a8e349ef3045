"""The schema text of a Data Source: ``a Int32 `json:$.a`, b Nullable(String) DEFAULT 'x' CODEC(ZSTD)``.

Pure: text to columns and back. The grammar is ``datasources.md`` section 6. The text is first cut at its outer commas,
with comments blanked out so that every position stays the position in the user's text; then each column is read from
left to right: name, type, and any of jsonpath, DEFAULT or MATERIALIZED, CODEC. Whether a type or an expression means
something is not known here: the service asks the engine's own parser before either becomes part of a statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .type_names import closing_parenthesis, end_of_quoted, type_name, without_nullable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BARE_NAME_RE = re.compile(r"[A-Za-z0-9._*<>+\-']+")
_WORD_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JSONPATH_RE = re.compile(r"\$(?:\.[^.\[\]\s]+|\[:\]|\[\d+\]|\.?\['[^']+'\])*")
_INDEX_RE = re.compile(r"INDEX\s+\S+\s.*\sTYPE\s", re.IGNORECASE | re.DOTALL)
_NOT_SUPPORTED = {
    "NULL": "NULL after the type is not supported: write Nullable(Type)",
    "NOT": "NOT NULL is not supported: a column is not nullable unless its type is Nullable(Type)",
    "ALIAS": "ALIAS columns are not supported: use DEFAULT or MATERIALIZED",
    "EPHEMERAL": "EPHEMERAL columns are not supported: use DEFAULT or MATERIALIZED",
    "TTL": "a TTL of a column is not supported: use the engine option engine_ttl",
    "COMMENT": "COMMENT is not supported in a schema",
    "PRIMARY": "PRIMARY KEY is not part of a schema: use the engine option engine_primary_key",
}
_SUM_RESULTS = {
    **dict.fromkeys(("Int8", "Int16", "Int32"), "Int64"),
    **dict.fromkeys(("UInt8", "UInt16", "UInt32"), "UInt64"),
    "Float32": "Float64",
}

#: Columns that every quarantine table has beside those of its Data Source.
QUARANTINE_COLUMNS = ("c__error_column", "c__error", "c__import_id", "insertion_date")


class SchemaError(ValueError):
    """The schema text cannot be read.

    Attributes:
        reason: what is wrong, without the place.
        position: index of the character in the text, from 0.
    """

    def __init__(self, reason: str, text: str, position: int) -> None:
        position = max(0, min(position, len(text)))
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", position)
        line = text[start : len(text) if end < 0 else end]
        caret = " " * (position - start) + "^"
        number = text.count("\n", 0, position) + 1
        super().__init__(
            f"{reason}, please check the schema syntax.\n{line}\n{caret} found at line {number}, position {position}"
        )
        self.reason = reason
        self.position = position


@dataclass(frozen=True)
class Column:
    """One column of a Data Source.

    Attributes:
        name: as the user wrote it, without backticks.
        type: ClickHouse type without the outer ``Nullable``; empty when the text gave only a DEFAULT.
        nullable: whether the type is wrapped in ``Nullable``.
        jsonpath: where the value is in a JSON or Parquet row, for instance ``$.a.b``; ``None`` when not said.
        default: ``DEFAULT expr`` or ``MATERIALIZED expr``, keyword in upper case.
        codec: for instance ``CODEC(ZSTD(1))``.
        position: index of the column in the text it was read from, for errors.
    """

    name: str
    type: str
    nullable: bool = False
    jsonpath: str | None = None
    default: str | None = None
    codec: str | None = None
    position: int = 0

    @property
    def full_type(self) -> str:
        """The type with its ``Nullable``."""
        return f"Nullable({self.type})" if self.nullable else self.type

    @property
    def default_kind(self) -> str:
        """``DEFAULT``, ``MATERIALIZED`` or an empty text."""
        return self.default.split(None, 1)[0] if self.default else ""

    @property
    def default_expression(self) -> str:
        """The expression after the keyword, or an empty text."""
        return self.default.split(None, 1)[1] if self.default else ""

    @property
    def is_inserted(self) -> bool:
        """Whether rows carry a value for it; MATERIALIZED columns are computed."""
        return self.default_kind != "MATERIALIZED"

    def text(self) -> str:
        """Print the column as part of a schema text."""
        parts = [f"`{self.name}`", self.full_type]
        if self.jsonpath:
            parts.append(f"`json:{self.jsonpath}`")
        parts += [part for part in (self.default, self.codec) if part]
        return " ".join(part for part in parts if part)


def parse_schema(text: str) -> list[Column]:
    """Read a schema text.

    Args:
        text: columns separated by commas; line breaks and ``--`` comments are allowed.

    Raises:
        SchemaError: with the place; also for an empty text, a name twice, and names the server needs.

    Example:
        >>> [(c.name, c.type, c.nullable) for c in parse_schema("a Int8, `b c` Nullable(String)")]
        [('a', 'Int8', False), ('b c', 'String', True)]
    """
    clean = _without_comments(text)
    columns: list[Column] = []
    seen: set[str] = set()
    pieces = list(_pieces(clean, text))
    for start, end in pieces:
        if not clean[start:end].strip():
            if len(pieces) == 1:
                raise SchemaError("wrong value: the schema has no columns", text, 0)
            if end == len(clean):
                continue  # A comma after the last column does no harm.
            raise SchemaError("wrong value: there is no column between two commas", text, start)
        if _INDEX_RE.match(clean[start:end].strip()):
            continue
        column = _ColumnReader(clean, text, start, end).read()
        if column.name in seen:
            raise SchemaError(f"wrong value: the column {column.name!r} is there twice", text, column.position)
        seen.add(column.name)
        columns.append(column)
    if not columns:
        raise SchemaError("wrong value: the schema has no columns", text, 0)
    return columns


def print_schema(columns: Iterable[Column], *, separator: str = ", ") -> str:
    """Print columns as a schema text that `parse_schema` reads back to equal columns."""
    return separator.join(column.text() for column in columns)


def jsonpath_steps(path: str) -> list[str | int]:
    """Return the keys (text) and array positions (from 0) of a jsonpath; ``[:]`` at the end gives no step.

    Example:
        >>> jsonpath_steps("$.a.b[:]"), jsonpath_steps("$"), jsonpath_steps("$['a.b'][2]")
        (['a', 'b'], [], ['a.b', 2])
    """
    steps: list[str | int] = []
    for match in re.finditer(r"\.([^.\[\]\s]+)|\['([^']+)'\]|\[(\d+)\]", path):
        steps.append(int(match[3]) if match[3] is not None else match[1] or match[2])
    return steps


def split_at_objects(path: str) -> tuple[str, str]:
    """Cut a jsonpath that goes on inside of the objects of an array: the path of the array, and the one in an object.

    Example:
        >>> split_at_objects("$.items[:].sku"), split_at_objects("$.tags[:]")
        (('$.items', '$.sku'), ('$.tags[:]', ''))
    """
    array, _, inside = path.partition("[:].")
    return (array, f"$.{inside}") if inside else (path, "")


def _without_comments(text: str) -> str:
    """Blank out ``--`` comments, so that positions stay."""
    parts, index = list(text), 0
    while index < len(text):
        if text[index] in "'`\"":
            end = end_of_quoted(text, index)
            index = end if end > 0 else index + 1
        elif text.startswith("--", index):
            while index < len(text) and text[index] != "\n":
                parts[index] = " "
                index += 1
        else:
            index += 1
    return "".join(parts)


def _pieces(clean: str, text: str) -> Iterator[tuple[int, int]]:
    """Cut at the outer commas: start and end of each column."""
    start, index = 0, 0
    while index < len(clean):
        char = clean[index]
        if char in "([":
            index = closing_parenthesis(clean, index)
            if index < 0:
                raise SchemaError("wrong value: a parenthesis is not closed", text, clean.rfind("("))
        elif char in "'`":
            end = end_of_quoted(clean, index)
            if end < 0 and char == "`":
                raise SchemaError("wrong value: a backtick is not closed", text, index)
            index = end - 1 if end > 0 else index
        elif char == ")":
            raise SchemaError("wrong value: a parenthesis closes that was not opened", text, index)
        elif char == ",":
            yield start, index
            start = index + 1
        index += 1
    yield start, len(clean)


class _ColumnReader:
    """Reads one column between two commas."""

    def __init__(self, clean: str, text: str, start: int, end: int) -> None:
        self.text = text
        self.piece = clean[:end]
        self.at = start
        self._skip_blank()
        self.start = self.at

    def read(self) -> Column:
        name = self._name()
        self._skip_blank()
        type_start = self.at
        full_type = self._type()
        type_, nullable = without_nullable(full_type)
        self._check_type(full_type, type_start)
        jsonpath = default = codec = None
        while self._skip_blank():
            word = self._word()
            if self.piece[self.at] == "`":
                jsonpath = self._jsonpath(jsonpath)
            elif word in ("DEFAULT", "MATERIALIZED"):
                if codec:
                    raise self._error(f"Unexpected {word} after CODEC")
                if default:
                    raise self._error(f"Unexpected second {word}")
                default = self._default(word)
            elif word == "CODEC":
                codec = self._codec(codec)
            else:
                raise self._error(_NOT_SUPPORTED.get(word) or "wrong value")
        if nullable and default and default.upper() == "DEFAULT NULL":
            default = None  # A Nullable column without a value is NULL anyway.
        if not type_ and not default:
            raise self._error(f"wrong value: the column {name!r} has no type")
        return Column(name, type_, nullable, jsonpath, default, codec, self.start)

    def _error(self, reason: str, position: int | None = None) -> SchemaError:
        return SchemaError(reason, self.text, self.at if position is None else position)

    def _skip_blank(self) -> bool:
        while self.at < len(self.piece) and self.piece[self.at].isspace():
            self.at += 1
        return self.at < len(self.piece)

    def _word(self) -> str:
        match = _WORD_RE.match(self.piece, self.at)
        return match[0].upper() if match else ""

    def _name(self) -> str:
        if self.piece[self.at] == "`":
            end = self.piece.index("`", self.at + 1)
            name, self.at = self.piece[self.at + 1 : end], end + 1
        else:
            match = _BARE_NAME_RE.match(self.piece, self.at)
            if not match:
                raise self._error("wrong value: a column name was expected")
            name, self.at = match[0], match.end()
            if self.at < len(self.piece) and not self.piece[self.at].isspace():
                raise self._error(f"wrong value: a space was expected after the column name {name!r}")
        if not name.strip() or any(ord(char) < 32 for char in name) or "\\" in name:
            raise self._error(f"wrong value: {name!r} is not a column name", self.start)
        if name in QUARANTINE_COLUMNS:
            raise self._error(f"wrong value: the column name {name!r} is kept for the quarantine", self.start)
        return name

    def _type(self) -> str:
        match = _WORD_RE.match(self.piece, self.at)
        if not match or match[0].upper() in ("DEFAULT", "MATERIALIZED", "CODEC"):
            return ""
        begin, self.at = self.at, match.end()
        opening = self.at
        while opening < len(self.piece) and self.piece[opening] == " ":
            opening += 1
        if self.piece[opening : opening + 1] == "(":
            self.at = closing_parenthesis(self.piece, opening) + 1
        return re.sub(r"\s+", " ", self.piece[begin : self.at])

    def _check_type(self, full_type: str, position: int) -> None:
        outer = type_name(full_type)
        if outer.family == "Nullable":
            inner = type_name(outer.arguments[0]) if outer.arguments else outer
            if inner.family == "LowCardinality":
                raise self._error(
                    f"Nested type {inner.text} cannot be inside Nullable type: write LowCardinality(Nullable(Type))",
                    position,
                )
            if inner.is_composite or inner.family in ("Nullable", "AggregateFunction", "SimpleAggregateFunction"):
                raise self._error(f"Nested type {inner.text} cannot be inside Nullable type", position)
        if outer.family == "SimpleAggregateFunction" and len(outer.arguments) == 2:
            function, argument = outer.arguments
            result = _SUM_RESULTS.get(argument)
            if function == "sum" and result:
                raise self._error(
                    f"Incompatible data types between aggregate function 'sum' which returns {result} and column "
                    f"storage type {argument}",
                    position,
                )

    def _jsonpath(self, before: str | None) -> str:
        end = self.piece.index("`", self.at + 1)
        content = self.piece[self.at + 1 : end]
        if before is not None:
            raise self._error("wrong value: a column has one jsonpath")
        if not content.startswith("json:") or not _JSONPATH_RE.fullmatch(content[5:]):
            raise self._error(f"wrong value: {content!r} is not a jsonpath such as json:$.user.name or json:$.tags[:]")
        self.at = end + 1
        return content[5:]

    def _default(self, keyword: str) -> str:
        start = self.at = self.at + len(keyword)
        while self._skip_blank():
            char = self.piece[self.at]
            word = self._word()
            if word == "CODEC" or word in ("TTL", "ALIAS", "COMMENT") or self.piece.startswith("`json:", self.at):
                break
            if char in "'`\"":
                self.at = end_of_quoted(self.piece, self.at)
                if self.at < 0:
                    self.at = start
                    raise self._error("wrong value: a quote is not closed")
            elif char in "([":
                self.at = closing_parenthesis(self.piece, self.at) + 1
            else:
                self.at += len(word) or 1
        expression = self.piece[start : self.at].strip()
        if not expression:
            raise self._error(f"wrong value: an expression was expected after {keyword}")
        return f"{keyword} {expression}"

    def _codec(self, before: str | None) -> str:
        begin = self.at
        opening = self.piece.find("(", self.at)
        if before is not None or opening < 0 or self.piece[begin + 5 : opening].strip():
            raise self._error("wrong value: a codec is written CODEC(name)")
        self.at = closing_parenthesis(self.piece, opening) + 1
        return "CODEC" + self.piece[opening : self.at]
