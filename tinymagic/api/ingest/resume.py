"""Sending again what was not stored, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import Cancelled, InvalidInput, TinybirdError
from tinymagic.api.ingest.carriers import JobCarrier
from tinymagic.api.ingest.pieces import Chain
from tinymagic.api.ingest.report import Batch, IngestReport, numbered
from tinymagic.api.ingest.run import OnFailure, Run, carry_report, with_counts
from tinymagic.api.ingest.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.transport import Transport
    from tinymagic.api.progress import OnProgress


def resumed(
    transport: Transport,
    report: IngestReport,
    *,
    include_unknown: bool = False,
    on_failure: OnFailure = "stop",
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
) -> IngestReport:
    """Send the failed batches of *report* again, the same way; return the report of all its rows.

    A report that was resumed before goes on from where that ended, so that nothing is sent twice.

    Args:
        transport: of the Workspace.
        report: of an ingestion; its counts stay as they are.
        include_unknown: also send what may be stored already; those rows could be there twice. A batch that went out
            as a job is not sent: the job is asked what became of it, in any case.
        on_failure: as in the ingestion.
        on_progress: told how many rows are dealt with.
        cancellation: ends the work from another thread.

    Raises:
        InvalidInput: the report does not know its rows any more; nothing was sent.
        TinybirdError: what ended the work, with the new report of all rows in its attribute ``report``.
    """
    if not isinstance(report, IngestReport):
        raise InvalidInput(f"What is sent again comes from an IngestReport, not from {type(report).__name__}.")
    while report.resumptions:
        report = report.resumptions[-1]
    carrier = report.carrier
    if carrier is None:
        raise InvalidInput("This report does not know how its rows were sent, so they cannot be sent again by it.")
    carrier = replace(carrier, cancellation=cancellation)  # type: ignore[type-var]
    followed = [_followed(carrier, batch) for batch in report.batches]
    wanted = [batch for batch in followed if _is_wanted(batch, include_unknown=include_unknown)]
    kept = [batch for batch in followed if not any(batch is each for each in wanted)]
    twice = sum(batch.rows or 0 for batch in wanted if batch.outcome == "unknown")
    run = Run(
        transport,
        carrier,
        name=report.name,
        via=report.via,
        on_failure=on_failure,
        on_progress=on_progress,
        cancellation=cancellation,
        waited=report.waited,
    )
    notices = report.notices
    if twice:
        notices += (f"Sent again without knowing whether they were stored: {twice:,} rows. Look for doubles.",)

    def whole(part: IngestReport) -> IngestReport:
        made = replace(
            part,
            batches=numbered([*kept, *part.batches]),
            unfinished=report.unfinished,
            ignored_columns=report.ignored_columns,
            notices=notices,
            reply=part.reply or report.reply,
            reasons=part.reasons or report.reasons,
        )
        report.resumptions.append(made)
        return made

    try:
        return whole(run.run(Chain(_sources(wanted))))
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(part := getattr(error, "report", None), IngestReport):
            carry_report(error, whole(part))
        raise


def _is_wanted(batch: Batch, *, include_unknown: bool) -> bool:
    return batch.outcome in ("failed", "not sent") or (include_unknown and batch.outcome == "unknown")


def _sources(batches: Sequence[Batch]) -> list[Any]:
    for batch in batches:
        if batch.source is None:
            raise InvalidInput(f"The rows of batch {batch.number} are not kept, so they cannot be sent again.")
    return [batch.source for batch in batches]


def _followed(carrier: Any, batch: Batch) -> Batch:
    """Ask the job of a batch what became of it, when that was not known."""
    if batch.outcome != "unknown" or batch.job_id is None or not isinstance(carrier, JobCarrier):
        return batch
    watch = Watch(False, carrier.transport.redact)
    try:
        told = carrier.follow(batch.job_id, watch)
    except (Cancelled, KeyboardInterrupt):
        raise
    except TinybirdError:
        if watch.told is None:
            return batch
        told = watch.told
    return with_counts(replace(batch, outcome="answered"), told)
