"""Output formats of the Query API: which are offered, and their content types (``query.md`` section 3)."""

from __future__ import annotations

from tinymagic.local.errors import AUTHENTICATION_PAGE, Forbidden

JSON_TYPE = "application/json; charset=UTF-8"
_NDJSON = "application/x-ndjson"
_TSV = "text/tab-separated-values; charset=UTF-8"
_TEXT = "text/plain; charset=UTF-8"
_BINARY = "application/octet-stream"

#: The service's list, in its order, because the error for an unknown format quotes it.
CONTENT_TYPES = {
    "JSON": JSON_TYPE,
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TSV": _TSV,
    "TSVWithNames": _TSV,
    "PrettyCompact": _TEXT,
    "JSONEachRow": _NDJSON,
    "Parquet": _BINARY,
    "JSONStrings": JSON_TYPE,
    "Prometheus": "text/plain; version=0.0.4; charset=UTF-8",
    "Native": _BINARY,
    "RowBinaryWithNamesAndTypes": _BINARY,
    "TabSeparated": _TSV,
    "JSONCompactEachRowWithNamesAndTypes": _NDJSON,
    "TabSeparatedWithNamesAndTypes": _TSV,
    "JSONCompactEachRow": _NDJSON,
    "JSONCompact": JSON_TYPE,
    "JSONStringsEachRowWithProgress": _NDJSON,
    "ODBCDriver2": _BINARY,
    "Markdown": "text/markdown; charset=UTF-8",
}

#: What a query without FORMAT gives: recorded from the service, although its documentation shows JSON.
DEFAULT_FORMAT = "TSV"


def content_type(output_format: str) -> str:
    """Return the ``Content-Type`` of replies in *output_format*.

    Raises:
        Forbidden: it is not offered. 403 and the link to authentication are the service's choice.
    """
    try:
        return CONTENT_TYPES[output_format]
    except KeyError:
        raise Forbidden(
            f"invalid format {output_format}, available ones: {', '.join(CONTENT_TYPES)}",
            documentation=AUTHENTICATION_PAGE,
        ) from None


def is_binary(output_format: str) -> bool:
    """Say whether compressing such a reply would be a waste or a surprise."""
    return CONTENT_TYPES.get(output_format) == _BINARY
