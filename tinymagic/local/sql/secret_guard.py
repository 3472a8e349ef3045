"""The guard in front of secrets: no query hands the value of an Environment Variable through (``variables.md``).

Three nets. `SecretGuard.checked` refuses, before anything runs, a query one of whose columns would show a secret, and
gives names to columns whose default name would quote it. `SecretGuard.check_reply` refuses a reply in which the value
stands all the same, for instance because a table has it. And `Engine` itself takes `SecretText` out of its errors.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import BadRequest
from tinymagic.local.secret_text import MASK, SecretText, shows

from .secret_columns import SecretColumns
from .tree import exact_float, loads, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tinymagic.local.engine import Engine

SECRETS_PAGE = "/api-reference/environment-variables-api"

_REMEMBERED = 500

#: DESCRIBE has no tree; it is read as a SELECT from what it describes, as the gate does.
_DESCRIBE = "DESCRIBE TABLE "
_SELECT_ALL = "SELECT * FROM "

_HELP = (
    "Use it in a condition, as a key of decrypt() or in a hash function such as SHA256() or HMAC(); "
    "its value is never part of a result."
)


class SecretGuard:
    """Looks at queries that use secrets.

    Args:
        engine: whose parser is asked.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, frozenset[str]], str] = OrderedDict()

    def checked(self, sql: str, secrets: Iterable[str]) -> str:
        """Return the SQL to run in the place of *sql*, in which no column's name quotes a secret.

        Args:
            sql: one SELECT, without FORMAT, that the gate has passed.
            secrets: names of its query parameters that are secrets; without any, *sql* comes back.

        Raises:
            BadRequest: a column of its result would show one of them.
        """
        names = frozenset(secrets)
        if not names:
            return sql
        with self._lock:
            known = self._seen.get((sql, names))
        if known is None:
            known = self._check(sql, names)
            with self._lock:
                self._seen[sql, names] = known
                if len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)
        return known

    def check_placeholders(self, sql: str, secrets: Iterable[str]) -> None:
        """Refuse a text with placeholders of its own beside its *secrets*: they would get those of what it reads.

        Raises:
            BadRequest: with the engine's words for a placeholder without a value.
        """
        select = _SELECT_ALL + sql[len(_DESCRIBE) :] if sql.startswith(_DESCRIBE) else sql
        names = {str(node.get("name")) for node in nodes_of(self._parse(select)) if node["type"] == "QueryParameter"}
        for name in sorted(names.difference(secrets)):
            raise BadRequest(
                f"[Error] Substitution `{name}` is not set. (UNKNOWN_QUERY_PARAMETER)", documentation=SECRETS_PAGE
            )

    def check_reply(self, data: bytes, parameters: Mapping[str, object]) -> None:
        """Look for the values of secrets in the rows of a result.

        Raises:
            BadRequest: one is there.
        """
        name = shows(data, parameters) if parameters else None
        if name is not None:
            raise BadRequest(
                f"The result has the value of the Environment Variable {name!r} in it, so it is not shown. {_HELP}",
                documentation=SECRETS_PAGE,
            )

    def masked(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return parameters for a plan, which quotes their values and what functions make of them."""
        return {name: MASK if isinstance(value, SecretText) else value for name, value in parameters.items()}

    def _check(self, sql: str, names: frozenset[str]) -> str:
        try:
            described = sql.startswith(_DESCRIBE)
            tree = self._parse(_SELECT_ALL + sql[len(_DESCRIBE) :] if described else sql)
            columns = SecretColumns(tree, names)
            if columns.shown():
                raise BadRequest(
                    "A column of the result would show the value of an Environment Variable "
                    f"({', '.join(sorted(names))}). {_HELP}",
                    documentation=SECRETS_PAGE,
                )
            unnamed = list(columns.unnamed())
            for item in unnamed:
                item["alias"] = self._written({**item})
            if not unnamed:
                return sql
            written = self._write(tree)
            return _DESCRIBE + written[len(_SELECT_ALL) :] if described else written
        except EngineError as error:  # The gate has passed it, so it is something about the whole, such as its depth.
            raise BadRequest(f"[Error] {error.message} ({error.name})", documentation=SECRETS_PAGE) from error
        except RecursionError:
            raise BadRequest("The query is nested too deeply.", documentation=SECRETS_PAGE) from None

    def _written(self, item: dict[str, Any]) -> str:
        """Return an expression as the parser writes it, with the placeholders of its parameters."""
        select = {"type": "SelectQuery", "select": {"type": "ExpressionList", "children": [item]}}
        selects = {"type": "ExpressionList", "children": [select]}
        tree = {"type": "SelectWithUnionQuery", "union_mode": "UNION_DEFAULT", "list_of_selects": selects}
        return self._write(tree).removeprefix("SELECT ").strip()

    def _parse(self, sql: str) -> dict[str, Any]:
        data = self._engine.parse(
            "SELECT parseQueryToJSON({q:String})", parameters={"q": sql}, output_format="JSONCompactEachRow"
        )
        tree: dict[str, Any] = json.loads(loads(data)[0], object_hook=exact_float)
        return tree

    def _write(self, tree: dict[str, Any]) -> str:
        data = self._engine.parse(
            "SELECT formatQueryFromJSON({tree:String})",
            parameters={"tree": json.dumps(tree)},
            output_format="JSONCompactEachRow",
        )
        return str(loads(data)[0])
