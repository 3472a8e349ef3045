"""How far long work has come, told to whoever shows it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far work has come.

    Attributes:
        done: so much, in *unit*. It may go back to 0: an upload that is tried again begins anew.
        total: so much there is to do, or ``None`` when that is not known.
        unit: ``B`` for bytes, ``rows``, or ``%``.

    Example:
        >>> Progress(500, 1000, "B").share, Progress(500, None, "B").share
        (0.5, None)
    """

    done: float
    total: float | None
    unit: str

    @property
    def share(self) -> float | None:
        """How much of all is done, from 0 to 1; ``None`` when the total is not known."""
        if self.total is None:
            return None
        return min(self.done / self.total, 1.0) if self.total > 0 else 1.0


#: Called now and then while work goes on, in the thread that does it. What it raises ends the work, and is raised.
OnProgress: TypeAlias = Callable[[Progress], object]
