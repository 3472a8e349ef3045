"""The ``q`` that is sent for an endpoint whose rows are to become a DataFrame. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.api.statement import compose
from tinymagic.sqltext import is_template, split_format

if TYPE_CHECKING:
    from tinymagic.api.statement import WireFormat

#: The rows of the endpoint in ``q`` (``pipes.md`` section 6.1).
ROWS = "SELECT * FROM _"


def composed(
    q: str | None, *, limit: int | None = None, wire_format: WireFormat = "JSONCompact", only_types: bool = False
) -> str | None:
    """Return the ``q`` to send, or ``None`` when the endpoint is to be called as it is.

    Args:
        q: as the user wrote it; a FORMAT at its end is dropped, because the extension of the URL names the format.
        limit: at most so many rows are wanted; one more is asked for, which tells whether there were more.
        wire_format: for ``Parquet`` a column with the exact types is added.
        only_types: ask for no rows at all.

    Example:
        >>> composed(None), composed("SELECT a FROM _ FORMAT CSV")
        (None, 'SELECT a FROM _')
        >>> print(composed(None, limit=10))
        SELECT * FROM (
        SELECT * FROM _
        ) LIMIT 11
    """
    if limit is None and wire_format == "JSONCompact" and not only_types:
        return None if q is None else q if is_template(q) else split_format(q)[0]
    statement = compose(q or ROWS, wire_format=wire_format, limit=limit, only_types=only_types)
    return statement.text.rpartition("\nFORMAT ")[0] or statement.text
