"""``%tinybird job``: what runs in the background."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.commands.running import say_started
from tinymagic.notebook.commands.showing import moment_text, moments, print_facts
from tinymagic.notebook.commands.waiting import wait_for
from tinymagic.notebook.display import human_seconds, visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from tinymagic.api.jobs import Job
    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return the jobs that are known, newest first: one row each."""
    import pandas as pd

    jobs = call.workspace.jobs.list(
        kind=_words(call, "kind"),
        status=_words(call, "status"),
        pipe_name=call.options.get("pipe"),
        created_after=_since(call.options.get("since")),
    )
    frame: pd.DataFrame = pd.DataFrame(
        {
            "id": [each.id for each in jobs],
            "kind": [each.kind for each in jobs],
            "status": [each.status for each in jobs],
            "created": moments(each.created_at for each in jobs),
            "seconds": pd.Series([_seconds(each) for each in jobs], dtype="Float64").round(1),
            "pipe": [each.pipe_name for each in jobs],
            "data source": [each.datasource_name for each in jobs],
            "error": [each.error or "" for each in jobs],
        }
    )
    return frame


def _words(call: Call, option: str) -> Sequence[str] | None:
    """Return the values of an option that may be repeated, or have commas between."""
    return [word for value in call.all(option) for word in value.split(",") if word] or None


_AGO_RE = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _since(given: str | None) -> datetime | None:
    """Return the point in time that ``2h`` or ``2026-01-31 12:00`` means.

    Raises:
        CellProblem: it is neither.
    """
    from tinymagic.api.reading import moment

    if given is None:
        return None
    ago = _AGO_RE.fullmatch(given.strip())
    found = datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) if ago else moment(given)
    if found is None:
        raise CellProblem(f"--since takes 30m, 2h, 1d or a point in time such as 2026-01-31T12:00, not {given!r}.")
    return found


def _seconds(job: Job) -> float | None:
    """Return how long it has taken, or takes since it began."""
    if job.started_at is None:
        return None
    end = job.updated_at if job.finished and job.updated_at else datetime.now(timezone.utc)
    return max((end - job.started_at).total_seconds(), 0.0)


def _near_job(call: Call, job_id: str) -> AbstractContextManager[None]:
    return near("job", job_id, lambda: [each.id for each in call.workspace.jobs.list()])


def show(call: Call) -> None:
    """Print everything about one."""
    job_id = call.words[0]
    with _near_job(call, job_id):
        job = call.workspace.jobs.get(job_id)
    print_facts(_facts(job))


def _facts(job: Job) -> dict[str, str]:
    seconds = _seconds(job)
    rows, size = job.statistics.row_count, job.statistics.bytes
    known = {
        "Job": job.id,
        "Kind": job.kind,
        "Status": job.status,
        "Progress": "" if job.share_done is None or job.finished else f"{job.share_done:.0f} %",
        "Created": moment_text(job.created_at),
        "Started": moment_text(job.started_at),
        "Updated": moment_text(job.updated_at),
        "Took": "" if seconds is None else human_seconds(seconds),
        "Pipe": job.pipe_name,
        "Data Source": job.datasource_name,
        "Statistics": ", ".join(f"{value:,} {unit}" for value, unit in ((rows, "rows"), (size, "bytes")) if value),
        "Quarantine": f"{job.quarantine_rows:,} rows" if job.quarantine_rows else "",
        "Not readable": f"{job.invalid_lines:,} lines" if job.invalid_lines else "",
        "Error": job.error or "",
        "Errors": "; ".join(each for each in job.errors if each != job.error),
    }
    return {**known, **{_name(key): _value(value) for key, value in job.raw.items() if key not in _SHOWN}}


#: Keys of the service's object that are shown by themselves, or say nothing to people.
_SHOWN = frozenset(
    """
    id job_id kind job_type status created_at started_at updated_at job_url is_cancellable error errors
    progress_percentage statistics pipe_id pipe_name datasource datasource_name quarantine_rows invalid_lines blocks
    block_log hook_log
    """.split()
)


def _name(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _value(value: Any) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def wait(call: Call) -> None:
    """Wait until one is over."""
    job_id = call.words[0]
    seconds = call.options.get("timeout")
    with _near_job(call, job_id):
        job = wait_for(call, job_id, f"job {job_id[:8]}", timeout_s=None if seconds is None else float(seconds))
    taken = _seconds(job)
    print(f"The job {visible(job.id)} is done{'' if taken is None else f' after {human_seconds(taken)}'}.")


def cancel(call: Call) -> None:
    """End one that waits or works."""
    job_id = call.words[0]
    with _near_job(call, job_id):
        job = call.workspace.jobs.cancel(job_id)
    if job.status == "cancelled":
        print(f"The job {visible(job.id)} is cancelled.")
    else:
        print(f"The job {visible(job.id)} is being cancelled. %tinybird job show {visible(job.id)}")


def retry(call: Call) -> None:
    """Start a failed import anew."""
    job_id = call.words[0]
    with _near_job(call, job_id):
        job = call.workspace.jobs.retry(job_id)
    say_started(call, job, f"retry of {job_id[:8]}")
