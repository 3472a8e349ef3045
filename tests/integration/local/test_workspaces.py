"""Several workspaces: making, listing, deleting, members, branches, and that nobody sees another's."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid

import pytest
import requests

from tests.integration.conftest import Api
from tinymagic import local

ABSENT = "Workspace 'no_such' does not exist"


class Client(Api):
    """One workspace over HTTP."""

    def create(self, name, rows=(), **parameters):
        """Make a Data Source with one column, partitioned by it."""
        parameters = {"engine_partition_key": "a", "engine_sorting_key": "a", **parameters}
        reply = self.post("/v0/datasources", params={"name": name, "schema": "a UInt32", **parameters})
        assert reply.status_code == 200, reply.text
        if rows:
            self.append(name, rows)

    def append(self, name, rows):
        """Add rows."""
        body = "".join(f"{row}\n" for row in rows)
        reply = self.post("/v0/datasources", params={"name": name, "mode": "append"}, files={"csv": ("a.csv", body)})
        assert reply.status_code == 200, reply.text

    def values(self, name):
        """Return all rows of a Data Source."""
        reply = self.sql(f"SELECT a FROM {name} ORDER BY a FORMAT TSV")
        assert reply.status_code == 200, reply.text
        return [int(line) for line in reply.text.split()]

    def names(self):
        """Return the names of the Data Sources."""
        return [each["name"] for each in self.get("/v0/datasources").json()["datasources"]]

    def job(self, job_id):
        """Wait for a job and return it."""
        deadline = time.monotonic() + 30
        while True:
            found = self.get(f"/v0/jobs/{job_id}").json()
            if found["status"] in ("done", "error", "cancelled") or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


@pytest.fixture
def user(server, tokens):
    """The user token's client."""
    return Client(server.host, tokens["user_token"])


@pytest.fixture
def admin(server, tokens):
    """The client of ``admin_token``."""
    return Client(server.host, tokens["admin_token"])


@pytest.fixture
def main(server, tokens):
    """The client of the first workspace's administrator."""
    return Client(server.host, tokens["workspace_admin_token"])


@pytest.fixture
def make(user):
    """Make workspaces that are deleted after the test."""
    made = []

    def run(name=""):
        reply = user.post("/v1/workspaces", params={"name": name or f"ws_{uuid.uuid4().hex}"})
        assert reply.status_code == 200, reply.text
        made.append(reply.json())
        return made[-1], Client(user.host, made[-1]["token"])

    yield run
    for workspace in made:
        user.request("DELETE", f"/v1/workspaces/{workspace['id']}?hard_delete_confirmation=yes")


class TestCreating:
    @pytest.mark.parametrize("path", ["/v0/workspaces", "/v1/workspaces", "/v1/workspaces/"])
    @pytest.mark.parametrize("form", ["query", "form", "json", "multipart"])
    def test_forms_that_clients_use(self, user, path, form):
        """The reply has id, name and a token that works, in a workspace of its own."""
        name = f"made_{uuid.uuid4().hex}"
        given = {"name": name, "assign_to_organization_id": "x", "starter_kit": ""}
        arguments = {
            "query": {"params": given},
            "form": {"data": given},
            "json": {"json": given},
            "multipart": {"files": {key: (None, value) for key, value in given.items()}},
        }[form]
        reply = user.post(path, **arguments)
        assert reply.status_code == 200, reply.text
        made = reply.json()
        assert made["name"] == name
        assert made["organization"]["name"]
        described = user.get("/v0/workspace", token=made["token"]).json()
        assert (described["id"], described["name"], described["scope"]) == (made["id"], name, "admin")
        assert user.request("DELETE", f"/v1/workspaces/{made['id']}?hard_delete_confirmation=yes").status_code == 200

    def test_only_the_user_token_may(self, admin, main):
        """Neither the token that lists nor that of a workspace."""
        for client in (admin, main):
            reply = client.post("/v1/workspaces?name=not_made_by_others")
            assert reply.status_code == 403
            assert "user token" in reply.json()["error"]
        listed = admin.get("/v1/user/workspaces").json()["workspaces"]
        assert "not_made_by_others" not in [each["name"] for each in listed]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "needs a name"),
            ("has blanks", "not a valid Workspace name"),
            ("1st", "not a valid Workspace name"),
            ("it's", "not a valid Workspace name"),
            ("select", "reserved name"),
            ("x" * 201, "201 characters"),
        ],
    )
    def test_bad_names(self, user, name, reason):
        """Are refused with what to do."""
        reply = user.post("/v1/workspaces", params={"name": name})
        assert reply.status_code == 400
        assert reason in reply.json()["error"]

    def test_json_without_content_type(self, user):
        """As the command lines send it."""
        name = f"made_{uuid.uuid4().hex}"
        reply = user.post("/v1/workspaces", data=f'{{"name": "{name}"}}')
        assert (reply.status_code, reply.json()["name"]) == (200, name)
        assert user.request("DELETE", f"/v1/workspaces/{name}?hard_delete_confirmation=yes").status_code == 200

    def test_a_name_that_is_no_text(self, user):
        """JSON can hold anything."""
        assert user.post("/v1/workspaces", json={"name": ["a"]}).status_code == 400
        assert user.post("/v1/workspaces", json=["a"]).status_code == 400
        reply = user.post("/v1/workspaces", data="{", headers={"Content-Type": "application/json"})
        assert reply.status_code == 400

    def test_a_name_that_is_taken(self, user, make):
        """Is a conflict, and the first one stays."""
        made, client = make()
        client.create("kept", [1])
        reply = user.post("/v1/workspaces", params={"name": made["name"]})
        assert reply.status_code == 409
        assert made["name"] in reply.json()["error"]
        assert client.values("kept") == [1]


class TestListing:
    @pytest.mark.parametrize("path", ["/v0/user/workspaces", "/v0/user/workspaces/", "/v1/user/workspaces/"])
    def test_a_person_sees_all_with_tokens_that_work(self, user, admin, make, path):
        """As the command lines look for theirs."""
        made, _ = make()
        for client in (user, admin):
            reply = client.get(path, params={"with_organization": "true"}).json()
            assert {"id", "email", "organization_id", "organization_name"} <= set(reply)
            found = {each["name"]: each for each in reply["workspaces"]}
            assert "Tinybird_Local_Testing" in found
            workspace = found[made["name"]]
            assert workspace["id"] == made["id"]
            assert workspace["organization"]["id"] == reply["organization_id"]
            assert client.get("/v0/workspace", token=workspace["token"]).json()["id"] == made["id"]

    def test_the_first_workspace_is_that_of_the_tokens(self, admin, main):
        """GET /tokens and the list speak of the same."""
        first = admin.get("/v1/user/workspaces").json()["workspaces"][0]
        assert first["id"] == main.get("/v0/workspace").json()["id"]

    def test_members_and_owner_can_be_left_out(self, admin):
        """``with_members_and_owner=false``."""
        [first, *_] = admin.get("/v0/user/workspaces?with_members_and_owner=false").json()["workspaces"]
        assert not {"members", "owner"} & set(first)
        [first, *_] = admin.get("/v0/user/workspaces").json()["workspaces"]
        assert first["members"] == [
            {"id": first["owner"], "email": first["user_email"], "role": "admin", "active": True}
        ]

    def test_a_workspace_sees_itself_only(self, make):
        """Its own administrator is nobody in the others."""
        made, client = make()
        tokens = client.get("/v0/tokens").json()["tokens"]
        [token] = [each["token"] for each in tokens if each["name"] == "workspace admin token"]
        listed = client.get("/v0/user/workspaces?with_environments=true", token=token).json()["workspaces"]
        assert [each["id"] for each in listed] == [made["id"]]

    def test_tokens_without_admin_rights(self, make):
        """See no list, no tokens, and an empty scope."""
        made, client = make()
        reply = client.post("/v0/tokens", params={"name": "reader", "scope": "DATASOURCES:CREATE"})
        token = reply.json()["token"]
        assert client.get("/v0/user/workspaces", token=token).status_code == 403
        shown = client.get(f"/v0/workspaces/{made['id']}?with_token=true", token=token).json()
        assert (shown["name"], "token" in shown) == (made["name"], False)
        assert client.get("/v0/workspace", token=token).json()["scope"] == ""
        assert client.post("/v0/environments?name=b", token=token).status_code == 403
        assert client.request("DELETE", f"/v0/workspaces/{made['id']}", token=token).status_code == 403


class TestShowing:
    def test_by_id_and_by_name(self, admin, make):
        """With the token only when it is asked for."""
        made, client = make()
        for path in (f"/v0/workspaces/{made['id']}", f"/v1/workspaces/{made['name']}/"):
            assert "token" not in admin.get(path).json()
            shown = admin.get(path, params={"with_token": "true", "with_organization": "true"}).json()
            assert (shown["id"], shown["name"], shown["main"]) == (made["id"], made["name"], None)
            assert shown["organization"] == made["organization"]
            assert client.get("/v0/workspace", token=shown["token"]).status_code == 200

    def test_there_is_none(self, admin):
        """404 with the name."""
        reply = admin.get("/v0/workspaces/no_such")
        assert reply.status_code == 404
        assert ABSENT in reply.json()["error"]

    def test_the_small_routes(self, admin, user, make):
        """Who am I, where do I belong, are there releases."""
        made, _ = make()
        assert user.get("/v0/auth").json() == {"is_valid": True, "is_user": True}
        assert admin.get("/v0/auth").json() == {"is_valid": True, "is_user": False}
        assert admin.get("/v0/auth", token="wrong").status_code == 403
        person = admin.get("/v0/user").json()
        assert person["email"] == made["user_email"]
        assert admin.get(f"/v0/workspaces/{made['id']}/releases").json() == {"releases": []}
        organization = admin.get(f"/v0/organizations/{person['organization_id']}").json()
        assert made["name"] in [each["name"] for each in organization["workspaces"]]
        assert admin.get("/v0/organizations/another").status_code == 404


class TestDeleting:
    @pytest.mark.parametrize("by", ["id", "name"])
    @pytest.mark.parametrize("confirmed", ["none", "name", "yes", "hard", "hard-form"])
    def test_everything_goes(self, user, make, by, confirmed):
        """Its tokens stop working at once."""
        made, client = make()
        client.create("gone", [1, 2])
        arguments = {
            "none": {},
            "name": {"data": {"confirmation": made["name"]}},
            "yes": {"data": {"confirmation": "yes"}},
            "hard": {"params": {"hard_delete_confirmation": "yes"}},
            "hard-form": {"data": {"hard_delete_confirmation": "yes"}},
        }[confirmed]
        assert user.request("DELETE", f"/v1/workspaces/{made[by]}", **arguments).status_code == 200
        assert client.get("/v0/workspace").status_code == 403
        assert client.sql("SELECT count() FROM gone").status_code == 403
        assert user.get(f"/v1/workspaces/{made['id']}").status_code == 404
        assert user.request("DELETE", f"/v1/workspaces/{made[by]}", **arguments).status_code == 404

    @pytest.mark.parametrize("place", ["data", "params"])
    def test_with_a_wrong_confirmation(self, user, make, place):
        """Nothing is deleted."""
        made, client = make()
        client.create("kept", [1])
        reply = user.request("DELETE", f"/v0/workspaces/{made['id']}", **{place: {"confirmation": "another"}})
        assert reply.status_code == 400
        assert made["name"] in reply.json()["error"]
        assert client.values("kept") == [1]

    def test_only_the_user_token_may(self, admin, make):
        """Not even the workspace itself."""
        made, client = make()
        for each in (admin, client):
            reply = each.request("DELETE", f"/v0/workspaces/{made['id']}?hard_delete_confirmation=yes")
            assert reply.status_code == 403
        assert client.get("/v0/workspace").status_code == 200

    def test_the_first_one_is_emptied(self):
        """Its tokens are those of GET /tokens, so they go on; the command line deletes it and makes it anew."""
        server = local.start(memory=True, port=0, with_parent=True)
        try:
            tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
            user, client = (Client(server.host, tokens[name]) for name in ("user_token", "workspace_admin_token"))
            other = user.post("/v1/workspaces?name=another").json()
            client.create("rows_of_it", [1])
            assert client.job(client.post("/v0/environments?name=b").json()["job"]["id"])["status"] == "done"
            path = f"/v1/workspaces/{client.get('/v0/workspace').json()['id']}?hard_delete_confirmation=yes"
            assert user.request("DELETE", path).status_code == 200
            assert (client.names(), client.get("/v0/environments").json()) == ([], {"environments": []})
            made = user.post("/v1/workspaces?name=Tinybird_Local_Testing")
            assert made.status_code == 200, made.text
            assert user.post("/v1/workspaces?name=Tinybird_Local_Testing").status_code == 409
            assert requests.get(f"{server.host}/tokens", timeout=10).json() == tokens
            listed = user.get("/v1/user/workspaces").json()["workspaces"]
            assert [each["name"] for each in listed] == ["Tinybird_Local_Testing", "another"]
            assert [each["id"] for each in listed] == [made.json()["id"], other["id"]]
            client.create("rows_of_it", [2])
            assert client.values("rows_of_it") == [2]
        finally:
            local.stop(port=server.port)

    def test_a_name_can_be_used_again(self, user, make):
        """And the new one is empty."""
        made, client = make()
        client.create("again", [1])
        user.request("DELETE", f"/v1/workspaces/{made['id']}?hard_delete_confirmation=yes")
        _, second = make(made["name"])
        assert second.names() == []
        second.create("again", [5])
        assert second.values("again") == [5]

    def test_while_it_works(self, user, main, make):
        """Queries and imports end with an answer, and the server lives."""
        made, client = make()
        client.create("busy", range(100))
        statuses = []
        sql = "SELECT count() FROM busy AS x, numbers(300000000) AS y, busy AS z WHERE (x.a + y.number) % 7 = 3"

        def query():
            statuses.append(("query", client.sql(sql).status_code))

        def load():
            for _ in range(200):
                reply = client.post("/v0/datasources?name=busy&mode=append", files={"csv": ("a.csv", "1\n" * 1000)})
                statuses.append(("import", reply.status_code))
                if reply.status_code != 200:
                    return

        threads = [threading.Thread(target=each) for each in (query, query, load, load)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        begin = time.monotonic()
        assert user.request("DELETE", f"/v1/workspaces/{made['id']}?hard_delete_confirmation=yes").status_code == 200
        assert time.monotonic() - begin < 8, "it does not wait for the queries' own end"
        for thread in threads:
            thread.join()
        assert ("import", 200) in statuses
        assert {status for _, status in statuses} <= {200, 400, 403, 404, 409}
        assert main.sql("SELECT 1").status_code == 200
        assert client.get("/v0/workspace").status_code == 403


class TestMembers:
    def test_add_change_remove(self, user, make):
        """They are a list in the workspace's object."""
        made, client = make()
        path = f"/v0/workspaces/{made['id']}/users/"

        def roles():
            members = client.get(f"/v0/workspaces/{made['id']}").json()["members"]
            return {member["email"]: member["role"] for member in members[1:]}

        assert user.request("PUT", path, params={"operation": "add", "users": "a@x.org,b@x.org"}).status_code == 200
        assert roles() == {"a@x.org": "guest", "b@x.org": "guest"}
        asked = {"operation": "change_role", "users": "a@x.org", "new_role": "viewer"}
        assert user.request("PUT", path, data=asked).status_code == 200
        assert roles() == {"a@x.org": "viewer", "b@x.org": "guest"}
        assert client.request("PUT", path, params={"operation": "remove", "users": "b@x.org"}).status_code == 200
        asked = {"operation": "add", "users": "c@x.org,a@x.org", "role": "admin"}
        assert client.request("PUT", path, params=asked).status_code == 200
        assert roles() == {"a@x.org": "viewer", "c@x.org": "admin"}

    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ({"operation": "invite", "users": "a@x.org"}, "operation"),
            ({"operation": "add", "users": ""}, "users"),
            ({"operation": "add", "users": "a@x.org,nobody"}, "users"),
            ({"operation": "add", "users": "a@x.org", "role": "king"}, "role"),
            ({"operation": "change_role", "users": "a@x.org"}, "new_role"),
            ({"operation": "remove", "users": "stranger@x.org"}, "stranger@x.org"),
            ({"operation": "remove", "users": "local@tinymagic.dev"}, "owns"),
        ],
    )
    def test_bad_requests(self, user, make, asked, reason):
        """Nothing is changed."""
        made, _ = make()
        reply = user.request("PUT", f"/v0/workspaces/{made['id']}/users", params=asked)
        assert reply.status_code == 400
        assert reason in reply.json()["error"]
        assert len(user.get(f"/v0/workspaces/{made['id']}").json()["members"]) == 1

    def test_others_may_not(self, main, make):
        """The administrator of another workspace."""
        made, _ = make()
        reply = main.request("PUT", f"/v0/workspaces/{made['id']}/users?operation=add&users=a@x.org")
        assert reply.status_code in (403, 404)


class TestIsolation:
    def test_data_sources_of_one_name(self, make):
        """Have nothing to do with each other."""
        (_, first), (_, second) = make(), make()
        first.create("shared_name", [1, 2])
        second.create("shared_name", [7])
        second.create("only_here", [1])
        assert (first.values("shared_name"), second.values("shared_name")) == ([1, 2], [7])
        assert first.names() == ["shared_name"]
        assert first.sql("SELECT * FROM only_here").status_code == 403
        first.append("shared_name", [3])
        assert second.values("shared_name") == [7]
        assert first.request("DELETE", "/v0/datasources/shared_name").status_code == 204
        assert second.values("shared_name") == [7]

    def test_ids_of_others_do_not_resolve(self, make):
        """Nor do their jobs and tokens."""
        (_, first), (_, second) = make(), make()
        first.create("secret_rows", [1])
        identifier = first.get("/v0/datasources/secret_rows").json()["id"]
        assert second.get(f"/v0/datasources/{identifier}").status_code == 404
        assert second.request("DELETE", f"/v0/datasources/{identifier}").status_code == 404
        job = first.post("/v0/environments?name=b").json()["job"]
        assert first.job(job["id"])["status"] == "done"
        assert second.get(f"/v0/jobs/{job['id']}").status_code == 404
        assert second.get("/v0/jobs").json()["jobs"] == []
        assert [each["id"] for each in first.get("/v0/jobs").json()["jobs"]] == [job["id"]]

    def test_databases_cannot_be_named(self, make):
        """Knowing the id does not help."""
        (made, first), (_, second) = make(), make()
        first.create("hidden", [1])
        database = "w_" + made["id"].replace("-", "")
        for sql in (f"SELECT * FROM {database}.hidden", f"SELECT * FROM merge('{database}', 'hidden')"):
            reply = second.sql(sql)
            assert reply.status_code in (400, 403), reply.text

    def test_service_data_sources(self, make):
        """Each workspace reads the log of its own."""
        (_, first), (_, second) = make(), make()
        first.sql("SELECT 41 AS first_was_here")
        second.sql("SELECT 42 AS second_was_here")
        for client, own, other in ((first, "41", "42"), (second, "42", "41")):
            found = client.sql("SELECT toString(tuple(*)) FROM tinybird.pipe_stats_rt FORMAT TSV").text
            assert f"SELECT {other}" not in found
            counted = client.sql("SELECT count() > 0 FROM tinybird.pipe_stats_rt FORMAT TSV").text
            assert counted.strip() == "1", own


class TestBranches:
    @pytest.mark.parametrize(
        ("data", "expected"), [("", []), ("last_partition", [30]), ("all_partitions", [10, 20, 30])]
    )
    @pytest.mark.parametrize("version", ["v0", "v1"])
    def test_rows_as_asked(self, make, version, data, expected):
        """Definitions always, rows of no, the last or every partition; then both go their own ways."""
        _, main = make()
        main.create("numbers", [10, 20, 30])
        reply = main.post(f"/{version}/environments", params={"name": "try", "data": data})
        assert reply.status_code == 200, reply.text
        job = main.job(reply.json()["job"]["id"])
        assert job["status"] == "done", job
        shown = main.get(f"/{version}/environments/try?with_token=true").json()
        assert shown["id"] == reply.json()["id"]
        assert (shown["name"], shown["is_branch"]) == ("try", True)
        assert shown["main"] == main.get("/v0/workspace").json()["id"]
        branch = Client(main.host, shown["token"])
        described = branch.get("/v1/workspace").json()
        assert (described["name"], described["main"], described["is_branch"]) == ("try", shown["main"], True)
        assert branch.values("numbers") == expected
        mine, theirs = (each.get("/v0/datasources/numbers").json() for each in (main, branch))
        assert mine["id"] != theirs["id"]
        assert (mine["schema"], mine["engine"]) == (theirs["schema"], theirs["engine"])
        branch.append("numbers", [99])
        main.append("numbers", [1])
        assert branch.values("numbers") == [*expected, 99]
        assert main.values("numbers") == [1, 10, 20, 30]
        assert main.request("DELETE", "/v0/datasources/numbers").status_code == 204
        assert branch.values("numbers") == [*expected, 99]

    def test_rows_of_some_can_be_left_out(self, make):
        """``ignore_datasources``."""
        _, main = make()
        main.create("big", [1])
        main.create("small", [2])
        asked = {"name": "try", "data": "all_partitions", "ignore_datasources": "big"}
        assert main.job(main.post("/v0/environments", params=asked).json()["job"]["id"])["status"] == "done"
        branch = Client(main.host, main.get("/v0/environments/try?with_token=true").json()["token"])
        assert (branch.values("big"), branch.values("small")) == ([], [2])

    @pytest.mark.parametrize(
        ("mode", "expected"), [("last_partition", [1, 1, 2, 2, 2]), ("all_partitions", [1, 2, 2, 2])]
    )
    def test_rows_can_be_brought_later(self, make, mode, expected):
        """Partitions of the branch are replaced by those of the workspace; doing it twice changes nothing."""
        _, main = make()
        main.create("numbers", [1])
        main.create("only_in_main", [1])
        assert main.job(main.post("/v0/environments?name=late").json()["job"]["id"])["status"] == "done"
        shown = main.get("/v0/environments/late?with_token=true").json()
        branch = Client(main.host, shown["token"])
        branch.append("numbers", [1, 1, 2])
        assert branch.request("DELETE", "/v0/datasources/only_in_main").status_code == 204
        main.append("numbers", [2, 2, 2])
        for _ in range(2):
            reply = branch.post(f"/v0/environments/{shown['id']}/data?mode={mode}")
            assert reply.status_code == 200, reply.text
            job = branch.job(reply.json()["job"]["id"])
            assert job["status"] == "done"
            assert [each["datasource"]["name"] for each in job["result"]] == ["numbers"]
            assert branch.values("numbers") == expected
        assert branch.post(f"/v0/environments/{shown['id']}/data?mode=some").status_code == 400
        assert branch.post("/v0/environments/none/data?mode=last_partition").status_code == 404

    def test_lists(self, admin, make):
        """Branches are in the list of workspaces only when asked for."""
        made, main = make()
        job = main.post("/v0/environments?name=listed").json()["job"]
        assert main.job(job["id"])["status"] == "done"
        [branch] = main.get("/v0/environments").json()["environments"]
        assert main.get("/v1/environments/").json()["environments"] == [branch]
        assert {"id", "name", "created_at", "owner"} <= set(branch)

        def listed(**flags):
            reply = admin.get("/v0/user/workspaces/", params=flags).json()
            own = {made["id"], branch["id"]}
            return [(each["name"], each["main"]) for each in reply["workspaces"] if each["id"] in own]

        both = [(made["name"], None), ("listed", made["id"])]
        assert listed() == both[:1]
        assert listed(with_environments="false") == both[:1]
        assert listed(with_environments="true") == both
        assert listed(with_environments="true", only_environments="true") == both[1:]

    def test_one_name_in_two_workspaces(self, make):
        """Is no conflict; in one it is."""
        (_, first), (_, second) = make(), make()
        for client in (first, second):
            assert client.job(client.post("/v0/environments?name=same").json()["job"]["id"])["status"] == "done"
        reply = first.post("/v0/environments?name=same")
        assert reply.status_code == 409
        assert "same" in reply.json()["error"]
        assert first.get("/v0/environments/same").json()["id"] != second.get("/v0/environments/same").json()["id"]

    def test_two_at_once(self, make):
        """One of them is made, the other job fails and says why."""
        _, main = make()
        main.create("numbers", [1])
        jobs = [main.post("/v0/environments?name=twice") for _ in range(2)]
        ended = [main.job(reply.json()["job"]["id"]) for reply in jobs if reply.status_code == 200]
        assert sorted(job["status"] for job in ended)[:1] == ["done"]
        assert all("already" in job["error"] for job in ended if job["status"] == "error")
        assert len(main.get("/v0/environments").json()["environments"]) == 1

    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ({"name": ""}, "needs a name"),
            ({"name": "a-b"}, "not a valid branch name"),
            ({"name": "a", "data": "x"}, "data"),
        ],
    )
    def test_bad_requests(self, make, asked, reason):
        """No job is started."""
        _, main = make()
        reply = main.post("/v0/environments", params=asked)
        assert reply.status_code == 400
        assert reason in reply.json()["error"]
        assert main.get("/v0/jobs").json()["jobs"] == []

    @pytest.mark.parametrize("by", ["id", "name"])
    def test_delete(self, make, by):
        """Its token dies; the workspace keeps its rows."""
        _, main = make()
        main.create("numbers", [1])
        main.job(main.post("/v0/environments?name=gone&data=all_partitions").json()["job"]["id"])
        branch = main.get("/v0/environments/gone?with_token=true").json()
        assert main.request("DELETE", f"/v0/environments/{branch[by]}").status_code == 200
        assert main.get("/v0/workspace", token=branch["token"]).status_code == 403
        assert main.get("/v0/environments/gone").status_code == 404
        assert main.request("DELETE", f"/v0/environments/{branch[by]}").status_code == 404
        assert main.values("numbers") == [1]

    def test_a_workspace_takes_its_branches_along(self, user, make):
        """Nothing of them works any more."""
        made, main = make()
        main.job(main.post("/v0/environments?name=child").json()["job"]["id"])
        token = main.get("/v0/environments/child?with_token=true").json()["token"]
        assert user.request("DELETE", f"/v0/workspaces/{made['id']}?hard_delete_confirmation=yes").status_code == 200
        assert main.get("/v0/workspace", token=token).status_code == 403

    def test_of_others(self, make):
        """Cannot be seen or deleted."""
        (_, first), (_, second) = make(), make()
        first.job(first.post("/v0/environments?name=mine").json()["job"]["id"])
        branch = first.get("/v0/environments/mine").json()
        for key in ("id", "name"):
            assert second.get(f"/v0/environments/{branch[key]}").status_code == 404
            assert second.request("DELETE", f"/v0/environments/{branch[key]}").status_code == 404
        assert second.get("/v0/environments").json() == {"environments": []}


class TestTags:
    def test_make_change_delete(self, make):
        """Each workspace has its own."""
        (_, first), (_, second) = make(), make()
        assert first.get("/v0/tags").json() == {"tags": []}
        assert first.post("/v0/tags", data='{"name": "mine"}').json() == {"name": "mine", "resources": []}
        resources = [{"id": "t_1", "name": "events", "type": "datasource"}]
        reply = first.request("PUT", "/v0/tags/mine", json={"resources": resources})
        assert reply.json() == {"name": "mine", "resources": resources}
        assert first.request("PUT", "/v0/tags/mine", json={"name": "other"}).json()["resources"] == resources
        assert first.get("/v0/tags").json() == {"tags": [{"name": "other", "resources": resources}]}
        assert second.get("/v0/tags").json() == {"tags": []}
        assert first.request("DELETE", "/v0/tags/other").status_code == 200
        assert first.get("/v0/tags").json() == {"tags": []}

    def test_bad_requests(self, make):
        """Nothing is changed."""
        _, client = make()
        client.post("/v0/tags", json={"name": "a"})
        client.post("/v0/tags", json={"name": "b"})
        assert client.post("/v0/tags", json={"name": "a"}).status_code == 409
        assert client.post("/v0/tags", json={"name": ""}).status_code == 400
        assert client.post("/v0/tags", json={"name": "c", "resources": "x"}).status_code == 400
        assert client.request("PUT", "/v0/tags/a", json={"name": "b"}).status_code == 409
        assert client.request("PUT", "/v0/tags/none", json={"name": "x"}).status_code == 404
        assert client.request("DELETE", "/v0/tags/none").status_code == 404
        assert [each["name"] for each in client.get("/v0/tags").json()["tags"]] == ["a", "b"]


class TestRestart:
    @pytest.mark.slow
    def test_workspaces_survive_and_what_is_half_made_goes(self, tmp_path):
        """A killed server: every workspace that was acknowledged is there with its rows, and no other database."""
        folder = tmp_path / "data"
        kept = {}
        try:
            for number in range(4):
                server = local.start(path=folder, port=0, with_parent=True)
                tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
                user = Client(server.host, tokens["user_token"])
                for name, (token, row) in kept.items():
                    assert Client(server.host, token).values("rows_of_it") == [row], name
                listed = user.get("/v0/user/workspaces?with_environments=true").json()["workspaces"]
                assert len(listed) == 1 + len(kept)
                made = user.post(f"/v0/workspaces?name=round_{number}").json()
                client = Client(server.host, made["token"])
                client.create("rows_of_it", [number])
                kept[f"round_{number}"] = (made["token"], number)
                doomed = user.post("/v0/workspaces?name=doomed").json()
                Client(server.host, doomed["token"]).create("rows_of_it", [5])
                client.post("/v0/environments?name=half&data=all_partitions")
                thread = threading.Thread(target=delete_quietly, args=(user, doomed["id"]))
                thread.start()
                time.sleep(0.004 * number)
                os.kill(server.pid, signal.SIGKILL)
                thread.join()
                while any(each.pid == server.pid for each in local.running()):
                    time.sleep(0.02)
                self._forget_what_may_be_there(folder)
        finally:
            local.stop(folder)

    def _forget_what_may_be_there(self, folder):
        """The branch may have been made, the deletion not begun: both are whole. Take them away for the next round."""
        server = local.start(path=folder, port=0, with_parent=True)
        tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
        user = Client(server.host, tokens["user_token"])
        for each in user.get("/v0/user/workspaces?with_environments=true").json()["workspaces"]:
            client = Client(server.host, each["token"])
            if each["name"] == "doomed":
                assert client.values("rows_of_it") == [5]
            if each["name"] == "half":
                assert len(client.values("rows_of_it")) == 1
            if each["name"] in ("doomed", "half"):
                done = user.request("DELETE", f"/v0/workspaces/{each['id']}?hard_delete_confirmation=yes")
                assert done.status_code == 200
        local.stop(folder)
        databases = {each.name for each in (folder / "clickhouse" / "metadata").iterdir() if each.is_dir()}
        assert len([name for name in databases if name.startswith("w_")]) <= 5


def delete_quietly(user, identifier):
    """Ask for the deletion; the server may end meanwhile."""
    try:
        user.request("DELETE", f"/v0/workspaces/{identifier}?hard_delete_confirmation=yes")
    except requests.RequestException:
        return
