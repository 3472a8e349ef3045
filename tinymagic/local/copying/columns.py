"""Whether the columns of a SELECT can be copied into a Data Source. Pure; the caller knows which types convert."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.local.tables.schema import Column

#: The vendor's text, which clients look for.
INCOMPATIBLE = "Cannot create copy job. Destination data source doesn't have a compatible schema."


def problems(
    described: Sequence[tuple[str, str]], target: Sequence[Column], converts: Callable[[str, str], bool]
) -> list[str]:
    """Say of each column of a SELECT that the target cannot take what is the matter; none when all fit.

    Columns go by their names. Those that the target has beside get their defaults.

    Args:
        described: name and type of the SELECT's columns.
        target: columns of the Data Source.
        converts: whether the engine's INSERT makes values of the second type out of those of the first.
    """
    known = {column.name: column for column in target}
    found = []
    seen: set[str] = set()
    for name, type_ in described:
        column = known.get(name)
        if name in seen:
            found.append(f"the column '{name}' is selected twice")
        elif column is None:
            found.append(f"the column '{name}' is not in the Data Source, which has {', '.join(known)}")
        elif not column.is_inserted:
            found.append(f"the column '{name}' is computed in the Data Source")
        elif type_ not in (column.type, column.full_type) and not converts(type_, column.full_type):
            found.append(f"the column '{name}' is {type_}, and in the Data Source it is {column.full_type}")
        seen.add(name)
    return found


def incompatible(found: Sequence[str], name: str) -> str:
    """Return the sentence about a Data Source that cannot take the rows."""
    return f"{INCOMPATIBLE} {name}: {'; '.join(found)}."
