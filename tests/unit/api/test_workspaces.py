"""The clients of Workspaces, branches and tags against a server that answers as a test says."""

from __future__ import annotations

import pytest

from tinymagic import errors
from tinymagic.api.branches import Branch
from tinymagic.api.http.redaction import Secret
from tinymagic.api.tags import Tag, Tagged
from tinymagic.api.workspaces import Authentication, Member, Organization, Release, User, WorkspaceEntry

USER = "p.eyJ1IjogIjgiLCAiaWQiOiAiOCIsICJob3N0IjogImxvY2FsIn0.USER-SIGNATURE-abcdefgh"
TOKEN = "p.eyJ1IjogIjciLCAiaWQiOiAiNyIsICJob3N0IjogImxvY2FsIn0.OTHER-SIGNATURE-stuvwxyz"

ODD = [
    {},
    {"id": None, "name": 5, "token": None, "members": {"a": 1}, "organization": "us", "main": "", "is_branch": "true"},
    {"members": [None, {}, {"email": 1}], "organization": {"name": None}, "created_at": 5, "main": False},
    {"plan": None, "workspaces": [None, 5, {"members": None}], "is_valid": "yes", "resources": [1, {}], "job": []},
]


@pytest.mark.parametrize("described", ODD)
@pytest.mark.parametrize(
    "kind", [WorkspaceEntry, Member, Release, Organization, Authentication, User, Branch, Tag, Tagged]
)
def test_any_shape(kind, described):
    assert repr(kind.of(described))


def test_what_tokens_are_kept():
    """A token is in its own attribute, hidden, and in no raw, however deep the reply has it."""
    reply = {"id": "1", "name": "shop", "token": TOKEN, "workspaces": [{"id": "2", "token": TOKEN}], "user_token": USER}
    entry = WorkspaceEntry.of(reply)
    assert entry.token.reveal() == TOKEN
    organization, user, branch = Organization.of(reply), User.of(reply), Branch.of({**reply, "job": {"id": "j"}})
    assert organization.workspaces[0].token.reveal() == TOKEN
    for each in (entry, organization, user, branch):
        assert "SIGNATURE" not in repr(each) + str(dict(each.raw))


def test_a_branch_by_its_main():
    assert (WorkspaceEntry.of({"main": "1"}).is_branch, WorkspaceEntry.of({"is_branch": True}).is_branch) == (
        True,
        True,
    )
    assert not WorkspaceEntry.of({"main": None}).is_branch


class TestUserToken:
    """It goes to the same host, in the header, for the one call."""

    def test_create(self, server, ws):
        server.on("/v0/workspaces", server.answer({"id": "1", "name": "shop", "token": TOKEN}))
        for token in (USER, Secret(USER)):
            made = ws.workspaces.create("shop", user_token=token, organization_id="o")
            assert made.token.reveal() == TOKEN
        for seen in server.seen:
            assert seen.headers["authorization"] == f"Bearer {USER}"
            assert seen.query == {"name": "shop", "assign_to_organization_id": "o"}
        server.on("/v0/workspace", server.answer({"id": "1"}))
        ws.info()
        assert server.seen[-1].headers["authorization"] == f"Bearer {server.token}"

    def test_delete(self, server, ws):
        server.on("/v0/workspaces/1", server.Answer(204, b""))
        ws.workspaces.delete("1", user_token=USER, name="shop")
        assert server.seen[0].form == {"confirmation": "shop"}
        assert server.seen[0].headers["authorization"] == f"Bearer {USER}"

    def test_it_is_in_no_error(self, server, ws):
        server.on("/v0/workspaces", server.answer({"error": f"{USER} may not; token={USER[-20:]}"}, 403))
        with pytest.raises(errors.Forbidden) as caught:
            ws.workspaces.create("shop", user_token=USER)
        error = caught.value
        assert "USER-SIG" not in str(error) + error.message + repr(error.answer) + str(vars(error.answer))

    @pytest.mark.parametrize("token", ["mine yours", "tökén-é", "mine\nyours"])
    def test_one_that_cannot_be(self, ws, token):
        with pytest.raises(errors.ConfigurationError) as caught:
            ws.workspaces.create("shop", user_token=token)
        assert token not in str(caught.value)


def test_members(server, ws):
    server.on("/v0/workspaces/1/users", server.answer({"members": [{"email": "a@b.c", "role": "guest"}]}))
    ws.workspaces.members("1", add=["a@b.c", "d@e.f"], role="viewer")
    ws.workspaces.members("1", remove="a@b.c, d@e.f")
    ws.workspaces.members("1", change_role=["a@b.c"], role="admin")
    assert [each.form for each in server.seen] == [
        {"operation": "add", "users": "a@b.c,d@e.f", "role": "viewer"},
        {"operation": "remove", "users": "a@b.c,d@e.f"},
        {"operation": "change_role", "users": "a@b.c", "new_role": "admin"},
    ]


class TestBranches:
    def test_no_job_in_the_reply(self, server, ws):
        """Some services answer with the branch alone."""
        server.on("/v0/environments", server.answer({"id": "1", "name": "try"}))
        assert ws.branches.create("try").job is None
        server.on("/v0/environments/try/data", server.answer({}))
        assert ws.branches.data("try").id == ""

    def test_a_job_that_fails(self, server, ws):
        server.on("/v0/environments", server.answer({"id": "1", "job": {"id": "j", "status": "waiting"}}))
        server.on("/v0/jobs/j", server.answer({"id": "j", "status": "error", "error": "no room"}))
        with pytest.raises(errors.JobFailed, match="no room"):
            ws.branches.create("try")

    def test_it_takes_too_long(self, server, ws):
        server.on("/v0/environments", server.answer({"id": "1", "job": {"id": "j", "status": "waiting"}}))
        server.on("/v0/jobs/j", server.answer({"id": "j", "status": "working"}))
        with pytest.raises(errors.Timeout, match="goes on"):
            ws.branches.create("try", timeout_s=0.05)

    def test_parameters(self, server, ws):
        server.on("/v0/environments", server.answer({}))
        ws.branches.create("try", data="all_partitions", ignore_datasources=["a", "b"])
        assert server.seen[0].query == {"name": "try", "data": "all_partitions", "ignore_datasources": "a,b"}


class TestTags:
    def test_bodies(self, server, ws):
        server.on("/v0/tags", server.answer({}))
        server.on("/v0/tags/a%20b", server.answer({}))
        resource = Tagged("1", "events", "datasource")
        assert ws.tags.create("a b", [resource]).resources == (resource,)
        assert ws.tags.update("a b", resources=[]).resources == ()
        assert [each.path for each in server.seen] == ["/v0/tags", "/v0/tags/a%20b"]
        assert server.seen[1].body == b'{"resources": []}'

    def test_a_renaming_is_not_repeated(self, server, ws):
        server.on("/v0/tags/a", server.answer({}, 503), server.answer({}))
        with pytest.raises(errors.Unavailable):
            ws.tags.update("a", new_name="b")
        server.on("/v0/tags/a", server.answer({}, 503), server.answer({}))
        assert ws.tags.update("a", resources=[]).name == "a"
