"""Expressions of users that become part of our own statements: defaults, keys, TTLs, conditions, types.

The text goes to the engine's parser as *data*; it must be one expression (no second statement, no FROM, no
subquery) with functions that `sql.gate` lets through. What is put into a statement afterwards is never the text but
the tree written back by the parser, so a comment or a parenthesis cannot reach out of its place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.tables.type_names import end_of_quoted

from .gate import SqlGate
from .tree import loads

if TYPE_CHECKING:
    from tinymagic.local.engine import Engine

_PARSE_SQL = "SELECT parseQueryToJSON({q:String}), formatQuerySingleLine({q:String})"


class Expressions:
    """Checks expressions with the parser of *engine*; *gate* says which functions may be in them."""

    def __init__(self, engine: Engine, gate: SqlGate | None = None) -> None:
        self._engine = engine
        self._gate = gate or SqlGate(engine)

    def checked(self, text: str, what: str) -> str:
        """Return *text* as the parser writes it, in parentheses where it needs them.

        Args:
            text: the user's expression; ``a, b`` is a tuple.
            what: what it is for, the first words of the error, for instance ``engine_sorting_key``.

        Raises:
            BadRequest: no single expression, or a function that is not for users.
        """
        if not _balanced(text):
            raise BadRequest(f"{what}: {text!r} is not an expression: a parenthesis closes that was not opened.")
        question = f"SELECT (\n{text}\n)"
        try:
            statement = self._gate.check(question)
            tree, written = self._ask(question)
        except (ApiError, EngineError) as error:
            reason = plain_reason(getattr(error, "message", str(error)))
            raise BadRequest(f"{what}: {text!r} is not an expression that can be used here. {reason}") from error
        selects = list(_find(tree, "SelectQuery"))
        single = len(selects) == 1 and set(selects[0]) <= {"type", "select"}
        if statement.tables or statement.optional_tables or not single or len(selects[0]["select"]["children"]) != 1:
            raise BadRequest(f"{what}: {text!r} must be one expression over the columns, without other tables.")
        return written[len("SELECT ") :]

    def type_of(self, name: str, what: str) -> str:
        """Return the engine's own spelling of a type, for instance ``Int32`` for ``INT``.

        Raises:
            BadRequest: there is no such type.
        """
        try:
            sql = "SELECT toTypeName(defaultValueOfTypeName({t:String}))"
            return self._engine.parse(sql, parameters={"t": name}, output_format="TSVRaw").decode().rstrip("\n")
        except EngineError as error:
            raise BadRequest(f"{what}: {plain_reason(error.message)}") from error

    def type_of_value(self, text: str, what: str) -> str:
        """Return the type of a constant expression, for columns that have only a DEFAULT.

        Raises:
            BadRequest: it is not constant, or no expression at all.
        """
        written = self.checked(text, what)
        try:
            data = self._engine.parse(f"SELECT toTypeName({written})", output_format="TSVRaw")
        except EngineError as error:
            raise BadRequest(f"{what}: the type of {text!r} cannot be told; write the type of the column.") from error
        return data.decode().rstrip("\n")

    def _ask(self, text: str) -> tuple[Any, str]:
        data = self._engine.parse(_PARSE_SQL, parameters={"q": text}, output_format="JSONCompactEachRow")
        tree, written = loads(data)
        return json.loads(tree), str(written)


def _balanced(text: str) -> bool:
    """Say whether no parenthesis outside of quotes closes one that *text* did not open."""
    depth = index = 0
    while 0 <= index < len(text):
        if text[index] in "'`\"":
            index = end_of_quoted(text, index)
            continue
        depth += (text[index] == "(") - (text[index] == ")")
        if depth < 0:
            return False
        index += 1
    return True


def _find(tree: Any, kind: str) -> Any:
    if isinstance(tree, dict):
        if tree.get("type") == kind:
            yield tree
        for value in tree.values():
            yield from _find(value, kind)
    elif isinstance(tree, list):
        for value in tree:
            yield from _find(value, kind)
