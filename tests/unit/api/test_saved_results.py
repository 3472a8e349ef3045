"""Rows are counted, and a missing end is seen, however the bytes are cut."""

from __future__ import annotations

import io

import pytest

from tinymagic.api.saved_results import RowCounter
from tinymagic.errors import BadReply

BODIES = {
    "CSVWithNames": b'"n","s"\n1,"a\n""b""\nc"\n2,""\n3,"\n"\n',
    "TSVWithNames": b"n\ts\n1\ta\\nb\n2\t\n3\t\\n\n",
    "JSONEachRow": b'{"s":"\\n"}\n{"s":"{"}\n{"s":"}"}\n',
    "JSON": b'{\n\t"meta": [],\n\n\t"data": [],\n\n\t"rows": 3,\n\n\t"statistics": {}\n}\n',
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("wire_format", BODIES)
def test_pieces(wire_format, size):
    """Quotes and line breaks may stand on either side of a cut."""
    body, out = BODIES[wire_format], io.BytesIO()
    counter = RowCounter(out, wire_format)
    for start in range(0, len(body), size):
        assert counter.write(memoryview(body)[start : start + size]) == len(body[start : start + size])
    counter.check_end()
    assert counter.rows() == 3
    assert out.getvalue() == body


@pytest.mark.parametrize(
    ("wire_format", "body", "sentence"),
    [
        ("Parquet", b"PAR1 half", "end is missing"),
        ("JSON", b'{"data": [', "end is missing"),
        ("JSONEachRow", b'{"n":1}\nCode: 395. DB::Exception: Value passed', "Code: 395"),
        ("CSVWithNames", b'"n"\n1\nCode: 395. DB::Exception: Value passed', "Code: 395"),
        ("CSVWithNames", b'"n"\n1,"half', "end is missing"),
    ],
)
def test_ends(wire_format, body, sentence):
    counter = RowCounter(io.BytesIO(), wire_format)
    counter.write(body)
    with pytest.raises(BadReply, match=sentence):
        counter.check_end()
