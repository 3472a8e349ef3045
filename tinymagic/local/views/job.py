"""How the API shows a job (``jobs.md`` section 5), and what is logged about it (section 11). Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinymagic.local.records import JobRecord

#: Parts of the object that are shown only when ``debug`` asks for them.
_DEBUG_KEYS = ("blocks", "block_log", "hook_log")


def describe(record: JobRecord, *, url: str, is_cancellable: bool, debug: str = "") -> dict[str, Any]:
    """Return the object of a job.

    Args:
        record: the job.
        url: where it can be asked for.
        is_cancellable: whether asking for its end still can end it.
        debug: which of ``blocks``, ``block_log`` and ``hook_log`` to show, separated by commas or underscores.
    """
    asked = debug.replace(" ", "")
    shown = {key: value for key, value in record.details.items() if key not in _DEBUG_KEYS or key in asked}
    found: dict[str, Any] = {
        "id": record.id,
        "job_id": record.id,
        "kind": record.kind,
        "status": record.status,
        "created_at": record.created_at,
        "started_at": record.started_at,
        "updated_at": record.updated_at,
        "is_cancellable": is_cancellable,
        "job_url": url,
        **shown,
    }
    if record.error:
        found.update(error=record.error, errors=record.errors)
    return found


def log_row(record: JobRecord) -> dict[str, Any]:
    """Return the row of ``tinybird.jobs_log`` about a job as it is now; times there have milliseconds."""
    hidden = ("datasource", *_DEBUG_KEYS)
    return {
        "job_id": record.id,
        "job_type": record.kind,
        "status": record.status,
        "error": record.error or None,
        "pipe_id": record.pipe_id or None,
        "datasource_id": record.datasource_id or None,
        "created_at": record.created_at[:-3],
        "started_at": record.started_at[:-3] if record.started_at else None,
        "updated_at": record.updated_at[:-3],
        "job_metadata": json.dumps({key: value for key, value in record.details.items() if key not in hidden}),
    }
