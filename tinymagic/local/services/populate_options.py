"""What a populate job is asked for (``pipes.md`` section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.pipes.definitions import PIPES_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.materializing.view import View

    from .datasources import DataSourcesService


@dataclass(frozen=True)
class PopulateOptions:
    """The options of one job.

    Attributes:
        subset: part of the rows to use, over 0 and up to 1; 0 for all of them.
        condition: checked SQL over the columns of the source; empty without one, and with a subset.
        text: the condition as it was written.
        truncate: whether the target is emptied first.
        unlink: whether the view goes when the job fails, also when an earlier one did not.
    """

    subset: float = 0.0
    condition: str = ""
    text: str = ""
    truncate: bool = False
    unlink: bool = False


def read_options(datasources: DataSourcesService, view: View, fields: Mapping[str, str]) -> PopulateOptions:
    """Read and check the options of a request.

    Raises:
        BadRequest: one of them cannot be used.
    """
    subset = _subset(fields.get("populate_subset", ""))
    text = fields.get("populate_condition", "").strip()
    return PopulateOptions(
        subset=subset,
        condition=_condition(datasources, view, text) if text and not subset else "",
        text=text,
        truncate=flag(fields, "truncate"),
        unlink=flag(fields, "unlink_on_populate_error"),
    )


def _condition(datasources: DataSourcesService, view: View, text: str) -> str:
    condition = datasources.expressions.checked(text, "populate_condition")
    try:
        sql = f"SELECT 1 FROM {view.source.sql} WHERE ({condition}) LIMIT 0"
        datasources.engine.read(sql, database=view.source.database)
    except EngineError as error:
        raise BadRequest(
            f"populate_condition: {text!r} is not a condition over the columns of the Data Source "
            f"'{view.source.name}', which the view hangs on. {plain_reason(error.message)}",
            documentation=PIPES_PAGE,
        ) from error
    return condition


def _subset(text: str) -> float:
    if not text.strip() or text.strip() in ("None", "0", "0.0"):
        return 0.0
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1.0
    if not 0.0 < fraction <= 1.0:
        raise BadRequest(
            f"populate_subset must be a number over 0 and up to 1, the part of the rows to use, not {text[:40]!r}.",
            documentation=PIPES_PAGE,
        )
    return fraction
