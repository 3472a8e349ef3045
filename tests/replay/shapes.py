"""All the shapes that a reply may have instead of the usual one."""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tests.replay.server import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (
    "<!DOCTYPE html><html><head><title>502 Bad Gateway</title><script>x = {}</script></head>"
    "<body><h1>502 &lt;Bad&gt; Gateway</h1></body></html>"
)

ERROR_STATUSES = (400, 403, 404, 405, 409, 413, 429, 500, 502, 503)

#: Name -> what an error may have as its body, with every status.
ERROR_BODIES: dict[str, tuple[bytes, str]] = {
    "JSON": (b'{"error": "There is something.", "documentation": "https://docs.tinybird.co/x"}', "application/json"),
    "JSON with errors": (
        b'{"error": "e", "errors": ["a", {"filename": "x.pipe", "error": "bad"}, null, 3]}',
        "application/json",
    ),
    "text": (b"upstream timed out", "text/plain"),
    "HTML": (PAGE.encode(), "text/html"),
    "empty": (b"", ""),
    "list": (b'[1, "two", {"error": 3}]', "application/json"),
    "string": (b'"a text"', "application/json"),
}

#: The same, with the first status only: what reads them does not look at the status.
STRANGE_ERROR_BODIES: dict[str, tuple[bytes, str]] = {
    "failed deployment": (
        b'{"result": "failed", "errors": [{"filename": "x.pipe", "error": "bad"}], "error": "e"}',
        "application/json",
    ),
    "rows": (b'{"successful_rows": 1, "quarantined_rows": 2, "error": "e", "datasource": null}', "application/json"),
    "no error": (b'{"error": null, "message": {"a": 1}}', "application/json"),
    "empty object": (b"{}", "application/json"),
    "number": (b"3", "application/json"),
    "null": (b"null", "application/json"),
    "cut": (b'{"error": "cut o', "application/json"),
    "no text": (b"\xff\xfe\x00{", "application/octet-stream"),
}

#: Successes that are no such objects.
RAW_SUCCESSES: dict[str, tuple[bytes, str]] = {
    "empty body": (b"", "application/json"),
    "nothing": (b"", ""),
    "empty object": (b"{}", "application/json"),
    "empty list": (b"[]", "application/json"),
    "list": (b'[{"id": "t_1", "name": "x"}, 3, null]', "application/json"),
    "string": (b'"done"', "application/json"),
    "number": (b"3", "application/json"),
    "null": (b"null", "application/json"),
    "true": (b"true", "application/json"),
    "text": (b"OK", "text/plain; charset=utf-8"),
    "HTML": (PAGE.encode(), "text/html; charset=utf-8"),
    "cut": (b'{"id": "t_1", "na', "application/json"),
    "two objects": (b'{"id": "t_1"}\n{"id": "t_2"}\n', "application/x-ndjson"),
    "byte order mark": (b'\xef\xbb\xbf{"id": "t_1"}', "application/json"),
    "no text": (b"\xff\xfe\x00\x01", "application/octet-stream"),
    "deep": (b"[" * 5000, "application/json"),
    "NaN": (b'{"id": NaN, "rows": Infinity, "data": [[NaN]]}', "application/json"),
    "error inside": (b'{"error": "it failed", "errors": ["because"]}', "application/json"),
}

#: What stands in the place of a value, at the top of a reply and further down.
_OTHERS: dict[str, Any] = {
    "null": None,
    "text": "some text",
    "number": -7.5,
    "list": [None, 3, "x", {}, []],
    "object": {"id": 3, "name": None},
}
_OTHERS_WITHIN = ("null", "text", "list")

_EXTRA = {"deployment_suffix": "", "workspace_id": "uuid", "path": "x/y.pipe", "_unknown": {"deep": [{"er": None}]}}


def shapes_of(usual: Any, *, every_status: bool = True) -> list[Shape]:
    """Return every shape for an operation whose usual reply is *usual* (JSON, a text, or bytes).

    Args:
        usual: the usual reply.
        every_status: each body of an error with each status, or only with the first.
    """
    failures = [each for each in errors() if every_status or each.status == ERROR_STATUSES[0]]
    return [*successes_of(usual), *failures]


def successes_of(usual: Any) -> list[Shape]:
    """Return the shapes with a status of success; the first one is the usual."""
    found = [Shape.of("usual", usual)]
    found += [Shape.of(f"usual, {status}", usual, status) for status in (201, 202)]
    found += [Shape(f"{status} without a body", status, b"", "") for status in (200, 202, 204, 205, 304)]
    found += [Shape(name, 200, body, kind) for name, (body, kind) in RAW_SUCCESSES.items()]
    if isinstance(usual, dict):
        found += [Shape.of(f"Forward: {name}", value) for name, value in _of_forward(usual)]
        found += [Shape.of(name, value) for name, value in _damaged(usual)]
    return found


@lru_cache(maxsize=1)
def errors() -> tuple[Shape, ...]:
    """Return the shapes with a status of failure."""
    made = [
        Shape(f"{status} {name}", status, body, kind)
        for status in ERROR_STATUSES
        for name, (body, kind) in ERROR_BODIES.items()
    ]
    status = ERROR_STATUSES[0]
    strange = STRANGE_ERROR_BODIES.items()
    return (*made, *(Shape(f"{status} {name}", status, body, kind) for name, (body, kind) in strange))


def _of_forward(usual: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Spell a reply as newer services do: more keys, ids of another kind, lists under ``data``."""
    yield "more keys", _mapped(usual, lambda value: {**value, **_EXTRA})
    yield "inside data", {"data": usual}
    for key, value in usual.items():
        if isinstance(value, list):
            yield f"{key} under data", {**{k: v for k, v in usual.items() if k != key}, "data": value}
            yield f"{key} as an object", {**usual, key: {"0": value[0] if value else None}}
    yield "ids are numbers", _mapped(usual, lambda value: {k: 7 if k.endswith("id") else v for k, v in value.items()})
    yield "all null", dict.fromkeys(usual)
    yield "all texts", {key: json.dumps(value) for key, value in usual.items()}
    yield "nulls within", _mapped(usual, lambda value: {k: v if isinstance(v, (dict, list)) else None for k, v in value.items()})  # fmt: skip # noqa: E501


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return change({key: _mapped(each, change) for key, each in value.items()})
    return [_mapped(each, change) for each in value] if isinstance(value, list) else value


def _damaged(usual: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Take each key away, at every depth, and put values of other kinds into its place."""
    for place in _places(usual, depth=3):
        label = ".".join(map(str, place))
        copied = copy.deepcopy(usual)
        holder = _at(copied, place[:-1])
        original = holder[place[-1]]
        del holder[place[-1]]
        yield f"without {label}", copied
        for name in _OTHERS if len(place) == 1 else _OTHERS_WITHIN:
            other = _OTHERS[name]
            if type(other) is type(original):
                continue
            copied = copy.deepcopy(usual)
            _at(copied, place[:-1])[place[-1]] = other
            yield f"{label} is {name}", copied


def _places(value: Any, depth: int, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else list(enumerate(value[:1])) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*before, key)
        if depth > 1:
            yield from _places(inner, depth - 1, (*before, key))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value
