"""Analyze a sample of a file: format, columns, types, and a preview (``analyze.md``). Stores nothing.

The columns come from the sample (`inference.py`, `parquet_columns.py`), the preview and the last word about the types
from importing it on trial (`trial_import.py`).
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError, quote_string
from tinymagic.local.errors import BadRequest, PayloadTooLarge
from tinymagic.local.files.analysis import analysis_reply
from tinymagic.local.files.csv_repair import repair_csv
from tinymagic.local.files.file_reading import Layout
from tinymagic.local.files.inference import CsvInference, Dialect, infer_csv
from tinymagic.local.files.json_inference import infer_objects, read_objects
from tinymagic.local.files.parquet_columns import ParquetLeaf, null_condition, parquet_columns, parquet_leaves
from tinymagic.local.files.remote_files import download
from tinymagic.local.files.sample import SAMPLE_BYTES, Sample, checked_text, read_sample, recognised_format
from tinymagic.local.files.spool import UNCOMPRESSED_BYTES, UploadError
from tinymagic.local.files.trial_import import PREVIEW_ROWS, Trial, try_import
from tinymagic.local.ingest.loader import OWN_SQL_SETTINGS
from tinymagic.local.ingest.sources import ndjson_source, parquet_source
from tinymagic.local.tables.definition import check_width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.files.inferred_columns import InferredColumn
    from tinymagic.local.files.spool import Spool
    from tinymagic.local.ingest.sources import Source
    from tinymagic.local.limits import Limits
    from tinymagic.local.tables.schema import Column

ANALYZE_PAGE = "/api-reference/analyze-api"
FORMATS = ("csv", "ndjson", "parquet")

#: Seconds that looking for nulls in a whole Parquet file may take.
_PARQUET_TIMEOUT_S = 60

#: The engine looks for each column in every line anew: characters times columns that it reads on trial.
_TRIAL_CHARACTERS = 16 << 20

_BLANK_LINE_RE = re.compile(r"(?:^|\n)[ \t]*\r?\n")
_DIALECT_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r\\n": "\r\n", "\\r": "\r"}


@dataclass(frozen=True)
class AnalyzeRequest:
    """One ``POST /v0/analyze``.

    Attributes:
        parameters: from query string and form; ``url``, ``format`` and ``dialect_*`` count.
        upload: the received body on disk, or ``None``.
    """

    parameters: Mapping[str, str]
    upload: Path | None = None


class AnalyzeService:
    """Guesses schemas.

    Args:
        engine: reads Parquet and makes the previews.
        spool: folder for uploads and what is made of them.
        limits: sizes.
    """

    def __init__(self, engine: Engine, spool: Spool, limits: Limits) -> None:
        self._engine = engine
        self.spool = spool
        self.limits = limits

    def analyze(self, request: AnalyzeRequest) -> dict[str, Any]:
        """Return the reply. The upload is removed.

        Raises:
            BadRequest: there is no file, it cannot be fetched, or it cannot be read as what it is.
        """
        with ExitStack() as files:
            if request.upload is not None:
                files.callback(request.upload.unlink, missing_ok=True)
            try:
                return self._analyze(request, files)
            except UploadError as error:
                raise BadRequest(str(error), documentation=ANALYZE_PAGE) from error

    def _analyze(self, request: AnalyzeRequest, files: ExitStack) -> dict[str, Any]:
        asked = request.parameters.get("format", "").strip().lower()
        if asked and asked not in FORMATS:
            raise UploadError(f"format must be one of {', '.join(FORMATS)}, not {asked[:40]!r}.")
        url = request.parameters.get("url", "").strip()
        if request.upload is not None:
            path, whole = request.upload, True
        elif url:
            path, whole = self._fetched(url, files, sample_bytes=SAMPLE_BYTES + 1)
        else:
            raise UploadError(
                "There is nothing to analyze: send the file as the body or as a multipart part called 'file', or its "
                "address in the parameter 'url'."
            )
        sample = read_sample(path, whole=whole)
        if asked == "parquet" or (not asked and sample.is_parquet):
            if not whole:
                path, _ = self._fetched(url, files)  # What is in a Parquet file is written at its end.
            return self._analyze_parquet(path, files)
        sample = checked_text(sample)
        if (asked or recognised_format(sample)) == "ndjson":
            return self._analyze_ndjson(sample, files)
        return self._analyze_csv(sample, request.parameters, files)

    def _analyze_csv(self, sample: Sample, parameters: Mapping[str, str], files: ExitStack) -> dict[str, Any]:
        delimiter = _character(parameters, "dialect_delimiter")
        escape = _character(parameters, "dialect_escapechar") or ""
        new_line = _character(parameters, "dialect_new_line", most=2)
        try:
            inferred = infer_csv(sample.data, whole=sample.whole, delimiter=delimiter, new_line=new_line, escape=escape)
        except ValueError as error:
            raise UploadError(str(error)) from error
        check_width(len(inferred.columns), "The CSV file cannot be analyzed")
        trial = self._tried_csv(inferred, files)
        return analysis_reply(trial.columns, trial.preview, inferred.dialect)

    def _tried_csv(self, inferred: CsvInference, files: ExitStack) -> Trial:
        text = _beginning(inferred.text, len(inferred.columns))
        path = self._written(text, files)
        layout = _layout(inferred)
        if _is_plain(inferred):
            try:
                return self._tried(inferred.columns, lambda created: layout.source(path, created), text)
            except EngineError:
                pass  # Most likely a record with a wrong number of fields.
        clean = self._new_path(files)
        repair_csv(path, clean, layout.dialect, width=layout.width, skip_records=int(layout.has_header))
        repaired = replace(layout, dialect=Dialect(), has_header=False)
        return self._tried(inferred.columns, lambda created: repaired.source(clean, created), text)

    def _analyze_ndjson(self, sample: Sample, files: ExitStack) -> dict[str, Any]:
        try:
            objects = read_objects(sample.data, whole=sample.whole)
            inferred = infer_objects([row for _, row in objects])
        except ValueError as error:
            raise UploadError(str(error)) from error
        check_width(len(inferred), "The NDJSON file cannot be analyzed")
        text = _beginning("\n".join([line for line, _ in objects]) + "\n", len(inferred))
        path = self._written(text, files)
        trial = self._tried(inferred, lambda created: ndjson_source(path, created), text)
        return analysis_reply(trial.columns, trial.preview)

    def _tried(
        self, columns: Sequence[InferredColumn], source_of: Callable[[list[Column]], Source], text: str
    ) -> Trial:
        return try_import(self._engine, columns, source_of, size_bytes=len(text.encode("utf-8")))

    def _analyze_parquet(self, upload: Path, files: ExitStack) -> dict[str, Any]:
        limit = self.limits.parquet_upload_bytes
        if limit is not None and upload.stat().st_size > limit:
            raise PayloadTooLarge(f"The Parquet file is over the limit of {limit} bytes for an upload.")
        most_bytes = self.limits.csv_upload_bytes or UNCOMPRESSED_BYTES
        path = self.spool.prepare(upload, text=False, most_bytes=most_bytes).path
        files.callback(path.unlink, missing_ok=True)
        try:
            described = self._described(path)
            leaves = parquet_leaves(described)
            if not leaves:
                raise UploadError("The Parquet file has no columns that can be imported.")
            check_width(len(leaves), "The Parquet file cannot be analyzed")
            rows, nulls, elements = self._counted(path, leaves)
            first = f"(SELECT * FROM {_relation(path)} LIMIT {PREVIEW_ROWS})"
            trial = try_import(
                self._engine,
                parquet_columns(leaves, rows, nulls, elements),
                lambda created: replace(parquet_source(path, created, described), relation=first),
                size_bytes=path.stat().st_size,
            )
        except EngineError as error:
            if error.name in ("TIMEOUT_EXCEEDED", "MEMORY_LIMIT_EXCEEDED"):
                raise UploadError("The Parquet file is too big to be analyzed. Send one with fewer rows.") from error
            raise UploadError("The file is not a Parquet file, or it is damaged or cut off.") from error
        return analysis_reply(trial.columns, trial.preview)

    def _described(self, path: Path) -> dict[str, str]:
        return {str(row[0]): str(row[1]) for row in self._engine.rows(f"DESCRIBE {_relation(path)}")}

    def _counted(self, path: Path, leaves: Sequence[ParquetLeaf]) -> tuple[int, list[int], list[int]]:
        """Return the rows, and for each leaf the rows with a null and the elements of arrays."""
        nulls = [f"countIf({null_condition(leaf)})" for leaf in leaves]
        elements = [f"sum(length({leaf.expression}))" if leaf.is_array else "0" for leaf in leaves]
        settings: dict[str, Setting] = {**OWN_SQL_SETTINGS, "max_execution_time": _PARQUET_TIMEOUT_S}
        if self.limits.query_memory_bytes is not None:
            settings["max_memory_usage"] = self.limits.query_memory_bytes
        sql = f"SELECT count(), {', '.join([*nulls, *elements])} FROM {_relation(path)}"
        [rows, *counts] = [int(each) for each in self._engine.execute(sql, settings=settings).split(b"\t")]
        return rows, counts[: len(leaves)], counts[len(leaves) :]

    def _fetched(self, url: str, files: ExitStack, *, sample_bytes: int | None = None) -> tuple[Path, bool]:
        found = download(url, self.spool, most_bytes=self.limits.parquet_upload_bytes, sample_bytes=sample_bytes)
        files.callback(found.path.unlink, missing_ok=True)
        return found.path, found.whole

    def _new_path(self, files: ExitStack) -> Path:
        path = self.spool.new_path()
        files.callback(path.unlink, missing_ok=True)
        return path

    def _written(self, text: str, files: ExitStack) -> Path:
        path = self._new_path(files)
        path.write_bytes(text.encode("utf-8"))
        return path


def _beginning(text: str, width: int) -> str:
    """Return as many lines from the start as the engine reads in a moment; for most files that is all of them."""
    most = max(_TRIAL_CHARACTERS // width, 1)
    if len(text) <= most:
        return text
    end = text.rfind("\n", 0, most)
    # At least the rows of the preview and the header, unless they are very long.
    lines = list(islice(re.finditer("\n", text), PREVIEW_ROWS + 1))
    return text[: max(end, lines[-1].start() if lines else 0) + 1]


def _relation(path: Path) -> str:
    return f"file({quote_string(str(path))}, 'Parquet')"


def _layout(inferred: CsvInference) -> Layout:
    """Return where the columns are in the text of *inferred*, whose records end in line feeds."""
    positions = {column.name: index for index, column in enumerate(inferred.columns)}
    dialect = replace(inferred.dialect, new_line="\n")
    return Layout(dialect, positions, len(inferred.columns), inferred.dialect.has_header)


def _is_plain(inferred: CsvInference) -> bool:
    """Say whether the engine's reader probably takes the text as it is."""
    return not (
        inferred.dialect.escape
        or inferred.text.count('"') % 2
        or _BLANK_LINE_RE.search(inferred.text)
        or any("\n" in cell for cell in inferred.header)
    )


def _character(parameters: Mapping[str, str], name: str, *, most: int = 1) -> str | None:
    value = parameters.get(name, "")
    value = _DIALECT_ESCAPES.get(value, value)
    if len(value) > most or (most == 1 and (value in ('"', "\r", "\n") or not value.isascii())):
        raise UploadError(f"{name} must be {'one character' if most == 1 else 'one or two characters'}.")
    return value or None
