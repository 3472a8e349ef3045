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

`Statement.reads` are the tables as the service's own parser counts them (``tests/conformance/test_gate.py`` compares).
`SqlGate.renamed` writes a statement with other tables in their place, again through the tree.

What the gate does not know it refuses: kinds of nodes (`sql.reading`) as well as names. Behind it stands the engine's
``readonly`` (see `engine.py`), which alone would stop writes and table functions, but not the function ``file()``.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import Forbidden

from .names import (
    OPEN_TABLES,
    refused,
    syntax_message,
)
from .reading import Reading
from .renaming import rename
from .tree import exact_float, filled, loads, without_settings
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.errors import BadRequest

    from .tree import TableName

QUERY_PAGE = "/api-reference/query-api.html"

#: Tables with this prefix are our own (staging, history of replaces) and not for users.
INTERNAL_PREFIX = "_tm_"


#: The parser's names of statements where the service says something else.
_KINDS = {
    "TruncateQuery": "DropQuery",
    "CheckQuery": "CheckTableQuery",
    "CreateSQLFunctionQuery": "CreateFunctionQuery",
    "ExistsTableQuery": "ExistsTableQueryIDAndQueryNames",
    "ShowAccessQuery": "ShowAccessQueryNames",
    "ShowCreateTableQuery": "ShowCreateTableQueryIDAndQueryNames",
    "ShowEngineQuery": "ShowEngineAndQueryNames",
    "ShowFunctions": "ShowFunctionsQuery",
    "ShowProcesslistQuery": "ShowProcesslistIDAndQueryNames",
    # The parser calls these by words, for instance "DROP USER query".
    "CREATE": "CreateRowPolicyQuery",
    "DROP": "DropAccessEntityQuery",
    "MOVE": "MoveAccessEntityQuery",
    "SHOW": "ShowAccessEntitiesQuery",
}

#: What ``parseQueryToJSON`` says of a statement that has no tree; names of tables may follow the kind.
_NO_TREE_RE = re.compile(r"AST node of type '([A-Za-z]+)")


_DESCRIBE = "DESCRIBE TABLE "

#: DESCRIBE has no tree; it is read as this SELECT from what it describes.
_SELECT_ALL = "SELECT * FROM "


_TOO_DEEP = "Maximum parse depth exceeded: the query is nested too deeply"

_CACHED_STATEMENTS = 1_000

#: Trees are a hundred times larger than their text, so only those are kept that will be asked for again at once.
_CACHED_TREES = 16

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
        reads: the tables as the service's parser counts them: those in FROM that are no CTEs, right sides of IN,
            ``joinGet``.
        table_functions: names of the table functions in FROM, as they are written.
        settings: allowed settings of its SETTINGS clauses, to be set on the session.
        readonly: the engine's ``readonly`` that it needs: 1, the strictest, where it can.
        shows_tables: it is ``SHOW TABLES``, which the caller answers; *sql* gives no rows, for the engine's own answer
            would have names that are not for everybody.
    """

    sql: str
    output_format: str | None
    tables: frozenset[TableName] = frozenset()
    optional_tables: frozenset[TableName] = frozenset()
    reads: frozenset[TableName] = frozenset()
    table_functions: frozenset[str] = frozenset()
    settings: dict[str, Setting] = field(default_factory=dict)
    readonly: int = 1
    shows_tables: bool = False
    has_prewhere: bool = False
    virtual_columns: frozenset[str] = frozenset()

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
        self._seen: OrderedDict[tuple[str, bool], Statement] = OrderedDict()
        self._written: OrderedDict[tuple[str, frozenset[tuple[TableName, TableName]]], str] = OrderedDict()
        self._trees: OrderedDict[str, bytes] = OrderedDict()
        self._vocabulary = Vocabulary(engine)

    def check(self, sql: str, *, copying: bool = False) -> Statement:
        """Find out what *sql* is, and refuse all but one harmless SELECT, DESCRIBE or plain SHOW TABLES.

        Args:
            sql: the text.
            copying: it is for a Copy Pipe, where the table functions may stand that read from elsewhere. The engine
                does not run them all the same (``readonly``).

        Raises:
            BadRequest: empty, a syntax error, several statements, another kind of statement, a restricted or unknown
                function, table function or setting, INTO OUTFILE. Positions count from the start of *sql*.
        """
        key = (sql, copying)
        with self._lock:
            known = self._seen.get(key)
            if known is not None:
                self._seen.move_to_end(key)
                return known
        try:
            statement = self._check(sql, copying)
        except RecursionError:
            raise refused(_TOO_DEEP) from None
        with self._lock:
            self._seen[key] = statement
            if len(self._seen) > _CACHED_STATEMENTS:
                self._seen.popitem(last=False)
        return statement

    def renamed(self, statement: Statement, names: Mapping[TableName, TableName]) -> str:
        """Return the SQL of a checked *statement* with other tables in the place of some.

        A table keeps its old bare name as an alias when it has no other, so ``SELECT _.a FROM _`` still works, and
        ``ws.events.id`` becomes ``events.id``. Names that stand for CTEs are left alone.

        Args:
            statement: from `check`.
            names: old to new, (database, table) each; what is not among `Statement.reads` is of no effect.
        """
        changes = {old: new for old, new in names.items() if old != new and old in statement.reads}
        if not changes:
            return statement.sql
        key = (statement.sql, frozenset(changes.items()))
        with self._lock:
            known = self._written.get(key)
            if known is not None:
                self._written.move_to_end(key)
                return known
        text, described = statement.sql, statement.sql.startswith(_DESCRIBE)
        if described:
            text = _SELECT_ALL + text[len(_DESCRIBE) :]
        tree, _, _ = self._parse(text)
        rename(Reading(tree, self._vocabulary), changes)
        written = self._write(tree)
        if described:
            written = _DESCRIBE + written[len(_SELECT_ALL) :]
        with self._lock:
            self._written[key] = written
            if len(self._written) > _CACHED_STATEMENTS:
                self._written.popitem(last=False)
        return written

    def rewritten(self, sql: str, change: Callable[[dict[str, Any]], Mapping[TableName, TableName]]) -> str:
        """Return the SQL of a checked SELECT, changed through its tree.

        Args:
            sql: `Statement.sql`, or what was composed of such.
            change: changes the tree, and returns the tables that get other names then, as for `renamed`.
        """
        tree, _, _ = self._parse(sql)
        names = change(tree)
        if names:
            rename(Reading(tree, self._vocabulary), names)
        return self._write(tree)

    def tree(self, sql: str) -> dict[str, Any]:
        """Return the tree of a SELECT that `check` has passed.

        Raises:
            EngineError: it has none.
        """
        return self._parse(sql)[0]

    def formatted(self, sql: str) -> str:
        """Return any one statement as the engine's parser writes it, over several lines; it is not checked.

        Raises:
            BadRequest: empty, or a syntax error.
        """
        text = self._without_last_semicolons(sql)
        if not text.strip():
            raise refused("Empty query")
        try:
            data = self._engine.parse(
                "SELECT formatQuery({q:String})", parameters={"q": text}, output_format="JSONCompactEachRow"
            )
        except EngineError as error:
            raise refused(syntax_message(error)) from error
        return str(loads(data)[0])

    def _check(self, sql: str, copying: bool) -> Statement:
        text = self._without_last_semicolons(sql)
        if not text.strip():
            raise refused("Empty query")
        try:
            tree, written, rewritten = self._parse(text)
        except EngineError as error:
            if error.name == "SYNTAX_ERROR":
                raise refused(syntax_message(error)) from error
            return self._check_without_tree(text, error, copying)
        kind = str(tree.get("type"))
        output_format = (tree.get("format_ast") or {}).get("name")
        if kind == "ShowTablesQuery" and not filled(tree, "type", "format_ast"):
            return Statement(sql="SELECT '' AS name LIMIT 0", output_format=output_format, shows_tables=True)
        if kind not in ("SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery"):
            raise _wrong_kind(_KINDS.get(kind, kind))
        reading = Reading(tree, self._vocabulary, copying=copying)
        if reading.pin() or reading.settings:
            # Settings are set on the session before, because a read-only one does not take them from a statement.
            run = self._write(without_settings(tree))
        else:
            run = text if written == rewritten else rewritten
        return Statement(
            sql=run,
            output_format=output_format,
            tables=frozenset(reading.tables),
            optional_tables=frozenset(reading.optional_tables),
            reads=frozenset(reading.reads),
            table_functions=frozenset(reading.table_functions),
            settings=reading.settings,
            readonly=reading.readonly,
            has_prewhere=reading.has_prewhere,
            virtual_columns=frozenset(reading.virtual_columns),
        )

    def _check_without_tree(self, text: str, error: EngineError, copying: bool) -> Statement:
        """Treat what ``parseQueryToJSON`` does not know. DESCRIBE is checked as the SELECT from what it describes."""
        if error.message.startswith("INSERT "):
            raise _wrong_kind("InsertQuery") from error
        found = _NO_TREE_RE.match(error.message)
        if found is None:  # The parser itself refuses it, for instance WITH TIES without ORDER BY.
            raise refused(syntax_message(error)) from error
        if found[1] != "DescribeQuery":
            raise _wrong_kind(_KINDS.get(found[1], found[1]))
        written = self._format(text)
        described = self._check(_SELECT_ALL + written[len(_DESCRIBE) :], copying)
        if not written.startswith(_DESCRIBE) or not described.sql.startswith(_SELECT_ALL):
            raise _wrong_kind("DescribeQuery")
        return replace(described, sql=_DESCRIBE + described.sql[len(_SELECT_ALL) :])

    def _parse(self, text: str) -> tuple[dict[str, Any], str, str]:
        with self._lock:
            data = self._trees.get(text)
        if data is None:
            try:
                data = self._engine.parse(_PARSE_SQL, parameters={"q": text}, output_format="JSONCompactEachRow")
            except EngineError as error:
                if "AST deserialization" not in error.message:
                    raise
                return self._parse_large_floats(text)
            with self._lock:
                self._trees[text] = data
                if len(self._trees) > _CACHED_TREES:
                    self._trees.popitem(last=False)
        tree, written, rewritten = loads(data)
        return json.loads(tree, object_hook=exact_float), written, rewritten

    def _parse_large_floats(self, text: str) -> tuple[dict[str, Any], str, str]:
        """Parse a text with floats from 2**64 up: the engine writes them without a point and does not read that."""
        data = self._engine.parse(_TREE_SQL, parameters={"q": text}, output_format="JSONCompactEachRow")
        tree, written = loads(data)
        mended = json.loads(tree, object_hook=exact_float)
        return mended, written, self._write(mended)

    def _write(self, tree: dict[str, Any]) -> str:
        """Write a tree as SQL."""
        data = self._engine.parse(
            "SELECT formatQueryFromJSON({tree:String})",
            parameters={"tree": json.dumps(tree)},
            output_format="JSONCompactEachRow",
        )
        return str(loads(data)[0])

    def _format(self, text: str) -> str:
        data = self._engine.parse(
            "SELECT formatQuerySingleLine({q:String})", parameters={"q": text}, output_format="JSONCompactEachRow"
        )
        return str(loads(data)[0])

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
        for token in reversed(loads(data)[0]):
            if token["type"] == "Semicolon":
                end = int(token["begin"])
            elif token["type"] not in ("Whitespace", "Comment"):
                break
        return raw[:end].decode()


def _wrong_kind(kind: str) -> BadRequest:
    return refused(f"Only SELECT or DESCRIBE queries are supported. Got: {kind}")
