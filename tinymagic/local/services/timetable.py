"""What a timetable tells: one thing that runs at set times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


@dataclass(frozen=True)
class Scheduled:
    """Something with a schedule that is not paused.

    Attributes:
        place: ids that tell it from everything else, that of its resource first.
        cron: when it runs.
        run: starts a run that was due at the given time, and does not wait for its end.
        take_away: removes the schedule, of something that runs once.
    """

    place: tuple[str, ...]
    cron: str
    run: Callable[[datetime], None]
    take_away: Callable[[], None]
