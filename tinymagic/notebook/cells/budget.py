"""``%config TinyMagic.daily_queries``: at most so many queries a day, of all notebooks of a person together.

Plans have a number of queries a day; a live cell or a loop can spend it before anybody looks. Each query adds one byte
to a file of the day and the host, which several kernels can do at once without losing one.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timezone
from pathlib import Path

from tinymagic.notebook.problems import CellProblem


def spend_query(host: str, most: int | None) -> None:
    """Count one query, unless it is one too many.

    Args:
        host: base URL of the API.
        most: queries a day (UTC); ``None`` for no limit, and nothing is counted.

    Raises:
        CellProblem: the budget of the day is spent; nothing was sent.
    """
    if most is None:
        return
    path = counter(host)
    sent = _sent(path)
    if sent >= most:
        raise CellProblem(
            f"The budget of {most:,} queries a day is spent: {sent:,} were sent to {host} today (UTC). "
            "Raise it with %config TinyMagic.daily_queries, or work with results that were kept (--cache, --freeze)."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"*-{path.name.rpartition('-')[2]}"):
        if old != path:
            old.unlink(missing_ok=True)
    with path.open("ab") as file:
        file.write(b".")


def queries_left(host: str, most: int | None) -> int | None:
    """Return how many more queries `spend_query` lets through today; ``None`` for any number."""
    return None if most is None else max(0, most - _sent(counter(host)))


def _sent(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def counter(host: str) -> Path:
    """Return the file whose size is the number of today's queries; ``TINYMAGIC_CACHE_HOME`` may move it."""
    own = os.environ.get("TINYMAGIC_CACHE_HOME")
    base = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinymagic"
    day = datetime.now(timezone.utc).date().isoformat()
    return base / "queries" / f"{day}-{hashlib.sha256(host.encode()).hexdigest()[:16]}"
