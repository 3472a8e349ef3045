"""Changes of Data Sources: shapes that are read, requests that are sent, datafiles for those that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.api.datasource_changes import Alteration, DeletionPlan, Dependencies, LightweightDelete
from tinymagic.api.datasource_files import altered_datasource, new_datasource
from tinymagic.api.errors import BadReply, BadRequest, DeploymentRequired, InvalidInput, NotFound

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "datasource"]), inner),
    max_leaves=12,
)
KEYS = ["operations", "dependencies", "datasource", "dependent_pipes", "mutation", "rows_affected"]


class TestShapes:
    @pytest.mark.parametrize(
        ("said", "names"),
        [
            ("a, b", ("a", "b")),
            ("- a\n- b\n", ("a", "b")),
            (["a", {"name": "b"}], ("a", "b")),
            ({"a": {}, "b": {}}, ("a", "b")),
            ("", ()),
            (None, ()),
            (7, ()),
        ],
    )
    def test_who_depends(self, said, names):
        assert DeletionPlan.of({"dependent_pipes": said}).dependent_pipes == names
        assert Alteration.of({"dependencies": said}).dependencies == names
        assert dict(Dependencies.of({"dependencies": {"x": said}}).readers) == {"x": names}

    @given(st.dictionaries(st.sampled_from(KEYS), json_values))
    def test_any_json_is_read(self, reply):
        for kind in (Alteration, DeletionPlan, LightweightDelete, Dependencies):
            assert kind.of(reply).raw.keys() == reply.keys()


class TestRequests:
    def test_alter(self, ws, server):
        server.on("/v0/datasources/d/alter", server.answer({"operations": ["ADD COLUMN x"], "dependencies": ["p"]}))
        ws.datasources.alter("d", schema="a Int8", ttl=False, indexes=[], dry_run=True)
        assert server.seen[0].form == {"schema": "a Int8", "ttl": "false", "indexes": "0", "dry": "true"}
        ws.datasources.alter("d", indexes=["a a TYPE minmax GRANULARITY 1", "b b TYPE minmax GRANULARITY 1"])
        assert server.seen[1].form["indexes"].count("\n") == 1
        assert server.seen[1].form["dry"] == "false"

    def test_nothing_to_alter(self, ws, server):
        refused = server.answer({"error": "There were no operations to perform"}, 400)
        server.on("/v0/datasources/d/alter", refused)
        assert ws.datasources.alter("d", description="x").operations == ()
        server.on("/v0/datasources/d/alter", server.answer({"error": "no"}, 400))
        with pytest.raises(BadRequest):
            ws.datasources.alter("d", description="x")

    def test_share_by_id_from_the_workspace_of_the_token(self, ws, server):
        server.on("/v0/datasources/d", server.answer({"id": "t_1", "name": "d"}))
        server.on("/v0/workspace", server.answer({"id": "w_1"}))
        server.on("/v0/datasources/t_1/share", server.answer({}))
        ws.datasources.share("d", "w_2")
        ws.datasources.unshare("d", "w_2", user_token="p.user.token-of-somebody")
        shared, unshared = [each for each in server.seen if each.path.endswith("/share")]
        assert shared.form == unshared.form == {"origin_workspace_id": "w_1", "destination_workspace_id": "w_2"}
        assert (shared.method, unshared.method) == ("POST", "DELETE")
        assert unshared.headers["authorization"] == "Bearer p.user.token-of-somebody"
        assert shared.headers["authorization"] == f"Bearer {server.token}"

    def test_the_reply_of_truncate_may_be_empty(self, ws, server):
        for status in (200, 204, 205):
            server.on("/v0/datasources/d/truncate", server.Answer(status, b""))
            ws.datasources.truncate("d")

    def test_rows(self, ws, server):
        server.on("/v1/datasources/d/delete", server.answer({"rows_affected": "3", "mutation": {"partitions_done": 1}}))
        done = ws.datasources.delete_rows_lightweight("d", "x = 1", partition="'a'")
        assert (done.rows_affected, done.partitions_done, done.partitions_scanned) == (3, 1, None)
        assert server.seen[0].form == {"delete_condition": "x = 1", "partition": "'a'", "wait": "true"}
        server.on("/v0/datasources/d/delete", server.answer({"rows_to_be_deleted": 4}))
        assert ws.datasources.count_rows_to_delete("d", "1") == 4
        server.on("/v0/datasources/d/delete", server.answer({}))
        with pytest.raises(BadReply):
            ws.datasources.count_rows_to_delete("d", "1")

    def test_exchange_and_sample(self, ws, server):
        server.on("/v0/datasources/exchange", server.answer({}))
        ws.datasources.exchange("a", "b")
        assert server.seen[0].form == {"datasource_a": "a", "datasource_b": "b"}
        server.on("/v0/datasources/d/sample", server.answer({"job": {"id": "j"}}))
        assert ws.datasources.sample("d", rows=5).id == "j"
        assert server.seen[1].body == b'{"rows": 5}'

    def test_names_are_quoted(self, ws, server):
        server.on("/v0/datasources/a%2Fb%3F", server.answer({"name": "a/b?"}))
        assert ws.datasources.get("a/b?").name == "a/b?"
        with pytest.raises(InvalidInput):
            ws.datasources.delete("..")

    def test_the_plan_of_a_deletion_is_no_deletion(self, ws, server):
        server.on("/v0/datasources/d", server.answer({"dependent_pipes": ""}))
        ws.datasources.deletion_plan("d")
        assert (server.seen[0].method, server.seen[0].query["dry_run"]) == ("DELETE", "true")
        server.on("/v0/datasources/d", server.answer({"error": "none"}, 404))
        with pytest.raises(NotFound):
            ws.datasources.delete("d")
        assert "dry_run" not in server.seen[1].query


class TestDatafiles:
    FILE = 'DESCRIPTION >\n    old\n\nSCHEMA >\n    a Int8\n\nENGINE "MergeTree"\nENGINE_TTL "day + 1"\n'

    def test_new(self):
        made = new_datasource("d", {"schema": "a Int8, b Array(Int8)", "engine": "MergeTree", "description": None})
        assert made.file == "datasources/d.datasource"
        assert made.text == 'SCHEMA >\n    a Int8,\n    b Array(Int8)\n\nENGINE "MergeTree"\n'

    def test_altered(self):
        fields = {"schema": "a Int8, b Int8", "ttl": "false", "description": "new", "indexes": None}
        made = altered_datasource("d", lambda: self.FILE, fields)
        assert "a Int8,\n    b Int8" in made.text
        assert "ENGINE_TTL" not in made.text
        assert "new" in made.text
        assert "old" not in made.text

    def test_a_refusal_stays_when_the_file_cannot_be_had(self, ws, server):
        refused = server.answer({"error": "Use `tb deploy`: this can only be changed through deployments."}, 400)
        server.on("/v0/datasources/d/alter", refused)
        with pytest.raises(DeploymentRequired) as raised:
            ws.datasources.alter("d", description="x")
        assert raised.value.datafile is None
