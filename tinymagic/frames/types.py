"""ClickHouse type names -> type objects. Parsing happens once per text; families register themselves on import."""

from __future__ import annotations

from functools import lru_cache

from tinymagic.frames import families as _families  # noqa: F401 - the import fills the registry
from tinymagic.frames.base import ClickHouseType, Opaque, build, registered_names
from tinymagic.frames.syntax import UnknownType, parse_syntax

__all__ = ["ClickHouseType", "Opaque", "UnknownType", "parse_type", "registered_names"]


@lru_cache(maxsize=4096)
def parse_type(text: str) -> ClickHouseType:
    """Read a ClickHouse type name into an immutable tree; the same text gives the same object.

    Args:
        text: a type as ``toTypeName`` or the ``meta`` of a JSON reply writes it; line breaks are allowed.

    Returns:
        The type. A name without a family (a type newer than this package) is an `Opaque` one, read as an object column.

    Raises:
        UnknownType: the text is no type name, or a known type has arguments it does not take.

    Example:
        >>> parse_type("Map(String, Array(Nullable(UInt8)))").children[1].children[0].nullable
        True
        >>> parse_type("Spaceship(3)")
        Opaque(text='Spaceship(3)', nullable=False)
    """
    try:
        return build(parse_syntax(text))
    except RecursionError as error:
        raise UnknownType(f"The type {text[:80]!r}... is nested too deeply to be read.") from error
