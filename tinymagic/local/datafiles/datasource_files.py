"""What the statements of a ``.datasource`` file mean."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.tables.schema import Column, SchemaError, parse_schema, print_schema
from tinymagic.local.tables.type_names import end_of_quoted, split_commas

from .common import error_at, read_list, read_token, read_version
from .keywords import ENGINE_SHORT_NAMES
from .model import DatafileError, DatasourceFile, TokenLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .statements import Statement

_INDEX_RE = re.compile(r"(?:INDEX\s+)?(\S+\s+.+\sTYPE\s+\S.*)", re.IGNORECASE | re.DOTALL)
_INDEX_IN_SCHEMA_RE = re.compile(r"INDEX\s+(\S+\s.*\sTYPE\s.*)", re.IGNORECASE | re.DOTALL)
#: An index whose parentheses are still open after so much text has them wrong.
_INDEX_MAX_CHARS = 4_000
_NOT_SETTINGS = {"SCHEMA", "INDEXES", "DESCRIPTION", "VERSION", "FORWARD_QUERY"}


def read_datasource(
    name: str, file: str, statements: Sequence[Statement], errors: list[DatafileError]
) -> DatasourceFile:
    """Return the Data Source of a file; add what is wrong in it to *errors*.

    Of a statement that is there twice the last counts.
    """
    last = {statement.keyword: statement for statement in statements}
    tokens: list[TokenLine] = []
    tags: dict[str, None] = {}
    shared_with: dict[str, None] = {}
    engine: dict[str, str] = {}
    settings: dict[str, str] = {}
    version: int | None = None
    for statement in statements:
        key = statement.keyword.lower()
        try:
            if key == "token":
                tokens.append(read_token(statement, ("READ", "APPEND")))
            elif key == "tags":
                tags.update(dict.fromkeys(read_list(statement)))
            elif key == "shared_with":
                shared_with.update(dict.fromkeys(read_list(statement)))
            elif key == "version":
                version = read_version(statement)
            elif key == "engine" and not statement.setting:
                raise error_at(statement, 'ENGINE has no value. Write for instance ENGINE "MergeTree".')
            elif key == "engine" or key.startswith("engine_"):
                put(engine, key, statement.setting)
            elif statement.keyword in ENGINE_SHORT_NAMES:
                put(engine, f"engine_{key}", statement.setting)
            elif statement.keyword not in _NOT_SETTINGS:
                put(settings, key, statement.value if statement.is_block else statement.setting)
        except DatafileError as error:
            errors.append(error)
    columns, in_schema = _schema(last.get("SCHEMA"), errors)
    if "SCHEMA" not in last and not errors and not any(key.startswith(("kafka_", "import_")) for key in settings):
        errors.append(DatafileError("SCHEMA is mandatory", file=file))
    return DatasourceFile(
        name=name,
        schema=print_schema(columns),
        columns=columns,
        engine=engine,
        indexes="\n".join([*_indexes(last.get("INDEXES"), errors), *in_schema]),
        description=_text(last, "DESCRIPTION"),
        version=version,
        tokens=tuple(tokens),
        tags=tuple(tags),
        shared_with=tuple(shared_with),
        forward_query=_text(last, "FORWARD_QUERY"),
        settings=settings,
        file=file,
        lines={keyword.lower(): statement.line for keyword, statement in last.items()},
    )


def put(settings: dict[str, str], key: str, value: str) -> None:
    """Set a value; an empty one says nothing, as ``ENGINE_PARTITION_KEY ""`` does."""
    settings.pop(key, None)
    if value.strip():
        settings[key] = value


def _text(statements: dict[str, Statement], keyword: str) -> str:
    statement = statements.get(keyword)
    return statement.value if statement else ""


def _schema(statement: Statement | None, errors: list[DatafileError]) -> tuple[tuple[Column, ...], list[str]]:
    """Read columns, and the indexes that old files have among them."""
    if statement is None:
        return (), []
    if not statement.value.strip():
        errors.append(error_at(statement, "SCHEMA has no columns."))
        return (), []
    text, opening = without_comments(statement.value)
    if opening >= 0:
        line = statement.value_line + statement.value.count("\n", 0, opening)
        message = f"Wrong value: the quote {text[opening]} is not closed, please check the schema syntax."
        errors.append(DatafileError(message, file=statement.file, line=line))
        return (), []
    indexes = []
    if re.search(r"\bINDEX\b", text, re.IGNORECASE):
        found = (_INDEX_IN_SCHEMA_RE.fullmatch(piece) for piece in split_commas(text))
        indexes = [" ".join(match[1].split()) for match in found if match]
    try:
        return tuple(replace(column, position=0) for column in parse_schema(text)), indexes
    except SchemaError as error:
        line = statement.value_line + statement.value.count("\n", 0, error.position)
        reason = error.reason[:1].upper() + error.reason[1:]
        context = statement.value.split("\n")[line - statement.value_line].strip()
        message = f"{reason}, please check the schema syntax: {context[:200]}"
        errors.append(DatafileError(message, file=statement.file, line=line))
        return (), []


def without_comments(text: str) -> tuple[str, int]:
    """Blank ``--`` and ``#`` comments out, so that positions stay; what is quoted is no comment.

    Returns:
        the text, and the place of a quote that is not closed, or -1.
    """
    parts, index = [], 0
    while index < len(text):
        char = text[index]
        end = index + 1
        if char in "'`\"":
            end = end_of_quoted(text, index)
            if end < 0:
                return text, index
        elif char == "#" or text.startswith("--", index):
            end = text.find("\n", index)
            end = end if end >= 0 else len(text)
            parts.append(" " * (end - index))
            index = end
            continue
        parts.append(text[index:end])
        index = end
    return "".join(parts), -1


def _indexes(statement: Statement | None, errors: list[DatafileError]) -> list[str]:
    """Read one index a line; a line with an open parenthesis goes on in the next one."""
    indexes: list[str] = []
    if statement is None:
        return indexes
    pending = ""
    for offset, line in enumerate(without_comments(statement.value)[0].split("\n")):
        pending = " ".join(f"{pending} {line}".split())
        if not pending or (
            line.strip() and len(pending) < _INDEX_MAX_CHARS and pending.count("(") > pending.count(")")
        ):
            continue
        match = _INDEX_RE.fullmatch(pending.rstrip(",; "))
        if match:
            indexes.append(" ".join(match[1].split()))
        else:
            errors.append(_index_error(statement, pending, offset))
        pending = ""
    if pending:
        errors.append(_index_error(statement, pending, statement.value.count("\n")))
    return indexes


def _index_error(statement: Statement, text: str, offset: int) -> DatafileError:
    message = (
        f"invalid INDEX format: {text[:100]}. Usage: `name expr TYPE type_full GRANULARITY granularity`. "
        "Separate multiple indexes by a new line."
    )
    return DatafileError(message, file=statement.file, line=statement.value_line + offset)
