"""A token is in no repr, frame, pickle, error or traceback of the client, whoever's it is and wherever it was typed."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import traceback

import pandas as pd
import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()


def new(kind="token"):
    """A name that no other test has."""
    return f"apihidden_{kind}_{next(_numbers)}"


@pytest.fixture
def own(workspace):
    return workspace.tokens


@pytest.fixture
def endpoint(workspace):
    name = new("pipe")
    workspace.pipes.create(name, {"name": "a", "sql": "SELECT 1 AS n"})
    workspace.pipes.publish(name)
    return name


def client(server, token):
    """The client with another token."""
    return tinymagic.connect(token=token, host=server.host)


def pieces(value):
    """All eight-character pieces of the part of a token that no other token has."""
    secret = value.rpartition(".")[2]
    return {secret[place : place + 8] for place in range(len(secret) - 7)}


def shows(text, value):
    """Say whether a text holds a piece of a token."""
    return any(piece in text for piece in pieces(value))


def test_results(own, workspace, endpoint):
    made = own.create(new(), ["TOKENS"])
    jwt = own.create_jwt(new(), f"PIPES:READ:{endpoint}", lifetime=60)
    signed = own.sign_jwt(new(), f"PIPES:READ:{endpoint}", lifetime=60)
    entry = next(each for each in workspace.workspaces.list() if each.token)
    for result in (made, own.get(made), own.refresh(made.id), jwt, signed, entry):
        value = result.token.reveal()
        frame = pd.DataFrame([vars(result)])
        for text in (
            repr(result),
            str(result),
            f"{result.token} {result.token!r} {result.token:}",
            str(dict(getattr(result, "raw", {}))),
            frame.to_string() + frame.to_html() + frame.to_csv(),
            str(dataclasses.replace(result)),
        ):
            assert not shows(text, value), text
        with pytest.raises(TypeError):
            pickle.dumps(result)
    assert not shows(repr(own.list()) + repr(workspace.workspaces.list()), made.token.reveal())


def test_errors(own, server, workspace):
    """Also those of calls that name a token by its value, which may be another Workspace's."""
    gone = own.create(new(), ["TOKENS"])
    own.delete(gone)
    value = gone.token.reveal()
    dead = tinymagic.Workspace("http://127.0.0.1:1", workspace._transport._secret.reveal())
    for call in (
        lambda: own.get(value),
        lambda: own.get(gone.token),
        lambda: own.datafile(value),
        lambda: own.update(value, description="x"),
        lambda: own.refresh(value),
        lambda: own.delete(value),
        lambda: client(server, value).tokens.list(),
        lambda: own.create(new(), f"PIPES:READ:{value}"),
        lambda: own.create_jwt(new(), f"PIPES:READ:{value}", lifetime=60),
        lambda: dead.tokens.get(value),
    ):
        with pytest.raises(errors.TinybirdError) as caught:
            call()
        error = caught.value
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        assert not shows(text + repr(error) + str(vars(error)) + error.message, value), text
        assert not shows(repr(error.answer), value)
