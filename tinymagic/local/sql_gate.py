"""What SQL may run: one read-only statement over names that the caller may read, with harmless functions.

Nothing here guesses with patterns. The engine's own parser says what a text means: ``parseQueryToJSON`` and
``formatQuery`` take it as *data* (nothing is executed, several statements are a syntax error) and give the syntax
tree, which is walked for tables, functions, settings and the format. Names come as lists of parts, so quoting,
comments, newlines in identifiers and look-alikes make no difference.

What was checked is what runs: the tree is written back as SQL (``formatQueryFromJSON``) and when that differs from the
text as the parser formats it, the tree's version runs. A node which the JSON left out therefore cannot slip through.

Two steps, because the first depends on the text only and is cached:

1. `SqlGate.check` returns a `Statement`, or raises with the service's texts (``query.md`` sections 2 and 6).
2. `Statement.require` asks a callback about every name. A name that is also the name of a CTE (or stands after ``IN``,
   where a column or a table may be meant) is *optional*: when it is a resource the caller must be allowed to read it,
   and when it is not the engine finds the CTE or column. So a CTE in one place cannot hide a table in another.

What the gate does not know it refuses: kinds of nodes (`_KNOWN_NODES`) as well as names. Behind it stands the engine's
``readonly`` (see `engine.py`), which alone would stop writes and table functions, but not the function ``file()``.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .engine import EngineError
from .errors import BadRequest, Forbidden
from .sql_names import (
    ALLOWED_SETTINGS,
    CONTACT,
    DATABASE_RE,
    IN_FUNCTIONS,
    NAMING_FUNCTION_RE,
    OPEN_TABLES,
    OTHER_TABLE_FUNCTIONS,
    READONLY_2_TABLE_FUNCTIONS,
    SYNTAX_PAGE,
    check_function,
    check_table_function,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .engine import Engine, Setting

QUERY_PAGE = "/api-reference/query-api.html"

#: Tables with this prefix are our own (staging, history of replaces) and not for users.
INTERNAL_PREFIX = "_tm_"

#: (database, table); the database is "" for a bare name, which means the workspace.
TableName: TypeAlias = "tuple[str, str]"

#: The parser's names of statements where the service says something else.
_KINDS = {
    "TruncateQuery": "DropQuery",
    "CheckQuery": "CheckTableQuery",
    "ShowCreateTableQuery": "ShowCreateTableQueryIDAndQueryNames",
    "ExistsTableQuery": "ExistsTableQueryIDAndQueryNames",
    "ExistsDatabaseQuery": "ExistsTableQueryIDAndQueryNames",
}

#: Statements for which there is no tree, by the first word of the formatted text.
_KIND_OF_WORD = {
    "INSERT": "InsertQuery",
    "SYSTEM": "SystemQuery",
    "KILL": "KillQueryQuery",
    "EXISTS": "ExistsTableQueryIDAndQueryNames",
    "WATCH": "WatchQuery",
}

#: Kinds of nodes that the walk understands, so that a new way to name a function or table cannot pass unseen.
_KNOWN_NODES = frozenset(
    """
    SelectWithUnionQuery SelectIntersectExceptQuery SelectQuery Subquery ExpressionList
    WithElement TablesInSelectQuery TablesInSelectQueryElement TableExpression TableJoin ArrayJoin SampleRatio
    TableIdentifier Identifier Literal Function QueryParameter SetQuery
    Asterisk QualifiedAsterisk ColumnsRegexpMatcher ColumnsListMatcher
    QualifiedColumnsRegexpMatcher QualifiedColumnsListMatcher ColumnsTransformerList ColumnsApplyTransformer
    ColumnsExceptTransformer ColumnsReplaceTransformer ColumnsReplaceTransformerReplacement
    OrderByElement InterpolateElement WindowDefinition WindowListElement
    """.split()
)

_HIGHER_ORDER_SQL = "SELECT lower(name) FROM system.functions WHERE higher_order"

_TOO_DEEP = "Maximum parse depth exceeded: the query is nested too deeply"

_CACHED_STATEMENTS = 1_000

_PARSE_SQL = """
WITH parseQueryToJSON({q:String}) AS tree
SELECT tree, formatQuerySingleLine({q:String}) AS written, formatQueryFromJSON(tree) AS rewritten
"""

_TREE_SQL = "SELECT parseQueryToJSON({q:String}), formatQuerySingleLine({q:String})"


@dataclass(frozen=True)
class Statement:
    """One statement that passed the first step.

    Attributes:
        sql: the text to run.
        output_format: the name after FORMAT, or ``None``.
        tables: names that must be resources.
        optional_tables: names that may be resources, CTEs or columns.
        settings: allowed settings of its SETTINGS clauses, to be set on the session.
        readonly: the engine's ``readonly`` that it needs: 1, the strictest, where it can.
    """

    sql: str
    output_format: str | None
    tables: frozenset[TableName]
    optional_tables: frozenset[TableName]
    settings: dict[str, Setting] = field(default_factory=dict)
    readonly: int = 1

    def require(self, may_read: Callable[[TableName], bool | None]) -> None:
        """Refuse the statement when it names something that the caller may not read.

        Args:
            may_read: says ``True`` (is a resource and may be read), ``False`` (is one, and may not) or ``None`` (there
                is no such resource).

        Raises:
            Forbidden: ``Resource '<name>' not found``, whether it does not exist or is not for the caller.
        """
        for table in sorted(self.tables):
            if table not in OPEN_TABLES and may_read(table) is not True:
                raise not_found(table)
        for table in sorted(self.optional_tables):
            if table[1].startswith(INTERNAL_PREFIX) or may_read(table) is False:
                raise not_found(table)


def not_found(table: TableName) -> Forbidden:
    """Return the service's error for a name that does not resolve, or that the token may not read."""
    name = ".".join(part for part in table if part)
    return Forbidden(f"Resource '{name}' not found", documentation=QUERY_PAGE)


class SqlGate:
    """The first step, with a memory of the statements it has seen.

    Args:
        engine: whose parser is asked.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, Statement] = OrderedDict()
        # They take the name of another function as an argument: arrayMap(file, [...]).
        self._higher_order = frozenset(engine.parse(_HIGHER_ORDER_SQL, output_format="TSVRaw").decode().split())

    def check(self, sql: str) -> Statement:
        """Find out what *sql* is, and refuse all but one harmless SELECT or DESCRIBE.

        Raises:
            BadRequest: empty, a syntax error, several statements, another kind of statement, a restricted function,
                table function or setting, INTO OUTFILE. Positions count from the start of *sql*.
            Forbidden: a database that is not for users.
        """
        with self._lock:
            known = self._seen.get(sql)
            if known is not None:
                self._seen.move_to_end(sql)
                return known
        try:
            statement = self._check(sql)
        except RecursionError:
            raise refused(_TOO_DEEP) from None
        with self._lock:
            self._seen[sql] = statement
            if len(self._seen) > _CACHED_STATEMENTS:
                self._seen.popitem(last=False)
        return statement

    def _check(self, sql: str) -> Statement:
        text = self._without_last_semicolons(sql)
        if not text.strip():
            raise refused("Empty query")
        try:
            tree, written, rewritten = self._parse(text)
        except EngineError as error:
            if error.name == "SYNTAX_ERROR":
                raise refused(syntax_message(error)) from error
            return self._check_without_tree(text, error)
        kind = str(tree.get("type"))
        if kind not in ("SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery"):
            raise _wrong_kind(_KINDS.get(kind, kind))
        reading = _Reading.of(tree, self._higher_order)
        run = text if written == rewritten else rewritten
        if reading.settings:
            run = self._without_settings(tree)
        format_node = tree.get("format_ast") or {}
        return Statement(
            sql=run,
            output_format=format_node.get("name"),
            tables=frozenset(reading.tables),
            optional_tables=frozenset(reading.optional_tables),
            settings=reading.settings,
            readonly=reading.readonly,
        )

    def _check_without_tree(self, text: str, error: EngineError) -> Statement:
        """Treat what ``parseQueryToJSON`` does not know. DESCRIBE is checked as the SELECT from what it describes."""
        prefix = "DESCRIBE TABLE "
        try:
            written = self._format(text)
        except EngineError:
            written = "SELECT"  # The parser itself refuses it, for instance WITH TIES without ORDER BY.
        if not written.startswith(prefix):
            word = written.split(None, 1)[0].upper() if written.strip() else ""
            if word in ("SELECT", "WITH", "FROM", "("):
                raise BadRequest(
                    f"[Error] {syntax_message(error)} ({error.name})", documentation=SYNTAX_PAGE
                ) from error
            raise _wrong_kind(_KIND_OF_WORD.get(word, f"{word.capitalize()}Query"))
        described = self._check("SELECT * FROM " + written[len(prefix) :])
        if not described.sql.startswith("SELECT * FROM "):
            raise _wrong_kind("DescribeQuery")
        return Statement(
            sql=prefix + described.sql[len("SELECT * FROM ") :],
            output_format=described.output_format,
            tables=described.tables,
            optional_tables=described.optional_tables,
            settings=described.settings,
            readonly=described.readonly,
        )

    def _parse(self, text: str) -> tuple[dict[str, Any], str, str]:
        try:
            data = self._engine.parse(_PARSE_SQL, parameters={"q": text}, output_format="JSONCompactEachRow")
        except EngineError as error:
            if "AST deserialization" not in error.message:
                raise
            return self._parse_large_floats(text)
        tree, written, rewritten = json.loads(data)
        return json.loads(tree, object_hook=_exact_float), written, rewritten

    def _parse_large_floats(self, text: str) -> tuple[dict[str, Any], str, str]:
        """Parse a text with floats from 2**64 up: the engine writes them without a point and does not read that."""
        data = self._engine.parse(_TREE_SQL, parameters={"q": text}, output_format="JSONCompactEachRow")
        tree, written = json.loads(data)
        mended = json.loads(tree, object_hook=_exact_float)
        return mended, written, self._write(mended)

    def _write(self, tree: dict[str, Any]) -> str:
        """Write a tree as SQL."""
        data = self._engine.parse(
            "SELECT formatQueryFromJSON({tree:String})",
            parameters={"tree": json.dumps(tree)},
            output_format="JSONCompactEachRow",
        )
        return str(json.loads(data)[0])

    def _format(self, text: str) -> str:
        data = self._engine.parse(
            "SELECT formatQuerySingleLine({q:String})", parameters={"q": text}, output_format="JSONCompactEachRow"
        )
        return str(json.loads(data)[0])

    def _without_settings(self, tree: dict[str, Any]) -> str:
        """Write the statement without its SETTINGS: on a read-only connection they are set before, or not at all."""
        return self._write(_drop_settings(tree))

    def _without_last_semicolons(self, sql: str) -> str:
        """Take off ``;`` at the end, also several and with comments between; the engine's tokenizer says where."""
        if ";" not in sql:
            return sql
        try:
            data = self._engine.parse(
                "SELECT tokenizeQuery({q:String})", parameters={"q": sql}, output_format="JSONCompactEachRow"
            )
        except EngineError:
            return sql  # It does not even fall into tokens; the parser will say why.
        raw = sql.encode()
        end = len(raw)
        for token in reversed(json.loads(data)[0]):
            if token["type"] == "Semicolon":
                end = int(token["begin"])
            elif token["type"] not in ("Whitespace", "Comment"):
                break
        return raw[:end].decode()


class _Reading:
    """What a walk over the tree found."""

    def __init__(self, higher_order: frozenset[str]) -> None:
        self._higher_order = higher_order
        self.tables: set[TableName] = set()
        self.optional_tables: set[TableName] = set()
        self.settings: dict[str, Setting] = {}
        self.readonly = 1

    @classmethod
    def of(cls, tree: dict[str, Any], higher_order: frozenset[str]) -> _Reading:
        reading = cls(higher_order)
        nodes = list(_nodes(tree))
        ctes = {str(node.get("name")) for node in nodes if node["type"] == "WithElement"}
        table_functions = {
            id(node["table_function"]): True for node in nodes if isinstance(node.get("table_function"), dict)
        }
        for node in nodes:
            if node.get("out_file") is not None:
                raise refused("INTO OUTFILE is not allowed: the rows come back in the reply")
            kind = node["type"]
            if kind not in _KNOWN_NODES:
                raise refused(f"{kind} is not supported here")
            if kind == "TableIdentifier":
                reading._add_table(_parts(node), ctes)
            elif kind == "Identifier":
                _check_identifier(node)
            elif kind == "SetQuery":
                reading._add_settings(node)
            elif kind == "ColumnsApplyTransformer" and node.get("func_name"):
                check_function(str(node["func_name"]), by_name=True)
            elif kind == "Function" and id(node) in table_functions:
                check_table_function(str(node["name"]))
                if str(node["name"]).lower() in READONLY_2_TABLE_FUNCTIONS:
                    reading.readonly = 2
            elif kind == "Function":
                reading._add_function(node)
        return reading

    def _add_table(self, parts: list[str], ctes: set[str]) -> None:
        table = (".".join(parts[:-1]), parts[-1])
        if not table[0] and table[1] in ctes:
            self.optional_tables.add(table)
        else:
            self.tables.add(table)

    def _add_settings(self, node: dict[str, Any]) -> None:
        others = [each for each in node if each not in ("type", "changes", "alias", "is_standalone") and node[each]]
        changes = node.get("changes") or []
        for name in [str(change.get("name")) for change in changes] + others:
            if name not in ALLOWED_SETTINGS:
                raise refused(f"Usage of setting '{name}' is restricted. {CONTACT}")
        for change in changes:
            value = change.get("value")
            value = value.get("value") if isinstance(value, dict) else value
            if not isinstance(value, (str, int, float)):
                raise refused(f"Setting '{change['name']}' takes a plain value")
            self.settings[str(change["name"])] = value

    def _add_function(self, node: dict[str, Any]) -> None:
        name = str(node["name"])
        low = name.lower()
        check_function(name)
        arguments = [each for each in (node.get("arguments") or {}).get("children") or [] if isinstance(each, dict)]
        if low in self._higher_order:
            for argument in arguments:
                if argument["type"] == "Identifier" and len(_parts(argument)) == 1:
                    check_function(_parts(argument)[0], by_name=True)
        if NAMING_FUNCTION_RE.fullmatch(low) and arguments:
            self.tables.add(_named_table(name, arguments[0]))
        if low in IN_FUNCTIONS and len(arguments) > 1:
            self._add_right_side_of_in(arguments[1])

    def _add_right_side_of_in(self, node: dict[str, Any]) -> None:
        """The right side of IN may be a table (``x IN events``) or a table function without looking like one."""
        if node["type"] == "Identifier":
            parts = _parts(node)
            self.optional_tables.add((".".join(parts[:-1]), parts[-1]))
        elif node["type"] == "Function":
            low = str(node["name"]).lower()
            if low in OTHER_TABLE_FUNCTIONS:
                check_table_function(str(node["name"]))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of the tree, parents first; with a stack, because trees may be deep."""
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("type"), str):
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _parts(node: dict[str, Any]) -> list[str]:
    return [str(part) for part in node.get("name_parts") or [node.get("name", "")]]


def _check_identifier(node: dict[str, Any]) -> None:
    parts = _parts(node)
    if len(parts) > 1 and DATABASE_RE.fullmatch(parts[0]):
        raise not_found((parts[0], ".".join(parts[1:])))


def _named_table(function: str, argument: dict[str, Any]) -> TableName:
    if argument["type"] == "Identifier":
        parts = _parts(argument)
    elif argument["type"] == "Literal" and isinstance(argument.get("value"), dict):
        parts = str(argument["value"].get("value")).split(".")
    else:
        raise refused(f"Usage of function {function} is restricted. {CONTACT}")
    return ".".join(parts[:-1]), parts[-1]


def _exact_float(node: dict[str, Any]) -> dict[str, Any]:
    """Make a literal that is a float one in Python too, also when it was written without a point."""
    if node.get("field_type") == "Float64" and isinstance(node.get("value"), int):
        return {**node, "value": float(node["value"])}
    return node


def _drop_settings(item: Any) -> Any:
    """Return a copy of the tree without its SetQuery nodes."""
    if isinstance(item, dict):
        kept = {}
        for key, value in item.items():
            if isinstance(value, dict) and value.get("type") == "SetQuery":
                continue
            kept[key] = _drop_settings(value)
        return kept
    if isinstance(item, list):
        return [
            _drop_settings(each) for each in item if not (isinstance(each, dict) and each.get("type") == "SetQuery")
        ]
    return item


def syntax_message(error: EngineError) -> str:
    """Return the parser's message without our own question around the user's text."""
    head, separator, _ = error.message.rpartition(": In scope ")
    return head if separator else error.message


def _wrong_kind(kind: str) -> BadRequest:
    return refused(f"Only SELECT or DESCRIBE queries are supported. Got: {kind}")
