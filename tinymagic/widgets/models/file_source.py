"""A file that somebody names or uploads. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_FORMATS = {"csv": "csv", "tsv": "csv", "ndjson": "ndjson", "jsonl": "ndjson", "json": "ndjson", "parquet": "parquet"}


@dataclass(frozen=True)
class Source:
    """Something that has rows.

    Attributes:
        name: of the file, as the person gave it.
        data: a path, a URL, or the content of an uploaded file.
        format: ``csv``, ``ndjson`` or ``parquet``; ``None`` when neither the name nor the person tells.
        format_told: whether the name tells the format.
    """

    name: str
    data: str | bytes
    format: str | None = None
    format_told: bool = True

    @classmethod
    def of(cls, given: str, data: bytes | None = None, *, file_format: str | None = None) -> Source:
        """Read a path or a URL, or the name and the content of an uploaded file.

        Args:
            given: path, URL or name.
            data: the content.
            file_format: as somebody has chosen it; by default as the name tells.
        """
        text = given.strip() if data is None else given
        named = format_of(urlsplit(text).path if _is_url(text) else text)
        return cls(text, text if data is None else data, file_format or named, file_format in (None, named))

    @property
    def is_url(self) -> bool:
        """Whether the service fetches it."""
        return isinstance(self.data, str) and _is_url(self.data)


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def format_of(name: str) -> str | None:
    """Return the format that the name of a file tells.

    Example:
        >>> format_of("days/sales.csv.gz"), format_of("x.jsonl"), format_of("x")
        ('csv', 'ndjson', None)
    """
    return _FORMATS.get(name.lower().removesuffix(".gz").rpartition(".")[2])
