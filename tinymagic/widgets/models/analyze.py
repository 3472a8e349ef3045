"""From a file to a Data Source: what the Analyze API guesses, what a person makes of it, and the rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from traitlets import Dict, Instance, Tuple, Unicode

from tinymagic.errors import Cancelled, InvalidInput, TinybirdError
from tinymagic.names import valid_name
from tinymagic.widgets.models import analyze_lines
from tinymagic.widgets.models.csv_dialect import dialect_problem, usable
from tinymagic.widgets.models.panel_model import PanelModel
from tinymagic.widgets.models.schema_draft import SchemaDraft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tinymagic.api.analyze import Analysis
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.ingest.report import IngestReport
    from tinymagic.api.workspace import Workspace
    from tinymagic.widgets.models.file_source import Source

_ENDING_RE = re.compile(r"(\.(csv|tsv|ndjson|jsonl|json|parquet))?(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What became of the rows of a file.

    Attributes:
        name: of the file.
        report: of the client; ``None`` when nothing was sent.
        error: what ended it; empty when nothing did.
        cancelled: whether a person ended it.
    """

    name: str
    report: IngestReport | None = None
    error: str = ""
    cancelled: bool = False


class AnalyzeModel(PanelModel):
    """Looks at files, keeps the draft of a schema, makes the Data Source and fills it.

    Attributes:
        analysis: of the first file, or ``None``.
        draft: the schema that is edited.
        dialect: of a CSV file: the parts that the API takes, as they are used when rows are stored.
        name: of the new Data Source.
        outcomes: an `Outcome` for each file that was sent.
        overwrites: path of a file that says something else than the draft; empty when nothing has to be asked.
    """

    analysis = Instance("tinymagic.api.analyze.Analysis", allow_none=True)
    draft = Instance(SchemaDraft, ())
    dialect = Dict()
    name = Unicode("")
    outcomes = Tuple()
    overwrites = Unicode("")

    def __init__(self, workspace: Workspace | None = None, **options: Any) -> None:
        super().__init__(workspace, **options)
        self.sources: tuple[Source, ...] = ()
        self._chosen: dict[str, str] = {}
        self._proposed = ""

    def look_at(self, sources: Sequence[Source], *, dialect: Mapping[str, str] | None = None) -> None:
        """Have the first of some files analyzed; the others are taken to be like it.

        Args:
            sources: the files.
            dialect: of a CSV file, when the service guesses it wrong.
        """
        if not sources or not sources[0].name:
            self.say("Choose a file, or give a path or a URL.", "error")
            return
        first, chosen = sources[0], dict(dialect or {})
        problem = dialect_problem(chosen)
        if problem:
            self.say(problem, "error")
            return

        def task(workspace: Workspace, cancellation: Cancellation) -> Analysis:
            if first.is_url:
                return workspace.analyze.url(str(first.data), cancellation=cancellation)
            return workspace.analyze.file(
                first.data,
                format=first.format,
                dialect=chosen or None,
                on_progress=self.on_progress,
                cancellation=cancellation,
            )

        self.run(
            task,
            then=lambda analysis: self._looked_at(tuple(sources), analysis, chosen),
            line=analyze_lines.analyzing(first, chosen),
        )

    def look_again(self, dialect: Mapping[str, str]) -> None:
        """Have the same file analyzed with another dialect."""
        self.look_at(self.sources, dialect=dialect)

    def _looked_at(self, sources: tuple[Source, ...], analysis: Analysis, chosen: dict[str, str]) -> None:
        first = sources[0]
        self.sources, self._chosen = sources, chosen
        self.outcomes = ()
        with self.hold_trait_notifications():
            self.dialect = chosen or usable(analysis.dialect)
            self.draft = SchemaDraft.of(analysis)
            self.analysis = analysis
        if self.name in ("", self._proposed):
            path = urlsplit(first.name).path if first.is_url else first.name
            self.name = self._proposed = valid_name(_ENDING_RE.sub("", re.split(r"[/\\]", path)[-1]))
        count = len(analysis.columns)
        said = f"{first.name}: {count:,} column{' was' if count == 1 else 's were'} found. Check their types."
        if len(sources) > 1:
            said += f" {', '.join(each.name for each in sources[1:])} will be appended behind it."
        if chosen and first.is_url:
            said += " The service guesses the columns of a URL without this dialect; rows will be stored with it."
        self.say(said, "done")

    def edit(self, place: int, **changes: object) -> None:
        """Change one column of the draft."""
        self.draft = self.draft.with_column(place, **changes)

    def edit_table(self, **changes: Any) -> None:
        """Change the engine, a key, the TTL, or an option of the engine."""
        own = {"engine", "sorting_key", "partition_key", "ttl"}
        options = {**self.draft.options, **{name: value for name, value in changes.items() if name not in own}}
        kept = {name: value for name, value in changes.items() if name in own}
        self.draft = replace(self.draft, options=options, **kept)

    def problems(self) -> list[str]:
        """Return what stands in the way of the Data Source, in sentences."""
        return self.draft.problems(self.name.strip())

    def create(self) -> None:
        """Make the Data Source of the draft and fill it with the files."""
        if not self.sources:
            self.say("Look at a file first.", "error")
            return
        problems = self.problems()
        if problems:
            self.say(" ".join(problems), "error")
            return
        draft, name, sources, chosen = self.draft, self.name.strip(), self.sources, self._chosen
        self.outcomes = ()

        def task(workspace: Workspace, cancellation: Cancellation) -> list[Outcome]:
            found: list[Outcome] = []
            for source in sources:
                try:
                    report = self._send(workspace, cancellation, name, draft, source, first=not found)
                except TinybirdError as error:
                    so_far: IngestReport | None = getattr(error, "report", None)
                    found.append(Outcome(source.name, so_far, str(error), isinstance(error, Cancelled)))
                    break
                found.append(Outcome(source.name, report))
            return found

        self.run(
            task,
            then=lambda found: self._created(name, found),
            line=analyze_lines.creating(name, draft, sources, chosen),
        )

    def _send(
        self,
        workspace: Workspace,
        cancellation: Cancellation,
        name: str,
        draft: SchemaDraft,
        source: Source,
        *,
        first: bool,
    ) -> IngestReport:
        options: dict[str, Any] = {
            "format": source.format,
            "dialect": self._chosen or None if source.format in (None, "csv") else None,
            "on_progress": self.on_progress,
            "cancellation": cancellation,
        }
        sources = workspace.datasources
        if not first:
            report: IngestReport = sources.append(name, source.data, **options)
            return report
        fields = draft.engine_fields
        return sources.create_from(
            name,
            source.data,
            schema=draft.schema,
            engine=fields.pop("engine"),
            engine_options=fields or None,
            **options,
        )

    def _created(self, name: str, found: list[Outcome]) -> None:
        self.outcomes = tuple(found)
        reports = [each.report for each in found if each.report is not None]
        last = found[-1]
        made = len(found) > 1 or not last.error or any(each.stored or each.quarantined for each in reports)
        stored, quarantined = sum(each.stored for each in reports), sum(each.quarantined for each in reports)
        invalid = sum(each.invalid for each in reports)
        said = f"{name} was made. {_rows(stored)} stored" if made else ""
        if made:
            said += f", {quarantined:,} {_are(quarantined)} in quarantine" if quarantined else ""
            said += f", {invalid:,} could not be read." if invalid else "."
        if not last.error:
            self.say(said, "done" if all(each.complete for each in reports) else "warning")
            return
        left = [each.name for each in self.sources[len(found) :]]
        parts = ["Cancelled." if last.cancelled else f"{last.name}: {last.error}", said]
        if last.report is not None and last.report.unknown_batches:
            parts.append(
                f"It is not known whether the last part of {last.name} is stored: look into {name} before you send it "
                "again."
            )
        parts.append(f"Not sent: {', '.join(left)}." if left else "")
        self.say(" ".join(part for part in parts if part), "warning" if last.cancelled else "error")

    def datafile(self) -> str:
        """Return the draft as the text of a ``.datasource`` file."""
        from tinymagic.api.datasource_files import new_datasource

        made = new_datasource(self.name.strip(), {"schema": self.draft.schema, **self.draft.engine_fields})
        return made.text if made is not None else ""

    def write(self, folder: str, *, overwrite: bool = False) -> None:
        """Write the draft as a ``.datasource`` file into the folder of a project.

        A file of the folder that defines the Data Source already is taken for it, wherever it stands; when it says
        something else, its path is put into ``overwrites`` and nothing is written.

        Args:
            folder: of the project; made when it is not there.
            overwrite: whether that was asked.
        """
        problems = self.problems()
        if problems:
            self.say(" ".join(problems), "error")
            return
        name, text, where = self.name.strip(), self.datafile(), folder.strip() or "."

        def task(_: Cancellation) -> tuple[Path, bool]:
            from tinymagic.notebook.commands.writing import write_text
            from tinymagic.notebook.project.folder import read_project

            project = read_project(where, empty=True)
            there = project.path_of("Data Source", name)
            path = project.folder / (there or f"datasources/{name}.datasource")
            if path.is_dir():
                raise InvalidInput(f"{str(path)!r} is a folder: nothing was written.")
            taken = path.exists() and (there is None or project.files[there].written != text)
            if not taken or overwrite:
                write_text(path, text)
            return path, taken and not overwrite

        def then(found: tuple[Path, bool]) -> None:
            path, ask = found
            self.overwrites = ""
            if ask:
                self.say("")
                self.overwrites = str(path)
            else:
                self.say(f"Wrote {path}. To deploy it: %tinybird deploy {where}", "done")

        self.line = ""  # A TTL, for instance, has no option: better no line than another one's.
        self.begin(task, then=then, line=analyze_lines.writing(name, self.draft, where))


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'} {_are(count)}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
