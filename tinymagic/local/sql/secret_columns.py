"""Which columns of a query would hand a secret through to whoever reads them.

Pure; works on the parser's tree. A secret is a query parameter ``{name: String}``. An expression *carries* it when the
secret is in it anywhere but in a function that gives no more than a digest, an answer yes or no, or what was decrypted
with it (`_ONE_WAY`, `_KEYED`). Carrying goes on through aliases, subqueries and CTEs, by name: an alias of a carrying
expression makes every identifier of that name carry. That is coarse and errs on the side of refusing.

A condition (WHERE, ON, HAVING ...) may use a secret as it likes. So whoever writes a node can find out the value,
letter by letter; whoever calls its endpoint cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .tree import arguments_of, nodes_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Functions whose result tells nothing about a secret but a digest or yes and no; lower case.
_ONE_WAY = frozenset(
    """
    equals notequals less greater lessorequals greaterorequals isnotdistinctfrom in notin globalin globalnotin
    nullin notnullin globalnullin globalnotnullin like notlike ilike notilike match startswith endswith
    empty notempty isnull isnotnull and or xor not has hasany hasall hastoken
    md4 md5 sha1 sha224 sha256 sha384 sha512 sha512_256 blake3 ripemd160 keccak256 hmac halfmd5
    siphash64 siphash64keyed siphash128 siphash128keyed siphash128reference siphash128referencekeyed
    cityhash64 farmhash64 farmfingerprint64 metrohash64 murmurhash2_32 murmurhash2_64 murmurhash3_32 murmurhash3_64
    murmurhash3_128 gccmurmurhash kafkamurmurhash xxhash32 xxhash64 xxh3 xxh3_128 wyhash64 ignore
    """.split()
)

#: Functions that take a key, by the index from which on their arguments are key, nonce and what goes with them.
_KEYED = {"decrypt": 2, "trydecrypt": 2, "aes_decrypt_mysql": 2, "encrypt": 2, "aes_encrypt_mysql": 2}

#: Table functions that only log in with what they are given; others make rows of it.
_REMOTE = frozenset(
    "postgresql mysql mongodb redis url s3 s3cluster gcs azureblobstorage deltalake iceberg hudi "
    "remote remotesecure".split()
)

_EVERYTHING = frozenset(
    "Asterisk QualifiedAsterisk ColumnsRegexpMatcher ColumnsListMatcher QualifiedColumnsRegexpMatcher "
    "QualifiedColumnsListMatcher".split()
)


class SecretColumns:
    """What the tree of a SELECT does with secrets.

    Args:
        tree: as the parser gives it.
        secrets: names of query parameters.
    """

    def __init__(self, tree: dict[str, Any], secrets: Iterable[str]) -> None:
        self._tree = tree
        self._secrets = frozenset(secrets)
        self._carrying: set[str] = set()
        self._learn()

    def shown(self) -> bool:
        """Say whether a column of the result carries a secret."""
        return self._query_carries(self._tree) or self._makes_rows() or self._in_union() or self._told_otherwise()

    def unnamed(self) -> Iterator[dict[str, Any]]:
        """Yield columns without an alias that have a secret in them: the engine would put the value in their name."""
        for node in nodes_of(self._tree):
            if node["type"] == "SelectQuery":
                for item in _children(node.get("select")):
                    if not item.get("alias") and item["type"] != "Identifier" and self._mentions(item):
                        yield item

    def _learn(self) -> None:
        """Find the names that carry, until there are no more."""
        nodes = list(nodes_of(self._tree))
        while True:
            before = len(self._carrying)
            for node in nodes:
                if node.get("alias") and str(node["alias"]) not in self._carrying and self._carries(node):
                    self._carrying.add(str(node["alias"]))
                if node["type"] in ("WithElement", "TableExpression") and self._inner_carries(node):
                    for key, value in node.items():
                        if "aliases" in key:
                            self._carrying.update(
                                parts_of(each)[-1] for each in nodes_of(value) if _is_identifier(each)
                            )
            if len(self._carrying) == before:
                return

    def _inner_carries(self, node: dict[str, Any]) -> bool:
        return any(self._query_carries(each) for each in _children(node.get("subquery")))

    def _makes_rows(self) -> bool:
        """Say whether a table function turns a secret into rows."""
        for node in nodes_of(self._tree):
            function = node.get("table_function") if node["type"] == "TableExpression" else None
            if not isinstance(function, dict) or str(function.get("name")).lower() in _REMOTE:
                continue
            if any(self._carries(each) for each in arguments_of(function)):
                return True
        return False

    def _told_otherwise(self) -> bool:
        """Say whether a secret is what fills gaps between rows, or the text of an error."""
        for node in nodes_of(self._tree):
            if node["type"] == "InterpolateElement" and self._carries(node.get("expr")):
                return True
            fills = [value for key, value in node.items() if key.startswith("fill_")]
            if node["type"] == "OrderByElement" and self._carries(fills):
                return True
            if str(node.get("name")).lower() == "throwif" and self._carries(arguments_of(node)[1:]):
                return True
        return False

    def _in_union(self) -> bool:
        """Say whether one of several SELECTs carries: its columns go by the names of another one."""
        for node in nodes_of(self._tree):
            if node["type"] in ("SelectWithUnionQuery", "SelectIntersectExceptQuery"):
                members = _members(node)
                if len(members) > 1 and any(self._query_carries(each) for each in members):
                    return True
        return False

    def _query_carries(self, query: dict[str, Any]) -> bool:
        if query["type"] != "SelectQuery":
            return any(self._query_carries(each) for each in _members(query))
        for item in _children(query.get("select")):
            if self._carries(item):
                return True
            if any(node["type"] in _EVERYTHING for node in _outside_subqueries(item)) and self._source_carries(query):
                return True
        return False

    def _source_carries(self, query: dict[str, Any]) -> bool:
        """Say whether what a SELECT reads has a carrying column, so that its ``*`` carries."""
        ctes = {str(each.get("name")): each for each in nodes_of(self._tree) if each["type"] == "WithElement"}
        for element in _children(query.get("tables")):
            if any(self._carries(each) for each in _children((element.get("array_join") or {}).get("expression_list"))):
                return True
            source = element.get("table_expression") or {}
            if self._inner_carries(source):
                return True
            table = source.get("database_and_table_name") or {}
            cte = ctes.get(str(table.get("name"))) if table else None
            # A recursive CTE names itself; its own columns are looked at where it is defined.
            if cte is not None and query not in _selects(cte) and self._inner_carries(cte):
                return True
        return False

    def _carries(self, expression: Any) -> bool:
        stack = [expression]
        while stack:
            item = stack.pop()
            if isinstance(item, list):
                stack.extend(item)
            if not isinstance(item, dict):
                continue
            kind = item.get("type")
            if kind == "QueryParameter" and item.get("name") in self._secrets:
                return True
            if kind == "Identifier" and not self._carrying.isdisjoint(parts_of(item)):
                return True
            if kind == "Function":
                stack.extend(self._telling(item))
            elif kind == "Subquery":
                if any(self._query_carries(each) for each in _children(item)):
                    return True
            else:
                stack.extend(value for key, value in item.items() if key != "alias")
        return False

    def _telling(self, function: dict[str, Any]) -> list[Any]:
        """Return what of a function tells about the secrets in it."""
        name = str(function.get("name")).lower()
        if name in _ONE_WAY:
            return []
        arguments = arguments_of(function)
        if name in _KEYED:
            return list(arguments[: _KEYED[name]])
        return [value for key, value in function.items() if key not in ("type", "name", "alias")]

    def _mentions(self, expression: dict[str, Any]) -> bool:
        return any(
            node["type"] == "QueryParameter" and node.get("name") in self._secrets for node in nodes_of(expression)
        )


def _is_identifier(node: dict[str, Any]) -> bool:
    return bool(node["type"] == "Identifier")


def _children(node: Any) -> list[dict[str, Any]]:
    found = (node or {}).get("children") or []
    return [each for each in found if isinstance(each, dict)]


def _members(query: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the SELECTs that a query is made of."""
    return _children(query.get("list_of_selects")) or _children(query)


def _selects(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in nodes_of(node) if each["type"] == "SelectQuery"]


def _outside_subqueries(expression: dict[str, Any]) -> Iterator[dict[str, Any]]:
    stack: list[Any] = [expression]
    while stack:
        item = stack.pop()
        if isinstance(item, dict) and item.get("type") != "Subquery":
            if isinstance(item.get("type"), str):
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
