"""Differences between dates (``templating.md`` section 6)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from .errors import TEMPLATES_PAGE, TemplateError, syntax_error
from .values import Placeholder

_DAY = "%Y-%m-%d"
_SECOND = "%Y-%m-%d %H:%M:%S"
#: Longer texts are no dates; Python makes a regular expression of the format.
_LONGEST = 200

_DAY_TEXT = "it must be ISO format date YYYY-MM-DD, e.g. 2018-09-26"
_SECOND_TEXT = (
    "defaults to YYYY-MM-DD hh:mm:ss. Or %Y-%m-%d %H:%M:%S [.ssssss]Z, "
    "e.g. ms: 2022-12-19T18:42:22.591Z s:2022-12-19T18:42:22Z"
)


def day_diff(d0: Any, d1: Any) -> int:
    """Return the whole days between two dates ``YYYY-MM-DD``, never negative."""
    if isinstance(d0, Placeholder) or isinstance(d1, Placeholder):
        return 0
    difference = _difference(d0, d1, _DAY, None)
    if difference is None:
        # The word is misspelt in the service's text.
        text = f"invalid date format in function `day_diff`, {_DAY_TEXT}. For other fotmats, try `date_diff_in_days`"
        raise syntax_error(text, f"{TEMPLATES_PAGE}#date_diff_in_days")
    return difference.days


def date_diff_in_days(
    d0: Any, d1: Any, date_format: Any = _DAY, backup_date_format: Any = None, none_if_error: Any = False
) -> int | None:
    """Return the whole days between two dates; formats are those of Python's ``strptime``."""
    problem = _problem("date_diff_in_days", f"invalid date format in function `date_diff_in_days`, {_DAY_TEXT}")
    difference = _checked(problem, d0, d1, date_format, backup_date_format, none_if_error)
    return None if difference is None else difference.days


def date_diff_in_hours(
    d0: Any, d1: Any, date_format: Any = _SECOND, backup_date_format: Any = None, none_if_error: Any = False
) -> int | None:
    """Return the whole hours between two times."""
    problem = _problem("date_diff_in_hours", _time_text("date_diff_in_hours"))
    return _whole(_checked(problem, d0, d1, date_format, backup_date_format, none_if_error), 3600)


def date_diff_in_minutes(
    d0: Any, d1: Any, date_format: Any = _SECOND, backup_date_format: Any = None, none_if_error: Any = False
) -> int | None:
    """Return the whole minutes between two times."""
    # The service's text names the function for seconds.
    problem = _problem("date_diff_in_minutes", _time_text("date_diff_in_seconds"))
    return _whole(_checked(problem, d0, d1, date_format, backup_date_format, none_if_error), 60)


def date_diff_in_seconds(
    d0: Any, d1: Any, date_format: Any = _SECOND, backup_date_format: Any = None, none_if_error: Any = False
) -> int | None:
    """Return the whole seconds between two times."""
    problem = _problem("date_diff_in_seconds", _time_text("date_diff_in_seconds"))
    return _whole(_checked(problem, d0, d1, date_format, backup_date_format, none_if_error), 1)


def _problem(anchor: str, text: str) -> TemplateError:
    return syntax_error(text, f"{TEMPLATES_PAGE}#{anchor}")


def _time_text(function: str) -> str:
    return f"invalid date_format in function `{function}`, {_SECOND_TEXT}"


def _whole(difference: timedelta | None, seconds: int) -> int | None:
    return None if difference is None else int(difference.total_seconds() // seconds)


def _checked(
    problem: TemplateError, d0: Any, d1: Any, date_format: Any, backup_date_format: Any, none_if_error: Any
) -> timedelta | None:
    if isinstance(d0, Placeholder) or isinstance(d1, Placeholder):
        return timedelta(0)
    difference = _difference(d0, d1, date_format, backup_date_format)
    if difference is None and not none_if_error:
        raise problem
    return difference


def _difference(d0: Any, d1: Any, date_format: Any, backup_date_format: Any) -> timedelta | None:
    """Return the absolute difference; ``None`` when one of the texts is no date in either format."""
    try:
        return abs(_parse(d0, date_format, backup_date_format) - _parse(d1, date_format, backup_date_format))
    except (TypeError, ValueError, OverflowError, re.error):
        return None


def _parse(text: Any, date_format: Any, backup_date_format: Any) -> datetime:
    if any(isinstance(each, str) and len(each) > _LONGEST for each in (text, date_format, backup_date_format)):
        raise ValueError("the text is too long to be a date")
    try:
        return datetime.strptime(text, date_format)  # noqa: DTZ007 - the template's format decides about zones
    except ValueError:
        if not backup_date_format:
            raise
        return datetime.strptime(text, backup_date_format)  # noqa: DTZ007
