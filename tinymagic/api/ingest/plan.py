"""Which way do these rows take, and how are they cut?

| data | way, unless ``via`` says another |
|---|---|
| a dictionary, a list of them, a generator | Events API, in batches |
| DataFrame, Arrow table | multipart Parquet, in parts under 50 MB; the Events API without pyarrow |
| a file within the limit of its format | multipart, as it is |
| a larger CSV or NDJSON file | multipart, cut between records; ``via="job"`` takes it whole |
| a larger Parquet file | multipart, cut between rows; without pyarrow an import job |
| a URL | an import job at the service |

Single rows go by the Events API because the service allows it 100 to 1,000 requests a second, and 5 imports a minute.
Tables go as Parquet because it has their exact types in a third of the bytes, and is read several times as fast.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from tinymagic.api.errors import InvalidInput, PayloadTooLarge
from tinymagic.api.http.limits import EVENTS_BYTES
from tinymagic.api.http.limits import MULTIPART_BYTES as SIZE_LIMITS
from tinymagic.api.ingest.files import LineFile, Lines, count_rows, whole
from tinymagic.api.ingest.parquet_file import ParquetParts, parquet_rows
from tinymagic.api.ingest.pieces import Piece, Pieces, Source
from tinymagic.api.ingest.rows import Rows, ndjson_upload, pieces_of_list
from tinymagic.api.ingest.tables import TableSource, planned_table
from tinymagic.api.upload import FileFormat, Upload, checked_format, parquet_is_available, upload_of
from tinymagic.frames.tables import is_table

if TYPE_CHECKING:
    from tinymagic.api.datasource_results import Column
    from tinymagic.api.ingest.report import Way
    from tinymagic.frames.planned import PlannedTable

Via: TypeAlias = Literal["auto", "events", "multipart", "job"]

#: Bytes of a batch of the Events API: under its limit, with room for what a proxy may add.
EVENTS_BATCH_BYTES = EVENTS_BYTES * 8 // 10

#: Bytes of a part of a file, or of a Parquet part of a table. Far below the limits: a part that fails costs less, and
#: one part is in memory at a time.
PART_BYTES: dict[FileFormat, int] = {"csv": 100_000_000, "ndjson": 100_000_000, "parquet": 40_000_000}


@dataclass(frozen=True)
class Plan:
    """What to send and how.

    Attributes:
        way: how rows travel.
        source: the pieces.
        unit: of progress: bytes for one file, else rows.
        labels: of the columns when the data is a table, else ``None``.
        planned: the table, or ``None``.
    """

    way: Way
    source: Source
    unit: Literal["rows", "B"] = "rows"
    labels: tuple[str, ...] | None = None
    planned: PlannedTable | None = None


def is_url(data: object) -> bool:
    """Say whether *data* is the address of a file."""
    return isinstance(data, str) and data.strip().lower().startswith(("http://", "https://"))


def plan_of(
    data: Any,
    *,
    via: Via = "auto",
    file_format: str | None = None,
    columns: Sequence[Column] = (),
    dialect: Mapping[str, str] | None = None,
    batch_rows: int | None = None,
    batch_bytes: int | None = None,
    skips: bool = False,
    even_empty: bool = False,
) -> Plan:
    """Decide how *data* travels.

    Args:
        data: rows of any kind, except a URL.
        via: a way, or ``auto``.
        file_format: ``csv``, ``ndjson`` or ``parquet``, when it cannot be told.
        columns: of the Data Source, as far as they are known.
        dialect: of a CSV file.
        batch_rows: most rows of a request; ``None``: as many as go in.
        batch_bytes: most bytes of a request; ``None``: the usual for its way.
        skips: whether rows of a generator that cannot be written are passed over.
        even_empty: whether a table without rows makes a request.

    Raises:
        InvalidInput: it is no rows, or cannot go that way.
        PayloadTooLarge: it is too large, and cannot be cut.
    """
    if via not in ("auto", "events", "multipart", "job"):
        raise InvalidInput(f"via is 'auto', 'events', 'multipart' or 'job', not {via!r}.")
    if batch_rows is not None and batch_rows < 1:
        raise InvalidInput(f"batch_rows is a whole number from 1 up, not {batch_rows!r}.")
    chosen = checked_format(file_format)
    if isinstance(data, Mapping):
        data = [data]
    if isinstance(data, (str, os.PathLike, bytes, bytearray, memoryview)):
        return _of_file(data, via, chosen, columns, dialect, batch_rows, batch_bytes)
    if is_table(data):
        return _of_table(data, via, chosen, columns, batch_rows, batch_bytes, even_empty=even_empty)
    if not isinstance(data, Iterable):
        raise InvalidInput(
            f"Rows come as a DataFrame, a path, the bytes of a file, or a list of dictionaries, not as "
            f"{type(data).__name__}."
        )
    if chosen not in (None, "ndjson"):
        raise InvalidInput("Dictionaries are sent as 'ndjson'. For another format make a DataFrame of them.")
    most = batch_bytes or (EVENTS_BATCH_BYTES if via in ("auto", "events") else PART_BYTES["ndjson"])
    way: Way = "events" if via == "auto" else cast("Way", via)
    if isinstance(data, Sequence):
        return Plan(way, pieces_of_list(data, most_rows=batch_rows, most_bytes=most))
    return Plan(way, Rows(data, most_rows=batch_rows, most_bytes=most, skips=skips))


def with_columns(plan: Plan, columns: Sequence[Column], anew: Callable[[], Plan]) -> Plan:
    """Return *plan* for a Data Source with these *columns*, made by *anew* where they decide about more than NULL."""
    if isinstance(plan.source, TableSource):
        plan.source.nullable = {column.source_key: column.nullable for column in columns}
        return plan
    return anew() if isinstance(plan.source, Lines) else plan


def _of_table(
    data: Any,
    via: Via,
    chosen: FileFormat | None,
    columns: Sequence[Column],
    batch_rows: int | None,
    batch_bytes: int | None,
    *,
    even_empty: bool = False,
) -> Plan:
    from tinymagic.frames.tables import collected, column_labels

    if chosen == "csv":
        raise InvalidInput("A DataFrame is sent as 'parquet' or 'ndjson', which keep its types; CSV does not.")
    if via == "auto":
        as_events = chosen is None and not parquet_is_available()
        via = "events" if as_events else "multipart"
    file_format: FileFormat = chosen or ("ndjson" if via == "events" or not parquet_is_available() else "parquet")
    if via == "events" and file_format == "parquet":
        raise InvalidInput("The Events API takes NDJSON only: leave the format out, or choose via='multipart'.")
    # As text a row takes several times its room in memory while it is written.
    most = batch_bytes or (EVENTS_BATCH_BYTES if via == "events" else PART_BYTES["parquet"])
    data = collected(data)
    planned = planned_table(data, as_json=file_format == "ndjson")
    source = TableSource(
        planned,
        file_format,
        most_bytes=min(most, SIZE_LIMITS[file_format]),
        most_rows=batch_rows,
        nullable={column.source_key: column.nullable for column in columns},
        even_empty=even_empty,
    )
    return Plan(cast("Way", via), source, labels=tuple(column_labels(data)), planned=planned)


def _of_file(
    data: Any,
    via: Via,
    chosen: FileFormat | None,
    columns: Sequence[Column],
    dialect: Mapping[str, str] | None,
    batch_rows: int | None,
    batch_bytes: int | None,
) -> Plan:
    upload = upload_of(data, file_format=chosen, any_size=True)
    file = line_file(upload, dialect)
    header = header_of(upload, columns, dialect) if upload.file_format == "csv" else b""

    def count() -> int | None:
        return parquet_rows(upload) if file is None else count_rows(file, header=bool(header))

    if via == "events":
        if upload.file_format != "ndjson" or file is None:
            raise InvalidInput(
                f"The Events API takes NDJSON, and {upload.file_name!r} is {upload.file_format}: "
                "ws.datasources.append (%tinybird datasource append) takes it."
            )
        most = batch_bytes or EVENTS_BATCH_BYTES
        return Plan("events", Lines(file, most_bytes=most, most_rows=batch_rows), "B")
    if via == "job":
        return Plan("job", whole(upload, count), "B")
    fits = upload.size_bytes <= SIZE_LIMITS[upload.file_format]
    if fits and batch_rows is None and batch_bytes is None:
        return Plan("multipart", whole(upload, count), "B")
    most = batch_bytes or PART_BYTES[upload.file_format]
    if file is not None:
        _check_cuttable(upload, dialect)
        parts = Lines(file, most_bytes=most, most_rows=batch_rows, header=header, offset=len(header))
        return Plan("multipart", parts, "B")
    if upload.path is not None and parquet_is_available() and not upload.file_name.lower().endswith(".gz"):
        return Plan("multipart", ParquetParts(upload.path, most_bytes=most))
    if fits:
        return Plan("multipart", whole(upload, count), "B")
    return Plan("job", whole(upload, count), "B")


def line_file(upload: Upload, dialect: Mapping[str, str] | None = None) -> LineFile | None:
    """Return the file of *upload* for cutting, or ``None`` when it has no lines."""
    if upload.file_format == "parquet":
        return None
    if upload.path is not None:
        found = LineFile.at(upload.path, upload.file_format)
    else:
        with upload.open() as file:
            content = file.read()
        found = LineFile(upload.file_format, content=content, packed=content.startswith(b"\x1f\x8b"))
    delimiter = (dialect or {}).get("delimiter")
    return replace(found, delimiters=delimiter.encode()) if delimiter else found


def header_of(upload: Upload, columns: Sequence[Column], dialect: Mapping[str, str] | None) -> bytes:
    """Return the first line of a CSV file when it holds names of columns, else nothing; blank lines before it with it.

    A line of which at least half of the cells are columns of the Data Source is one; when its columns are not known, a
    line of different words, none of them a number.
    """
    file = line_file(upload, dialect)
    if file is None:
        return b""
    lines: list[bytes] = []
    for line, ends in file.records(0, 1_000_000):
        lines.append(line)
        if ends and not line.isspace():
            break
    text = b"".join(lines).decode("utf-8-sig", "replace")
    delimiter = (dialect or {}).get("delimiter") or _guessed_delimiter(text)
    try:
        cells = [cell.strip() for record in csv.reader(io.StringIO(text), delimiter=delimiter) for cell in record]
    except csv.Error:
        # What csv cannot read as a line of names is none; the service says what it thinks of the file.
        return b""
    if columns:
        known = {column.name for column in columns}
        is_header = sum(cell in known for cell in cells) * 2 >= max(1, len(cells))
    else:
        is_header = bool(cells) and len(set(cells)) == len(cells) and all(_is_word(cell) for cell in cells)
    return b"".join(lines) if is_header else b""


def _guessed_delimiter(text: str) -> str:
    return max(",;\t|", key=text.count)


def _is_word(cell: str) -> bool:
    return cell[:1].isalpha() or cell[:1] == "_"


def _check_cuttable(upload: Upload, dialect: Mapping[str, str] | None) -> None:
    odd = [name for name in ("escapechar", "new_line") if (dialect or {}).get(name) not in (None, "\n", "\r\n")]
    if odd and upload.file_format == "csv":
        raise PayloadTooLarge(
            f"{upload.file_name!r} is too large for one request, and with dialect {', '.join(odd)} it cannot be cut "
            "safely. Nothing was sent. Send it as a job: via='job'."
        )


def one_piece(data: Any, *, via: Via, file_format: str | None, columns: Sequence[Column]) -> Plan:
    """Return the plan of a call that must be one request: a replace is all or nothing.

    Raises:
        PayloadTooLarge: it is too large for one.
    """
    limit = None if via == "job" else SIZE_LIMITS
    if via == "events":
        raise InvalidInput("The Events API cannot replace rows: leave via out, or use via='job'.")
    if isinstance(data, Mapping):
        data = [data]
    if is_table(data):
        table = _of_table(data, "multipart", checked_format(file_format), columns, None, 1 << 40)
        source = cast("TableSource", table.source)
        single = TableSource(
            source.planned,
            source.file_format,
            most_bytes=1 << 40,
            nullable={column.source_key: column.nullable for column in columns},
            even_empty=True,
        )
        piece = next(single.pieces()) if source.planned.rows == 0 else single.all()
        plan = Plan("multipart", Pieces([piece]), labels=table.labels, planned=table.planned)
    elif isinstance(data, (str, os.PathLike, bytes, bytearray, memoryview)):
        upload = upload_of(cast("Any", data), file_format=file_format, any_size=True)
        file = line_file(upload)
        counted = (lambda: parquet_rows(upload)) if file is None else (lambda: count_rows(file))
        piece = Piece(0, None, upload, count=counted)
        plan = Plan("multipart", Pieces([piece]), "B")
    else:
        rows = upload_of(cast("Any", data), file_format=file_format, any_size=True)
        with rows.open() as opened:
            content = opened.read()
        piece = Piece(0, content.count(b"\n"), ndjson_upload(content))
        plan = Plan("multipart", Pieces([piece]))
    size, of = piece.upload.size_bytes, piece.upload.file_format
    if limit is not None and size > limit[of]:
        raise PayloadTooLarge(
            f"The data has {size / 1e6:,.1f} MB as {of}, and a request takes {limit[of] / 1e6:.0f} MB. A replace is "
            "one request, so that readers see all of it or nothing; it is never sent in parts. Nothing was sent. "
            "Send it as an import job (via='job'), or append it to a new Data Source and exchange the two."
        )
    return replace(plan, way="job") if via == "job" else plan
