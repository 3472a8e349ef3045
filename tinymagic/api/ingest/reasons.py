"""Why rows are in the quarantine: the service's own sentences, read back and counted (``datasources.md`` section 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import TinybirdError
from tinymagic.api.ingest.report import IngestReport, Reason
from tinymagic.api.query import Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.api.http.transport import Transport

_MOST_REASONS = 20
_MOST_IMPORTS = 50
_TIMEOUT_S = 10.0

#: A value in the sentence, with which equal reasons would look different: from the first to the last quotation mark
#: before the name of the column.
_VALUE = "^value ''.*'' on column"

_SQL = """SELECT column, reason, count() AS rows, any(example) AS example FROM (
  SELECT
    arrayJoin(if(empty(c__error), [''], arrayMap(x -> toString(x), c__error))) AS example,
    if(length(c__error_column) = length(c__error), toString(c__error_column[indexOf(c__error, example)]), '') AS column,
    replaceRegexpOne(if(empty(c__error_column), substring(example, 1, position(example, ':')), example), '{value}',
      'value on column') AS reason
  FROM (
    SELECT c__error, c__error_column FROM {quarantine} WHERE {condition} ORDER BY insertion_date DESC LIMIT {rows}
  )
) GROUP BY column, reason ORDER BY rows DESC, column, reason LIMIT {most}"""


def with_reasons(report: IngestReport, transport: Transport, *, since: datetime | None) -> IngestReport:
    """Return *report* with the reasons of its rows in the quarantine; as it is when they cannot be read.

    Args:
        report: of rows that were just sent.
        transport: asks the Query API, once.
        since: moment of the service's clock from which on rows in the quarantine count as these, for ways that give
            them no import id; ``None``: unknown.
    """
    if not report.quarantined:
        return report
    try:
        return replace(report, reasons=tuple(_read(report, transport, since)))
    except TinybirdError:
        return report


def _read(report: IngestReport, transport: Transport, since: datetime | None) -> Sequence[Reason]:
    ids = [batch.import_id for batch in report.batches if batch.import_id and batch.quarantined][:_MOST_IMPORTS]
    if ids:
        listed = ", ".join(_quoted(each) for each in ids)
        condition = f"toString(c__import_id) IN ({listed})"
    elif since is not None:
        at = since.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        condition = f"insertion_date >= toDateTime({_quoted(at)}, 'UTC')"
    else:
        return ()
    name = ".".join(f"`{part.replace('`', '')}`" for part in f"{report.name}_quarantine".split("."))
    sql = _SQL.format(quarantine=name, condition=condition, rows=report.quarantined, most=_MOST_REASONS, value=_VALUE)
    frame = Query(transport).frame(sql, format="json", timeout_s=_TIMEOUT_S)
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    return [Reason(str(row["column"]), str(row["reason"]), int(row["rows"]), str(row["example"])) for row in rows]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def moment_of(headers: Mapping[str, str], wall_s: float) -> datetime | None:
    """Return when a request began, by the service's own clock: the ``Date`` of its reply, less the time it took.

    Args:
        headers: of the reply, names in lower case.
        wall_s: seconds from sending to the reply.
    """
    try:
        there = parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError, IndexError):
        return None
    if there.tzinfo is None:
        there = there.replace(tzinfo=timezone.utc)
    return there - timedelta(seconds=wall_s + 1)
