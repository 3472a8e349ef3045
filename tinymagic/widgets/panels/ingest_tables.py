"""What became of the rows of files, as tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.widgets import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.widgets.models.analyze import Outcome

_HEADS = ("File", "Rows stored", "In quarantine", "Not readable", "Not stored", "Unknown", "")


def outcomes_table(outcomes: Sequence[Outcome]) -> str:
    """Return a line of counts for each file; nothing when none was sent."""
    if not outcomes:
        return ""
    lines = []
    for each in outcomes:
        report = each.report
        counts = ["", "", "", "", ""]
        if report is not None:
            numbers = (report.stored, report.quarantined, report.invalid, report.failed, report.unknown)
            counts = [f"{number:,}" for number in numbers]
        lines.append([look.text(each.name), *counts, _state(each)])
    shown = look.section("What became of the rows")
    shown += look.table(_HEADS, lines, numbers=(1, 2, 3, 4, 5), label="Rows of each file")
    notices = [notice for each in outcomes if each.report is not None for notice in each.report.notices]
    return shown + "".join(look.note(notice) for notice in notices)


def _state(outcome: Outcome) -> str:
    if outcome.cancelled:
        return look.badge("cancelled", "warning")
    if outcome.error:
        return look.badge("failed", "error")
    if outcome.report is not None and not outcome.report.complete:
        return look.badge("not all stored", "warning")
    return look.badge("done", "done")


def reasons_table(outcomes: Sequence[Outcome]) -> str:
    """Return why rows are in the quarantine; nothing when none is, or nobody knows."""
    lines = [
        [look.text(each.column), look.text(each.reason), f"{each.rows:,}", look.text(each.example)]
        for outcome in outcomes
        if outcome.report is not None
        for each in outcome.report.reasons
    ]
    if not lines:
        return ""
    heads = ["Column", "Reason", "Rows", "For instance"]
    return look.section("Why rows are in quarantine") + look.table(heads, lines, numbers=(2,), label="Reasons")
