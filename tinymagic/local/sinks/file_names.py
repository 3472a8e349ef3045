"""Endings of files, and another name for one that exists already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinymagic.local.engine import Setting

    from .settings import SinkSettings

_EXTENSIONS = {"csv": ".csv", "ndjson": ".ndjson", "parquet": ".parquet"}
_ENDINGS = {"gzip": ".gz", "zstd": ".zst", "br": ".br", "xz": ".xz", "lz4": ".lz4", "bz2": ".bz2"}

_ENGINE_FORMATS = {"csv": "CSVWithNames", "ndjson": "JSONEachRow", "parquet": "Parquet"}
_PARQUET_METHODS = {"br": "brotli"}


def ending(settings: SinkSettings) -> str:
    """Return what the names of the files end with, for instance ``.csv.gz``. Parquet is compressed inside."""
    extension = _EXTENSIONS[settings.format]
    return extension if settings.format == "parquet" else extension + _ENDINGS.get(settings.compression, "")


def with_ending(name: str, settings: SinkSettings) -> str:
    """Return *name* with the right ending, of which it may have all or the first part already."""
    whole, extension = ending(settings), _EXTENSIONS[settings.format]
    for present in (whole, extension):
        if name.endswith(present):
            return name[: -len(present)] + whole
    return name + whole


def numbered(key: str, number: int) -> str:
    """Return another name for a file that exists, as the engine itself counts: ``a.csv.gz``, ``a.1.csv.gz``.

    Example:
        >>> numbered("x.y/a.csv.gz", 2)
        'x.y/a.2.csv.gz'
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, rest = name.partition(".")
    return f"{folder}{slash}{stem}.{number}{dot}{rest}" if number else key


def engine_format(settings: SinkSettings) -> str:
    """Return ClickHouse's name of the format."""
    return _ENGINE_FORMATS[settings.format]


def engine_compression(settings: SinkSettings) -> str:
    """Return the compression of the file as a whole, as ``s3()`` wants it."""
    return "none" if settings.format == "parquet" else settings.compression


def engine_settings(settings: SinkSettings) -> dict[str, Setting]:
    """Return ClickHouse's settings for writing."""
    chosen: dict[str, Setting] = {"output_format_json_quote_64bit_integers": 0}
    if settings.format == "parquet":
        method = _PARQUET_METHODS.get(settings.compression, settings.compression)
        chosen.update(output_format_parquet_compression_method=method, output_format_parquet_string_as_string=1)
    if settings.write_strategy == "truncate":
        chosen["s3_truncate_on_insert"] = 1
    return chosen
