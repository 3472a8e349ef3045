"""Which of the three file formats a body is. Pure."""

from __future__ import annotations

from tinymagic.local.errors import BadRequest

FORMATS = ("csv", "ndjson", "parquet")

_FORMAT_OF_ENDING = {"csv": "csv", "ndjson": "ndjson", "json": "ndjson", "jsonl": "ndjson", "parquet": "parquet"}
_FORMAT_OF_TYPE = {
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}


def file_format_of(given: str, content_type: str, file_name: str, start: bytes) -> str:
    """Take the ``format`` parameter, else what first bytes, content type or file name say, else CSV.

    Args:
        given: value of the parameter; its case does not matter.
        content_type: lower case, without parameters.
        file_name: as the client or the URL calls it.
        start: first bytes of the body.

    Raises:
        BadRequest: there is no such format.
    """
    given = given.strip().lower()
    if given:
        if given not in FORMATS:
            raise BadRequest(f"format must be one of {', '.join(FORMATS)}, not {given!r}.")
        return given
    if start.startswith(b"PAR1"):
        return "parquet"
    endings = file_name.lower().removesuffix(".gz").rsplit(".", 1)
    ending = _FORMAT_OF_ENDING.get(endings[-1]) if len(endings) > 1 else None
    return _FORMAT_OF_TYPE.get(content_type) or ending or "csv"
