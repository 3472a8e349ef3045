"""The client of ``/v0/variables``: values go in, and nowhere come out again."""

from __future__ import annotations

import hashlib
import itertools
import time
import traceback

import pandas as pd
import pytest

import tinymagic
from tinymagic import errors, local
from tinymagic.api.redaction import Secret
from tinymagic.api.retries import Patience

_numbers = itertools.count()
VALUE = "the-very-secret-value-0123456789"


def new(kind="variable"):
    """A name that no other test has."""
    return f"apivariables_{kind}_{next(_numbers)}"


@pytest.fixture
def variables(workspace):
    return workspace.variables


def reads(workspace, name):
    """Say by a query whether a variable has the value, without showing it."""
    frame = workspace.sql(
        "%\nSELECT {{tb_secret('" + name + "')}} = {{String(wanted)}} AS same", params={"wanted": VALUE}
    )
    return bool(frame.same.iloc[0])


class TestOperations:
    def test_set_makes_and_changes(self, variables, workspace):
        name = new()
        made = variables.set(name, "something else")
        assert (made.name, made.type, made.used_by) == (name, "secret", ())
        assert made.created_at.tzinfo is not None
        assert not reads(workspace, name)
        variables.set(name, Secret(VALUE))
        assert reads(workspace, name)
        assert len([each for each in variables.list() if each.name == name]) == 1

    def test_create_and_update(self, variables, workspace):
        name = new()
        variables.create(name, "something else")
        variables.update(name, VALUE)
        assert reads(workspace, name)

    def test_get_and_list(self, variables):
        name = variables.create(new(), VALUE).name
        assert variables.get(name).edited_by == "token: 'workspace admin token'"
        assert name in {each.name for each in variables.list()}

    @pytest.mark.parametrize("value", ["a&b=c", "100% + é", " blanks ", "'\"`{{}}\n\t", "x" * 8192])
    def test_values_arrive_as_they_are(self, variables, workspace, value):
        name = variables.set(new(), value).name
        frame = workspace.sql(
            "%\nSELECT hex(MD5({{tb_secret('" + name + "')}})) = {{String(wanted)}} AS same",
            params={"wanted": hashlib.md5(value.encode(), usedforsecurity=False).hexdigest().upper()},
        )
        assert frame.same.iloc[0]

    def test_delete(self, variables):
        name = variables.create(new(), VALUE).name
        variables.delete(name)
        with pytest.raises(errors.NotFound):
            variables.get(name)

    def test_used_by(self, variables, workspace):
        name, pipe = new(), new("pipe")
        variables.create(name, VALUE)
        workspace.pipes.create(pipe, {"name": "a", "sql": "%\nSELECT MD5({{tb_secret('" + name + "')}}) AS m"})
        assert variables.used_by(name) == [pipe]
        assert variables.get(name).used_by == (pipe,)


class TestErrors:
    def test_what_is_not_sent(self, variables):
        for name, value, words in (
            ("", "x", "no name for a variable"),
            ("1 a", "x", "no name for a variable"),
            ("a-b", "x", "a_b"),
            (new(), "", "is empty"),
            (new(), "x" * 8193, "8,193 bytes"),
            (new(), "é" * 4097, "8,194 bytes"),
            (new(), None, "must be a text"),
            (new(), 5, "must be a text"),
        ):
            for call in (variables.set, variables.create, variables.update):
                with pytest.raises(errors.InvalidInput, match=words):
                    call(name, value)

    def test_one_that_does_not_exist(self, variables):
        for call in (
            lambda: variables.get("apivariables_none"),
            lambda: variables.update("apivariables_none", VALUE),
            lambda: variables.delete("apivariables_none"),
            lambda: variables.used_by("apivariables_none"),
        ):
            with pytest.raises(errors.NotFound):
                call()

    def test_a_name_that_is_taken(self, variables):
        name = variables.create(new(), VALUE).name
        with pytest.raises(errors.BadRequest, match=name):
            variables.create(name, VALUE)

    def test_without_the_scope(self, workspace, server):
        token = workspace.tokens.create(new("token"), "PIPES:CREATE").token.reveal()
        mine = tinymagic.connect(token=token, host=server.host).variables
        for call in (
            mine.list,
            lambda: mine.get("x"),
            lambda: mine.set("x", VALUE),
            lambda: mine.create("x", VALUE),
            lambda: mine.update("x", VALUE),
            lambda: mine.delete("x"),
        ):
            with pytest.raises(errors.Forbidden):
                call()


def test_the_rate(private_folders):
    """Five requests a second are kept to beforehand, visibly: a server that counts has nothing to refuse."""
    limited = local.start(memory=True, port=0, with_parent=True, limits="service")
    try:
        waits = []
        from tinymagic.api.workspace import local_token

        mine = tinymagic.Workspace(
            limited.host,
            local_token(limited.host),
            on_wait=lambda seconds, reason: waits.append((seconds, reason)),
            patience=Patience(attempts=1),
        )
        began = time.monotonic()
        for number in range(6):
            mine.variables.set(f"v{number}", VALUE)
        assert len(mine.variables.list()) == 6
        assert time.monotonic() - began > 2
        assert waits
        assert all("5 requests in a second" in reason and 0 < seconds < 1.2 for seconds, reason in waits)
        # Another client spends the requests: then the service refuses, and says when to come back.
        others = [
            tinymagic.Workspace(limited.host, local_token(limited.host), patience=Patience(attempts=1))
            for _ in range(8)
        ]
        with pytest.raises(errors.RateLimited) as caught:
            [each.variables.list() for each in others]
        assert (caught.value.limit, caught.value.status) == (5, 429)
    finally:
        local.stop(port=limited.port)


class TestNoValueShowsItself:
    def test_results(self, variables, workspace):
        name = new()
        results = [variables.create(name, VALUE), variables.set(name, VALUE), variables.get(name)]
        frame = pd.DataFrame([vars(each) for each in [*results, *variables.list()]])
        text = repr(results) + str([dict(each.raw) for each in results]) + frame.to_string() + repr(vars(variables))
        assert VALUE not in text

    def test_errors(self, variables, workspace, server):
        """No text of an error has the value, whatever the name is; nor do the values of frames that are ours."""
        name = variables.create(new(), VALUE).name
        dead = tinymagic.Workspace("http://127.0.0.1:1", "p.a.b")
        for call in (
            lambda: variables.create(name, VALUE),
            lambda: variables.update("apivariables_none", VALUE),
            lambda: variables.set(name, VALUE * 1000),
            lambda: variables.set("a b", VALUE),
            lambda: dead.variables.set("x", VALUE),
            lambda: dead.variables.update("x", VALUE),
        ):
            with pytest.raises(errors.TinybirdError) as caught:
                call()
            error = caught.value
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            ours = [each for each in told.stack if "/tinymagic/api/" in each.filename]
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__)) + repr(error)
            assert VALUE not in text + str(vars(error)) + repr(error.answer)
            assert VALUE not in str([each.locals for each in ours])
