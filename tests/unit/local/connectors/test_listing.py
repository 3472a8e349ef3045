"""Pages of a bucket's list of files."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from tinymagic.local.connectors.listing import UnreadableListing, page_parameters, read_page

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>b</Name><IsTruncated>{cut}</IsTruncated>{token}<EncodingType>url</EncodingType>
  <Contents><Key>a+b%2Bc%0A.csv</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>
    <ETag>&quot;abc-2&quot;</ETag><Size>12</Size><Owner><ID>x</ID></Owner></Contents>
</ListBucketResult>"""


def page(cut: str = "false", token: str = "") -> bytes:
    return PAGE.format(cut=cut, token=token).encode()


def test_a_file():
    [found] = read_page(page()).objects
    assert (found.key, found.size_bytes, found.etag) == ("a b+c\n.csv", 12, "abc-2")
    assert found.modified_at == datetime(2026, 1, 2, 3, 4, 5, 678_000, timezone.utc)
    assert found.version == "12 abc-2"


def test_a_file_without_namespace_etag_and_quoting():
    data = page().replace(b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b"")
    data = data.replace(b"<EncodingType>url</EncodingType>", b"").replace(b"<ETag>&quot;abc-2&quot;</ETag>", b"")
    [found] = read_page(data).objects
    assert found.key == "a+b%2Bc%0A.csv"
    assert found.version == "12 2026-01-02T03:04:05.678000+00:00"


def test_pages():
    found = read_page(page("true", "<NextContinuationToken>1/x==</NextContinuationToken>"))
    assert found.following == "1/x=="
    assert page_parameters("p/", found.following)["continuation-token"] == "1/x=="
    assert read_page(page("false", "<NextContinuationToken>1</NextContinuationToken>")).following == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html></html>",
        b"{}",
        b"\xff\xfe",
        page("true"),
        page().replace(b"<Size>12</Size>", b"<Size>many</Size>"),
        page().replace(b"2026-01-02T03:04:05.678Z", b"today"),
        page().replace(b"<ListBucketResult", b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult', 1),
    ],
)
def test_what_is_none(data):
    with pytest.raises(UnreadableListing):
        read_page(data)
