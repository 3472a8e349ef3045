"""The panel that turns a file into a Data Source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.widgets import look, uploads
from tinymagic.widgets.frame_table import table_of
from tinymagic.widgets.models.analyze import AnalyzeModel, Source, format_of
from tinymagic.widgets.models.schema_draft import ENGINES, SchemaDraft
from tinymagic.widgets.panel import Confirmation, Panel, button, field, html, row
from tinymagic.widgets.panels.schema_editor import SchemaEditor

if TYPE_CHECKING:
    from tinymagic.api.workspace import Workspace

_LIMIT = (
    "The browser hands over files up to 10 MB. Give the path of a larger one: it is read from disk, only its beginning "
    "is sent to be looked at, and it streams when it is stored."
)


class Analyze(Panel):
    """Look at a file, mend the types that were guessed, make a Data Source of it and store its rows.

    Args:
        workspace: gets the Data Source.
        path: of a file, or a URL, to be looked at at once.
        model: instead of one of its own, for tests.
    """

    def __init__(
        self, workspace: Workspace | None = None, *, path: str = "", model: AnalyzeModel | None = None
    ) -> None:
        self.model: AnalyzeModel = model or AnalyzeModel(workspace)
        self._upload = ipywidgets.FileUpload(multiple=True, accept=".csv,.tsv,.ndjson,.jsonl,.json,.parquet,.gz")
        self._upload.layout.width = "auto"
        self._upload.observe(self._on_upload, "value")
        self._path = field("Path or URL", ipywidgets.Text(value=path, placeholder="trips.csv"), width="460px")
        look_at = button("Look at it", self._on_path, icon="search", kind="primary", tip="Guess columns and types")
        self._editor = SchemaEditor(self.model.edit)
        self._preview, self._dialect, self._schema, self._report = html(), html(), html(), html()
        self._name = field("Name", ipywidgets.Text(placeholder="trips"))
        self._engine = field("Engine", ipywidgets.Dropdown(options=list(ENGINES)))
        self._sorting = field("Sorting key", ipywidgets.Text(placeholder="city, at", continuous_update=False))
        self._partition = field("Partition key", ipywidgets.Text(placeholder="toYear(at)", continuous_update=False))
        self._ttl = field("TTL", ipywidgets.Text(placeholder="at + toIntervalMonth(3)", continuous_update=False))
        self._folder = field("Project folder", ipywidgets.Text(value=".", continuous_update=False))
        self._confirmation = Confirmation()
        create = button("Create and append", self._on_create, icon="check", kind="primary")
        write = button("Write .datasource file", self._on_write, icon="file", tip="Write the definition into a folder")
        self._tabs = ipywidgets.Tab([self._editor, self._preview, self._schema])
        for place, title in enumerate(("Columns", "Rows", "Schema")):
            self._tabs.set_title(place, title)
        self._found = ipywidgets.VBox(
            [
                self._dialect,
                self._tabs,
                html(look.section("Data Source")),
                row(self._name, self._engine),
                row(self._sorting, self._partition, self._ttl),
                row(create, self._folder, write),
                self._confirmation,
                self._report,
            ]
        )
        self._found.layout.display = "none"
        super().__init__(
            self.model,
            "Analyze a file",
            [
                row(self._upload, self._path, look_at),
                html(f'<div class="tm-quiet">{look.text(_LIMIT)}</div>'),
                self._found,
            ],
        )
        self._name.observe(lambda change: self.model.set_trait("name", change["new"]), "value")
        for trait, made in (
            ("engine", self._engine),
            ("sorting_key", self._sorting),
            ("partition_key", self._partition),
            ("ttl", self._ttl),
        ):
            made.observe(lambda change, trait=trait: self._on_key(trait, change["new"]), "value")
        self.model.observe(lambda _: self._draw_analysis(), "analysis")
        self.model.observe(lambda _: self._draw_draft(), "draft")
        self.model.observe(lambda _: setattr(self._name, "value", self.model.name), "name")
        self.model.observe(lambda _: self._draw_report(), "report")
        if path:
            self._on_path()

    def static(self) -> tuple[str, str]:
        """Return the schema and what became of the rows."""
        if self.model.analysis is None:
            return "", ""
        return self._dialect.value + self._schema.value + self._report.value, self._draft.schema

    @property
    def _draft(self) -> SchemaDraft:
        draft: SchemaDraft = self.model.draft
        return draft

    def _on_upload(self, _: object) -> None:
        if not self._upload.value:
            return
        found = uploads.taken(self._upload)
        self.model.look_at([Source(name, content, format_of(name)) for name, content in found])

    def _on_path(self) -> None:
        self.model.look_at([Source.of(self._path.value)])

    def _on_key(self, trait: str, value: str) -> None:
        if getattr(self._draft, trait) != value:
            self.model.draft = replace(self._draft, **{trait: value})  # type: ignore[arg-type]

    def _draw_analysis(self) -> None:
        analysis = self.model.analysis
        self._found.layout.display = "none" if analysis is None else None
        if analysis is None:
            return
        told = ", ".join(f"{name} {value!r}" for name, value in analysis.dialect.items())
        self._dialect.value = f'<div class="tm-quiet">CSV with {look.text(told)}</div>' if told else ""
        frame = analysis.preview_frame()
        self._preview.value = table_of(frame, label="First rows") if len(frame) else look.empty("There are no rows.")
        self._name.value = self.model.name
        self._draw_draft()

    def _draw_draft(self) -> None:
        draft = self._draft
        self._editor.show(draft)
        self._engine.value = draft.engine
        self._sorting.value, self._partition.value, self._ttl.value = draft.sorting_key, draft.partition_key, draft.ttl
        self._schema.value = look.code(draft.schema)
        self.changed()

    def _draw_report(self) -> None:
        report = self.model.report
        if report is None:
            self._report.value = ""
            return
        reasons = [
            [look.text(each.column), look.text(each.reason), f"{each.rows:,}", look.text(each.example)]
            for each in report.reasons
        ]
        shown = look.section("Why rows are in quarantine") if reasons else ""
        if reasons:
            shown += look.table(["Column", "Reason", "Rows", "For instance"], reasons, numbers=(2,), label="Reasons")
        self._report.value = shown
        self.changed()

    def _on_create(self) -> None:
        self.model.create()

    def _on_write(self) -> None:
        problems = self._draft.problems(self.model.name.strip())
        if problems:
            self.model.say(" ".join(problems), "error")
            return
        path = (
            Path(self._folder.value.strip() or ".").expanduser()
            / "datasources"
            / f"{self.model.name.strip()}.datasource"
        )
        if path.exists():
            self._confirmation.ask(f"{path} is there already. Overwrite it?", "Overwrite it", lambda: self._write(path))
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.model.datafile(), encoding="utf-8")
        except OSError as error:
            self.model.say(f"{path} could not be written: {error.strerror}.", "error")
            return
        self.model.line = f"%tinybird deploy {self._folder.value.strip() or '.'}"
        self.model.say(f"Wrote {path}.", "done")
