"""Waiting for a job that a command has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.display import visible
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.progress import progress

if TYPE_CHECKING:
    from tinymagic.api.jobs import Job
    from tinymagic.notebook.tinybird import Call


def wait_for(call: Call, job: Job | str, what: str, *, timeout_s: float | None = None) -> Job:
    """Wait until a job is done, with a bar; an interrupt ends the waiting, and says how to end the job.

    Args:
        call: of the command.
        job: that was started.
        what: it does, for the bar.
        timeout_s: the longest wait; ``None`` for any.

    Raises:
        JobFailed: it ended with an error, or was cancelled.
    """
    job_id = job if isinstance(job, str) else job.id
    with progress(what, unit="%") as tell, interruptible() as cancellation:
        try:
            return call.workspace.jobs.wait(job, timeout_s=timeout_s, on_progress=tell, cancellation=cancellation)
        except KeyboardInterrupt:
            name = visible(job_id)
            print(
                f"The job {name} goes on. %tinybird job wait {name} waits again, %tinybird job cancel {name} ends it."
            )
            raise
