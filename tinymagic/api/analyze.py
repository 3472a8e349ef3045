"""The Analyze API, ``/v0/analyze``: columns and types of a file, guessed from its beginning (``analyze.md``)."""

from __future__ import annotations

import csv
import io
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.http.request import Request
from tinymagic.api.ingest.fields import dialect_fields
from tinymagic.api.reading import frozen, mapping, mappings, number, text, text_or_none
from tinymagic.api.resource import Resource
from tinymagic.api.upload import CONTENT_TYPES, Rows, Upload, upload_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.progress import OnProgress

#: So much of a CSV or NDJSON file is sent, as by the vendor's command line; the service guesses from less.
SAMPLE_BYTES = 1024 * 1024

#: A whole Parquet file travels as long as an import.
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class AnalyzedColumn:
    """A column that a file seems to have.

    Attributes:
        name: that it would have in a Data Source.
        type: ClickHouse type, without ``Nullable``.
        path: where it is in NDJSON and Parquet, for instance ``$.user.id``; ``""`` for CSV.
        present_pct: share of the rows that have a value, 0 to 1; of an array the mean number of its elements. ``None``
            when it is not told.
    """

    name: str
    type: str
    path: str = ""
    present_pct: float | None = None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> AnalyzedColumn:
        """Read one member of ``analysis.columns``."""
        return cls(
            name=text(described.get("name")),
            type=text(described.get("recommended_type") or described.get("type")),
            path=text(described.get("path")),
            present_pct=number(described.get("present_pct")),
        )

    @property
    def null_share(self) -> float | None:
        """Share of the rows without a value, 0 to 1; ``None`` when it is not told, and for arrays.

        Example:
            >>> AnalyzedColumn("age", "Int16", present_pct=0.75).null_share
            0.25
        """
        is_array = self.path.endswith("[:]") or self.type.startswith("Array(")
        if self.present_pct is None or is_array:
            return None
        return min(max(1.0 - self.present_pct, 0.0), 1.0)


@dataclass(frozen=True)
class Analysis:
    """What a file seems to be. The guess may be another one the next time: look at it before you use it.

    Attributes:
        schema: of a Data Source for it, ready for `tinymagic.api.datasources.DataSources.create`; ``""`` when the
            service gave none.
        columns: in the order of the reply.
        types: name -> type of the columns of the preview, ``Nullable`` included.
        preview: the first rows, one dictionary each, as the reply has them.
        dialect: of a CSV file: name -> value, for instance ``delimiter``.
        raw: the whole reply.
    """

    schema: str
    columns: tuple[AnalyzedColumn, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    preview: tuple[Mapping[str, Any], ...] = field(repr=False, default=())
    dialect: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Analysis:
        """Read the reply."""
        analysis, preview = mapping(reply.get("analysis")), mapping(reply.get("preview"))
        meta = mappings(preview.get("meta"))
        dialect = mapping(reply.get("dialect"))
        return cls(
            schema=text_or_none(analysis.get("schema")) or "",
            columns=tuple(AnalyzedColumn.of(each) for each in mappings(analysis.get("columns"))),
            types=frozen({text(each.get("name")): text(each.get("type")) for each in meta}),
            preview=tuple(frozen(each) for each in mappings(preview.get("data"))),
            dialect=frozen({text(name): text(value) for name, value in dialect.items()}),
            raw=frozen(reply),
        )

    def preview_frame(self) -> pd.DataFrame:
        """Return the preview as a DataFrame with exact types, as `tinymagic.Workspace.sql` gives rows.

        Where the reply tells no types, pandas guesses them.
        """
        import pandas as pd

        rows = [dict(each) for each in self.preview]
        if self.types:
            from tinymagic.frames.decoded import DecodeError

            try:
                return self._typed_frame(rows)
            except DecodeError:
                pass  # A preview whose values are no values of its types is shown as it came.
        frame: pd.DataFrame = pd.DataFrame(rows, columns=list(self.types) or None)
        return frame

    def _typed_frame(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        import json

        from tinymagic.frames.decode import decode_json_compact

        meta = [{"name": name, "type": kind} for name, kind in self.types.items()]
        data = [[row.get(name) for name in self.types] for row in rows]
        return decode_json_compact(json.dumps({"meta": meta, "data": data, "rows": len(data)}).encode()).frame


class Analyze(Resource):
    """``workspace.analyze``: what columns and types a file has. Nothing is stored."""

    def file(
        self,
        data: Rows,
        *,
        format: str | None = None,  # noqa: A002 - the API's own word
        dialect: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Analysis:
        """Guess the columns of a file.

        Of CSV and NDJSON the first MiB is sent, up to the end of a line; of Parquet all.

        Args:
            data: a path, the bytes of a file, a DataFrame or dictionaries (`tinymagic.api.upload.upload_of`).
            format: ``csv``, ``ndjson`` or ``parquet``, when the name of the file does not tell.
            dialect: ``delimiter``, ``new_line`` and ``escapechar`` of a CSV file which the service guesses wrong. The
                API does not take them here: what is sent is rewritten with commas and double quotes.
            on_progress: told how many bytes are on their way.
            timeout_s: longest silence of the connection in seconds; default ten minutes.
            cancellation: ends the upload from another thread.

        Raises:
            InvalidInput: the data cannot be used; nothing was sent.
            PayloadTooLarge: a Parquet file is over the service's limit.
            BadRequest: the service cannot read it.
            Forbidden: the token lacks ``DATASOURCES:CREATE``.
        """
        upload = upload_of(data, file_format=format, any_size=True)
        if upload.file_format == "parquet":
            upload.check_size()
            content = _whole(upload)
        else:
            content = _beginning(upload)
            if upload.file_format == "csv" and any(dialect_fields(dialect).values()):
                content = _plain_csv(content, dialect or {})
        if not content.strip():
            raise InvalidInput(f"{upload.file_name!r} is empty: there is nothing to analyze.")
        request = Request(
            "POST",
            "/v0/analyze",
            body=lambda: content,
            content_type=CONTENT_TYPES[upload.file_format],
            effect="read",
            length="long",
        )
        wait_s = max(self._transport.timeout_s, _TIMEOUT_S) if timeout_s is None else timeout_s
        reply = self._ask(request, timeout_s=wait_s, cancellation=cancellation, on_progress=on_progress)
        return Analysis.of(reply.json_object())

    def url(self, url: str, *, timeout_s: float | None = None, cancellation: Cancellation | None = None) -> Analysis:
        """Guess the columns of a file that the service fetches.

        Args:
            url: ``http://`` or ``https://``, to be reached by the service.
            timeout_s: seconds for the whole reply; default ten minutes.
            cancellation: ends the request from another thread.

        Raises:
            InvalidInput: it is no such URL; nothing was sent.
            BadRequest: the service cannot fetch or read it.
            Forbidden: the token lacks ``DATASOURCES:CREATE``.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise InvalidInput(f"{url!r} is no URL: it begins with http:// or https://.")
        wait_s = max(self._transport.timeout_s, _TIMEOUT_S) if timeout_s is None else timeout_s
        request = Request("POST", "/v0/analyze", {"url": url}, body=lambda: b"", effect="read")
        return Analysis.of(self._ask(request, timeout_s=wait_s, cancellation=cancellation).json_object())


def _whole(upload: Upload) -> bytes:
    with upload.open() as file:
        return file.read()


def _beginning(upload: Upload) -> bytes:
    """Return the first MiB of a text, up to the end of a line; decompressed when it is gzip."""
    with upload.open() as file:
        start = file.read(SAMPLE_BYTES + 1)
    if start.startswith(b"\x1f\x8b"):
        try:
            start = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(start, SAMPLE_BYTES + 1)
        except zlib.error as error:
            raise InvalidInput(f"{upload.file_name!r} begins like gzip, but is damaged.") from error
    if len(start) <= SAMPLE_BYTES:
        return start
    end = start.rfind(b"\n", 0, SAMPLE_BYTES)
    # One line longer than the sample: the service has to make do with a piece of it.
    return start[: end + 1] if end >= 0 else start[:SAMPLE_BYTES]


def _plain_csv(content: bytes, dialect: Mapping[str, str]) -> bytes:
    """Rewrite CSV of any dialect as CSV that nobody can take for something else."""
    text_ = content.decode("utf-8-sig", "replace")
    new_line = dialect.get("new_line") or "\n"
    if (dialect.get("delimiter") or ",") in '\r\n"':
        # Python before 3.13 takes these, and reads nonsense.
        raise InvalidInput("The delimiter of a CSV file cannot be a quote or the end of a line.")
    if new_line not in ("\n", "\r\n"):
        if len(content) >= SAMPLE_BYTES:
            text_ = text_[: text_.rfind(new_line) + 1] or text_
        text_ = text_.replace(new_line, "\n")
    made = io.StringIO()
    try:
        reader = csv.reader(
            io.StringIO(text_, newline=""),
            delimiter=dialect.get("delimiter") or ",",
            escapechar=dialect.get("escapechar") or None,
        )
        csv.writer(made, lineterminator="\n").writerows(reader)
    except (csv.Error, TypeError, ValueError) as error:
        raise InvalidInput(f"The file cannot be read as CSV of this dialect: {error}.") from None
    return made.getvalue().encode()
