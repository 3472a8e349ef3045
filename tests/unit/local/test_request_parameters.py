"""What a request says, however its body says it (`routes.forms`, `routes.reading`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from tinymagic.local.errors import BadRequest
from tinymagic.local.routes.forms import parameters, text, text_parameters, whole_text
from tinymagic.local.routes.reading import call_parameters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
PARTS = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'


def read(
    reader: Callable[..., Awaitable[Any]],
    body: bytes,
    content_type: str = "",
    *,
    query: bytes = b"",
    method: str = "POST",
    **options: Any,
) -> Any:
    headers = [(b"content-type", content_type.encode())] if content_type else []
    scope = {"type": "http", "method": method, "path": "/", "query_string": query, "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def reading() -> Any:
        return await reader(Request(scope, receive), **options)

    return asyncio.run(reading())


@pytest.mark.parametrize("reader", [parameters, text_parameters, call_parameters])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=1", FORM),
        (b"a=1", ""),
        (b'{"a": "1"}', "application/json; charset=utf-8"),
        (b' {"a": "1"}', ""),
        (b'{"a": "1"}', FORM),
        (PARTS, MULTIPART),
    ],
)
def test_bodies(reader: Callable[..., Awaitable[Any]], body: bytes, content_type: str) -> None:
    """A body is read the same way on every route, and goes before the URL."""
    assert read(reader, body, content_type, query=b"a=0&b=2") == {"a": "1", "b": "2"}


@pytest.mark.parametrize("reader", [parameters, text_parameters, call_parameters])
@pytest.mark.parametrize("content_type", ["application/json", FORM, MULTIPART, ""])
def test_no_body(reader: Callable[..., Awaitable[Any]], content_type: str) -> None:
    """Without a body the URL says everything, whatever type the body would have."""
    assert read(reader, b" \n", content_type, query=b"a=%201") == {"a": " 1"}


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b'{"a": ', "", "not valid JSON"),
        (b"[1]", "application/json", "must be a JSON object"),
        (b"a=\xff", FORM, "not UTF-8"),
        (b"&".join([b"a=1"] * 10_001), FORM, "not a form"),
    ],
)
def test_refused(body: bytes, content_type: str, message: str) -> None:
    """What cannot be read is said."""
    with pytest.raises(BadRequest, match=message):
        read(parameters, body, content_type)


def test_values_of_json() -> None:
    """Values of JSON stay as they are, become texts, or are left out when they are null."""
    body = b'{"on": true, "n": 1.5, "list": [1, "x"], "none": null, "t": " \xc3\xa9 "}'
    assert read(parameters, body) == {"on": True, "n": 1.5, "list": [1, "x"], "none": None, "t": " é "}
    assert read(text_parameters, body) == {"on": "true", "n": "1.5", "list": '[1, "x"]', "t": " é "}
    assert read(call_parameters, body, query=b"none=1") == {
        "on": True,
        "n": 1.5,
        "list": [1, "x"],
        "none": "1",
        "t": " é ",
    }


def test_repeats() -> None:
    """A parameter that is given several times is a list for templates, and its last value for everybody else."""
    assert read(call_parameters, b"a=3&a=4&q=5&q=6", FORM, query=b"a=1&a=2&b=7&b=8") == {
        "a": "3,4",
        "q": "6",
        "b": "7,8",
    }
    assert read(parameters, b"a=3&a=4", FORM, query=b"b=7&b=8") == {"a": "4", "b": "8"}


def test_body_of_a_get() -> None:
    """A call with GET has its parameters in the URL only."""
    assert read(call_parameters, b"a=1", FORM, query=b"b=2", method="GET") == {"b": "2"}


@pytest.mark.parametrize("content_type", [FORM, "text/plain", ""])
def test_bare_value(content_type: str) -> None:
    """A body may be the value of one parameter, unless it is a form that has this or a name."""
    sql = b"SELECT 1 + 1 FROM t WHERE a = 'x&y'"
    assert read(parameters, sql, content_type, query=b"name=n", raw="sql") == {"name": "n", "sql": sql.decode()}
    assert read(parameters, b"name=n&sql=SELECT+1", content_type, raw="sql") == {"name": "n", "sql": "SELECT 1"}
    assert read(parameters, b"name=n", content_type, raw="sql") == {"name": "n"}


def test_texts() -> None:
    """A text may be absent or null, and nothing else than a text."""
    asked = {"a": " x ", "none": None, "n": 0}
    assert (text(asked, "a"), whole_text(asked, "a")) == ("x", " x ")
    assert (text(asked, "none"), text(asked, "b")) == ("", "")
    with pytest.raises(BadRequest, match="The value of n must be a text"):
        text(asked, "n")
