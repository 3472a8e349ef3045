"""The panel of jobs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.widgets import look, units
from tinymagic.widgets.models.jobs import KINDS, STATES, JobsModel
from tinymagic.widgets.panel import Confirmation, Panel, button, field, html, row
from tinymagic.widgets.row_list import RowList

if TYPE_CHECKING:
    from tinymagic.api.jobs import Job
    from tinymagic.api.workspace import Workspace

_HEADS = ["State", "Progress", "Started", "Took", "Data Source or Pipe", "Error"]

#: How a state is marked.
_MARKS = {"done": "done", "error": "error", "cancelled": "warning", "cancelling": "warning"}

#: Characters of an error in the list; the details have all of it.
_ERROR = 60


class Jobs(Panel):
    """See what runs in the background at the service, live; end it, or start an import again.

    Args:
        workspace: whose jobs they are.
        model: instead of one of its own, for tests.
    """

    def __init__(self, workspace: Workspace | None = None, *, model: JobsModel | None = None) -> None:
        self.model: JobsModel = model or JobsModel(workspace)
        self._list = RowList(["Job", *_HEADS], self._on_choose, numbers=(3,), what="jobs", name_width="200px")
        self._kind = field("Kind", ipywidgets.Dropdown(options=[("all", ""), *((kind, kind) for kind in KINDS)]))
        self._state = field("State", ipywidgets.Dropdown(options=[("all", ""), *((state, state) for state in STATES)]))
        for filter_ in (self._kind, self._state):
            filter_.layout.width = "240px"
            filter_.style.description_width = "50px"
        self._watch = ipywidgets.Checkbox(value=self.model.watch, description="Watch", indent=False)
        self._watch.layout.width = "auto"
        self._watch.tooltip = "Look again every 2 seconds while a job is not over"
        self._live = html()
        self._details = html()
        self._end = button("Cancel the job ...", self._on_end, icon="stop", kind="danger", tip="Ask for its end")
        self._retry = button("Retry", self._on_retry, icon="repeat", tip="Start this import again, as a new job")
        self._confirmation = Confirmation()
        reload_ = button("Reload", self.model.load, icon="refresh", tip="Fetch the list again")
        super().__init__(
            self.model,
            "Jobs",
            [
                row(self._kind, self._state, reload_, self._watch, self._live),
                self._list,
                self._details,
                row(self._end, self._retry),
                self._confirmation,
            ],
        )
        self._kind.observe(lambda change: self._on_filter("kind", change["new"]), "value")
        self._state.observe(lambda change: self._on_filter("state", change["new"]), "value")
        self._watch.observe(lambda change: self.model.set_trait("watch", change["new"]), "value")
        self.model.observe(lambda change: setattr(self._watch, "value", change["new"]), "watch")
        self.model.observe(lambda _: self._draw(), ["jobs", "seen_at"])
        self.model.observe(lambda _: self._draw_live(), "watching")
        self.model.observe(self._on_chosen, "chosen")
        self._draw()
        self._draw_chosen()
        self._draw_live()
        self.model.load()

    def static(self) -> tuple[str, str]:
        """Return the table of jobs, and the one that was chosen."""
        jobs = self._jobs[:50]
        lines = [[look.text(_label(each)), *_cells(each, is_live=False)] for each in jobs]
        words = [f"{_label(each)}: {each.status}{f' ({each.error})' if each.error else ''}" for each in jobs]
        table = look.table(["Job", *_HEADS], lines, numbers=(4,), label="Jobs") if jobs else look.empty(_NOTHING)
        return table + self._details.value, "\n".join(words) or _NOTHING

    @property
    def _jobs(self) -> list[Job]:
        return list(self.model.jobs)

    def _draw(self) -> None:
        filtered = self.model.kind or self.model.state
        self._list.nothing = "No job of the last 48 hours is of this kind and state." if filtered else _NOTHING
        self._list.show([(_label(each), _cells(each)) for each in self._jobs])
        self._draw_chosen()
        self.changed()

    def _draw_live(self) -> None:
        self._live.value = look.badge("live", "done") if self.model.watching else ""

    def _on_chosen(self, change: dict) -> None:  # type: ignore[type-arg]
        # A question about another job must not stay; the watch brings the same job anew.
        if getattr(change["old"], "id", "") != getattr(change["new"], "id", ""):
            self._confirmation.hide()
        self._draw_chosen()
        self.changed()

    def _draw_chosen(self) -> None:
        job = self.model.chosen
        self._details.value = "" if job is None else _details(job)
        self._end.layout.display = None if job is not None and _can_end(job) else "none"
        self._retry.layout.display = None if job is not None and _can_retry(job) else "none"
        if job is not None and not _can_end(job):
            self._confirmation.hide()
        self._list.choose("" if job is None else _label(job))

    def _on_filter(self, name: str, value: str) -> None:
        self.model.set_trait(name, value)

    def _on_choose(self, label: str) -> None:
        for job in self._jobs:
            if _label(job) == label:
                self.model.select(job.id)
                return

    def _on_end(self) -> None:
        job = self.model.chosen
        if job is not None:
            self._confirmation.ask(
                f"End the job {job.id} ({job.kind})? What it has not done by then is not done.",
                "End it",
                lambda: self.model.cancel_job(job.id),
            )

    def _on_retry(self) -> None:
        job = self.model.chosen
        if job is not None:
            self.model.retry(job.id)


_NOTHING = "There was no job in the last 48 hours. An import by URL, a copy or a population is one."


def _label(job: Job) -> str:
    return f"{job.kind or 'job'} {job.id[:8]}"


def _can_end(job: Job) -> bool:
    return not job.finished and job.status != "cancelling" and job.is_cancellable is not False


def _can_retry(job: Job) -> bool:
    return job.failed and job.kind == "import"


def _seconds(job: Job) -> float | None:
    if job.started_at is None:
        return None
    end = job.updated_at if job.finished and job.updated_at else datetime.now(timezone.utc)
    return max((end - job.started_at).total_seconds(), 0.0)


def _target(job: Job) -> str:
    return " from ".join(name for name in (job.datasource_name, job.pipe_name) if name)


def _progress(job: Job, *, is_live: bool = True) -> str:
    if job.finished:
        return ""
    share = job.share_done
    if share is None and (job.status == "waiting" or not is_live):
        return ""
    percent = f'<span class="tm-quiet">{share:.0f} %</span>' if share is not None else ""
    return f'<div style="width: 90px">{look.bar(share)}</div>{percent}'


def _cells(job: Job, *, is_live: bool = True) -> list[str]:
    return [
        look.badge(job.status or "unknown", _MARKS.get(job.status, "")),
        _progress(job, is_live=is_live),
        look.text(units.ago(job.started_at or job.created_at)),
        look.text(units.took(_seconds(job))),
        look.text(_target(job), most=40),
        look.text((job.error or "").replace("\n", " "), most=_ERROR),
    ]


def _details(job: Job) -> str:
    facts = [
        ("Kind", look.badge(job.kind)),
        ("State", look.badge(job.status or "unknown", _MARKS.get(job.status, ""))),
        ("Progress", _progress(job)),
        ("Created", look.text(_when(job.created_at))),
        ("Started", look.text(_when(job.started_at))),
        ("Changed", look.text(_when(job.updated_at))),
        ("Took", look.text(units.took(_seconds(job)))),
        ("Data Source", look.text(job.datasource_name)),
        ("Pipe", look.text(job.pipe_name)),
        ("Quarantine", look.text("" if job.quarantine_rows is None else f"{job.quarantine_rows:,} rows")),
        ("Not readable", look.text("" if job.invalid_lines is None else f"{job.invalid_lines:,} lines")),
    ]
    lines = [[f'<span class="tm-quiet">{look.text(name)}</span>', value] for name, value in facts if value]
    sentence = look.note(job.sentence(), "error") if job.status == "error" else ""
    return look.section(f"The job {job.id}") + sentence + look.table(["", ""], lines, label=f"The job {job.id}")


def _when(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC ({units.ago(moment)})"
