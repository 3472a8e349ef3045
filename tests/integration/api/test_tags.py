"""The client of tags: making, changing, deleting, and what goes wrong."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tinymagic import errors
from tinymagic.api.tags import Tagged

_numbers = itertools.count()


def new():
    """A name that no other test has."""
    return f"apitags_{next(_numbers)}"


@pytest.fixture
def source(workspace):
    found = workspace.datasources.create(new(), "n UInt32")
    return Tagged(found.id, found.name, "datasource")


def test_create(workspace, source):
    made = workspace.tags.create(name := new(), [source])
    assert (made.name, made.resources) == (name, (source,))
    assert next(each for each in workspace.tags.list() if each.name == name).resources == (source,)


def test_update(workspace, source):
    workspace.tags.create(name := new())
    assert workspace.tags.update(
        name, resources=[{"id": source.id, "name": source.name, "type": "datasource"}]
    ).resources
    changed = workspace.tags.update(name, new_name=(other := new()))
    assert (changed.name, changed.resources) == (other, (source,))
    assert workspace.tags.update(other, resources=[]).resources == ()


def test_delete(workspace):
    workspace.tags.create(name := new())
    workspace.tags.delete(name)
    assert name not in [each.name for each in workspace.tags.list()]


def test_name_taken(workspace):
    workspace.tags.create(one := new())
    workspace.tags.create(two := new())
    with pytest.raises(errors.Conflict, match="already a tag"):
        workspace.tags.create(one)
    with pytest.raises(errors.Conflict, match="already a tag"):
        workspace.tags.update(two, new_name=one)


def test_unknown(workspace):
    with pytest.raises(errors.NotFound):
        workspace.tags.update("apitags_not_there", resources=[])
    with pytest.raises(errors.NotFound):
        workspace.tags.delete("apitags_not_there")


def test_refused_before_it_is_sent(workspace):
    with pytest.raises(errors.InvalidInput, match="needs a name"):
        workspace.tags.create(" ")
    with pytest.raises(errors.InvalidInput, match="nothing to change"):
        workspace.tags.update("any")


def test_bad_request(workspace):
    with pytest.raises(errors.BadRequest, match="at most 100 characters"):
        workspace.tags.create("x" * 101)


def test_forbidden(workspace, server):
    token = workspace.tokens.create(new(), ["PIPES:CREATE"]).token
    with pytest.raises(errors.Forbidden):
        tinymagic.connect(token=token.reveal(), host=server.host).tags.list()
