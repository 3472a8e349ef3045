"""Workspaces and branches in the catalogue, and a catalogue of before there were branches."""

from __future__ import annotations

import sqlite3

import pytest

from tinymagic.local.catalog import SCHEMA_VERSION, Catalog, NameTaken
from tinymagic.local.records import DataSourceRecord, TokenRecord, Workspace

VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE workspaces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, database TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL, token TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE datasources (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (workspace_id, name));
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO workspaces VALUES ('w2', 'Zwei', 'w_2', '{"owner_id": "u", "created_at": "x"}');
INSERT INTO workspaces VALUES ('w1', 'Eins', 'w_1', '{"owner_id": "u", "created_at": "y"}');
INSERT INTO tokens VALUES ('t', 'w1', 'reader', 'secret', '{"scopes": []}');
INSERT INTO datasources VALUES ('d', 'w1', 'events', '{"schema": "a UInt8"}');
"""


@pytest.fixture
def catalog():
    """A catalogue in memory with two workspaces."""
    made = Catalog(None)
    made.create_workspace(Workspace("w1", "One", "w_1"))
    made.create_workspace(Workspace("w2", "Two", "w_2"))
    yield made
    made.close()


class TestVersion1:
    def test_everything_is_taken_over(self, tmp_path):
        """In its order, and what belongs to a workspace still goes with it."""
        path = tmp_path / "catalog.sqlite"
        old = sqlite3.connect(path)
        old.executescript(VERSION_1)
        old.close()
        for _ in range(2):
            catalog = Catalog(path)
            assert [(each.id, each.name, each.main, each.created_at) for each in catalog.workspaces()] == [
                ("w2", "Zwei", "", "x"),
                ("w1", "Eins", "", "y"),
            ]
            assert [each.name for each in catalog.tokens("w1")] == ["reader"]
            assert [each.schema for each in catalog.datasources("w1")] == ["a UInt8"]
            assert catalog.meta("schema_version") == str(SCHEMA_VERSION)
            catalog.close()
        catalog = Catalog(path)
        catalog.delete_workspace("w1")
        assert (catalog.all_tokens(), catalog.datasources("w1")) == ([], [])
        with pytest.raises(NameTaken):
            catalog.create_token(TokenRecord("x", "no such workspace", "n", "s"))
        catalog.close()


class TestBranches:
    def test_names(self, catalog):
        """Differ among the branches of one workspace; other workspaces do not count."""
        catalog.create_workspace(Workspace("b1", "try", "w_b1", main="w1"))
        catalog.create_workspace(Workspace("b2", "try", "w_b2", main="w2"))
        catalog.create_workspace(Workspace("b3", "One", "w_b3", main="w1"))
        with pytest.raises(NameTaken):
            catalog.create_workspace(Workspace("b4", "try", "w_b4", main="w1"))
        with pytest.raises(NameTaken):
            catalog.create_workspace(Workspace("w3", "One", "w_3"))
        assert [each.id for each in catalog.branches("w1")] == ["b1", "b3"]
        assert (catalog.branch("w1", "try").id, catalog.branch("w2", "b2").id) == ("b1", "b2")
        assert catalog.branch("w2", "b1") is None

    def test_a_workspace_is_found_by_name_a_branch_by_id_only(self, catalog):
        """The name of a branch says nothing without its workspace."""
        catalog.create_workspace(Workspace("b1", "try", "w_b1", main="w1"))
        assert catalog.workspace("One").id == "w1"
        assert catalog.workspace("b1").name == "try"
        assert catalog.workspace("try") is None

    def test_they_go_with_their_workspace(self, catalog):
        """And with them their tokens."""
        catalog.create_workspace(Workspace("b1", "try", "w_b1", main="w1"))
        catalog.create_token(TokenRecord("t", "b1", "n", "s"))
        catalog.delete_workspace("w1")
        assert ([each.id for each in catalog.workspaces()], catalog.all_tokens()) == (["w2"], [])


class TestClearing:
    def test_it_keeps_its_place_and_the_tokens_that_are_given(self, catalog):
        """Everything else of it is gone."""
        kept = catalog.create_token(TokenRecord("t1", "w1", "kept", "s1"))
        catalog.create_token(TokenRecord("t2", "w1", "gone", "s2"))
        catalog.create_datasource(DataSourceRecord("d", "w1", "events"))
        workspace = catalog.workspace("w1")
        catalog.clear_workspace(workspace, [kept])
        assert [each.id for each in catalog.workspaces()] == ["w1", "w2"]
        assert catalog.all_tokens() == [kept]
        assert catalog.datasources("w1") == []
        catalog.create_workspace(Workspace("w3", "Three", "w_3"))
        assert [each.id for each in catalog.workspaces()] == ["w1", "w2", "w3"]
