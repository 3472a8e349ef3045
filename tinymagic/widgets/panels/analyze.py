"""The panel that turns a file into a Data Source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.names import name_problem
from tinymagic.widgets import look, uploads
from tinymagic.widgets.frame_table import table_of
from tinymagic.widgets.models.analyze import AnalyzeModel
from tinymagic.widgets.models.csv_dialect import PARTS, meant, shown
from tinymagic.widgets.models.file_source import Source
from tinymagic.widgets.panel import Confirmation, Panel, button, field, html, row
from tinymagic.widgets.panels.ingest_tables import outcomes_table, reasons_table
from tinymagic.widgets.panels.schema_editor import SchemaEditor
from tinymagic.widgets.panels.table_fields import TableFields

if TYPE_CHECKING:
    from tinymagic.api.workspace import Workspace
    from tinymagic.widgets.models.schema_draft import SchemaDraft

_LIMIT = (
    f"{uploads.LIMIT} Give the path of a larger file: its beginning is sent to be looked at (of Parquet all), and it "
    "streams from disk when it is stored."
)
_DIALECT = {"delimiter": "Delimiter", "new_line": "End of line", "escapechar": "Escape sign"}
_FORMATS = (("by its name", ""), ("CSV", "csv"), ("NDJSON", "ndjson"), ("Parquet", "parquet"))


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
        self._upload.tooltip = "Choose files on your computer"
        self._upload.observe(self._on_upload, "value")
        self._path = field("Path or URL", ipywidgets.Text(value=path, placeholder="trips.csv"), width="360px")
        self._format = field("Format", ipywidgets.Dropdown(options=list(_FORMATS)), width="215px")
        look_at = button("Look at it", self._on_path, icon="search", kind="primary", tip="Guess columns and types")
        self._dialect = {
            part: field(
                label,
                ipywidgets.Combobox(
                    options=list(PARTS[part]), placeholder="none" if part == "escapechar" else "guessed"
                ),
                width="230px",
            )
            for part, label in _DIALECT.items()
        }
        again = button("Read it so", self._on_dialect, icon="refresh", tip="Guess the columns with this CSV dialect")
        self._csv = row(*self._dialect.values(), again)
        self._editor = SchemaEditor(self.model.edit)
        self._table = TableFields(self.model.edit_table)
        self._preview, self._schema, self._problems, self._report = html(), html(), html(), html()
        self._name = field("Name", ipywidgets.Text(placeholder="trips"))
        self._name_problem = html()
        self._folder = field("Project folder", ipywidgets.Text(value=".", continuous_update=False))
        self._confirmation = Confirmation()
        create = button(
            "Create and append", self.model.create, icon="check", kind="primary", tip="Make it, and store all rows"
        )
        write = button("Write .datasource file", self._on_write, icon="file", tip="Write the definition into a folder")
        self._actions = (look_at, again, create, write)
        self._tabs = ipywidgets.Tab([self._editor, self._preview, self._schema])
        for place, title in enumerate(("Columns", "Rows", "Schema")):
            self._tabs.set_title(place, title)
        self._found = ipywidgets.VBox(
            [
                self._csv,
                self._tabs,
                html(look.section("Data Source")),
                row(self._name, self._name_problem),
                self._table,
                self._problems,
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
                row(self._upload, self._path, self._format, look_at),
                html(f'<div class="tm-quiet">{look.text(_LIMIT)}</div>'),
                self._found,
            ],
        )
        self._name.observe(self._on_name, "value")
        self.model.observe(lambda _: self._draw_analysis(), "analysis")
        self.model.observe(lambda _: self._draw_dialect(), "dialect")
        self.model.observe(lambda _: self._draw_draft(), "draft")
        self.model.observe(lambda _: setattr(self._name, "value", self.model.name), "name")
        self.model.observe(lambda _: self._draw_report(), "outcomes")
        self.model.observe(lambda _: self._ask_to_overwrite(), "overwrites")
        self.model.observe(lambda _: self._draw_busy(), "busy")
        if path:
            self._on_path()

    def static(self) -> tuple[str, str]:
        """Return the schema and what became of the rows."""
        if self.model.analysis is None:
            return "", ""
        return self._schema.value + self._report.value, self._draft.schema

    @property
    def _draft(self) -> SchemaDraft:
        draft: SchemaDraft = self.model.draft
        return draft

    def _on_upload(self, _: object) -> None:
        if self._upload.value:
            self.model.look_at([self._source(name, content) for name, content in uploads.taken(self._upload)])

    def _on_path(self) -> None:
        self.model.look_at([self._source(self._path.value)])

    def _source(self, given: str, content: bytes | None = None) -> Source:
        return Source.of(given, content, file_format=self._format.value or None)

    def _on_dialect(self) -> None:
        given = {part: meant(made.value) for part, made in self._dialect.items()}
        self.model.look_again({part: value for part, value in given.items() if value})

    def _on_name(self, change: dict[str, str]) -> None:
        self.model.name = change["new"]
        name = change["new"].strip()
        problem = name_problem(name) if name else ""
        self._name_problem.value = f'<span class="tm-warning-text">{look.text(problem)}</span>' if problem else ""

    def _on_write(self) -> None:
        self._confirmation.hide()
        self.model.write(self._folder.value)

    def _ask_to_overwrite(self) -> None:
        path = self.model.overwrites
        if path:
            self._confirmation.ask(
                f"{path} says something else. Overwrite it?",
                "Overwrite it",
                lambda: self.model.write(self._folder.value, overwrite=True),
            )
        else:
            self._confirmation.hide()

    def _draw_busy(self) -> None:
        for each in self._actions:
            each.disabled = self.model.busy

    def _draw_analysis(self) -> None:
        self._found.layout.display = "none" if self.model.analysis is None else None
        is_csv = bool(self.model.dialect) or any(each.format == "csv" for each in self.model.sources)
        self._csv.layout.display = None if is_csv else "none"
        self._editor.begin()
        self._confirmation.hide()
        self._draw_draft()

    def _draw_dialect(self) -> None:
        for part, made in self._dialect.items():
            made.value = shown(self.model.dialect.get(part, ""))

    def _draw_draft(self) -> None:
        draft = self._draft
        self._editor.show(draft)
        self._table.show(draft)
        self._schema.value = look.code(draft.schema)
        self._draw_preview()
        problems = draft.table_problems() if self.model.analysis is not None else []
        self._problems.value = "".join(look.note(each, "warning") for each in problems)
        self.changed()

    def _draw_preview(self) -> None:
        analysis = self.model.analysis
        if analysis is None:
            return
        frame = analysis.preview_frame()
        kept = {each.name: each.whole_type for each in self._draft.included}
        frame = frame[[name for name in frame.columns if name in kept]]
        self._preview.value = (
            table_of(frame, label="First rows", types=kept)
            if len(frame)
            else look.empty("The service showed no rows of this file.")
        )

    def _draw_report(self) -> None:
        outcomes = self.model.outcomes
        self._report.value = outcomes_table(outcomes) + reasons_table(outcomes)
        self.changed()
