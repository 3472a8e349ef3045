"""From a request's schema and engine parameters to a CREATE TABLE in which every user text has been checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import quote_identifier
from tinymagic.local.errors import BadRequest

from .alteration import column_definition
from .schema import Column, SchemaError, parse_schema
from .table_engine import TableEngine, TableEngineError, table_engine
from .type_names import closing_parenthesis, split_commas, without_nullable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.sql.expressions import Expressions

_CODEC_RE = re.compile(r"CODEC\(\s*[A-Za-z0-9_]+(\([0-9,\s]*\))?(\s*,\s*[A-Za-z0-9_]+(\([0-9,\s]*\))?)*\s*\)")
_INDEX_RE = re.compile(r"(?:INDEX\s+)?`?(\w+)`?\s(.+)\sTYPE\s(.+)\sGRANULARITY\s+(\d+)", re.IGNORECASE | re.DOTALL)

#: Of the text of an index. Taking one apart looks at every TYPE in it, so a long one would hold everybody up.
_MOST_INDEX_CHARACTERS = 10_000
_INDEX_TYPE_RE = re.compile(r"(minmax|set|bloom_filter|ngrambf_v1|tokenbf_v1)\s*(\([0-9., ]*\))?", re.IGNORECASE)

#: Longest name: the engine makes file names of it, of the workspace's database and of the ending ``_quarantine``.
MOST_NAME_CHARACTERS = 168

_ID_RE = re.compile(r"t_[0-9a-f]{32}")

#: How the server's own tables in a workspace's database begin.
RESERVED_PREFIX = "_tm_"

#: Most columns of a Data Source (``datasources.md`` section 3.2).
MOST_COLUMNS = 500


@dataclass(frozen=True)
class TableDefinition:
    """A Data Source's table, ready to be made.

    Attributes:
        columns: with the engine's own spelling of types.
        engine: with its options.
        indexes: as the API describes them.
        sql: what follows ``CREATE TABLE name``.
    """

    columns: tuple[Column, ...]
    engine: TableEngine
    indexes: tuple[dict[str, Any], ...]
    sql: str


def read_schema(text: str) -> list[Column]:
    """Parse a schema text of a request.

    Raises:
        BadRequest: with the place of the mistake.
    """
    try:
        columns = parse_schema(text)
    except SchemaError as error:
        raise BadRequest(f"Invalid schema: {error}") from error
    check_width(len(columns), "Invalid schema")
    for column in columns:
        if re.search(r"\bGeometry\b", column.type):  # Reading it as Parquet would end the engine.
            raise BadRequest(
                f"Invalid schema: the type Geometry of {column.name!r} is not supported; use Point or Polygon."
            )
    return columns


def check_width(width: int, what: str) -> None:
    """Refuse more columns than a Data Source has; *what* begins the sentence.

    Raises:
        BadRequest: says how many there are and how many there may be.
    """
    if width > MOST_COLUMNS:
        raise BadRequest(f"{what}: {width} columns, and a Data Source has at most {MOST_COLUMNS}.")


def table_name_problem(name: str) -> str | None:
    """Say in one sentence why the engine of this server cannot store a Data Source called *name*, or return ``None``.

    The characters of a name are the business of `tinymagic.names`.
    """
    if len(name) > MOST_NAME_CHARACTERS:
        return (
            f"The name {name[:30] + '...'!r} has {len(name)} characters, and a Data Source's has at most "
            f"{MOST_NAME_CHARACTERS}. Choose a shorter one."
        )
    if _ID_RE.fullmatch(name):
        return f"{name!r} looks like the id of a resource, so it cannot be a name. Choose another one."
    if name.lower().startswith(RESERVED_PREFIX):
        return (
            f"{name!r} begins with '{RESERVED_PREFIX}', which is kept for tables of the server. Choose another name, "
            f"for instance {name[len(RESERVED_PREFIX) :] or 'events'!r}."
        )
    return None


def define_table(columns: Sequence[Column], parameters: Mapping[str, str], expressions: Expressions) -> TableDefinition:
    """Check everything about a new table.

    Args:
        columns: from `read_schema` or inference.
        parameters: of the request; ``engine``, ``engine_*`` and ``indexes`` count.
        expressions: the parser.

    Raises:
        BadRequest: a type, expression, codec, index or engine option is wrong.
    """
    checked = check_columns(columns, expressions)
    try:
        engine = table_engine(parameters, checked)
    except TableEngineError as error:
        raise BadRequest(f"{error}.") from error
    keys = {option: expressions.checked(text, f"engine_{option}") for option, text in engine.expressions().items()}
    indexes = read_indexes(parameters.get("indexes", ""), expressions)
    parts = [column_definition(column) for column in checked]
    parts += [f"INDEX {index_definition(each)}" for each in indexes]
    sql = f"({', '.join(parts)}) {engine.clause(keys, quote_identifier)}"
    return TableDefinition(checked, engine, indexes, sql)


def check_columns(columns: Sequence[Column], expressions: Expressions) -> tuple[Column, ...]:
    """Return the columns with the engine's own spelling of types and expressions.

    Raises:
        BadRequest: a type, DEFAULT or codec cannot be used.
    """
    return tuple(_checked_column(column, expressions) for column in columns)


def _checked_column(column: Column, expressions: Expressions) -> Column:
    what = f"Invalid schema: column '{column.name}'"
    default = column.default
    if default:
        default = f"{column.default_kind} {_bare(expressions.checked(column.default_expression, what))}"
    if column.codec and not _CODEC_RE.fullmatch(column.codec):
        raise BadRequest(f"{what}: {column.codec} is not a codec.")
    if column.type:
        full_type = expressions.type_of(column.full_type, what)
    else:
        full_type = expressions.type_of_value(column.default_expression, what)
    type_, nullable = without_nullable(full_type)
    return replace(column, type=type_, nullable=nullable, default=default)


def _bare(text: str) -> str:
    """Take the parentheses off that the check put around a whole expression; those of a tuple stay."""
    while text.startswith("(") and closing_parenthesis(text, 0) == len(text) - 1 and len(split_commas(text[1:-1])) == 1:
        text = text[1:-1]
    return text


def read_indexes(text: str, expressions: Expressions) -> tuple[dict[str, Any], ...]:
    """Read the parameter ``indexes``: one index a line.

    Raises:
        BadRequest: a line is no index, or its expression cannot be used.
    """
    return tuple(_index(line, expressions) for line in text.splitlines() if line.strip())


def index_definition(index: dict[str, Any]) -> str:
    """Return an index as CREATE TABLE and ADD INDEX want it, without the word INDEX."""
    return (
        f"{quote_identifier(index['name'])} {index['expr']} TYPE {index['type_full']} "
        f"GRANULARITY {index['granularity']}"
    )


def _index(line: str, expressions: Expressions) -> dict[str, Any]:
    text = line.strip()
    match = _INDEX_RE.fullmatch(text.rstrip(",")) if len(text) <= _MOST_INDEX_CHARACTERS else None
    if not match or not _INDEX_TYPE_RE.fullmatch(match[3].strip()):
        shown = text if len(text) <= _MOST_INDEX_CHARACTERS else f"{text[:100]}..."
        raise BadRequest(
            f"indexes: {shown!r} is not an index. Write: name expression TYPE minmax | set(n) | "
            "bloom_filter(p) | ngrambf_v1(...) | tokenbf_v1(...) GRANULARITY n."
        )
    expression = _bare(expressions.checked(match[2].strip(), "indexes"))
    return {"name": match[1], "expr": expression, "type_full": match[3].strip(), "granularity": int(match[4])}
