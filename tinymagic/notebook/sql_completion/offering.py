"""What may stand at a place in SQL. Pure.

The text before the cursor tells what is being written (`_Place`): a table, a column of one, an expression, a type, a
template. What is offered begins with what is written already, in whatever case; columns and tables that only have it
inside come last. Nothing is judged: SQL that makes no sense gets offers too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from tinymagic.notebook.sql_completion import words
from tinymagic.notebook.sql_completion.names import SqlNames, SqlOffer
from tinymagic.notebook.sql_completion.scope import ENDS_FROM, Scope, scope_at, words_of
from tinymagic.sqltext import Token, is_template, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Text, kind, detail.
_Found: TypeAlias = tuple[str, str, str]

#: More of one kind are never shown: nobody reads them.
MOST = 200

#: The last name before the cursor: its qualifier with dots, and what of it is written; either may be in quotes.
_NAME_RE = re.compile(r"(?P<qualifier>(?:(?:`[^`]*`|[^\W\d]\w*)\.)*)(?P<fragment>`[^`\n]*|[^\W\d]\w*|)$")
_PLAIN_NAME_RE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TYPED_PARAMETER_RE = re.compile(r"\{\s*[^\W\d]\w*\s*:\s*\w*$")
_SECRET_RE = re.compile(r"\btb_(?:secret|var)\(\s*['\"](?P<fragment>\w*)$")
_TEMPLATE_NAME_RE = re.compile(
    r"\b(?:[A-Z]\w*|defined|columns?|symbol|table|split_to_array|float|int)\(\s*([A-Za-z_]\w*)\b"
)

#: Keywords behind which a table stands.
_BEFORE_TABLE = frozenset("FROM JOIN DESCRIBE DESC TABLE INTO".split())

#: Keywords that say what comes next.
_FOLLOWING = {
    **dict.fromkeys(("ORDER", "GROUP", "PARTITION"), ("BY",)),
    **dict.fromkeys(("INNER", "CROSS", "OUTER", "ASOF", "PASTE"), ("JOIN",)),
    "FULL": ("JOIN", "OUTER"),
    "UNION": ("ALL", "DISTINCT"),
}

#: Combinators of aggregate functions that people write most.
_COMBINATORS = ("If", "State", "Merge", "Array", "OrNull", "MergeState")


def offers(sql: str, offset: int, names: SqlNames) -> list[SqlOffer]:
    """Return what may stand at *offset*, the likeliest first; at most a few hundred.

    Args:
        sql: the text, not finished.
        offset: of the cursor.
        names: what is known.

    Example:
        >>> names = SqlNames(Tables({"trips": (("fare", "Float64"), ("day", "Date"))}))
        >>> [(each.text, each.kind, each.detail) for each in offers("SELECT fa FROM trips", 9, names)][:1]
        [('fare', 'column', 'Float64')]
    """
    before = sql[:offset]
    opened = _open_template(before)
    if opened is not None:
        return _in_template(sql, before, opened, names)
    cut = tokens(before)
    last = cut[-1] if cut else None
    if last is not None and last.kind in ("comment", "string") and not _is_closed(last, before):
        return []
    match = _NAME_RE.search(before)
    assert match is not None  # Both its parts may be empty.
    qualifier, fragment = match["qualifier"], match["fragment"]
    start = match.start("fragment")
    if not match[0] and last is not None and last.kind == "number":
        return []
    found = _of_place(sql, start, match.start(), qualifier, fragment, names)
    return _chosen(found, start, offset, fragment)


def _is_closed(token: Token, before: str) -> bool:
    text = token.text
    if token.kind == "string":
        return len(text) > 1 and text[0] == text[-1] == "'" and not re.search(r"(?<!\\)(?:\\\\)*\\'$", text)
    return text.endswith("*/") if text.startswith("/*") else text.endswith("\n") or before.endswith("\n")


# --- places -----------------------------------------------------------------------------------------------------------


def _of_place(
    sql: str, start: int, name_start: int, qualifier: str, fragment: str, names: SqlNames
) -> Iterable[Iterable[_Found]]:
    """Return the lists of what may stand there, the likeliest first."""
    before = words_of(sql[:name_start])
    if qualifier:
        return _behind_a_dot(sql, start, qualifier, before, names)
    if _wants_type(sql[:start], before):
        return [((each, "type", "") for each in words.types())]
    if _wants_table(before):
        return _tables(scope_at(sql, start, names), names)
    if _names_something_new(before):
        return []
    lower = fragment.islower()
    if following := _FOLLOWING.get(before[-1].text.upper() if before else ""):
        return [_keywords(following, lower=lower)]
    if _ends_expression(before):
        return [_keywords(words.keywords(), lower=lower)]
    return _expression(sql, start, fragment, names)


def _wants_table(before: list[Token]) -> bool:
    if not before:
        return False
    last = before[-1]
    if last.kind == "word" and last.text.upper() in _BEFORE_TABLE:
        return True
    return last.text == "," and _in_from(before)


def _in_from(before: list[Token]) -> bool:
    """Say whether a comma at the end stands between tables."""
    depth = 0
    for token in reversed(before):
        if token.text in (")", "]", "}"):
            depth += 1
        elif token.text in ("(", "[", "{"):
            depth -= 1
            if depth < 0:
                return False
        elif depth == 0 and token.kind == "word":
            text = token.text.upper()
            if text in ("FROM", "JOIN"):
                return True
            if text in ENDS_FROM or text in ("ON", "USING"):
                return False
    return False


def _wants_type(text: str, before: list[Token]) -> bool:
    if _TYPED_PARAMETER_RE.search(text) or [token.text for token in before[-2:]] == [":", ":"]:
        return True
    return bool(before) and before[-1].text.upper() == "AS" and _in_cast(before)


def _in_cast(before: list[Token]) -> bool:
    depth = 0
    for place in range(len(before) - 1, 0, -1):
        depth += (before[place].text == ")") - (before[place].text == "(")
        if depth < 0:
            return before[place - 1].text.upper() == "CAST"
    return False


def _names_something_new(before: list[Token]) -> bool:
    """Say whether a new name is being written: an alias, a number of rows."""
    return bool(before) and before[-1].text.upper() in ("AS", "LIMIT", "OFFSET")


def _tables(scope: Scope, names: SqlNames) -> list[Iterable[_Found]]:
    return [
        ((name, "table", "") for name in scope.common),
        ((name, names.kinds.get(name, "node"), "") for name in sorted(names.queries, key=str.lower)),
        ((name, "table", "") for name in sorted(names.tables, key=str.lower)),
        ((name, "table", "") for name in words.service_datasources()),
        ((name, "function", arguments) for name, arguments in words.table_functions().items()),
    ]


def _behind_a_dot(sql: str, start: int, qualifier: str, before: list[Token], names: SqlNames) -> list[Iterable[_Found]]:
    """Return the columns of a table that is named before the dot, or the tables of a database."""
    owner = qualifier[:-1].replace("`", "")
    whole = [
        (name[len(owner) + 1 :], "table", "")
        for name in (*words.service_datasources(), *names.tables, *names.queries)
        if name.startswith(f"{owner}.")
    ]
    if _wants_table(before):
        return [whole]
    scope = scope_at(sql, start, names)
    columns = next((table.columns for table in scope.tables if table.name == owner), None)
    if columns is None:
        columns = scope.common.get(owner) or names.tables.get(owner) or ()
    # Nested columns and tuples: "Options.Names" is one name with a dot.
    nested = [
        (name[len(owner) + 1 :], "column", type_)
        for table in scope.tables
        for name, type_ in table.columns
        if name.startswith(f"{owner}.")
    ]
    return [((name, "column", type_) for name, type_ in columns), nested, whole]


def _expression(sql: str, start: int, fragment: str, names: SqlNames) -> list[Iterable[_Found]]:
    scope = scope_at(sql, start, names)
    found: list[Iterable[_Found]] = [
        ((name, "column", type_) for table in scope.tables for name, type_ in table.columns),
        ((name, "column", "") for name in scope.aliases),
        ((table.name, "table", "") for table in scope.tables if table.name),
    ]
    written = fragment.strip("`").lower()
    if not scope.tables and written:
        # The FROM clause comes later: every column that begins so.
        found.append(
            (name, "column", f"{type_} of {table}") for name, type_, table in names.tables.columns_that_begin(written)
        )
    if fragment.startswith("`"):
        return found
    if written:
        found.append((name, "function", arguments) for name, arguments in words.functions().items())
        found.append(
            (name + combinator, "function", "(...)")
            for name in words.aggregates()
            if len(name) > 1 and written.startswith(name.lower())
            for combinator in _COMBINATORS
        )
    found.append(_keywords(words.keywords(), lower=fragment.islower()))
    return found


def _keywords(known: Iterable[str], *, lower: bool) -> Iterable[_Found]:
    return ((each.lower() if lower else each, "keyword", "") for each in known)


def _ends_expression(before: list[Token]) -> bool:
    """Say whether an expression stands there already, so that only a word of the language can follow."""
    if not before:
        return False
    last = before[-1]
    if last.text == "*":
        return len(before) > 1 and before[-2].text.upper() in ("SELECT", ",", ".", "DISTINCT")
    if last.kind == "word":
        return last.text.upper() not in words.keywords()
    return last.kind in ("number", "string", "quoted") or last.text in (")", "]", "}")


# --- templates --------------------------------------------------------------------------------------------------------


def _open_template(before: str) -> str | None:
    """Return what stands behind the last ``{{`` or ``{%`` that is not closed."""
    start = max(before.rfind("{{"), before.rfind("{%"))
    if start < 0:
        return None
    inside = before[start + 2 :]
    return None if "}}" in inside or "%}" in inside else inside


def _in_template(sql: str, before: str, inside: str, names: SqlNames) -> list[SqlOffer]:
    secret = _SECRET_RE.search(inside)
    if secret is not None:
        fragment = secret["fragment"]
        found: Iterable[_Found] = ((name, "secret", "") for name in names.secrets)
        return _chosen([found], len(before) - len(fragment), len(before), fragment)
    if inside.count("'") % 2 or inside.count('"') % 2:
        return []
    match = re.search(r"(?<![\w.])[^\W\d]\w*$", inside)
    fragment = match[0] if match else ""
    if not match and inside[-1:] and (inside[-1].isalnum() or inside[-1] in "._"):
        return []
    start = len(before) - len(fragment)
    if not is_template(sql):
        kinds: list[Iterable[_Found]] = [((name, "variable", "") for name in names.variables)]
        if "|" in inside:
            kinds = [[("ident", "keyword", "")]]
        return _chosen(kinds, start, len(before), fragment)
    parameters = dict.fromkeys(_TEMPLATE_NAME_RE.findall(sql))
    return _chosen(
        [
            ((name, "parameter", "") for name in parameters if name != fragment),
            ((name, "function", arguments) for name, arguments in words.template_functions().items()),
            ((name, "keyword", "") for name in words.template_keywords()),
        ],
        start,
        len(before),
        fragment,
    )


# --- choosing ---------------------------------------------------------------------------------------------------------


def _chosen(found: Iterable[Iterable[_Found]], start: int, end: int, fragment: str) -> list[SqlOffer]:
    """Keep what fits what is written: first what begins so, then tables and columns that have it inside."""
    quoted = fragment.startswith("`")
    written = fragment.strip("`").lower()
    first: dict[str, SqlOffer] = {}
    inside: dict[str, SqlOffer] = {}
    for group in found:
        count = 0
        for text, kind, detail in group:
            low = text.lower()
            if low.startswith(written):
                into = first
            elif len(written) > 1 and written in low and kind in ("column", "table", "pipe", "node"):
                into = inside
            else:
                continue
            shown = _quoted(text, kind, quoted)
            if shown in first or shown in inside:
                continue
            into[shown] = SqlOffer(start, end, shown, kind, detail)
            count += 1
            if count == MOST:
                break
    return [*first.values(), *inside.values()]


def _quoted(text: str, kind: str, quoted: bool) -> str:
    """Put a name into backticks when the user has begun so, or SQL needs it."""
    if kind not in ("column", "table", "pipe", "node"):
        return text
    parts = text.split(".")
    if not quoted and all(_PLAIN_NAME_RE.fullmatch(part) for part in parts):
        return text
    return f"`{text}`" if kind == "column" or len(parts) == 1 else ".".join(f"`{part}`" for part in parts)
