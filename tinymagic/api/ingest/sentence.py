"""An `IngestReport` in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinymagic.api.ingest.report import IngestReport

_TWICE = " Do not send all of them again: the stored rows would be there twice."


def sentence_of(report: IngestReport, retry: str | None = None) -> str:
    """Say what became of the rows, and what to do about those that were not stored."""
    parts = _counts(report)
    said = ", ".join(parts)
    text = f"{said[0].upper()}{said[1:]}."
    if report.interrupted:
        text = f"Interrupted. {text}"
    text += _why(report)
    if report.ignored_columns:
        text += f" Not in the Data Source, so not stored: {', '.join(report.ignored_columns)}."
    return text + _advice(report, retry)


def _counts(report: IngestReport) -> list[str]:
    if not report.batches:
        return ["no rows, so nothing was sent"]
    untold = report.rows is None and not report.failed and not report.unknown_batches
    parts = [
        "the service did not tell how many rows were stored"
        if untold
        else count_of(report.stored, "stored" if report.waited else "accepted, to be stored soon")
    ]
    if report.quarantined:
        parts.append(count_of(report.quarantined, "in quarantine"))
    if report.invalid:
        parts.append(count_of(report.invalid, "not readable", "line"))
    if report.failed:
        parts.append(count_of(report.failed, "not stored"))
    if uncounted := sum(batch.rows is None for batch in report.failed_batches):
        parts.append(f"the rows of {count_of(uncounted, '', 'part').strip()} not stored and not counted")
    if any(batch.rows is None for batch in report.unknown_batches):
        parts = [part for part in parts if part != count_of(0, "stored")]
        parts.append("it is not known whether the rows are stored, nor how many there are")
    if report.unknown and not untold:
        parts.append(count_of(report.unknown, "stored or not, which is not known"))
    return parts


def _why(report: IngestReport) -> str:
    answered = [batch for batch in report.batches if batch.outcome == "answered"]
    told = report.quarantined or report.invalid
    error = next((batch.error for batch in answered if batch.error), None)
    said = f" The service says: {error.rstrip('.')}." if error and not told else ""
    tried = [batch for batch in report.batches if batch.outcome in ("failed", "unknown") and batch.error]
    if tried:
        first = tried[0]
        rest = f" ({len(tried)} batches failed; this is the first)" if len(tried) > 1 else ""
        said += f" Batch {first.number}{rest}: {str(first.error).rstrip('.')}."
    return said


def _advice(report: IngestReport, retry: str | None) -> str:
    events = report.via == "events"
    call = retry or ("ws.events.retry(report)" if events else f"ws.datasources.append({report.name!r}, resume=report)")
    if report.failed_batches:
        advice = f" {call} sends again what was not stored, and nothing else."
    elif not report.complete and report.stored:
        advice = _TWICE
    else:
        advice = ""
    if report.unknown_batches:
        advice += " Look whether the rows that are not known about are there before you send them again"
        advice += " (include_unknown=True): they could be there twice."
    if report.unfinished:
        advice += " The generator was left where it stood; its further rows were not taken."
    return advice


def count_of(number: int, what: str, noun: str = "row") -> str:
    """Return a number with its noun and *what* behind.

    Example:
        >>> count_of(1, "stored"), count_of(1200, "stored")
        ('1 row stored', '1,200 rows stored')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'} {what}"
