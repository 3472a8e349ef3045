"""Extensions of endpoint URLs: the format of the engine and the content type of each (``pipes.md`` section 6.2)."""

from __future__ import annotations

from tinymagic.local.errors import BadRequest
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.sql.formats import CONTENT_TYPES

#: The format of ``.csv`` when the request wants no header.
_WITHOUT_HEADER = "CSV"

#: ``.csv`` has a header, as clients expect, so it is the same as ``.csvwithnames``.
FORMATS = {
    "json": "JSON",
    "csv": "CSVWithNames",
    "csvwithnames": "CSVWithNames",
    "ndjson": "JSONEachRow",
    "parquet": "Parquet",
    "prometheus": "Prometheus",
}


def format_of(extension: str, *, csv_header: bool = True) -> str:
    """Return the engine's format for *extension*, which has no dot and may be written in capitals.

    Args:
        extension: for instance ``json``.
        csv_header: whether ``.csv`` shall have one; ``.csvwithnames`` always has.

    Raises:
        BadRequest: there is no such extension.
    """
    found = FORMATS.get(extension.lower())
    if found is None:
        offered = ", ".join(f".{each}" for each in FORMATS)
        raise BadRequest(
            f"An endpoint has no extension '.{extension[:40]}'; it can be called with {offered}.",
            documentation=PIPES_PAGE,
        )
    if extension.lower() == "csv" and not csv_header:
        return _WITHOUT_HEADER
    return found


def content_type_of(extension: str) -> str:
    """Return the content type of replies with *extension*."""
    return CONTENT_TYPES[format_of(extension)]
