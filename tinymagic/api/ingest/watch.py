"""What the service said about the rows of a request, and how the attempts at it went."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinymagic.api.datasource_results import ImportReport
from tinymagic.api.http.failures import failure_of
from tinymagic.api.ingest.fates import is_refusal
from tinymagic.api.reading import count, mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.api.errors import TinybirdError
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.http.request import Body


@dataclass(frozen=True)
class Told:
    """What the service said about the rows of a piece; ``None`` for a count that it did not tell.

    Attributes:
        stored: rows.
        quarantined: rows.
        invalid: lines.
        status: HTTP status.
        error: its sentence about rows that it did not store, or ``None``.
        import_id: for the quarantine, or ``None``.
        job_id: of the job, or ``None``.
        reply: of an import, or ``None``.
    """

    stored: int | None
    quarantined: int | None
    invalid: int | None = None
    status: int | None = None
    error: str | None = None
    import_id: str | None = None
    job_id: str | None = None
    reply: ImportReport | None = None


@dataclass
class Watch:
    """Follows the attempts of one request, so that an interrupt in the middle can be told from one in a pause.

    Attributes:
        events: whether it goes to the Events API.
        redact: takes tokens out of a text.
        attempts: so far.
        under_way: whether an attempt has begun and no refusal of it has been read.
        told: counts that came with an error status.
        headers: of the last reply.
        job_id: of a job that was begun.
    """

    events: bool
    redact: Callable[[str], str]
    attempts: int = 0
    under_way: bool = False
    told: Told | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    job_id: str | None = None

    def body(self, make: Callable[[], Body]) -> Callable[[], Body]:
        """Return *make* for `Request`, noticing each attempt."""

        def opened() -> Body:
            made = make()
            self.attempts += 1
            self.under_way = True
            return made

        return opened

    def failure(self, reply: Reply) -> TinybirdError:
        """Make the error for a reply with an error status, and read the counts that may come with it."""
        error = failure_of(reply, redact=self.redact)
        self.headers = reply.headers
        self.told = _told_with_error(reply, events=self.events, error=error.message)
        if self.told is None and is_refusal(error, events=self.events):
            self.under_way = False
        return error


def _told_with_error(reply: Reply, *, events: bool, error: str) -> Told | None:
    """Read counts out of the body of an error; an import may be partial, and events may fail in a view only."""
    try:
        said = mapping(json.loads(reply.body))
    except (ValueError, RecursionError):
        said = {}
    if events:
        stored, quarantined = count(said.get("successful_rows")), count(said.get("quarantined_rows"))
        if reply.status != 422:
            return None
        # Stored, in part at least: whatever the counts, these rows are not to be sent again.
        return Told(stored, quarantined, 0, reply.status, error)
    if "import_id" not in said or not ("blocks" in said or "quarantine_rows" in said or "invalid_lines" in said):
        return None
    report = ImportReport.of(said)
    if report.rows is None and not report.quarantined and not report.invalid_lines:
        return None
    return told_of(report, reply.status)


def told_of(report: ImportReport, status: int | None, job_id: str | None = None) -> Told:
    """Return what the reply to an import says."""
    return Told(
        report.rows, report.quarantined, report.invalid_lines, status, report.error, report.import_id, job_id, report
    )
