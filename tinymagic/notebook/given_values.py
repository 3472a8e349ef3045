"""Notebook variables and parameters that a line names. Pure but for the names it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinymagic.names import near_names
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Iterable


def variable(name: str, names: Mapping[str, Any]) -> Any:
    """Return the variable *name*, which may be written with a ``$`` in front.

    Args:
        name: as it stands in the line.
        names: the notebook's.

    Raises:
        CellProblem: there is none; near names are in it.

    Example:
        >>> variable("$limit", {"limit": 5})
        5
    """
    plain = name.removeprefix("$")
    if plain not in names:
        sign = "$" if name.startswith("$") else ""
        near = tuple(sign + each for each in near_names(plain, [each for each in names if not each.startswith("_")]))
        raise CellProblem(f"There is no variable {plain!r}.", suggestions=near)
    return names[plain]


def parameters(single: Iterable[str], sets: Iterable[str], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``--param`` and ``--params`` give as one dictionary; the single ones win.

    Args:
        single: each ``name=value``; a value is a text, or ``$variable``.
        sets: each a JSON object, or ``$variable`` of a dictionary.
        names: the notebook's.

    Raises:
        CellProblem: one cannot be read.

    Example:
        >>> parameters(["a=1", "b=$n"], ['{"a": 5, "c": true}'], {"n": 7})
        {'a': '1', 'c': True, 'b': 7}
    """
    found: dict[str, Any] = {}
    for text in sets:
        found.update(parameter_set(text, names))
    for text in single:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise CellProblem(f"--param takes NAME=VALUE, not {text!r}.")
        found[name.strip()] = variable(value, names) if value.startswith("$") else value
    return found


def parameter_set(text: str, names: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what one ``--params`` gives.

    Args:
        text: a JSON object, or ``$variable`` of a dictionary.
        names: the notebook's.

    Raises:
        CellProblem: it cannot be read, or is something else.
    """
    import json

    if text.startswith("$"):
        found = variable(text, names)
    else:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CellProblem(f"--params takes a JSON object in quotes, or $NAME of a dictionary: {error}.") from None
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise CellProblem(f"--params takes an object of names and values; {text} is {type(found).__name__}.")
    return found
