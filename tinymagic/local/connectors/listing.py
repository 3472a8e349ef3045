"""What a bucket says is in it: the pages of ``ListObjectsV2``. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html, 2026-11.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus
from xml.etree import ElementTree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Of a page of 1,000 files, whose keys have up to 1,024 bytes, quoted.
MOST_PAGE_BYTES = 8_000_000


class UnreadableListing(ValueError):  # noqa: N818 - says what it is
    """What came is no list of files."""


@dataclass(frozen=True)
class RemoteObject:
    """A file in a bucket.

    Attributes:
        key: its name there.
        size_bytes: of the file as it lies there.
        modified_at: when it was written, in UTC.
        etag: what the bucket calls its content; may be empty.
    """

    key: str
    size_bytes: int
    modified_at: datetime
    etag: str

    @property
    def version(self) -> str:
        """What changes when its content does: a copy of the same content over it is the same file."""
        return f"{self.size_bytes} {self.etag or self.modified_at.isoformat()}"


@dataclass(frozen=True)
class Page:
    """Some of the files; *following* is the token of the next page, empty on the last."""

    objects: tuple[RemoteObject, ...]
    following: str


def page_parameters(prefix: str, following: str = "") -> dict[str, str]:
    """Return the query that asks for a page."""
    asked = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
    return {**asked, "continuation-token": following} if following else asked


def read_page(data: bytes) -> Page:
    """Read a page.

    Raises:
        UnreadableListing: it is none.
    """
    # No list of files has one, and with it a short text can become a very long one.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UnreadableListing("it has a document type")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a document type there are no entities
        if _name(root) != "ListBucketResult":
            raise UnreadableListing("it is no ListBucketResult")
        is_quoted = _text(root, "EncodingType") == "url"
        objects = tuple(_object(each, is_quoted) for each in root if _name(each) == "Contents")
    except (ElementTree.ParseError, ValueError, OverflowError) as error:
        raise UnreadableListing(str(error)) from error
    is_cut = _text(root, "IsTruncated") == "true"
    following = _text(root, "NextContinuationToken")
    if is_cut and not following:
        raise UnreadableListing("it does not say how it goes on")
    return Page(objects, following if is_cut else "")


def _object(element: Element, is_quoted: bool) -> RemoteObject:
    key = _text(element, "Key")
    modified = datetime.fromisoformat(_text(element, "LastModified").replace("Z", "+00:00"))
    return RemoteObject(
        unquote_plus(key) if is_quoted else key,
        int(_text(element, "Size")),
        modified.astimezone(timezone.utc) if modified.tzinfo else modified.replace(tzinfo=timezone.utc),
        _text(element, "ETag").strip('"'),
    )


def _text(element: Element, name: str) -> str:
    found = next((each for each in element if _name(each) == name), None)
    return (found.text or "") if found is not None else ""


def _name(element: Element) -> str:
    """Return the name of an element without its namespace, which not every service gives."""
    return element.tag.rpartition("}")[2]
