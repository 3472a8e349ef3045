"""The client of ``/v0/connectors``: making, changing and deleting connections; secrets stay out of sight."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()
SECRET = "a-very-secret-access-key"
S3 = {"s3_access_key_id": "an-access-key-id", "s3_secret_access_key": SECRET, "s3_region": "us-east-1"}


def new(kind="connection"):
    """A name that no other test has."""
    return f"apiconnections_{kind}_{next(_numbers)}"


@pytest.fixture
def connections(workspace):
    return workspace.connections


class TestCreate:
    def test_s3(self, connections):
        name = new()
        made = connections.create(name, "s3", S3)
        assert (made.name, made.service, made.sinks, made.datasources) == (name, "s3", (), ())
        assert made.settings["s3_region"] == "us-east-1"
        assert made.created_at.tzinfo is not None
        assert SECRET not in repr(made) + str(dict(made.raw))

    def test_dry_run(self, connections):
        name = new()
        connections.create(name, "s3", S3, dry_run=True)
        with pytest.raises(errors.NotFound):
            connections.get(name)

    def test_a_name_that_is_taken(self, connections):
        name = connections.create(new(), "s3", S3).name
        with pytest.raises(errors.Conflict):
            connections.create(name, "s3", S3)

    def test_what_cannot_be(self, connections):
        with pytest.raises(errors.InvalidInput):
            connections.create("", "s3", S3)
        with pytest.raises(errors.InvalidInput):
            connections.create(new(), " ", S3)
        with pytest.raises(errors.BadRequest, match="s3_access_key_id"):
            connections.create(new(), "s3", {"s3_region": "us-east-1"})
        with pytest.raises(errors.BadRequest):
            connections.create("1 a", "s3", S3)

    def test_a_secret_in_an_error(self, connections):
        """An endpoint that is no URL is quoted by the service; when the setting is a secret, the client hides it."""
        with pytest.raises(errors.BadRequest) as caught:
            connections.create(f"no name {SECRET}", "s3", S3)
        assert SECRET not in str(caught.value) + caught.value.message

    def test_without_scope(self, server, api):
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": "PIPES:CREATE"}).json()["token"]
        mine = tinymagic.connect(token=token, host=server.host).connections
        assert isinstance(mine.list(), list)
        for call in (
            lambda: mine.create(new(), "s3", S3),
            lambda: mine.update("whatever", S3),
            lambda: mine.delete("whatever"),
        ):
            with pytest.raises(errors.Forbidden):
                call()


class TestReading:
    def test_list(self, connections):
        name = connections.create(new(), "s3", S3).name
        kafka = connections.create(new(), "kafka", {"kafka_bootstrap_servers": "127.0.0.1:1", "kafka_secret": SECRET})
        every = connections.list()
        assert {name, kafka.name} <= {each.name for each in every}
        assert SECRET not in repr(every)
        assert kafka.name not in {each.name for each in connections.list(service="s3")}

    def test_get(self, connections):
        made = connections.create(new(), "s3", S3)
        assert connections.get(made.name) == connections.get(made.id)
        with pytest.raises(errors.NotFound):
            connections.get("apiconnections_none")

    def test_what_uses_it(self, connections, workspace):
        name = connections.create(new(), "s3", S3).name
        pipe = workspace.pipes.create(new("pipe"), {"name": "a", "sql": "SELECT 1 AS one"}).name
        workspace.sinks.create(pipe, "a", connection=name, path="s3://nowhere/out", file_template="all")
        assert connections.get(name).sinks == (pipe,)
        with pytest.raises(errors.Conflict, match=pipe):
            connections.delete(name)
        connections.delete(name, force=True)
        with pytest.raises(errors.NotFound):
            connections.get(name)


class TestChanging:
    def test_update(self, connections):
        name = connections.create(new(), "s3", S3).name
        changed = connections.update(name, {**S3, "s3_region": "eu-west-1"})
        assert changed.settings["s3_region"] == "eu-west-1"
        assert connections.get(name).settings["s3_region"] == "eu-west-1"

    def test_update_that_cannot_be(self, connections):
        name = connections.create(new(), "s3", S3).name
        with pytest.raises(errors.InvalidInput):
            connections.update(name, {})
        with pytest.raises(errors.BadRequest):
            connections.update(name, {"s3_region": "eu-west-1"})
        with pytest.raises(errors.NotFound):
            connections.update("apiconnections_none", S3)

    def test_delete(self, connections):
        name = connections.create(new(), "s3", S3).name
        connections.delete(name)
        with pytest.raises(errors.NotFound):
            connections.delete(name)
