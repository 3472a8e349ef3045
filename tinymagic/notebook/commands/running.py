"""What a command says about a job that it has started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinymagic.notebook.commands.waiting import wait_for
from tinymagic.notebook.display import visible

if TYPE_CHECKING:
    from tinymagic.api.jobs import Job
    from tinymagic.api.pipe_results import Schedule
    from tinymagic.notebook.tinybird import Call


def say_started(call: Call, job: Job, what: str) -> None:
    """Say which job was started, and with ``--wait`` what became of it.

    Args:
        call: of the command.
        job: that was started.
        what: it does, for the bar.

    Raises:
        JobFailed: with ``--wait``: it ended with an error, or was cancelled.
    """
    name = visible(job.id)
    if "wait" not in call.options:
        print(f"Started the job {name}. %tinybird job wait {name} waits for its end.")
        return
    done = wait_for(call, job, what)
    print(f"The job {name} is {visible(done.status)}.{_files(done)}")


def _files(job: Job) -> str:
    """Say which files a sink wrote or a connector read, where the job tells."""
    files = job.raw.get("files")
    paths = (
        [each.get("path") if isinstance(each, Mapping) else each for each in files] if isinstance(files, list) else []
    )
    names = [visible(str(each)) for each in paths if each]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    did = "read" if job.kind == "import" else "wrote"
    return f" It {did} {', '.join(names[:3])}{more}." if names else ""


def when_words(schedule: Schedule | None, otherwise: str) -> str:
    """Say when a copy or a sink runs: by its schedule, else *otherwise*."""
    return f"at {visible(schedule.cron)} (UTC)" if schedule else otherwise


def schedule_words(cron: str) -> str:
    """Return a schedule as the client takes it: ``none`` in a command takes it away.

    Example:
        >>> schedule_words("none"), schedule_words("0 * * * *")
        ('', '0 * * * *')
    """
    return "" if cron.strip().lower() in ("none", "") else cron
