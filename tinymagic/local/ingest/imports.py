"""One import as the API sees it: what was asked, and the reply (``datasources.md`` sections 3.1 and 3.5). Pure."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import quote_identifier
from tinymagic.local.errors import ApiError, BadRequest, NotFound
from tinymagic.local.flags import flag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tinymagic.local.engine import EngineError
    from tinymagic.local.tables.schema import Column

    from .loader import LoadReport

DATASOURCES_PAGE = "/api-reference/datasource-api"
#: What the engine adds about the statement, which is one of ours: nothing in it is of use to a user.
_STATEMENT_RE = re.compile(r"[.:,]?\s?(?:In scope |[Ww]hile (?:executing|processing|reading|inserting) ).*", re.DOTALL)
_QUOTED = "[`'\"]?"
_STAGED_RE = re.compile(
    rf"(?:{_QUOTED}_tm_staging{_QUOTED}\.)?{_QUOTED}load_[0-9a-f]{{32}}(?:_quarantine)?{_QUOTED}(?:\s*\([0-9a-f-]{{36}}\))?"
)
_WORKSPACE_RE = re.compile(rf"{_QUOTED}\bw_[0-9a-f]{{32}}{_QUOTED}\.")
_PATH_RE = re.compile(r"(?<![\w/.])(?:file://)?/(?:[\w.+@~-]+/)+[0-9a-f]{32}\b")


@dataclass(frozen=True)
class ImportRequest:
    """One ``POST /v0/datasources``.

    Attributes:
        parameters: from query string and form, text to text.
        upload: the received body on disk, or ``None``.
        file_format: ``csv``, ``ndjson`` or ``parquet``.
        file_name: as the client calls the file; a new Data Source without a name gets its name from it.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    upload: Path | None = None
    file_format: str = "csv"
    file_name: str = ""

    @property
    def name(self) -> str:
        """The ``name`` parameter."""
        return self.parameters.get("name", "").strip()

    def is_true(self, parameter: str) -> bool:
        """Whether a flag is set."""
        return flag(self.parameters, parameter)


def check_jsonpaths(columns: Sequence[Column], request: ImportRequest) -> None:
    """Refuse an NDJSON import into a schema in which a column has no jsonpath.

    Raises:
        BadRequest: names the columns.
    """
    if request.upload is None or request.file_format != "ndjson":
        return
    bare = [column.name for column in columns if column.is_inserted and not column.jsonpath]
    if bare:
        raise BadRequest(
            f"Invalid schema: the columns {', '.join(map(repr, bare))} have no jsonpath, which NDJSON needs; write for "
            f"instance {quote_identifier(bare[0])} String `json:$.{bare[0]}`.",
            documentation=DATASOURCES_PAGE,
        )


def plain_reason(message: str) -> str:
    """Take out of an error of the engine what only the server knows: its statements, staging tables and paths.

    Example:
        >>> plain_reason("Unknown expression identifier `n`. In scope SELECT * FROM w_2c5e.t WHERE n = 1")
        'Unknown expression identifier `n`'
    """
    text = _STATEMENT_RE.sub("", message)
    text = _WORKSPACE_RE.sub("", _STAGED_RE.sub("the Data Source", text))
    return _PATH_RE.sub("the file", text).strip()


def import_reply(datasource: dict[str, Any], report: LoadReport, *, size_bytes: int, seconds: float) -> dict[str, Any]:
    """Return the object of section 3.5 (b).

    Args:
        datasource: as the API describes it.
        report: what became of the rows.
        size_bytes: of the file, uncompressed.
        seconds: that reading it took.
    """
    block_id = report.import_id or str(uuid.uuid4())
    lines = {"lines": report.stored, "parser": "clickhouse", "quarantine": report.quarantined}
    reply: dict[str, Any] = {
        "import_id": report.import_id,
        "datasource": datasource,
        "error": False,
        "errors": [],
        "quarantine_rows": report.quarantined,
        "invalid_lines": report.invalid,
        "blocks": [
            {
                "block_id": block_id,
                "process_return": [{**lines, "bytes": size_bytes}],
                "processing_time": round(seconds, 6),
            }
        ],
        "block_log": [{"block_id": block_id, "status": "done", "processing_time": round(seconds, 6)}],
    }
    if report.left_out:
        reply["left_out_rows"] = report.left_out
    if report.quarantined or report.invalid:
        reply["error"] = (
            f"There was an error with file contents: {report.quarantined} rows in quarantine and "
            f"{report.invalid} invalid lines. {report.stored} rows were stored; do not send them again."
        )
        reply["errors"] = report.messages
    return reply


def not_imported(error: EngineError) -> ApiError:
    """Say that the engine refused rows or their table, in the service's words."""
    if error.name in ("UNKNOWN_DATABASE", "UNKNOWN_TABLE"):
        return NotFound("The workspace or the Data Source was deleted meanwhile. Nothing was stored.")
    reason = plain_reason(error.message)
    return BadRequest(
        f"The rows could not be imported, and nothing was stored. [Error] {reason} ({error.name})",
        documentation=DATASOURCES_PAGE,
        headers={"X-DB-Exception-Code": str(error.code)},
    )
