"""Data Sources that one workspace lets another one read."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Side:
    """A workspace as its administrator's token sees it."""

    api: Any
    id: str
    name: str
    token: str

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request with the workspace's token."""
        return self.api.request(method, path, **{"token": self.token, **arguments})

    def sql(self, q: str) -> Any:
        """Run a query."""
        return self.request("POST", "/v0/sql", data={"q": q})

    def rows(self, q: str) -> list[list[Any]]:
        """Return the rows of a query."""
        reply = self.sql(f"{q} FORMAT JSONCompact")
        assert reply.status_code == 200, reply.text
        found: list[list[Any]] = reply.json()["data"]
        return found

    def create(self, name: str, data: str) -> str:
        """Make a Data Source; returns its id."""
        reply = self.request("POST", "/v0/datasources", params={"name": name}, data=data)
        assert reply.status_code == 200, reply.text
        found: str = reply.json()["datasource"]["id"]
        return found

    def share(self, name: str, other: str, *, method: str = "POST", **fields: str) -> Any:
        """Share a Data Source of this workspace, or no longer."""
        data = {"destination_workspace_id": other, **fields}
        return self.request(method, f"/v0/datasources/{name}/share", data=data)


@pytest.fixture
def sides(api: Any, tokens: dict[str, str]) -> tuple[Side, Side]:
    """Two new workspaces; the first has a Data Source ``sales``."""
    made = []
    for _ in range(2):
        name = f"side_{uuid.uuid4().hex[:12]}"
        reply = api.post("/v0/workspaces", params={"name": name}, token=tokens["user_token"])
        assert reply.status_code == 200, reply.text
        made.append(Side(api, reply.json()["id"], name, reply.json()["token"]))
    made[0].create("sales", "id,country\n1,ES\n2,FR\n3,ES\n")
    return made[0], made[1]


class TestSharing:
    @pytest.mark.parametrize("by", ["id", "name"])
    def test_read(self, sides: tuple[Side, Side], by: str) -> None:
        """The other workspace reads it as workspace.name: alone, joined with its own tables, described."""
        here, there = sides
        shared = f"{here.name}.sales"
        assert there.sql(f"SELECT count() FROM {shared}").status_code == 403
        reply = here.share("sales", getattr(there, by))
        assert reply.status_code == 200, reply.text
        assert reply.json()["shared_with"] == [there.id]
        assert there.rows(f"SELECT count() FROM {shared}") == [[3]]
        there.create("sales", "country,label\nES,Spain\n")
        joined = f"SELECT s.id, l.label FROM {shared} AS s JOIN sales AS l ON s.country = l.country ORDER BY s.id"
        assert there.rows(joined) == [[1, "Spain"], [3, "Spain"]]
        inside = f"SELECT count() FROM sales WHERE country IN (SELECT country FROM {shared})"
        assert there.rows(inside) == [[1]]
        assert there.rows(f"WITH x AS (SELECT * FROM {shared}) SELECT max(id) FROM x") == [[3]]
        assert [row[:2] for row in there.rows(f"DESCRIBE TABLE {shared}")] == [["id", "Int16"], ["country", "String"]]
        assert there.rows("SELECT count() FROM sales") == [[1]]
        here.request("POST", "/v0/datasources", params={"name": "sales", "mode": "append"}, data="4,DE\n")
        assert there.rows(f"SELECT count() FROM {shared}") == [[4]]

    def test_described(self, sides: tuple[Side, Side]) -> None:
        """It is in the other workspace's list with its origin, and can be asked for by name and id."""
        here, there = sides
        found = here.share("sales", there.id).json()["id"]
        [listed] = there.request("GET", "/v0/datasources").json()["datasources"]
        assert (listed["name"], listed["id"], listed["shared_from"]) == (f"{here.name}.sales", found, here.id)
        assert listed["statistics"]["row_count"] == 3
        for key in (f"{here.name}.sales", found):
            assert there.request("GET", f"/v0/datasources/{key}").json()["name"] == f"{here.name}.sales"
        assert "SCHEMA" in there.request("GET", f"/v0/datasources/{here.name}.sales.datasource").text
        assert here.request("GET", "/v0/datasources/sales").json()["shared_with"] == [there.id]

    def test_it_is_read_only(self, sides: tuple[Side, Side]) -> None:
        """The other workspace cannot write, change, share on or drop it, by name or by id."""
        here, there = sides
        found = here.share("sales", there.id).json()["id"]
        for key in (f"{here.name}.sales", found):
            for mode in ("append", "replace"):
                parameters = {"name": key, "mode": mode}
                assert there.request("POST", "/v0/datasources", params=parameters, data="9,XX\n").status_code in (
                    400,
                    404,
                )
                assert there.request("POST", f"/v1/datasources/{key}/{mode}", data="9,XX\n").status_code in (400, 404)
            for path in ("truncate", "delete", "alter", "share"):
                data = {"delete_condition": "1", "schema": "id Int16", "destination_workspace_id": here.id}
                assert there.request("POST", f"/v0/datasources/{key}/{path}", data=data).status_code in (400, 404)
            assert (
                there.request("POST", f"/v1/datasources/{key}/delete", data={"delete_condition": "1"}).status_code
                == 404
            )
            assert there.request("PUT", f"/v0/datasources/{key}", data={"name": "mine"}).status_code == 404
            assert there.request("DELETE", f"/v0/datasources/{key}", params={"force": "true"}).status_code == 404
        events = there.request("POST", f"/v0/events?name={here.name}.sales", data='{"id": 9}')
        assert events.status_code in (400, 403, 404)
        assert here.rows("SELECT count() FROM sales") == [[3]]

    def test_end(self, sides: tuple[Side, Side]) -> None:
        """Unsharing takes it away; the parameters may come in the query as well."""
        here, there = sides
        here.share("sales", there.id)
        path = "/v0/datasources/sales/share"
        reply = here.request("DELETE", path, params={"destination_workspace_id": there.id})
        assert (reply.status_code, reply.json()["shared_with"]) == (200, [])
        assert there.sql(f"SELECT 1 FROM {here.name}.sales").status_code == 403
        assert there.request("GET", "/v0/datasources").json() == {"datasources": []}
        assert here.share("sales", there.id, method="DELETE").status_code == 400

    def test_rename_and_exchange(self, sides: tuple[Side, Side]) -> None:
        """What is shared is the Data Source, whatever its name and rows are."""
        here, there = sides
        here.share("sales", there.id)
        here.request("PUT", "/v0/datasources/sales", data={"name": "orders"})
        assert there.sql(f"SELECT 1 FROM {here.name}.sales").status_code == 403
        assert there.rows(f"SELECT count() FROM {here.name}.orders") == [[3]]
        here.create("other", "x\n7\n")
        assert there.sql(f"SELECT 1 FROM {here.name}.other").status_code == 403
        data = {"datasource_a": "orders", "datasource_b": "other"}
        assert here.request("POST", "/v0/datasources/exchange", data=data).status_code == 200
        assert there.rows(f"SELECT x FROM {here.name}.orders") == [[7]]
        assert there.sql(f"SELECT 1 FROM {here.name}.other").status_code == 403

    def test_user_token(self, sides: tuple[Side, Side], tokens: dict[str, str]) -> None:
        """A user's token names the workspace that the Data Source belongs to; another workspace's token may not."""
        here, there = sides
        fields = {"origin_workspace_id": here.id}
        assert there.share("sales", there.id, **fields).status_code == 403
        data = {"destination_workspace_id": there.id, **fields}
        path = "/v0/datasources/sales/share"
        reply = here.api.post(path, data=data, token=tokens["user_token"])
        assert reply.status_code == 200, reply.text
        assert there.rows(f"SELECT count() FROM {here.name}.sales") == [[3]]
        reply = here.api.request("DELETE", path, data=data, token=tokens["user_token"])
        assert reply.status_code == 200
        assert there.sql(f"SELECT 1 FROM {here.name}.sales").status_code == 403

    def test_refused(self, sides: tuple[Side, Side]) -> None:
        """Unknown or missing destination, itself, unknown Data Source, no scope."""
        here, there = sides
        assert here.share("sales", "nowhere").status_code == 404
        assert here.share("sales", "").status_code == 400
        assert here.share("sales", here.id).status_code == 400
        assert here.share("nosuch", there.id).status_code == 404
        made = here.request("POST", "/v0/tokens", params={"name": "append", "scope": "DATASOURCES:APPEND:sales"})
        reply = here.request(
            "POST",
            "/v0/datasources/sales/share",
            data={"destination_workspace_id": there.id},
            token=made.json()["token"],
        )
        assert reply.status_code == 403
        assert here.request("GET", "/v0/datasources/sales").json()["shared_with"] == []
        twice = [here.share("sales", there.id).json()["shared_with"] for _ in range(2)]
        assert twice == [[there.id]] * 2

    def test_drop(self, sides: tuple[Side, Side]) -> None:
        """A shared one is dropped only with force."""
        here, there = sides
        here.share("sales", there.id)
        assert here.request("DELETE", "/v0/datasources/sales", params={"dry_run": "true"}).status_code == 200
        reply = here.request("DELETE", "/v0/datasources/sales")
        assert reply.status_code == 409
        assert there.name in reply.json()["error"]
        assert there.rows(f"SELECT count() FROM {here.name}.sales") == [[3]]
        assert here.request("DELETE", "/v0/datasources/sales", params={"force": "true"}).status_code == 204
        assert there.sql(f"SELECT 1 FROM {here.name}.sales").status_code == 403

    def test_reading_workspace_goes(self, sides: tuple[Side, Side], tokens: dict[str, str]) -> None:
        """When the other workspace is deleted nothing keeps the Data Source."""
        here, there = sides
        here.share("sales", there.id)
        path = f"/v1/workspaces/{there.id}?hard_delete_confirmation=yes"
        assert here.api.request("DELETE", path, token=tokens["user_token"]).status_code == 200
        assert here.request("DELETE", "/v0/datasources/sales").status_code == 204

    def test_quarantine_and_others_stay_private(self, sides: tuple[Side, Side]) -> None:
        """Only what was shared can be read, and not by the name of its database."""
        here, there = sides
        here.create("private", "x\n7\n")
        here.request("POST", "/v0/datasources", params={"name": "sales", "mode": "append"}, data="bad,XX\n")
        here.share("sales", there.id)
        assert there.sql(f"SELECT 1 FROM {here.name}.private").status_code == 403
        database = f"w_{here.id.replace('-', '')}"
        assert there.sql(f"SELECT 1 FROM {database}.sales").status_code == 403
        assert there.sql(f"SELECT 1 FROM {database}.private").status_code == 403
        # A token for one Data Source of the reading workspace does not include what is shared with it.
        there.create("own", "x\n1\n")
        made = there.request("POST", "/v0/tokens", params={"name": "read", "scope": "DATASOURCES:READ:own"})
        reply = there.request(
            "POST", "/v0/sql", data={"q": f"SELECT 1 FROM {here.name}.sales"}, token=made.json()["token"]
        )
        assert reply.status_code == 403

    def test_a_token_that_only_creates_may_not_share(self, sides: tuple[Side, Side]) -> None:
        """It may not even read."""
        here, there = sides
        reply = here.request("POST", "/v0/tokens", params={"name": "maker", "scope": "DATASOURCES:CREATE"})
        data = {"destination_workspace_id": there.id}
        shared = here.request("POST", "/v0/datasources/sales/share", data=data, token=reply.json()["token"])
        assert shared.status_code == 403
        assert there.sql(f"SELECT count() FROM {here.name}.sales").status_code == 403

    def test_pipeline_shows_no_more_than_the_name_itself(self, sides: tuple[Side, Side]) -> None:
        """Service Data Sources are those of the caller's workspace by this way too."""
        here, there = sides
        here.rows("SELECT 'seen here only'")
        there.rows("SELECT 'seen there only'")
        for name in ("pipe_stats_rt", "datasources_ops_log"):
            data = {"q": "SELECT count() FROM _ FORMAT TSV", "pipeline": f"tinybird.{name}"}
            whole = there.request("POST", "/v0/sql", data=data)
            assert whole.status_code == 200, whole.text
            assert int(whole.text) == there.rows(f"SELECT count() FROM tinybird.{name}")[0][0]
        assert here.rows("SELECT count() FROM tinybird.datasources_ops_log")[0][0] > 0
