"""What commands that show something share: facts as lines, points in time as a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.display import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import pandas as pd


def print_facts(facts: Mapping[str, str]) -> None:
    """Print what is known of one thing, a line each; what is empty is left out."""
    for name, value in facts.items():
        if value:
            print(f"{visible(name) + ':':<14}{visible(value)}")


def moments(values: Iterable[datetime | str | None]) -> pd.Series[pd.Timestamp]:
    """Return a column of points in time in UTC, to the second; what cannot be read is missing."""
    import pandas as pd

    return pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True, errors="coerce").dt.floor("s")


def moment_text(when: datetime | None) -> str:
    """Return a point in time for a line of facts; ``""`` for none."""
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%S} UTC"
