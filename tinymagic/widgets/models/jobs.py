"""The jobs of a Workspace, looked at again and again while one of them runs."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Instance, List, Unicode

from tinymagic.api.jobs import Job
from tinymagic.errors import Cancelled
from tinymagic.widgets.models.panel_model import PanelModel, quoted
from tinymagic.widgets.work import Work

if TYPE_CHECKING:
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.workspace import Workspace

#: Seconds between two looks.
WATCH_EVERY_S = 2.0

#: What the filters of ``/v0/jobs`` take (``jobs.md`` section 3).
KINDS = ("import", "copy", "populateview", "delete_data", "sink", "query", "branch", "deployment")
STATES = ("waiting", "working", "done", "error", "cancelling", "cancelled")


class JobsModel(PanelModel):
    """Lists jobs, shows one, cancels, retries; watches by itself while one is not over.

    Attributes:
        jobs: those of the last 48 hours that the filters let through, newest first.
        kind: only these; empty for all.
        state: only these; empty for all.
        chosen: the job that was chosen, or ``None``.
        watch: whether to look again by itself.
        watching: whether that is happening now; it ends when all jobs are over.
        seen_at: of the list, aware.
    """

    jobs: List[Any] = List()
    kind = Unicode("")
    state = Unicode("")
    chosen = Instance(Job, allow_none=True)
    watch = Bool(True)
    watching = Bool(False)
    seen_at = Instance(datetime, allow_none=True)

    def __init__(
        self, workspace: Workspace | None = None, *, work: Work | None = None, every_s: float = WATCH_EVERY_S
    ) -> None:
        super().__init__(workspace, work=work)
        self._every_s = every_s
        # Beside the other work, so that cancelling a job does not wait for the watch.
        self._watch = Work()
        # Two threads bring lists; a list and what is drawn of it belong together.
        self._showing = threading.RLock()
        self.observe(lambda _: self.load(), ["kind", "state"])
        self.observe(lambda _: self._begin_watch() if self.watch else self._watch.cancel(), "watch")

    def load(self) -> None:
        """Fetch the list, and watch it while a job is not over."""
        kind, state = self.kind, self.state
        flags = [f"--kind {quoted(kind)}"] * bool(kind) + [f"--status {quoted(state)}"] * bool(state)
        self.run(
            lambda workspace, _: self._fetch(workspace), then=self._show, line=" ".join(["%tinybird job ls", *flags])
        )

    def select(self, job_id: str) -> None:
        """Fetch everything about one."""
        self.run(
            lambda workspace, _: workspace.jobs.get(job_id),
            then=self._choose,
            line=f"%tinybird job show {quoted(job_id)}",
        )

    def cancel_job(self, job_id: str) -> None:
        """Ask for the end of a job."""
        self._change(job_id, "cancel", "was asked to end")

    def retry(self, job_id: str) -> None:
        """Start an import again that failed or was cancelled, as a new job, which is chosen then."""
        self._change(job_id, "retry", "does the same again")

    def close(self) -> None:
        """End everything, the watch too."""
        self._watch.close()
        self.watching = False
        super().close()

    def _change(self, job_id: str, verb: str, said: str) -> None:
        def task(workspace: Workspace, _: Cancellation) -> tuple[list[Job], Job | None]:
            changed = workspace.jobs.cancel(job_id) if verb == "cancel" else workspace.jobs.retry(job_id)
            return self._fetch(workspace)[0], workspace.jobs.get(changed.id or job_id)

        def then(seen: tuple[list[Job], Job | None]) -> None:
            self._show(seen)
            if self.chosen is not None:
                self.say(f"The job {self.chosen.id} {said}.", "done")

        self.run(task, then=then, line=f"%tinybird job {verb} {quoted(job_id)}")

    def _fetch(self, workspace: Workspace) -> tuple[list[Job], Job | None]:
        """Ask for the list and, when it may have changed, for the one that was chosen."""
        jobs = workspace.jobs.list(kind=self.kind or None, status=self.state or None)
        chosen = self.chosen
        if chosen is not None and not chosen.finished:
            chosen = workspace.jobs.get(chosen.id)
        return jobs, chosen

    def _show(self, seen: tuple[list[Job], Job | None]) -> None:
        with self._showing:
            self.jobs, chosen = seen
            if chosen is not None:
                self.chosen = chosen
            self.seen_at = datetime.now(timezone.utc)
            if self.message_kind == "error":
                self.say("")
        self._begin_watch()

    def _choose(self, job: Job) -> None:
        with self._showing:
            self.chosen = job
            self.say("")
        self._begin_watch()

    # The watch

    def _is_over(self) -> bool:
        return all(job.finished for job in self.jobs) and (self.chosen is None or self.chosen.finished)

    def _begin_watch(self) -> None:
        # One that runs already is followed by this one, which ends at once when all is over: no job falls between two.
        workspace = self.workspace
        if workspace is not None and self.watch and not self._is_over():
            self._watch.start(
                lambda cancellation: self._look(workspace, cancellation),
                done=lambda _: self._end_watch(None),
                failed=self._end_watch,
            )

    def _look(self, workspace: Workspace, cancellation: Cancellation) -> None:
        cancellation.check()
        self.watching = True
        while not self._is_over():
            cancellation.wait(self._every_s)
            before = self.kind, self.state, self.chosen
            seen = self._fetch(workspace)
            cancellation.check()
            with self._showing:
                # What was asked for before somebody chose something else is old.
                if before == (self.kind, self.state, self.chosen):
                    self.jobs, chosen = seen
                    self.chosen = chosen
                    self.seen_at = datetime.now(timezone.utc)

    def _end_watch(self, error: BaseException | None) -> None:
        self.watching = False
        if error is not None and not isinstance(error, Cancelled):
            self.watch = False
            self.say(f"The jobs are not watched any more: {error}", "error")
