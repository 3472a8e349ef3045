"""From a file to a Data Source: what the Analyze API guesses, what a person makes of it, and the rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from traitlets import Instance, Unicode

from tinymagic.names import valid_name
from tinymagic.widgets.models.panel_model import PanelModel, quoted
from tinymagic.widgets.models.schema_draft import SchemaDraft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.api.analyze import Analysis
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.ingest.report import IngestReport
    from tinymagic.api.workspace import Workspace

_ENDING_RE = re.compile(r"(\.(csv|ndjson|jsonl|json|parquet))?(\.gz)?$", re.IGNORECASE)
_FORMATS = {"csv": "csv", "tsv": "csv", "ndjson": "ndjson", "jsonl": "ndjson", "json": "ndjson", "parquet": "parquet"}


@dataclass(frozen=True)
class Source:
    """Something that has rows.

    Attributes:
        name: of the file, as the person gave it.
        data: a path, a URL, or the content of an uploaded file.
        format: ``csv``, ``ndjson`` or ``parquet``; ``None`` when the name does not tell.
    """

    name: str
    data: Path | str | bytes
    format: str | None = None

    @classmethod
    def of(cls, given: str) -> Source:
        """Read a path or a URL."""
        text = given.strip()
        if text.lower().startswith(("http://", "https://")):
            return cls(text, text, format_of(urlsplit(text).path))
        return cls(text, Path(text).expanduser(), format_of(text))


def format_of(name: str) -> str | None:
    """Return the format that the name of a file tells.

    Example:
        >>> format_of("days/sales.csv.gz"), format_of("x.jsonl"), format_of("x")
        ('csv', 'ndjson', None)
    """
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    return _FORMATS.get(ending)


class AnalyzeModel(PanelModel):
    """Looks at files, keeps the draft of a schema, makes the Data Source and fills it.

    Attributes:
        analysis: of the first file, or ``None``.
        draft: the schema that is edited.
        name: of the new Data Source.
        report: what became of the rows, or ``None``.
    """

    analysis = Instance("tinymagic.api.analyze.Analysis", allow_none=True)
    draft = Instance(SchemaDraft, ())
    name = Unicode("")
    report = Instance("tinymagic.api.ingest.report.IngestReport", allow_none=True)

    def __init__(self, workspace: Workspace | None = None, **options: Any) -> None:
        super().__init__(workspace, **options)
        self.sources: tuple[Source, ...] = ()

    def look_at(self, sources: Sequence[Source]) -> None:
        """Have the first of some files analyzed; the others are taken to be like it."""
        if not sources or not sources[0].name:
            self.say("Choose a file, or give a path or a URL.", "error")
            return
        first = sources[0]
        if isinstance(first.data, Path) and not first.data.is_file():
            self.say(
                f"There is no file {first.name!r}. A path counts from the folder of the kernel: {Path.cwd()}", "error"
            )
            return

        def task(workspace: Workspace, cancellation: Cancellation) -> Analysis:
            if isinstance(first.data, str):
                return workspace.analyze.url(first.data, cancellation=cancellation)
            return workspace.analyze.file(
                first.data, format=first.format, on_progress=self.on_progress, cancellation=cancellation
            )

        def then(analysis: Analysis) -> None:
            self.sources = tuple(sources)
            self.report = None
            self.analysis = analysis
            self.draft = SchemaDraft.of(analysis)
            if not self.name:
                self.name = valid_name(_ENDING_RE.sub("", re.split(r"[/\\]", urlsplit(first.name).path)[-1]))
            more = f" The other {len(sources) - 1} files will be appended behind it." if len(sources) > 1 else ""
            self.say(f"{first.name}: {len(analysis.columns)} columns were found. Check their types.{more}", "done")

        self.run(task, then=then, line=f"%tinybird analyze {quoted(first.name)}")

    def edit(self, place: int, **changes: object) -> None:
        """Change one column of the draft."""
        self.draft = self.draft.with_column(place, **changes)

    def create(self) -> None:
        """Make the Data Source of the draft and fill it with the files."""
        if not self.sources:
            self.say("Look at a file first.", "error")
            return
        problems = self.draft.problems(self.name.strip())
        if problems:
            self.say(" ".join(problems), "error")
            return
        draft, name, sources = self.draft, self.name.strip(), self.sources
        dialect = dict(self.analysis.dialect) if self.analysis is not None else {}

        def task(workspace: Workspace, cancellation: Cancellation) -> list[IngestReport]:
            options = {"on_progress": self.on_progress, "cancellation": cancellation}
            reports = [
                workspace.datasources.create_from(
                    name,
                    sources[0].data,
                    schema=draft.schema,
                    format=sources[0].format,
                    engine=draft.engine,
                    sorting_key=draft.sorting_key or None,
                    partition_key=draft.partition_key or None,
                    engine_options=draft.engine_options or None,
                    dialect=_usable(dialect) if sources[0].format == "csv" else None,
                    **options,  # type: ignore[arg-type]
                )
            ]
            for source in sources[1:]:
                reports.append(
                    workspace.datasources.append(name, source.data, format=source.format, **options)  # type: ignore[call-overload]
                )
            return reports

        def then(reports: list[IngestReport]) -> None:
            self.report = reports[-1]
            stored = sum(each.stored for each in reports)
            quarantined = sum(each.quarantined for each in reports)
            said = f"{name} was made. {stored:,} rows are stored"
            said += f", {quarantined:,} are in quarantine." if quarantined else "."
            self.say(said, "warning" if quarantined else "done")

        first = quoted(sources[0].name)
        self.run(task, then=then, line=f"%tinybird datasource create {quoted(name)} {first}")

    def datafile(self) -> str:
        """Return the draft as the text of a ``.datasource`` file."""
        return _datafile_text(self.draft)


def _usable(dialect: dict[str, str]) -> dict[str, str] | None:
    found = {
        name: value for name, value in dialect.items() if name in ("delimiter", "new_line", "escapechar") and value
    }
    return found or None


def _datafile_text(draft: SchemaDraft) -> str:
    lines = ["SCHEMA >"]
    lines += [f"    {line}" for line in draft.schema.split("\n")]
    lines += ["", f'ENGINE "{draft.engine}"']
    keys = {
        "ENGINE_PARTITION_KEY": draft.partition_key,
        "ENGINE_SORTING_KEY": draft.sorting_key,
        "ENGINE_TTL": draft.ttl,
    }
    lines += [f'{key} "{value.strip()}"' for key, value in keys.items() if value.strip()]
    return "\n".join(lines) + "\n"
