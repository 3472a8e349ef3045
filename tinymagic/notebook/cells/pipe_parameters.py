r"""Notebook variables as parameters of a Pipe: typed, and their values of now the defaults. Pure.

``{{ n }}`` becomes ``{{Int64(n, 5)}}``. Other than in a query, whose values must arrive to the bit, here the text is
for people who read and call the Pipe, so each kind has the plain call of its type.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.bindings import find_bindings
from tinymagic.notebook.parameters import value_of
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.values import Unwritable, write_identifier, write_value
from tinymagic.sqltext import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.notebook.bindings import Binding

#: Parameters of the API itself, see ``pipes.md``: a Pipe's own must not have their names.
_TAKEN = frozenset(
    """
    token q format from pipeline explain finalize_aggregations release_replacements output_format_json_quote_denormals
    output_format_json_quote_64bit_integers output_format_parquet_string_as_string template_parameters debug
    """.split()
)

#: ClickHouse type -> the template's call, and what stands around it.
_CALLS: tuple[tuple[str, str, str], ...] = (
    (r"Bool", "Boolean", "toBool({})"),
    (r"U?Int\d+", "", "{}"),
    (r"Float64", "Float64", "{}"),
    (r"Date(?:32)?", "Date", "to{type}({})"),
    (r"DateTime\((?P<zone>'UTC')\)", "DateTime", "toDateTime({}, 'UTC')"),
    (r"DateTime", "DateTime", "toDateTime({})"),
    (r"DateTime64\((?P<rest>.*)\)", "DateTime64", "toDateTime64({}, {rest})"),
    (r"Decimal\((?P<digits>\d+), (?P<scale>\d+)\)", "String", "toDecimal{width}({}, {scale})"),
    (r"UUID|IPv4|IPv6", "String", "to{type}({})"),
)

_WIDTHS = {9: 32, 18: 64, 38: 128, 76: 256}


def parameterised(sql: str, names: Mapping[str, Any]) -> str:
    """Return the SQL of a node: with parameters in the place of its bindings; without any, or a template, as it is.

    Args:
        sql: of a cell.
        names: the notebook's variables, whose values become defaults.

    Raises:
        CellProblem: a variable does not exist, or has no form as a parameter.

    Example:
        >>> print(parameterised("SELECT {{ n }} + {{ cfg.step }}", {"n": 5, "cfg": {"step": 0.5}}))
        %
        SELECT {{Int64(n, 5)}} + {{Float64(cfg_step, 0.5)}}
    """
    if is_template(sql):
        return sql
    bindings = find_bindings(sql)
    if not bindings:
        return sql
    parts, at = ["%\n"], 0
    paths: dict[str, str] = {}
    for binding in bindings:
        name = _name_of(binding, paths)
        parts += [_literal(sql[at : binding.start]), _call(binding, value_of(binding, names), name)]
        at = binding.end
    return "".join([*parts, _literal(sql[at:])])


def _literal(text: str) -> str:
    """Make literal what only looks like a tag."""
    return re.sub(r"\{[{%#](?!!)", lambda found: found.group() + "!", text)


def _name_of(binding: Binding, paths: dict[str, str]) -> str:
    """Return the parameter's name, the same for the same path and another for another one."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", binding.path).strip("_") or "value"
    if name.lower() in _TAKEN:
        name += "_value"
    while paths.setdefault(name, binding.path) != binding.path:
        name += "_2"
    return name


def _call(binding: Binding, value: Any, name: str) -> str:
    try:
        if binding.identifier:
            written = write_identifier(value, name)
            function = "columns" if written.type == "identifiers" else "column"
            return f"{{{{{function}({name}, {written.text!r})}}}}"
        return _typed(write_value(value, name).type, value, name)
    except Unwritable as error:
        raise CellProblem(
            f"{{{{ {binding.path} }}}} {error}", position=binding.start, length=binding.end - binding.start
        ) from None


def _typed(type_name: str, value: Any, name: str) -> str:
    if type_name.startswith("Array("):
        return _array(type_name, value, name)
    if type_name == "String":
        if isinstance(value, (bytes, bytearray)):
            raise Unwritable("is bytes, which no parameter of a Pipe carries. Decode them to a text.")
        return f"{{{{String({name}, {str.__str__(value)!r})}}}}"
    for pattern, call, around in _CALLS:
        found = re.fullmatch(pattern, type_name)
        if found is None:
            continue
        parts = found.groupdict()
        if "digits" in parts:
            width = _WIDTHS[int(parts["digits"])]
            return f"toDecimal{width}({_inner(call, name, format(value, 'f'))}, {parts['scale']})"
        return (
            around.replace("{type}", type_name)
            .replace("{rest}", parts.get("rest") or "")
            .replace("{}", _inner(call or type_name, name, _default(type_name, value)))
        )
    raise Unwritable("is None, which has no type: give the variable a value, and it becomes the default.")


def _inner(call: str, name: str, default: Any) -> str:
    return f"{{{{{call}({name}, {default!r})}}}}"


def _default(type_name: str, value: Any) -> Any:
    """Return the value in Python's own types, as it is to stand in the text."""
    if type_name == "Bool":
        return int(bool(value))
    if "Int" in type_name:
        return int(value)
    if type_name == "Float64":
        number = float(value)
        if number - number != 0:
            raise Unwritable(f"is {number!r}, which no parameter of a Pipe has for a default.")
        return number
    if type_name.startswith("DateTime"):
        from tinymagic.notebook.values import moment_text

        return moment_text(value, type_name)
    return str(value)


def _array(type_name: str, value: Any, name: str) -> str:
    inner = type_name[len("Array(") : -1]
    elements = [str(element) for element in value]
    if inner.startswith(("Array", "Nullable")):
        raise Unwritable(f"is an {type_name}, which no parameter of a Pipe has: use a list of plain values.")
    if not elements or inner == "Nothing":
        raise Unwritable("is an empty list, whose type cannot be told: put an element into it.")
    if any("," in element for element in elements):
        raise Unwritable("has an element with a comma in it, at which a parameter that is a list is split.")
    carried = inner if re.fullmatch(r"U?Int\d+|Float64|String", inner) else "String"
    call = f"{{{{Array({name}, {carried!r}, {','.join(elements)!r})}}}}"
    return call if carried == inner else f"CAST({call}, 'Array({inner.replace(chr(39), chr(92) + chr(39))})')"
