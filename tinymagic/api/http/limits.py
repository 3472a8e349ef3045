"""What the service takes at most (``errors-and-limits.md`` section 4), and the errors for more, before it is sent.

Numbers are the service's: K and M are thousands and millions where it says so of files, and 1024 where it speaks of
KB. Where public sources differ, the larger number is here, so that nothing is refused that may be taken: the service
has the last word. Limits that hang on the plan (rates, sinks, storage) cannot be known and are not here.
"""

from __future__ import annotations

from tinymagic.api.errors import InvalidInput, PayloadTooLarge, UriTooLong

#: Bytes of one text of SQL, a template's text included.
SQL_BYTES = 8 * 1024

#: From so many characters of parameters in the URL on, or of SQL, clients send a POST.
POST_FROM_CHARACTERS = 4096

#: Characters of a URL. The number is that of the usual fronts (a request line of 8 KB); the service's is not published.
URL_CHARACTERS = 8 * 1024

#: Bytes of a body of rows that is no multipart form.
RAW_BODY_BYTES = 8_000_000

#: Format -> bytes of a file in a multipart form, as sent: compressed files count compressed.
MULTIPART_BYTES: dict[str, int] = {"csv": 500_000_000, "ndjson": 500_000_000, "parquet": 50_000_000}

#: Format -> bytes of a file that the service fetches from a URL, on the largest plan; uncompressed for text.
URL_FILE_BYTES: dict[str, int] = {"csv": 32_000_000_000, "ndjson": 32_000_000_000, "parquet": 5_000_000_000}

#: Bytes of one request to the Events API.
EVENTS_BYTES = 10_000_000

#: Requests to the Events API in a second; newer plans have fewer (100), and say so with 429.
EVENTS_REQUESTS_PER_S = 1_000

#: Bytes of a reply of the Query API and of endpoints.
RESULT_BYTES = 100_000_000

#: Seconds that a query or an endpoint may run, unless an administrator gave it more.
QUERY_S = 10.0

#: Columns of a Data Source.
COLUMNS = 500

#: Environment variables of a Workspace, and bytes of the value of one.
VARIABLES = 100
VARIABLE_BYTES = 8 * 1024

#: Imports (create from a file, append, replace together) and creations from a schema, in a minute.
IMPORTS_PER_MINUTE = 5
CREATIONS_PER_MINUTE = 25

#: Partitions that one insertion should touch; from about 30 on the engine refuses it (TOO_MANY_PARTS).
PARTITIONS = 12

#: Data Sources, Workspaces and static tokens, by default.
DATASOURCES = 100
WORKSPACES = 90
STATIC_TOKENS = 100_000


def check_sql(sql: str, what: str = "The SQL") -> None:
    """Refuse a text of SQL that is too long.

    Args:
        sql: the text.
        what: it is, as the subject of the sentence.

    Raises:
        InvalidInput: it has more than `SQL_BYTES` in UTF-8.
    """
    size = len(sql.encode("utf-8", "surrogatepass"))
    if size > SQL_BYTES:
        raise InvalidInput(
            f"{what} has {_size(size)}; the service takes at most {_size(SQL_BYTES)} at a time. Nothing was sent. "
            "Put parts of it into a Pipe (its nodes count one by one), or long lists into a Data Source to join."
        )


def check_url(url: str, asked: str) -> None:
    """Refuse a URL that fronts do not take.

    Args:
        url: the whole, as it is sent; it is not repeated.
        asked: the request in words.

    Raises:
        UriTooLong: it has more than `URL_CHARACTERS`.
    """
    if len(url) > URL_CHARACTERS:
        raise UriTooLong(
            f"{asked}: the URL has {len(url):,} characters; services take about {URL_CHARACTERS:,}. Nothing was sent. "
            "Shorten names or values, or ask for less at a time."
        )


def check_raw_body(size: int, what: str = "The body") -> None:
    """Refuse a raw body of rows that is too long.

    Raises:
        PayloadTooLarge: *size* in bytes is over `RAW_BODY_BYTES`.
    """
    _check_size(size, RAW_BODY_BYTES, what, "Send it as a file, or in parts.")


def check_multipart(size: int, file_format: str, what: str = "The file") -> None:
    """Refuse a file that is too big for its format.

    Args:
        size: in bytes, as sent.
        file_format: ``csv``, ``ndjson`` or ``parquet``; another one has no limit here.
        what: the file, as the subject of the sentence.

    Raises:
        PayloadTooLarge: it is over the limit of `MULTIPART_BYTES`.
    """
    limit = MULTIPART_BYTES.get(file_format)
    advice = "Send it in parts, or " + ("as NDJSON (.ndjson.gz)." if file_format == "parquet" else "compressed (.gz).")
    if limit is not None:
        _check_size(size, limit, what, advice, f" of {file_format}")


def check_events(size: int, what: str = "The request") -> None:
    """Refuse a request to the Events API that is too long.

    Raises:
        PayloadTooLarge: *size* in bytes is over `EVENTS_BYTES`, before or after compression.
    """
    _check_size(size, EVENTS_BYTES, what, "Send the rows in smaller batches.")


def check_variable(name: str, value: str) -> None:
    """Refuse a value of an environment variable that is too long; the sentence does not repeat it.

    Raises:
        InvalidInput: it has more than `VARIABLE_BYTES` in UTF-8.
    """
    size = len(value.encode("utf-8", "surrogatepass"))
    # Tracebacks that show the variables of frames must not find it here.
    del value
    if size > VARIABLE_BYTES:
        raise InvalidInput(
            f"The value of the variable {name!r} has {_size(size)}; the service takes at most "
            f"{_size(VARIABLE_BYTES)}. Nothing was sent."
        )


def check_columns(count: int, what: str = "The schema") -> None:
    """Refuse more columns than a Data Source may have.

    Raises:
        InvalidInput: there are more than `COLUMNS`.
    """
    if count > COLUMNS:
        raise InvalidInput(
            f"{what} has {count:,} columns; a Data Source has at most {COLUMNS}. Nothing was sent. "
            "Leave columns out, or put rare ones into one column of JSON text."
        )


def _check_size(size: int, limit: int, what: str, advice: str, of: str = "") -> None:
    if size > limit:
        raise PayloadTooLarge(
            f"{what} has {_size(size)}; the service takes at most {_size(limit)}{of} at a time. Nothing was sent. "
            + advice
        )


def _size(size: int) -> str:
    """Return a number of bytes in words: MB of a million bytes, KB of 1024.

    Example:
        >>> _size(8192), _size(8200), _size(10_000_000), _size(12_345_678)
        ('8 KB', '8,200 bytes', '10 MB', '12.3 MB')
    """
    if size >= 1_000_000:
        return f"{size / 1e6:,.0f} MB" if size % 1_000_000 == 0 else f"{size / 1e6:,.1f} MB"
    return f"{size // 1024} KB" if size % 1024 == 0 else f"{size:,} bytes"
