"""What a SELECT names: a walk over its tree that refuses whatever is not harmless, and collects the names of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .names import (
    ALLOWED_SETTINGS,
    CONTACT,
    DATABASE_RE,
    IN_FUNCTIONS,
    NAMING_FUNCTION_RE,
    OTHER_TABLE_FUNCTIONS,
    READONLY_2_TABLE_FUNCTIONS,
    SERVER_COLUMNS,
    STRUCTURE_TABLE_FUNCTIONS,
    VIRTUAL_COLUMN_RE,
    check_function,
    check_table_function,
    named_by,
    refused,
)
from .tree import arguments_of, filled, nodes_of, parts_of, scoped_nodes, table_name

if TYPE_CHECKING:
    from tinymagic.local.engine import Setting

    from .tree import Scope, TableName
    from .vocabulary import Vocabulary

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

_ONLY_QUOTED = "only supports quoted literals like `'table_name'` or identifiers like table `table_name`"


class Reading:
    """What a walk over the tree found.

    Args:
        tree: of a SELECT; its nodes are kept, so that they can be changed.
        vocabulary: the functions that exist.
        copying: see `SqlGate.check`.
    """

    def __init__(self, tree: dict[str, Any], vocabulary: Vocabulary, *, copying: bool = False) -> None:
        self._vocabulary = vocabulary
        self._copying = copying
        self.tables: set[TableName] = set()
        self.optional_tables: set[TableName] = set()
        self.reads: set[TableName] = set()
        self.table_functions: set[str] = set()
        self.settings: dict[str, Setting] = {}
        self.readonly = 1
        #: Nodes that name a table which is no CTE: TableIdentifier, Identifier after IN, argument of joinGet.
        self.named: list[tuple[dict[str, Any], TableName, Scope]] = []
        #: Identifiers of columns.
        self.identifiers: list[tuple[dict[str, Any], Scope]] = []
        #: Ids of those among them that are the ``t`` of ``t.*``.
        self.qualifiers: set[int] = set()
        self._naming_identifiers: list[dict[str, Any]] = []
        self._values: list[dict[str, Any]] = []
        self._in_from: set[int] = set()
        nodes = list(nodes_of(tree))
        self.virtual_columns: set[str] = set()
        self.has_prewhere = any(node.get("prewhere") is not None for node in nodes)
        self._ctes = {str(node.get("name")) for node in nodes if node["type"] == "WithElement"}
        self._aliased: dict[str, list[dict[str, Any]]] = {}
        for node in nodes:
            if node.get("alias"):
                self._aliased.setdefault(str(node["alias"]), []).append(node)
        for node in nodes:
            if node["type"] == "SetQuery":
                self._add_settings(node)
        for node, scope in scoped_nodes(tree):
            self._visit(node, scope)

    def pin(self) -> bool:
        """Make the tree say without doubt what was checked, and return whether that changed it.

        ``joinGet(name, ...)``: the engine would take an alias of that name for the name of the table, so it becomes a
        text. ``values('text', ...)`` where the text is no structure: the engine may see one, so it becomes
        ``toString('text')``.
        """
        for node in self._naming_identifiers:
            text = ".".join(parts_of(node))
            node.pop("name_parts", None)
            node.pop("name", None)
            node.update(type="Literal", value={"field_type": "String", "value": text})
        for node in self._values:
            literal = {"type": "Literal", "value": node.pop("value")}
            node.update(type="Function", name="toString", arguments={"type": "ExpressionList", "children": [literal]})
        return bool(self._naming_identifiers or self._values)

    def _visit(self, node: dict[str, Any], scope: Scope) -> None:
        if node.get("out_file") is not None:
            raise refused("INTO OUTFILE is not allowed: the rows come back in the reply")
        kind = node["type"]
        if kind not in _KNOWN_NODES:
            raise refused(f"{kind} is not supported here")
        if kind == "TableExpression" and isinstance(node.get("table_function"), dict):
            self._in_from.add(id(node["table_function"]))
        elif kind == "TableIdentifier":
            self._add_table(node, scope)
        elif kind == "Identifier":
            self.identifiers.append((node, scope))
            name = parts_of(node)[-1]
            if name in SERVER_COLUMNS:
                raise refused(f"Usage of the column {name} is restricted. {CONTACT}")
            if VIRTUAL_COLUMN_RE.fullmatch(name):
                self.virtual_columns.add(name)
        elif isinstance(node.get("qualifier"), dict):
            self.qualifiers.add(id(node["qualifier"]))
        elif kind == "ColumnsApplyTransformer" and node.get("func_name"):
            check_function(str(node["func_name"]), by_name=True)
        elif kind == "Function" and id(node) in self._in_from:
            self._add_table_function(node)
        elif kind == "Function":
            self._add_function(node, scope)

    def _add_table(self, node: dict[str, Any], scope: Scope) -> None:
        table = table_name(node)
        if table[0] or table[1] not in scope.ctes:
            self.reads.add(table)
            self.named.append((node, table, scope))
        # The engine also finds CTEs of a neighbour in a UNION, and later ones; the service's parser does not.
        if not table[0] and table[1] in self._ctes:
            self.optional_tables.add(table)
        else:
            self.tables.add(table)

    def _add_settings(self, node: dict[str, Any]) -> None:
        others = filled(node, "type", "changes", "alias", "is_standalone")
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

    def _add_table_function(self, node: dict[str, Any]) -> None:
        name = str(node["name"])
        check_table_function(name, self._vocabulary.table_functions, copying=self._copying)
        self.table_functions.add(name)
        if name.lower() in READONLY_2_TABLE_FUNCTIONS:
            self.readonly = 2
        if name.lower() in STRUCTURE_TABLE_FUNCTIONS:
            for argument in arguments_of(node)[:1]:
                self._check_structure(name, argument)

    def _check_structure(self, function: str, argument: dict[str, Any]) -> None:
        """Look into ``values('a UInt8, b String ALIAS file(...)', 1)``: the engine runs what stands there."""
        value = argument["value"].get("value") if isinstance(argument.get("value"), dict) else None
        takes_values = function.lower() == "values"
        if argument["type"] == "Literal" and isinstance(value, str):
            if self._vocabulary.is_structure(value):
                return
            if takes_values:
                self._values.append(argument)
                return
        elif argument["type"] == "Literal" or (argument["type"] == "Function" and takes_values):
            return  # A seed, or a value: the engine takes no result of a function for a structure.
        raise refused(f"The structure for the table function {function} must be a quoted list of columns")

    def _add_function(self, node: dict[str, Any], scope: Scope) -> None:
        name = str(node["name"])
        low = name.lower()
        check_function(name)
        if name not in self._aliased:  # WITH (x -> x + 1) AS f SELECT f(1)
            self._vocabulary.check(name)
        arguments = arguments_of(node)
        if low in self._vocabulary.higher_order:
            for argument in arguments:
                if argument["type"] == "Identifier" and len(parts_of(argument)) == 1:
                    check_function(parts_of(argument)[0], by_name=True)
        if NAMING_FUNCTION_RE.fullmatch(low) and arguments:
            self._add_name_in_function(name, arguments[0], scope)
        if low in IN_FUNCTIONS and len(arguments) > 1:
            self._add_right_side_of_in(arguments[1], scope)

    def _add_name_in_function(self, function: str, argument: dict[str, Any], scope: Scope) -> None:
        if argument["type"] == "Identifier" and not argument.get("children"):
            text = ".".join(parts_of(argument))
            self._naming_identifiers.append(argument)
        elif argument["type"] == "Literal" and isinstance((argument.get("value") or {}).get("value"), str):
            text = str(argument["value"]["value"])
        else:
            raise refused(f"The function {function} {_ONLY_QUOTED}")
        table = named_by(text)
        self.tables.add(table)
        if function.lower().startswith("join"):  # Dictionaries are no tables.
            self.reads.add(table)
            self.named.append((argument, table, scope))

    def _add_right_side_of_in(self, node: dict[str, Any], scope: Scope) -> None:
        """The right side of IN may be a table (``x IN events``) or a table function without looking like one."""
        if node["type"] == "Function":
            self._check_function_after_in(node)
        if node["type"] != "Identifier":
            return
        table = table_name(node)
        self._add_possible_table(table)
        if table[0] or table[1] not in scope.ctes | scope.values:
            self.reads.add(table)
            self.named.append((node, table, scope))
        self._follow_aliases(table)

    def _add_possible_table(self, table: TableName) -> None:
        must_be = DATABASE_RE.fullmatch(table[0]) is not None
        (self.tables if must_be else self.optional_tables).add(table)

    def _follow_aliases(self, table: TableName) -> None:
        """WITH private AS t SELECT 7 IN t: the engine reads ``private``. The names may also be columns."""
        todo, seen = [table], {table}
        while todo:
            database, name = todo.pop()
            for node in () if database else self._aliased.get(name, ()):
                if node["type"] == "Function":
                    self._check_function_after_in(node)
                elif node["type"] == "Identifier" and table_name(node) not in seen:
                    self._add_possible_table(table_name(node))
                    seen.add(table_name(node))
                    todo.append(table_name(node))

    def _check_function_after_in(self, node: dict[str, Any]) -> None:
        if str(node["name"]).lower() in OTHER_TABLE_FUNCTIONS:
            check_table_function(str(node["name"]), self._vocabulary.table_functions, copying=self._copying)
