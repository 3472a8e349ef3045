"""Whole projects in one call: ``/v1/deploy``, ``/v1/build``, ``/v1/deployments``."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from tests.integration.conftest import Api

EVENTS = """TOKEN "collector" APPEND
DESCRIPTION >
    What people do

SCHEMA >
    `ts` DateTime `json:$.ts`,
    `page` String `json:$.page`,
    `amount` Int32 `json:$.amount`

ENGINE "MergeTree"
ENGINE_SORTING_KEY "page, ts"
"""

PAGES = """TOKEN "reader" READ

NODE counted
SQL >
    %
    SELECT page, count() AS visits FROM events WHERE page != {{String(without, '')}} GROUP BY page

NODE sorted
SQL >
    SELECT * FROM counted ORDER BY page

TYPE endpoint
"""

PER_PAGE = """SCHEMA >
    `page` String,
    `total` AggregateFunction(sum, Int32)

ENGINE "AggregatingMergeTree"
ENGINE_SORTING_KEY "page"
"""

PER_PAGE_VIEW = """NODE summed
SQL >
    SELECT page, sumState(amount) AS total FROM events GROUP BY page

TYPE materialized
DATASOURCE per_page
"""

TOTALS = """NODE merged
SQL >
    SELECT page, sumMerge(total) AS total FROM per_page GROUP BY page ORDER BY page

TYPE endpoint
"""

PROJECT = {
    "datasources/events.datasource": EVENTS,
    "datasources/per_page.datasource": PER_PAGE,
    "endpoints/pages.pipe": PAGES,
    "endpoints/totals.pipe": TOTALS,
    "materializations/per_page_view.pipe": PER_PAGE_VIEW,
}

ROWS = (
    '{"ts": "2026-01-01 10:00:00", "page": "/a", "amount": 1}\n{"ts": "2026-01-02 10:00:00", "page": "/b", "amount": 2}'
)


@dataclass(frozen=True)
class Place:
    """A workspace of its own for one test.

    Attributes:
        api: raw HTTP to the server.
        token: of the workspace's administrator.
    """

    api: Api
    token: str

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request with the workspace's token."""
        arguments.setdefault("token", self.token)
        return self.api.request(method, path, **arguments)

    def send(self, files: Mapping[str, str], path: str = "/v1/deploy", **parameters: str) -> requests.Response:
        """Send a project as the command line does."""
        parts = [("context://", ("cli-version", "1.0.0", "text/plain"))]
        parts += [("data_project://", (name, text, "text/plain")) for name, text in files.items()]
        return self.request("POST", path, params=parameters, files=parts)

    def deploy(self, files: Mapping[str, str], **parameters: str) -> dict[str, Any]:
        """Deploy a project, make it live, and return the deployment."""
        reply = self.send(files, **{"auto_promote": "true", **parameters})
        assert reply.status_code == 200, reply.text
        assert reply.json()["result"] == "success", reply.text
        deployment: dict[str, Any] = reply.json()["deployment"]
        return deployment

    def refused(self, files: Mapping[str, str], path: str = "/v1/deploy", **parameters: str) -> list[dict[str, str]]:
        """Deploy a project that must not be deployed, see that nothing has changed, and return the errors."""
        before = self.everything()
        reply = self.send(files, path, **{"auto_promote": "true", **parameters})
        assert reply.status_code == 400, reply.text
        assert reply.json()["result"] == "failed"
        assert self.everything() == before
        errors: list[dict[str, str]] = reply.json()["errors"]
        assert all(each["error"] in reply.json()["error"] for each in errors)
        return errors

    def everything(self) -> dict[str, Any]:
        """Return all resources with their times and rows."""
        found: dict[str, Any] = {}
        for kind in ("datasources", "pipes", "tokens", "tags", "connectors"):
            found[kind] = self.request("GET", f"/v0/{kind}").json()
        for each in found["datasources"]["datasources"]:
            each["statistics"].pop("bytes")
        return found

    def append(self, name: str, rows: str) -> None:
        """Send events."""
        reply = self.request("POST", f"/v0/events?name={name}&wait=true", data=rows)
        assert reply.json()["quarantined_rows"] == 0, reply.text

    def data(self, pipe: str, **parameters: str) -> list[dict[str, Any]]:
        """Call an endpoint."""
        reply = self.request("GET", f"/v0/pipes/{pipe}.json", params=parameters)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["data"]
        return found

    def rows(self, q: str) -> list[list[Any]]:
        """Run a query."""
        reply = self.request("POST", "/v0/sql", data={"q": f"{q} FORMAT JSONCompact"})
        assert reply.status_code == 200, reply.text
        found: list[list[Any]] = reply.json()["data"]
        return found

    def names(self, kind: str) -> set[str]:
        """Return the names of Data Sources, Pipes or tokens."""
        return {each["name"] for each in self.request("GET", f"/v0/{kind}").json()[kind]}


@pytest.fixture
def place(api: Api, tokens: dict[str, str]) -> Place:
    """A workspace of its own."""
    name = f"deployed_{uuid.uuid4().hex}"
    reply = api.request("POST", "/v1/workspaces", params={"name": name}, token=tokens["user_token"])
    assert reply.status_code == 200, reply.text
    listed = api.request("GET", "/v0/user/workspaces", token=tokens["user_token"]).json()["workspaces"]
    [token] = [each["token"] for each in listed if each["name"] == name]
    return Place(api, token)


# A project


def test_a_project_is_there_after_one_call(place: Place) -> None:
    """Data Sources, views, endpoints and tokens work at once."""
    deployment = place.deploy(PROJECT)
    assert deployment["live"] is True
    assert deployment["status"] == "data_ready"
    assert set(deployment["new_datasource_names"]) == {"events", "per_page"}
    assert set(deployment["new_pipe_names"]) == {"pages", "totals", "per_page_view"}
    assert {each["token_name"] for each in deployment["token_changes"]} == {"collector", "reader"}
    place.append("events", ROWS)
    assert place.data("pages") == [{"page": "/a", "visits": 1}, {"page": "/b", "visits": 1}]
    assert place.data("pages", without="/a") == [{"page": "/b", "visits": 1}]
    assert place.data("totals") == [{"page": "/a", "total": 1}, {"page": "/b", "total": 2}]


def test_tokens_of_files_have_the_rights_of_their_lines(place: Place) -> None:
    """A token of a TOKEN line can do what the line says, and nothing else."""
    place.deploy(PROJECT)
    strings = {each["name"]: each["token"] for each in place.request("GET", "/v0/tokens").json()["tokens"]}
    append = place.request("POST", "/v0/events?name=events&wait=true", data=ROWS, token=strings["collector"])
    assert append.status_code == 200
    assert place.request("GET", "/v0/pipes/pages.json", token=strings["reader"]).json()["rows"] == 2
    assert place.request("GET", "/v0/pipes/totals.json", token=strings["reader"]).status_code == 403
    refused = place.request("POST", "/v0/events?name=events", data=ROWS, token=strings["reader"])
    assert refused.status_code == 403
    place.deploy({**PROJECT, "endpoints/pages.pipe": PAGES.replace('TOKEN "reader" READ', "")})
    assert "reader" not in place.names("tokens")


def test_a_token_that_was_there_keeps_its_own_rights(place: Place) -> None:
    """A deployment takes back only what a file had given."""
    made = place.request("POST", "/v0/tokens", params={"name": "reader", "scope": "WORKSPACE:READ_ALL"}).json()
    place.deploy(PROJECT)
    token = place.request("GET", "/v0/tokens/reader").json()
    assert token["token"] == made["token"]
    assert {each["type"] for each in token["scopes"]} == {"WORKSPACE:READ_ALL", "PIPES:READ"}
    place.deploy({**PROJECT, "endpoints/pages.pipe": PAGES.replace('TOKEN "reader" READ', "")})
    token = place.request("GET", "/v0/tokens/reader").json()
    assert [each["type"] for each in token["scopes"]] == ["WORKSPACE:READ_ALL"]


def test_tags_of_files(place: Place) -> None:
    """TAGS lines make tags, and take them away again."""
    tagged = {**PROJECT, "datasources/events.datasource": f'TAGS "hot, landing"\n\n{EVENTS}'}
    place.deploy(tagged)
    tags = {each["name"]: each["resources"] for each in place.request("GET", "/v0/tags").json()["tags"]}
    assert [each["name"] for each in tags["hot"]] == [each["name"] for each in tags["landing"]] == ["events"]
    place.deploy(PROJECT)
    tags = {each["name"]: each["resources"] for each in place.request("GET", "/v0/tags").json()["tags"]}
    assert tags["hot"] == []


def test_nothing_changes_when_nothing_has_changed(place: Place) -> None:
    """The same project again says so and touches nothing, whatever the blanks and comments."""
    place.deploy(PROJECT)
    before = place.everything()
    reply = place.send(
        {**PROJECT, "datasources/events.datasource": f"# said again\n\n{EVENTS}\n\n"}, auto_promote="true"
    )
    assert reply.json()["result"] == "no_changes"
    assert place.everything() == before


def test_only_what_has_changed_is_written(place: Place) -> None:
    """The times of all other resources stay."""
    place.deploy(PROJECT)
    before = {each["name"]: each["updated_at"] for each in place.everything()["pipes"]["pipes"]}
    changed = {**PROJECT, "endpoints/pages.pipe": PAGES.replace("ORDER BY page", "ORDER BY page DESC")}
    deployment = place.deploy(changed)
    assert deployment["changed_pipe_names"] == ["pages"]
    assert not deployment["changed_datasource_names"]
    after = {each["name"]: each["updated_at"] for each in place.everything()["pipes"]["pipes"]}
    assert {name for name in after if after[name] != before[name]} == {"pages"}
    place.append("events", ROWS)
    assert [each["page"] for each in place.data("pages")] == ["/b", "/a"]


def test_what_was_changed_by_hand_is_put_back(place: Place) -> None:
    """The files say what there is."""
    place.deploy(PROJECT)
    place.request("PUT", "/v0/datasources/events", params={"description": "Something else"})
    assert place.deploy(PROJECT)["changed_datasource_names"] == ["events"]
    assert place.request("GET", "/v0/datasources/events").json()["description"].strip() == "What people do"


def test_a_check_changes_nothing(place: Place) -> None:
    """It tells what would be done."""
    before = place.everything()
    reply = place.send(PROJECT, check="true").json()
    assert reply["result"] == "success"
    assert set(reply["deployment"]["new_datasource_names"]) == {"events", "per_page"}
    assert place.everything() == before
    assert [each["id"] for each in place.request("GET", "/v1/deployments").json()["deployments"]] == ["0"]


def test_a_materialized_node_makes_its_data_source(place: Place) -> None:
    """Classic projects have no file for the target: the node says which engine it has."""
    view = PER_PAGE_VIEW + "ENGINE AggregatingMergeTree\nENGINE_SORTING_KEY page\n"
    files = {name: text for name, text in PROJECT.items() if "per_page.datasource" not in name}
    deployment = place.deploy({**files, "materializations/per_page_view.pipe": view})
    assert set(deployment["new_datasource_names"]) == {"events", "per_page"}
    place.append("events", ROWS)
    assert place.data("totals") == [{"page": "/a", "total": 1}, {"page": "/b", "total": 2}]
    again = place.send({**files, "materializations/per_page_view.pipe": view}, auto_promote="true")
    assert again.json()["result"] == "no_changes"


def test_a_new_view_gets_the_rows_that_are_there(place: Place) -> None:
    """The target of a view that comes later is filled from the Data Source that the view hangs on."""
    first = {name: PROJECT[name] for name in ("datasources/events.datasource", "endpoints/pages.pipe")}
    place.deploy(first)
    place.append("events", ROWS)
    place.deploy(PROJECT)
    place.append("events", ROWS)
    assert place.data("totals") == [{"page": "/a", "total": 2}, {"page": "/b", "total": 4}]


def test_copies(place: Place) -> None:
    """A Copy Pipe is deployed with its target and runs."""
    copy = "NODE n\nSQL >\n    SELECT page, count() AS visits FROM events GROUP BY page\n\nTYPE copy\n"
    copy += "TARGET_DATASOURCE copied\nCOPY_MODE replace\nCOPY_SCHEDULE @on-demand\n"
    target = "SCHEMA >\n    `page` String,\n    `visits` UInt64\n"
    place.deploy({**PROJECT, "copies/copying.pipe": copy, "datasources/copied.datasource": target})
    place.append("events", ROWS)
    job = place.request("POST", "/v0/pipes/copying/copy").json()["job"]["job_id"]
    for _ in range(200):
        if place.request("GET", f"/v0/jobs/{job}").json()["status"] in ("done", "error"):
            break
    assert place.rows("SELECT sum(visits) FROM copied") == [[2]]


def test_connections_and_fed_data_sources(place: Place) -> None:
    """Connections are kept without showing their secrets; what they feed gets its table."""
    connection = 'TYPE kafka\nKAFKA_BOOTSTRAP_SERVERS "localhost:9092"\nKAFKA_KEY "key"\nKAFKA_SECRET "very secret"\n'
    fed = "SCHEMA >\n    `id` String `json:$.id`\n\nKAFKA_CONNECTION_NAME bus\nKAFKA_TOPIC clicks\nKAFKA_GROUP_ID g\n"
    files = {"connections/bus.connection": connection, "datasources/clicks.datasource": fed}
    assert place.deploy(files)["new_data_connector_names"] == ["bus"]
    assert place.send(files, auto_promote="true").json()["result"] == "no_changes"
    listed = place.request("GET", "/v0/connectors").text
    assert "bus" in listed
    assert "very secret" not in listed
    assert place.rows("SELECT count(), any(__topic) FROM clicks") == [[0, ""]]
    changed = {**files, "connections/bus.connection": connection.replace("9092", "9093")}
    assert place.deploy(changed)["changed_data_connector_names"] == ["bus"]


# Errors


def test_all_errors_are_told_by_file_and_line(place: Place) -> None:
    """One call finds mistakes in several files."""
    place.deploy(PROJECT)
    errors = place.refused(
        {
            **PROJECT,
            "datasources/bad.datasource": "SCHEMA >\n    `a` Int32,\n    `b` Nonsense\n",
            "datasources/worse.datasource": "SCHEMA >\n    `a` Int32\n\nENGINE Hundred\n",
            "endpoints/pages.pipe": PAGES.replace("SELECT page, count()", "SELECT pge, count()"),
            "endpoints/unsaid.pipe": "NODE n\nSQL >\n    %\n    SELECT {{Int32(a}}\nTYPE endpoint\n",
            "endpoints/nowhere.pipe": "NODE n\nSQL >\n    SELECT * FROM never\nTYPE endpoint\n",
            "endpoints/reader.pipe": "NODE n\nSQL >\n    SELECT * FROM bad\nTYPE endpoint\n",
            "copies/copying.pipe": "NODE n\nSQL >\n    SELECT 1 AS a\nTYPE copy\nTARGET_DATASOURCE nothing_there\n",
            "pipes/odd.pipe": "NODE n\nSQL >\n    SELECT 1\nTYPE strange\n",
        }
    )
    told = {each["filename"]: each["error"] for each in errors}
    assert set(told) == {
        "datasources/bad.datasource",
        "datasources/worse.datasource",
        "endpoints/pages.pipe",
        "endpoints/unsaid.pipe",
        "endpoints/nowhere.pipe",
        "copies/copying.pipe",
        "pipes/odd.pipe",
    }
    assert "Nonsense" in told["datasources/bad.datasource"]
    assert told["datasources/worse.datasource"].startswith("line 4: Engine Hundred is not supported")
    assert told["endpoints/pages.pipe"].startswith("line 5: node 'counted' of the pipe 'pages':")
    assert "pge" in told["endpoints/pages.pipe"]
    assert "never" in told["endpoints/nowhere.pipe"]
    assert "nothing_there" in told["copies/copying.pipe"]
    assert told["pipes/odd.pipe"].startswith("line 4:")


def test_what_only_the_engine_knows_is_found(place: Place) -> None:
    """A sorting key over a column that is not there; a view that does not fit its target."""
    errors = place.refused(
        {
            **PROJECT,
            "datasources/odd.datasource": "SCHEMA >\n    `a` Array(Int32)\n\nENGINE MergeTree\n"
            "ENGINE_PARTITION_KEY rand()\nENGINE_SORTING_KEY a\n",
            "materializations/per_page_view.pipe": PER_PAGE_VIEW.replace("sumState(amount)", "sumState(ts)"),
        }
    )
    assert {each["filename"] for each in errors} == {
        "datasources/odd.datasource",
        "materializations/per_page_view.pipe",
    }


@pytest.mark.parametrize("path", ["/v1/deploy", "/v1/build"])
def test_names_are_one_namespace(place: Place, path: str) -> None:
    """Two files of one name, in whatever folders."""
    pipe = "NODE n\nSQL >\n    SELECT 1 AS a\n"
    errors = place.refused({"a/same.pipe": pipe, "b/same.datasource": "SCHEMA >\n    `a` Int32\n"}, path)
    assert len(errors) == 1
    assert "twice" in errors[0]["error"]
    place.request("POST", "/v0/datasources", data={"name": "taken", "schema": "a Int32"})
    errors = place.refused({"taken.pipe": pipe}, path)
    assert "already a Data Source called 'taken'" in errors[0]["error"]


def test_circles(place: Place) -> None:
    """Pipes that read each other are refused."""
    one = "NODE n\nSQL >\n    SELECT * FROM second\nTYPE endpoint\n"
    errors = place.refused({"first.pipe": one, "second.pipe": one.replace("second", "first")})
    assert "circle" in errors[0]["error"]


def test_bodies_that_are_no_projects(place: Place) -> None:
    """They are told what is wanted."""
    assert place.request("POST", "/v1/deploy", json={"files": []}).status_code == 400
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert place.request("POST", "/v1/deploy", data="nonsense", headers=headers).status_code == 400
    binary = place.request("POST", "/v1/deploy", files=[("data_project://", ("a.pipe", b"\xff\xfe", "text/plain"))])
    assert binary.status_code == 400
    assert "UTF-8" in binary.json()["error"]


def test_who_may_deploy(place: Place) -> None:
    """ADMIN and WORKSPACE:DEPLOY, and nobody else."""
    made = {
        scope: place.request("POST", "/v0/tokens", params={"name": scope, "scope": scope}).json()["token"]
        for scope in ("WORKSPACE:DEPLOY", "WORKSPACE:READ_ALL")
    }
    files = [("data_project://", (name, text, "text/plain")) for name, text in PROJECT.items()]
    for path in ("/v1/deploy?auto_promote=true", "/v1/build"):
        refused = place.request("POST", path, files=files, token=made["WORKSPACE:READ_ALL"])
        assert refused.status_code == 403
        assert place.request("POST", path, files=files, token=made["WORKSPACE:DEPLOY"]).status_code == 200
    assert place.request("GET", "/v1/deployments", token=made["WORKSPACE:READ_ALL"]).status_code == 403


# Resources that go


def test_what_is_no_longer_in_the_project_is_deleted(place: Place) -> None:
    """Pipes at once, Data Sources only when that is allowed; what was made by hand stays."""
    place.request("POST", "/v0/datasources", data={"name": "by_hand", "schema": "a Int32"})
    place.deploy(PROJECT)
    place.append("events", ROWS)
    without_pipe = {name: text for name, text in PROJECT.items() if "totals" not in name}
    assert place.deploy(without_pipe)["deleted_pipe_names"] == ["totals"]
    rest = {name: text for name, text in without_pipe.items() if "per_page" not in name}
    errors = place.refused(rest)
    assert [each["filename"] for each in errors] == ["datasources/per_page.datasource"]
    assert "'per_page'" in errors[0]["error"]
    deployment = place.deploy(rest, allow_destructive_operations="true")
    assert deployment["deleted_datasource_names"] == ["per_page"]
    assert place.names("datasources") == {"events", "by_hand"}
    assert place.rows("SELECT count() FROM events") == [[2]]


def test_a_pipe_by_hand_is_not_broken(place: Place) -> None:
    """A deployment does not pull the ground away from what it does not know."""
    place.deploy(PROJECT)
    place.request("POST", "/v0/pipes", data={"name": "mine", "sql": "SELECT sum(amount) AS a FROM events"})
    assert "mine" in place.names("pipes")
    rest = {"datasources/per_page.datasource": PER_PAGE}
    errors = place.refused(rest, allow_destructive_operations="true")
    assert "'mine'" in errors[0]["error"]


# Evolution


def test_columns_are_added_in_place(place: Place) -> None:
    """More columns, another default, TTL, indexes and description; the rows stay."""
    place.deploy(PROJECT)
    place.append("events", ROWS)
    schema = EVENTS.replace(
        "`amount` Int32 `json:$.amount`",
        "`amount` Int32 `json:$.amount` DEFAULT 7,\n    `country` String `json:$.country` DEFAULT 'ES'",
    ).replace("What people do", "Otherwise")
    schema += 'ENGINE_TTL "ts + toIntervalYear(90)"\n\nINDEXES >\n    by_amount amount TYPE minmax GRANULARITY 1\n'
    deployment = place.deploy({**PROJECT, "datasources/events.datasource": schema})
    assert deployment["changed_datasource_names"] == ["events"]
    assert place.rows("SELECT page, country FROM events ORDER BY page") == [["/a", "ES"], ["/b", "ES"]]
    found = place.request("GET", "/v0/datasources/events").json()
    assert found["description"].strip() == "Otherwise"
    assert found["engine"]["engine_ttl"]
    assert [each["name"] for each in found["indexes"]] == ["by_amount"]
    place.append("events", '{"ts": "2026-01-03 10:00:00", "page": "/c", "country": "FR"}')
    assert place.rows("SELECT amount, country FROM events WHERE page = '/c'") == [[7, "FR"]]
    assert place.data("totals")[2] == {"page": "/c", "total": 7}


def test_types_that_take_all_values_change_by_themselves(place: Place) -> None:
    """A wider type, another sorting key: the table is made anew, the rows are the same."""
    place.deploy(PROJECT)
    place.append("events", ROWS)
    schema = EVENTS.replace("`page` String", "`page` LowCardinality(String)").replace('"page, ts"', '"ts"')
    place.deploy({**PROJECT, "datasources/events.datasource": schema})
    assert place.rows("SELECT page, amount FROM events ORDER BY page") == [["/a", 1], ["/b", 2]]
    assert place.request("GET", "/v0/datasources/events").json()["engine"]["engine_sorting_key"] == "ts"
    place.append("events", ROWS)
    assert place.data("totals") == [{"page": "/a", "total": 2}, {"page": "/b", "total": 4}]


def test_other_types_need_a_forward_query(place: Place) -> None:
    """Without one nothing is changed; with one it says what becomes of the rows."""
    files = {"datasources/events.datasource": EVENTS}
    place.deploy(files)
    place.append("events", ROWS)
    schema = EVENTS.replace("`ts` DateTime `json:$.ts`", "`day` Date `json:$.day`").replace("page, ts", "page, day")
    errors = place.refused({"datasources/events.datasource": schema})
    assert "'ts'" in errors[0]["error"]
    assert "FORWARD_QUERY" in errors[0]["error"]
    wrong = f"{schema}\nFORWARD_QUERY >\n    SELECT toDate(tss) AS day, page, amount\n"
    errors = place.refused({"datasources/events.datasource": wrong})
    assert "FORWARD_QUERY" in errors[0]["error"]
    assert errors[0]["error"].startswith("line 13:")
    unknown = f"{schema}\nFORWARD_QUERY >\n    SELECT toDate(ts) AS day, page, 1 AS more\n"
    errors = place.refused({"datasources/events.datasource": unknown})
    assert "it gives 'more', and the Data Source takes amount, day, page" in errors[0]["error"]
    failing = f"{schema}\nFORWARD_QUERY >\n    SELECT toDate(ts) AS day, page, amount + throwIf(amount = 2) AS amount\n"
    errors = place.refused({"datasources/events.datasource": failing})
    assert "rows cannot be brought" in errors[0]["error"]
    right = f"{schema}\nFORWARD_QUERY >\n    SELECT toDate(ts) AS day, page, amount * 10 AS amount FROM events\n"
    place.deploy({"datasources/events.datasource": right})
    assert place.rows("SELECT * FROM events ORDER BY page") == [["2026-01-01", "/a", 10], ["2026-01-02", "/b", 20]]
    # The query is for this one time: it may stay in the file, or go.
    for text in (right, schema):
        assert place.send({"datasources/events.datasource": text}, auto_promote="true").json()["result"] == "no_changes"
    assert place.rows("SELECT sum(amount) FROM events") == [[30]]


def test_an_empty_data_source_can_become_anything(place: Place) -> None:
    """There are no rows to lose."""
    place.deploy({"datasources/events.datasource": EVENTS})
    place.deploy({"datasources/events.datasource": "SCHEMA >\n    `other` UUID `json:$.other`\n"})
    assert place.rows("SELECT count() FROM events WHERE other = generateUUIDv4()") == [[0]]


def test_quarantined_rows_stay(place: Place) -> None:
    """A new table takes the quarantine along."""
    place.deploy({"datasources/events.datasource": EVENTS})
    place.append("events", ROWS)
    place.request("POST", "/v0/events?name=events&wait=true", data='{"ts": "no", "page": "/q", "amount": 1}')
    place.deploy({"datasources/events.datasource": EVENTS.replace('"page, ts"', '"ts"')})
    assert place.rows("SELECT page FROM events_quarantine") == [["/q"]]


def test_pipes_read_quarantines(place: Place) -> None:
    """A Data Source has its quarantine from the beginning."""
    watch = "NODE n\nSQL >\n    SELECT count() AS c, any(c__error[1]) AS e FROM events_quarantine\nTYPE endpoint\n"
    place.deploy({"datasources/events.datasource": EVENTS, "endpoints/watch.pipe": watch})
    assert place.data("watch") == [{"c": 0, "e": ""}]
    changed = watch.replace("AS c,", "AS n,")
    place.deploy({"datasources/events.datasource": EVENTS, "endpoints/watch.pipe": changed})
    assert place.data("watch") == [{"n": 0, "e": ""}]


# Build


def test_a_build_follows_the_files(place: Place) -> None:
    """It is live at once, deletes without being asked twice, and is no deployment."""
    reply = place.send(PROJECT, "/v1/build").json()
    assert reply["result"] == "success"
    assert set(reply["build"]["new_datasource_names"]) == {"events", "per_page"}
    place.append("events", ROWS)
    assert len(place.data("pages")) == 2
    again = place.send(PROJECT, "/v1/build").json()
    assert again["result"] == "success"
    assert not any(value for key, value in again["build"].items() if key.endswith("_names"))
    reply = place.send({"datasources/events.datasource": EVENTS}, "/v1/build").json()
    assert reply["build"]["deleted_datasource_names"] == ["per_page"]
    assert place.names("datasources") == {"events"}
    assert [each["id"] for each in place.request("GET", "/v1/deployments").json()["deployments"]] == ["0"]


# Deployments


def test_a_staged_deployment_waits(place: Place) -> None:
    """It is checked but not there until it is promoted; then the one before is over."""
    first = place.deploy({"datasources/events.datasource": EVENTS})
    reply = place.send(PROJECT).json()
    assert reply["result"] == "success"
    staged = reply["deployment"]
    assert (staged["live"], staged["status"]) == (False, "data_ready")
    assert "files" not in staged
    assert place.names("pipes") == set()
    listed = place.request("GET", "/v1/deployments").json()["deployments"]
    assert [(each["id"], each["live"]) for each in listed] == [(first["id"], True), (staged["id"], False)]
    promoted = place.request("POST", f"/v1/deployments/{staged['id']}/set-live")
    assert promoted.json()["deployment"]["live"] is True
    assert place.names("pipes") == {"pages", "totals", "per_page_view"}
    assert place.request("GET", f"/v1/deployments/{first['id']}").json()["deployment"]["status"] == "deleted"
    assert place.request("DELETE", f"/v1/deployments/{first['id']}").status_code == 200
    assert place.request("DELETE", f"/v1/deployments/{staged['id']}").status_code == 400
    listed = place.request("GET", "/v1/deployments").json()["deployments"]
    assert [each["id"] for each in listed] == [staged["id"]]


def test_a_staged_deployment_can_be_thrown_away(place: Place) -> None:
    """Nothing of it was there, and nothing is."""
    staged = place.send(PROJECT).json()["deployment"]
    reply = place.request("DELETE", f"/v1/deployments/{staged['id']}")
    assert reply.json()["deployment"]["status"] == "deleted"
    assert place.request("POST", f"/v1/deployments/{staged['id']}/set-live").status_code == 400
    assert place.names("datasources") == set()
    assert place.request("GET", "/v1/deployments/99").status_code == 404
    assert place.request("GET", "/v1/deployments/x").status_code == 404


def test_the_first_staged_deployment_can_be_promoted(place: Place) -> None:
    """Before anything was deployed the list has the deployment 0, which clients promote away from."""
    staged = place.send(PROJECT).json()["deployment"]
    listed = place.request("GET", "/v1/deployments").json()["deployments"]
    assert [each["id"] for each in listed] == ["0", staged["id"]]
    assert place.request("POST", f"/v1/deployments/{staged['id']}/set-live").status_code == 200
    assert place.request("DELETE", "/v1/deployments/0").status_code == 200
    assert place.request("GET", "/v1/deployments/0").json()["deployment"]["status"] == "deleted"


def test_a_staged_deployment_is_checked_again(place: Place) -> None:
    """What has happened since may not fit any more."""
    place.deploy({"datasources/events.datasource": EVENTS})
    schema = EVENTS.replace("`amount` Int32", "`amount` String")
    staged = place.send({"datasources/events.datasource": schema}).json()["deployment"]
    place.append("events", ROWS)
    reply = place.request("POST", f"/v1/deployments/{staged['id']}/set-live")
    assert reply.status_code == 400
    assert "FORWARD_QUERY" in reply.json()["error"]
    assert place.rows("SELECT sum(amount) FROM events") == [[3]]


def test_a_body_without_files(api):
    """A project without files is refused: it would delete everything that was deployed."""
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    for path in ("/v1/build", "/v1/deploy"):
        reply = api.post(path, data=b"--x--\r\n", headers=boundary)
        assert reply.status_code == 400
        assert "no file" in reply.json()["error"]
