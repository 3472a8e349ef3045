"""The client of variables against a server that answers as a test says."""

from __future__ import annotations

import threading
import time

import pytest

from tinymagic import errors
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.redaction import Secret
from tinymagic.api.variables import Variable

VALUE = "the-very-secret-value-0123456789"
ONE = "/v0/variables/x"


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"name": None, "type": None, "created_at": "soon", "used_by": "all"},
        {"name": 5, "used_by": [None, {"name": "p"}, 7], "updated_at": 3},
    ],
)
def test_a_variable_of_any_shape(described):
    found = Variable.of(described)
    assert isinstance(found.name, str)
    assert found.type == "secret"
    assert found.created_at is None


def test_a_value_in_a_reply_is_not_kept():
    found = Variable.of({"name": "x", "value": VALUE})
    assert VALUE not in repr(found) + str(dict(found.raw))


class TestSet:
    def test_one_that_is_there(self, server, ws):
        server.on(ONE, server.answer({"name": "x"}))
        ws.variables.set("x", VALUE)
        assert [(each.method, each.path) for each in server.seen] == [("GET", ONE), ("PUT", ONE)]
        assert server.seen[1].form == {"value": VALUE}

    def test_one_that_is_not(self, server, ws):
        server.on("/v0/variables", server.answer({"name": "x"}))
        ws.variables.set("x", Secret("a&b=é +"))
        assert [(each.method, each.path) for each in server.seen] == [("GET", ONE), ("POST", "/v0/variables")]
        assert server.seen[1].form == {"name": "x", "value": "a&b=é +"}
        assert server.seen[1].query == {}

    @pytest.mark.parametrize("status", [403, 500])
    def test_other_errors_do_not_make_one(self, server, ws, status):
        server.on(ONE, server.answer({"error": "no"}, status))
        with pytest.raises(errors.ApiError):
            ws.variables.set("x", VALUE)
        assert {each.method for each in server.seen} == {"GET"}


def test_the_service_repeats_the_value(server, ws):
    """It is taken out of message, errors and the kept answer, whole or in pieces."""
    server.on("/v0/variables", server.answer({"error": f"bad {VALUE}", "errors": [f"about {VALUE[4:20]}"]}, 400))
    with pytest.raises(errors.BadRequest) as caught:
        ws.variables.create("x", VALUE)
    error = caught.value
    assert VALUE[4:14] not in str(error) + error.message + str(error.errors)
    assert VALUE[4:14] not in repr(error.answer) + str(vars(error.answer))


def test_more_than_a_second_takes(server, ws, waits):
    server.on("/v0/variables", server.answer({"variables": []}))
    began = time.monotonic()
    threads = [threading.Thread(target=ws.variables.list) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(server.seen) == 12
    assert time.monotonic() - began >= 2
    assert len(waits) >= 2
    assert all("5 requests in a second" in reason for _, reason in waits)


def test_refused_all_the_same(server, ws, waits):
    server.on("/v0/variables", server.answer({"error": "slow"}, 429, **{"Retry-After": "0"}), server.answer({}))
    assert ws.variables.list() == []
    assert len(server.seen) == 2


class TestUsedBy:
    def test_the_service_says_it(self, server, ws):
        server.on(ONE, server.answer({"name": "x", "used_by": ["p", {"name": "d"}]}))
        assert ws.variables.used_by("x") == ["p", "d"]
        assert len(server.seen) == 1

    def test_it_is_looked_for(self, server, ws):
        """A service that does not say it: in the SQL of nodes, and in what is told of Data Sources."""
        server.on(ONE, server.answer({"name": "x"}))
        nodes = [
            ("a", "SELECT {{tb_secret('x')}}"),
            ("b", "{{ tb_secret( \"x\" , 'd') }}"),
            ("c", "{{tb_var('x')}}"),
            ("d", "tb_secret('xy') tb_secret('y') my_tb_secret('x')"),
            ("e", None),
        ]
        pipes = [{"name": name, "nodes": [{"name": "n", "sql": sql}]} for name, sql in nodes]
        server.on("/v0/pipes", server.answer({"pipes": [*pipes, {"name": "f"}, None, {"nodes": "g"}]}))
        sources = [{"name": "s", "service_conf": {"key": "{{ tb_secret('x') }}"}}, {"name": "t", "a": "tb_secret('y')"}]
        server.on("/v0/datasources", server.answer({"datasources": sources}))
        assert ws.variables.used_by("x") == ["a", "b", "c", "s"]


def test_a_wait_for_a_turn_can_be_cancelled(server, ws):
    server.on("/v0/variables", server.answer({"variables": []}))
    for _ in range(5):
        ws.variables.list()
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    with pytest.raises(errors.Cancelled):
        ws.variables.list(cancellation=cancellation)
    assert len(server.seen) == 5
