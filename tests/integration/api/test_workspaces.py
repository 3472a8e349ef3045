"""The client of Workspaces: list, make, delete, members, the person's own token, and what goes wrong."""

from __future__ import annotations

import contextlib
import itertools

import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()


def new():
    """A name that no other test has."""
    return f"apiworkspaces_{next(_numbers)}"


@pytest.fixture
def user_token(tokens):
    return tokens["user_token"]


@pytest.fixture
def made(workspace, user_token):
    entry = workspace.workspaces.create(new(), user_token=user_token)
    yield entry
    with contextlib.suppress(errors.NotFound):
        workspace.workspaces.delete(entry.id, user_token=user_token)


@pytest.fixture
def person(server, user_token):
    return tinymagic.connect(token=user_token, host=server.host)


@pytest.fixture
def reader(workspace, server):
    token = workspace.tokens.create(new(), ["PIPES:CREATE"]).token
    return tinymagic.connect(token=token.reveal(), host=server.host)


def test_current_is_info(workspace):
    found = workspace.workspaces.current()
    assert found == workspace.info()
    assert "token" not in found.raw


def test_create_and_its_token(workspace, server, made):
    own = tinymagic.connect(token=made.token.reveal(), host=server.host)
    assert own.info().name == made.name
    own.datasources.create("only_here", "n UInt32")
    assert "only_here" not in [each.name for each in workspace.datasources.list()]


def test_list(workspace, person, made):
    here = workspace.info()
    # A Workspace's own token sees its own, the person's all.
    assert [each.id for each in workspace.workspaces.list()] == [here.id]
    seen = {each.name: each for each in person.workspaces.list()}
    assert {here.name, made.name} <= set(seen)
    assert seen[made.name].token.reveal() == made.token.reveal()
    assert not seen[made.name].is_branch


def test_get(workspace, person):
    here = workspace.info()
    plain = workspace.workspaces.get(here.id)
    assert (plain.name, plain.organization, bool(plain.token)) == (here.name, "Tinybird Local", False)
    assert person.workspaces.get(here.id, with_token=True).token


def test_get_unknown(workspace, made):
    for unknown in ("00000000-0000-0000-0000-000000000000", made.id):
        with pytest.raises(errors.NotFound, match="cannot see it"):
            workspace.workspaces.get(unknown)


def test_create_name_taken(workspace, user_token, made):
    with pytest.raises(errors.Conflict):
        workspace.workspaces.create(made.name, user_token=user_token)


def test_create_without_the_user_token(workspace, tokens):
    with pytest.raises(errors.Forbidden, match="user token"):
        workspace.workspaces.create(new(), user_token=tokens["workspace_admin_token"])
    with pytest.raises(errors.InvalidInput, match="empty"):
        workspace.workspaces.create(new(), user_token="")


def test_create_bad_name(workspace, user_token):
    with pytest.raises(errors.InvalidInput, match="not a valid Workspace name"):
        workspace.workspaces.create("not-valid", user_token=user_token)


def test_delete(workspace, person, user_token, made):
    with pytest.raises(errors.Forbidden):
        workspace.workspaces.delete(made.id, user_token=made.token)
    with pytest.raises(errors.BadRequest, match="Nothing was deleted"):
        workspace.workspaces.delete(made.id, user_token=user_token, name="another")
    assert made.id in [each.id for each in person.workspaces.list()]
    workspace.workspaces.delete(made.id, user_token=user_token, name=made.name)
    assert made.id not in [each.id for each in person.workspaces.list()]
    with pytest.raises(errors.NotFound):
        workspace.workspaces.delete(made.id, user_token=user_token)


def test_members(workspace, user_token, made):
    members = workspace.workspaces.members
    added = members(made.id, add=["a@example.com", "b@example.com"], role="viewer", user_token=user_token)
    assert {each.email: each.role for each in added.members if each.email.endswith("example.com")} == {
        "a@example.com": "viewer",
        "b@example.com": "viewer",
    }
    changed = members(made.id, change_role=["a@example.com"], role="admin", user_token=user_token)
    assert {each.role for each in changed.members if each.email == "a@example.com"} == {"admin"}
    left = members(made.id, remove=["a@example.com"], user_token=user_token)
    assert "a@example.com" not in [each.email for each in left.members]
    with pytest.raises(errors.BadRequest, match="Not a member"):
        members(made.id, remove=["a@example.com"], user_token=user_token)
    with pytest.raises(errors.BadRequest, match="addresses"):
        members(made.id, add=["nobody"], user_token=user_token)
    with pytest.raises(errors.NotFound):
        members(made.id, add=["a@example.com"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "one of the three"),
        ({"add": ["a@example.com"], "remove": ["b@example.com"]}, "one of the three"),
        ({"add": ["a@example.com"], "role": "king"}, "no role"),
        ({"change_role": ["a@example.com"]}, "which role"),
    ],
)
def test_members_refused_before_it_is_sent(workspace, asked, said):
    with pytest.raises(errors.InvalidInput, match=said):
        workspace.workspaces.members(workspace.info().id, **asked)


def test_releases_organization_user_auth(workspace, person, user_token, reader):
    here = workspace.info()
    assert workspace.workspaces.releases(here.id) == []
    user = workspace.workspaces.user()
    assert user.email == here.user_email
    organization = workspace.workspaces.organization("Tinybird Local")
    assert here.id in [each.id for each in organization.workspaces]
    assert workspace.workspaces.organization(organization.id) == organization
    with pytest.raises(errors.NotFound):
        workspace.workspaces.organization("another")
    own, persons = workspace.workspaces.auth(), workspace.workspaces.auth(user_token=user_token)
    assert (own.is_valid, own.is_user, persons.is_user) == (True, False, True)
    with pytest.raises(errors.Forbidden):
        workspace.workspaces.auth(user_token="p.not.known")
    with pytest.raises(errors.Forbidden):
        reader.workspaces.list()


def test_with_token(workspace, made):
    """The same host with another token; this one stays as it is."""
    other = workspace.with_token(made.token.reveal(), source="a test")
    assert (other.info().name, other.host, other.source) == (made.name, workspace.host, "a test")
    assert workspace.info().name != made.name


def test_no_token_is_shown(person, made):
    everything = [*person.workspaces.list(), made, person.workspaces.get(made.id, with_token=True)]
    everything += [person.workspaces.user(), person.info()]
    for each in everything:
        shown = repr(each) + str(each) + repr(vars(each)) + repr(dict(each.raw))
        assert made.token.reveal() not in shown
        assert made.token.reveal().split(".")[2] not in shown
