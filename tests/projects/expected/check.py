"""One call of an endpoint with the rows it has to give, and how rows are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]
Data = dict[str, list[Row]]


@dataclass(frozen=True)
class Check:
    """One call of an endpoint and the rows it has to give.

    Attributes:
        endpoint: name of the Pipe.
        parameters: of the request.
        rows: makes the expected rows from the events that were sent, by Data Source.
    """

    endpoint: str
    rows: Callable[[Data], list[Row]]
    parameters: dict[str, str] = field(default_factory=dict)


def seconds(text: str) -> datetime:
    """Return a time of an event."""
    return datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)


def same(found: Any, wanted: Any) -> bool:
    """Say whether two values of rows are the same, numbers within a millionth."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and wanted.keys() <= found.keys()
            and all(same(found[key], value) for key, value in wanted.items())
        )
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, float) or isinstance(found, float):
        return found is not None and wanted is not None and math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-6)
    return bool(found == wanted)
