"""Which functions the engine has, and what is said of one that it does not have."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError, quote_identifier

from .names import CONTACT, SYNTAX_FUNCTIONS, refused, syntax_message
from .tree import filled

if TYPE_CHECKING:
    from tinymagic.local.engine import Engine
    from tinymagic.local.errors import BadRequest

_FUNCTIONS_SQL = "SELECT name, case_insensitive, higher_order FROM system.functions"

_TABLE_FUNCTIONS_SQL = "SELECT lower(name) FROM system.table_functions"

_HINT_RE = re.compile(r"Maybe you meant: \[(.*?)\]")

#: Names outside of the lists that are remembered.
_MOST_JUDGED = 1_000


class Vocabulary:
    """Which functions there are, as the engine says.

    Args:
        engine: asked for its lists once, and once for each name that is not on them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        lines = engine.parse(_FUNCTIONS_SQL, output_format="JSONCompactEachRow").splitlines()
        rows = [json.loads(line) for line in lines]
        self._exact = {name for name, _, _ in rows}
        self._any_case = {name.lower() for name, any_case, _ in rows if any_case}
        #: They take the name of another function as an argument: arrayMap(file, [...]).
        self.higher_order = frozenset(name.lower() for name, _, higher_order in rows if higher_order)
        self.table_functions = frozenset(engine.parse(_TABLE_FUNCTIONS_SQL, output_format="TSVRaw").decode().split())
        self._judged: dict[str, str | None] = {}

    def check(self, name: str) -> None:
        """Refuse a function that does not exist.

        The lists do not have ``sumIf``, ``quantilesState`` and the like, so the engine is asked about a name it does
        not list, by a call without arguments: there is no such function, or it complains of the arguments.
        """
        if name in self._exact or name.lower() in self._any_case or name in SYNTAX_FUNCTIONS:
            return
        if name not in self._judged:
            if len(self._judged) > _MOST_JUDGED:
                self._judged.clear()
            self._judged[name] = self._complaint(name)
        complaint = self._judged[name]
        if complaint is not None:
            raise unknown_function(name, complaint)

    def is_structure(self, text: str) -> bool:
        """Say whether *text* is a list of columns with names and types.

        Raises:
            BadRequest: they have more, such as DEFAULT or ALIAS, which are expressions.
        """
        try:
            data = self._engine.parse(
                "SELECT parseQueryToJSON({q:String})",
                parameters={"q": f"CREATE TABLE t ({text}\n)"},
                output_format="JSONCompactEachRow",
            )
        except EngineError as error:
            if error.name == "SYNTAX_ERROR":
                return False
            raise refused(syntax_message(error)) from error
        tree = json.loads(json.loads(data)[0])
        definition = tree.pop("columns_list", None) or {}
        columns = (definition.pop("columns", None) or {}).get("children") or []
        others = [*filled(tree, "type", "table", "table_ast"), *filled(definition, "type")]
        for column in columns:
            others += filled(column, "type", "name", "data_type", "null_modifier")
        if others:
            raise refused("The structure for a table function may have names and types of columns only")
        return True

    def _complaint(self, name: str) -> str | None:
        try:
            self._engine.parse(f"SELECT {quote_identifier(name)}()", output_format="Null")
        except EngineError as error:
            return error.message if error.name == "UNKNOWN_FUNCTION" else None
        return None


def unknown_function(name: str, engine_message: str = "") -> BadRequest:
    """Make the service's error for a function that does not exist, with the engine's proposals when it has any."""
    hint = _HINT_RE.search(engine_message)
    middle = f" Maybe you meant: [{hint[1].replace(', ', ',')}]." if hint else ""
    return refused(f"Unknown function {name}.{middle} {CONTACT}")
