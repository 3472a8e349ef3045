"""The client of Environment Variables: setting, deleting, what uses them, their rate, and what goes wrong."""

from __future__ import annotations

import itertools
import time
import traceback

import pytest

import tinymagic
from tinymagic import errors, local
from tinymagic.api.http.redaction import Secret

_numbers = itertools.count()
VALUE = "a-value-that-nobody-sees-0123"


def new():
    """A name that no other test has."""
    return f"apivariables_{next(_numbers)}"


@pytest.fixture
def variables(workspace):
    return workspace.variables


@pytest.fixture
def name(variables):
    wanted = new()
    variables.create(wanted, VALUE)
    return wanted


def value_of(workspace, name):
    """What templates make of it: its hash, because no reply may have it."""
    return workspace.sql(f"%\nSELECT hex(SHA256({{{{tb_secret('{name}')}}}})) AS h").h[0]


def hashed(workspace, text):
    return workspace.sql("SELECT hex(SHA256('" + text + "')) AS h").h[0]


def test_create_and_get(variables, workspace):
    wanted = new()
    made = variables.create(wanted, VALUE)
    assert (made.name, made.type, made.edited_by) == (wanted, "secret", "token: 'workspace admin token'")
    assert made.created_at is not None
    assert made.created_at.tzinfo is not None
    assert variables.get(wanted) == made
    assert value_of(workspace, wanted) == hashed(workspace, VALUE)


def test_set(variables, workspace):
    wanted = new()
    variables.set(wanted, Secret("first value"))
    assert value_of(workspace, wanted) == hashed(workspace, "first value")
    variables.set(wanted, "second value")
    assert value_of(workspace, wanted) == hashed(workspace, "second value")
    assert wanted in [each.name for each in variables.list()]


def test_update(variables, workspace, name):
    variables.update(name, "ä ö & = % +\n")
    assert value_of(workspace, name) == hashed(workspace, "ä ö & = % +\\n")


def test_delete(variables, name):
    variables.delete(name)
    with pytest.raises(errors.NotFound, match=name):
        variables.get(name)


def test_used_by(variables, workspace, name):
    assert variables.used_by(name) == []
    pipe = workspace.pipes.create(
        f"{name}_pipe", {"name": "a", "sql": f"%\nSELECT 1 WHERE {{{{tb_secret('{name}')}}}} = ''"}
    )
    assert variables.used_by(name) == [pipe.name]
    assert variables.get(name).used_by == (pipe.name,)


def test_used_by_where_the_service_does_not_tell(variables, workspace, name, monkeypatch):
    workspace.pipes.create(f"{name}_one", {"name": "a", "sql": f"%\nSELECT 1 WHERE {{{{tb_secret(\"{name}\")}}}} = ''"})
    workspace.pipes.create(f"{name}_two", {"name": "a", "sql": f"%\nSELECT 1 WHERE {{{{ tb_var( '{name}' ) }}}} = ''"})
    workspace.pipes.create(f"{name}_three", {"name": "a", "sql": f"SELECT '{name}' AS other"})
    described = variables.get(name)
    monkeypatch.setattr(variables, "get", lambda _: type(described)(name=described.name))
    assert sorted(variables.used_by(name)) == [f"{name}_one", f"{name}_two"]


@pytest.mark.parametrize("call", ["get", "delete", "used_by"])
def test_unknown(variables, call):
    with pytest.raises(errors.NotFound, match="does not exist"):
        getattr(variables, call)("apivariables_not_there")


def test_unknown_update(variables):
    with pytest.raises(errors.NotFound):
        variables.update("apivariables_not_there", VALUE)


def test_name_taken(variables, name):
    with pytest.raises(errors.BadRequest, match="already"):
        variables.create(name, VALUE)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("1x", VALUE, "for instance 'c_1x'"),
        ("", VALUE, "no name for a variable"),
        ("a-b", VALUE, "for instance 'a_b'"),
        ("apivariables_empty", "", "is empty"),
        ("apivariables_long", "x" * 8193, "at most 8 KB"),
        ("apivariables_number", 7, "must be a text"),
    ],
)
@pytest.mark.parametrize("call", ["set", "create", "update"])
def test_refused_before_it_is_sent(variables, name, value, said, call, monkeypatch):
    monkeypatch.setattr(variables, "_ask", lambda *_, **__: pytest.fail("it was sent"))
    with pytest.raises(errors.InvalidInput, match=said):
        getattr(variables, call)(name, value)


def test_the_largest_value(variables, workspace):
    wanted = new()
    variables.set(wanted, "x" * 8192)
    assert value_of(workspace, wanted) == workspace.sql("SELECT hex(SHA256(repeat('x', 8192))) AS h").h[0]


def test_forbidden(workspace, server):
    token = workspace.tokens.create(new(), ["TOKENS"]).token
    with pytest.raises(errors.Forbidden):
        tinymagic.connect(token=token.reveal(), host=server.host).variables.set("x", VALUE)


def test_five_requests_a_second_are_kept():
    """On a server that has the service's limits none of twelve requests in a row is refused."""
    strict = local.start(memory=True, port=0, with_parent=True, limits="service")
    try:
        waits = []
        workspace = tinymagic.connect(host=strict.host, on_wait=lambda seconds, why: waits.append((seconds, why)))
        begin = time.monotonic()
        for number in range(12):
            workspace.variables.create(f"v{number}", VALUE)
        assert time.monotonic() - begin > 2
        assert len(workspace.variables.list()) == 12
    finally:
        local.stop(port=strict.port)
    assert waits
    assert all("5 requests" in why for _, why in waits)


def test_the_value_is_nowhere(variables, name, monkeypatch):
    """Not in reprs, and not in the frames of a traceback, local variables included."""
    texts = [
        repr(variables.get(name)),
        repr(variables.get(name).raw),
        repr(variables.set(name, VALUE)),
        repr(variables),
    ]

    def refused(call, *arguments):
        with pytest.raises(errors.TinybirdError) as caught:
            call(*arguments)
        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        # The frames of this test know the value, of course.
        frames.stack[:] = [
            each for each in frames.stack if "tinymagic" in each.filename and "tests" not in each.filename
        ]
        assert frames.stack
        return [str(caught.value), repr(vars(caught.value)), "".join(frames.format())]

    texts += refused(variables.create, name, VALUE)
    texts += refused(variables.update, "apivariables_not_there", VALUE)
    texts += refused(variables.set, "1x", VALUE)
    texts += refused(variables.set, "x", VALUE * 1000)
    for text in texts:
        assert VALUE not in text


def test_a_reply_that_repeats_the_value(variables, monkeypatch):
    """A service, or a proxy on the way, that quotes the request."""
    from tinymagic.api.http import wire
    from tinymagic.api.http.replies import Reply

    def quoting(self, request, *_):
        body = b'{"error": "cannot take ' + request.body() + b"; value " + VALUE.encode() + b'"}'
        return Reply(400, {}, body, asked=request.asked, wall_s=0.1)

    monkeypatch.setattr(wire.Wire, "attempt", quoting)
    with pytest.raises(errors.BadRequest) as caught:
        variables.create("x", VALUE)
    assert "[hidden]" in str(caught.value)
    assert VALUE not in str(caught.value) + repr(vars(caught.value)) + repr(caught.value.answer.body)
