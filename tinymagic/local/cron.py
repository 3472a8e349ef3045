"""Cron expressions as the service takes them: five fields, in UTC, or a word such as ``@hourly``. Pure.

``croniter`` reads the fields. What it knows beyond cron is refused: seconds and years (the service fires once a minute
at most) and random or hashed values, which mean another time whenever they are asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone

#: Words that stand for no schedule. The text ``None`` is what the vendor's command line sends to take one away.
_UNSCHEDULED = ("", "@on-demand", "none", "null")

#: Runs one time, as soon as it is set.
ONCE = "@once"

_WORDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")

_MOST_CHARACTERS = 200
_FIELDS = 5


class CronError(ValueError):
    """Not a cron expression, or one that never comes true; the message is the vendor's text."""


@dataclass(frozen=True)
class Cron:
    """A schedule.

    Attributes:
        text: as it was written, without blanks around.
    """

    text: str

    @property
    def is_once(self) -> bool:
        """Whether it means one run, at once."""
        return self.text.lower() == ONCE

    def next_after(self, moment: datetime) -> datetime:
        """Return the first due time after *moment* (both UTC); for ``@once`` it is *moment* itself.

        Raises:
            CronError: there is none in the next decades.
        """
        return moment if self.is_once else self._near(moment.timestamp(), "get_next")

    def last_until(self, moment: datetime) -> datetime:
        """Return the last due time up to and with *moment*; for ``@once`` it is *moment* itself.

        Raises:
            CronError: there is none in the last decades.
        """
        return moment if self.is_once else self._near(math.floor(moment.timestamp()) + 1, "get_prev")

    def _near(self, seconds: float, step: str) -> datetime:
        from croniter import croniter  # type: ignore[import-untyped]

        try:
            # Seconds since 1970 and not a datetime: then no version of croniter asks for a time zone.
            due = getattr(croniter(self.text.lower(), seconds), step)(float)
        except (ValueError, OverflowError) as error:
            raise _invalid(self.text) from error
        return datetime.fromtimestamp(due, timezone.utc)


def read_cron(text: str) -> Cron | None:
    """Read a cron expression; ``None`` when the text stands for no schedule.

    Raises:
        CronError: ``Invalid cron expression: '<text>'``.

    Example:
        >>> read_cron("*/5 * * * *").next_after(datetime(2026, 1, 1, 10, 2, tzinfo=timezone.utc)).minute
        5
    """
    words = text.split()
    joined = " ".join(words)
    if joined.lower() in _UNSCHEDULED:
        return None
    known = len(words) == 1 and joined.lower() in (ONCE, *_WORDS)
    plain = len(words) == _FIELDS and joined.isascii() and len(joined) <= _MOST_CHARACTERS
    if not known and not (plain and not any(_is_random(word) for word in words)):
        raise _invalid(text.strip())
    cron = Cron(joined)
    try:
        cron.next_after(datetime(2026, 1, 1, tzinfo=timezone.utc))
    except CronError:
        raise _invalid(text.strip()) from None
    return cron


def _is_random(word: str) -> bool:
    return word[:1].upper() in ("R", "H")


def _invalid(text: str) -> CronError:
    return CronError(f"Invalid cron expression: '{text[:_MOST_CHARACTERS]}'")
