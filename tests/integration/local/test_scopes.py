"""Scopes hold: every route, every scope, with and without the resource; row filters in SQL."""

from __future__ import annotations

import itertools
import json
import re
import time

import pytest

from tinymagic.local.access import jwt
from tinymagic.local.access.scopes import GIVEN_SCOPES, RESOURCE_SCOPES
from tinymagic.local.app import load_routes

_numbers = itertools.count()

ANY = frozenset[str]()
ADMIN = frozenset({"ADMIN"})
CREATE = frozenset({"DATASOURCES:CREATE"})
APPEND = frozenset({"DATASOURCES:CREATE", "DATASOURCES:APPEND"})
READ = frozenset({"DATASOURCES:READ"})

#: What the pages of the API say: methods and path, and the scopes of which a token needs one (beside ADMIN); ``None``
#: for open paths, ANY where every token may ask. The first line that fits counts.
CONTRACT = [
    ("GET", r"/health/.*|/tokens|/v0/regions|/version", None),
    ("GET|POST|PUT|DELETE", r"/v0/tokens.*", frozenset({"TOKENS"})),
    ("GET|POST", r"/v0/sql(_tables|_format|_replace)?", ANY),
    ("POST", r"/v0/analyze", CREATE),
    ("POST", r"/v0/events", APPEND),
    ("GET|POST", r"/v0/jobs.*", APPEND | {"PIPES:CREATE"}),
    ("GET", r"/v0/datasources(/\{name\})?", READ),
    ("POST", r"/v0/datasources|/v1/datasources/\{name\}/append", APPEND),
    ("DELETE", r"/v0/datasources/\{name\}", CREATE | {"DATASOURCES:DROP"}),
    ("POST|DELETE", r"/v0/datasources/\{name\}/share", ADMIN),
    ("GET|POST|PUT|DELETE", r"/v[01]/datasources/.*", CREATE),
    ("GET", r"/v0/dependencies", READ),
    ("GET", r"/v[01]/pipes", READ | {"PIPES:READ", "PIPES:CREATE"}),
    ("GET", r"/v0/connectors(/\{connection\})?", CREATE | {"PIPES:CREATE"}),
    ("POST|PUT|DELETE", r"/v0/connectors.*", ADMIN),
    ("GET", r"/v0/integrations/.*|/v0/datasources-bigquery-credentials", ADMIN),
    ("POST", r"/v0/sql_copy", frozenset({"DATASOURCES:APPEND"})),
    # Endpoints, and what tells about them.
    ("GET|POST", r"/v0/pipes/\{pipe\}\.\{extension:extension\}|.*/explain", frozenset({"PIPES:READ"})),
    ("GET", r"/v0/pipes/(\{pipe\}/)?openapi.json|/examples/query.http|/endpoint/\{pipe\}", frozenset({"PIPES:READ"})),
    # Definitions.
    ("POST", r"/v0/pipes/\{pipe\}/(copy|sink)", frozenset({"PIPES:READ", "PIPES:CREATE"})),
    ("GET", r".*/analysis", frozenset({"PIPES:CREATE"})),
    ("GET", r"/v[01]/pipes/.*", frozenset({"PIPES:READ", "PIPES:CREATE"})),
    ("DELETE", r"/v0/pipes/\{pipe\}", frozenset({"PIPES:CREATE", "PIPES:DROP"})),
    ("POST|PUT|DELETE", r"/v0/pipes.*", frozenset({"PIPES:CREATE"})),
    ("GET|POST|DELETE", r"/v1/(build|deploy|deployments.*)", frozenset({"WORKSPACE:DEPLOY"})),
    # Any token may ask about its own workspace; what it gets, and the rest, needs the user token or an admin's.
    ("GET", r"/v[01]/workspace|/v[01]/auth", ANY),
    ("GET", r"/v[01]/workspaces/\{workspace\}(/releases)?", ANY),
    ("POST|DELETE", r"/v[01]/workspaces(/\{workspace\})?", ANY),
    ("GET|POST|PUT|DELETE", r"/v[01]/(user|workspaces|organizations|environments|tags|variables).*", ADMIN),
]

#: Scopes that grant more than their own name says.
INCLUDES = {
    "DATASOURCES:CREATE": {"DATASOURCES:APPEND"},
    "WORKSPACE:READ_ALL": {"DATASOURCES:READ", "PIPES:READ"},
}


def expected(method, path):
    for methods, pattern, scopes in CONTRACT:
        if method in methods.split("|") and re.fullmatch(pattern, path):
            return scopes
    pytest.fail(f"{method} {path} is new: write down in CONTRACT which scopes its page asks for.")
    return None


ROUTES = [
    (method, route.path, route.needs)
    for route in load_routes()
    for method in sorted((route.methods or set()) - {"HEAD"})
]


def minted(api, *scopes):
    """Return the string of a new token."""
    parameters = [("name", f"scopes {next(_numbers)}"), *(("scope", scope) for scope in scopes)]
    reply = api.post("/v0/tokens", params=parameters)
    assert reply.status_code == 200, reply.text
    return reply.json()["token"]


def new_datasource(api):
    """Make a Data Source with the rows 1, 2 and one in quarantine."""
    name = f"sco_{next(_numbers)}"
    parameters = {"name": name, "format": "ndjson", "schema": "a Int32 `json:$.a`"}
    reply = api.post("/v0/datasources", params=parameters, data='{"a":1}\n{"a":2}\n{"a":"x"}\n')
    assert reply.status_code == 200, reply.text
    return name


@pytest.fixture(scope="module")
def own(api):
    return new_datasource(api)


@pytest.fixture(scope="module")
def by_scope(api, own):
    """One token for each scope, on the module's Data Source where it is about one."""
    found = {}
    for scope in GIVEN_SCOPES:
        if not scope.startswith("PIPES:") or scope not in RESOURCE_SCOPES:
            found[scope] = minted(api, f"{scope}:{own}" if scope in RESOURCE_SCOPES else scope)
    return found


class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path", "needs"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES]
    )
    def test_every_route(self, api, own, by_scope, method, path, needs):
        """It declares the scopes of its page, and refuses every token that has none of them, before anything else."""
        scopes = expected(method, path)
        assert (None if needs is None else set(needs)) == scopes
        if scopes is None:
            return
        url = re.sub(r"\{.*?\}", own, path)
        for token in (None, "nonsense", "p.e30.x", "e30.e30.x"):
            assert api.request(method, url, token=token).status_code == 403
        if scopes == ANY:
            return
        refused = {None: minted(api)}
        for scope, token in by_scope.items():
            if scope != "ADMIN" and not ({scope} | INCLUDES.get(scope, set())) & scopes:
                refused[scope] = token
        for scope, token in refused.items():
            reply = api.request(method, url, token=token)
            assert reply.status_code == 403, scope
            assert "not enough permissions" in reply.json()["error"], scope


def count(api, table):
    reply = api.sql(f"SELECT count() FROM {table}")
    return int(reply.text) if reply.status_code == 200 else None


def finished(api, reply):
    """Wait for the job of a reply."""
    job = reply.json().get("job_id") or reply.json().get("id")
    for _ in range(200):
        body = api.get(f"/v0/jobs/{job}").json()
        if body["status"] in ("done", "error"):
            return body["status"] == "done"
        time.sleep(0.05)
    return False


# Each does one thing with a token and says by the effect whether it was allowed.


def select(api, ds, token):
    return api.post("/v0/sql", data={"q": f"SELECT count() FROM {ds}"}, token=token).text == "2\n"


def select_quarantine(api, ds, token):
    return api.post("/v0/sql", data={"q": f"SELECT count() FROM {ds}_quarantine"}, token=token).text == "1\n"


def list_it(api, ds, token):
    return ds in [each["name"] for each in api.get("/v0/datasources", token=token).json().get("datasources", [])]


def show(api, ds, token):
    return api.get(f"/v0/datasources/{ds}", token=token).json().get("name") == ds


def show_datafile(api, ds, token):
    return "SCHEMA" in api.get(f"/v0/datasources/{ds}.datasource", token=token).text


def append(api, ds, token):
    api.post(
        "/v0/datasources", params={"name": ds, "mode": "append", "format": "ndjson"}, data='{"a":3}\n', token=token
    )
    return count(api, ds) == 3


def append_by_id(api, ds, token):
    identifier = api.get(f"/v0/datasources/{ds}").json()["id"]
    parameters = {"name": identifier, "mode": "append", "format": "ndjson"}
    api.post("/v0/datasources", params=parameters, data='{"a":3}\n', token=token)
    return count(api, ds) == 3


def append_v1(api, ds, token):
    parameters = {"format": "ndjson"}
    reply = api.post(f"/v1/datasources/{ds}/append", params=parameters, data='{"a":3}\n', token=token)
    return reply.status_code < 300 and finished(api, reply) and count(api, ds) == 3


def events(api, ds, token):
    api.post("/v0/events", params={"name": ds, "wait": "true"}, data='{"a":3}\n', token=token)
    return count(api, ds) == 3


def events_for_a_new_one(api, ds, token):
    name = f"{ds}_new"
    api.post("/v0/events", params={"name": name, "wait": "true"}, data='{"a":3}\n', token=token)
    return count(api, name) == 1


def create(api, ds, token):
    name = f"{ds}_new"
    api.post("/v0/datasources", params={"name": name, "schema": "a Int32"}, token=token)
    return count(api, name) == 0


def replace(api, ds, token):
    api.post(
        "/v0/datasources", params={"name": ds, "mode": "replace", "format": "ndjson"}, data='{"a":3}\n', token=token
    )
    return count(api, ds) == 1


def truncate(api, ds, token):
    api.post(f"/v0/datasources/{ds}/truncate", token=token)
    return count(api, ds) == 0


def delete_rows(api, ds, token):
    reply = api.post(f"/v0/datasources/{ds}/delete", data={"delete_condition": "a = 1"}, token=token)
    return reply.status_code < 300 and finished(api, reply) and count(api, ds) == 1


def alter(api, ds, token):
    schema = "a Int32 `json:$.a`, b Nullable(String) `json:$.b`"
    api.post(f"/v0/datasources/{ds}/alter", data={"schema": schema}, token=token)
    return api.sql(f"SELECT b FROM {ds}").status_code == 200


def rename(api, ds, token):
    api.request("PUT", f"/v0/datasources/{ds}", params={"name": f"{ds}_renamed"}, token=token)
    return count(api, f"{ds}_renamed") == 2


def drop(api, ds, token):
    api.request("DELETE", f"/v0/datasources/{ds}", token=token)
    return count(api, ds) is None


def analyze(api, ds, token):
    return "analysis" in api.post("/v0/analyze", params={"format": "csv"}, data="a\n1\n", token=token).json()


def list_tokens(api, ds, token):
    return bool(api.get("/v0/tokens", token=token).json().get("tokens"))


def service_datasource(api, ds, token):
    return api.post("/v0/sql", data={"q": "SELECT count() FROM tinybird.jobs_log"}, token=token).status_code == 200


def organization_datasource(api, ds, token):
    q = "SELECT count() FROM organization.datasources_ops_log"
    return api.post("/v0/sql", data={"q": q}, token=token).status_code == 200


READING = {"DATASOURCES:READ:own", "WORKSPACE:READ_ALL"}
APPENDING = {"DATASOURCES:APPEND:own", "DATASOURCES:CREATE"}
CREATING = {"DATASOURCES:CREATE"}

#: What each scope is for, by effect; ADMIN may do everything in its workspace.
OPERATIONS = {
    select: READING,
    select_quarantine: READING,
    list_it: READING,
    show: READING,
    show_datafile: READING,
    append: APPENDING,
    append_by_id: APPENDING,
    append_v1: APPENDING,
    events: APPENDING,
    events_for_a_new_one: CREATING,
    create: CREATING,
    replace: CREATING,
    truncate: CREATING,
    delete_rows: CREATING,
    alter: CREATING,
    rename: CREATING,
    drop: CREATING | {"DATASOURCES:DROP:own"},
    analyze: CREATING,
    list_tokens: {"TOKENS"},
    service_datasource: {"WORKSPACE:READ_ALL"},
    organization_datasource: {"ORG_DATASOURCES:READ"},
}

#: Operations after which the Data Source is as before.
HARMLESS = (select, select_quarantine, list_it, show, show_datafile, analyze, list_tokens)

TRIED = [
    *(scope for scope in GIVEN_SCOPES if scope not in RESOURCE_SCOPES),
    *(f"{scope}:{which}" for scope in RESOURCE_SCOPES if scope[0] == "D" for which in ("own", "other")),
]


class TestOperations:
    @pytest.mark.parametrize("operation", OPERATIONS, ids=[each.__name__ for each in OPERATIONS])
    def test_allowed_exactly_where_the_contract_says(self, api, operation):
        """Each scope, for this Data Source and for another one; what is refused has no effect."""
        other, ds = new_datasource(api), None
        allowed: set[str] = set()
        for scope in TRIED:
            ds = ds or new_datasource(api)
            token = minted(api, scope.replace(":own", f":{ds}").replace(":other", f":{other}"))
            if operation(api, ds, token):
                allowed.add(scope)
                ds = ds if operation in HARMLESS else None
            else:
                assert count(api, ds) == 2, scope
        # The organization is more than the workspace: the administrator of a workspace is not its administrator.
        assert allowed == OPERATIONS[operation] | (set() if operation is organization_datasource else {"ADMIN"})

    def test_a_person_administrates_the_organization(self, api, own, tokens):
        """With both of the tokens that belong to one."""
        for name in ("admin_token", "user_token"):
            assert organization_datasource(api, own, tokens[name])
            assert select(api, own, tokens[name])

    def test_a_token_without_scopes(self, api, own):
        """May do nothing but ask who it is."""
        token = minted(api)
        assert api.get("/v0/workspace", token=token).status_code == 200
        assert api.post("/v0/sql", data={"q": "SELECT 1"}, token=token).text == "1\n"
        for operation in HARMLESS:
            assert not operation(api, own, token)


class TestNames:
    def test_scopes_follow_a_rename(self, api):
        """And do not stay with the name."""
        ds = new_datasource(api)
        token = minted(api, f"DATASOURCES:READ:{ds}")
        assert rename(api, ds, api.token)
        assert select(api, f"{ds}_renamed", token)
        parameters = {"name": ds, "format": "ndjson", "schema": "a Int32 `json:$.a`"}
        api.post("/v0/datasources", params=parameters, data='{"a":1}\n{"a":2}\n')
        assert count(api, ds) == 2
        assert not select(api, ds, token)
        assert [each["name"] for each in api.get("/v0/datasources", token=token).json()["datasources"]] == [
            f"{ds}_renamed"
        ]


@pytest.fixture(scope="module")
def places(api):
    """Visits in two countries. The column *big* is what the filter reads, *small* what must not become known.

    It is over 10 MB, so that the engine keeps each column in a file and prefers to read the small ones first.
    """
    schema = "country String `json:$.country`, n Int32 `json:$.n`, small String `json:$.small`, big String `json:$.big`"
    lines = [
        {"country": "ES", "n": n, "small": "1", "big": "ok" + "x" * 600}
        if n % 2
        else {"country": "FR", "n": n, "small": f"hidden{n}", "big": "no" + "y" * 600}
        for n in range(20_000)
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    parameters = {"name": "sco_places", "format": "ndjson", "schema": schema, "engine_sorting_key": "n"}
    reply = api.post("/v0/datasources", params=parameters, files={"ndjson": ("f.ndjson", body)})
    assert reply.status_code == 200, reply.text
    return "sco_places"


def asked(api, q, token):
    reply = api.post("/v0/sql", data={"q": q}, token=token)
    return reply.text.strip() if reply.status_code == 200 else f"{reply.status_code} {reply.json()['error']}"


@pytest.fixture(scope="module", params=["static", "jwt", "two scopes"])
def filtered_token(request, api, places):
    if request.param == "static":
        return minted(api, f"DATASOURCES:READ:{places}:country = 'ES'")
    if request.param == "two scopes":
        return minted(api, *(f"DATASOURCES:READ:{places}:country = 'ES' AND n % 4 = {rest}" for rest in (1, 3)))
    claims = {
        "workspace_id": api.get("/v0/workspace").json()["id"],
        "name": "filtered",
        "exp": int(time.time()) + 600,
        "scopes": [{"type": "DATASOURCES:READ", "resource": places, "filter": "country = 'ES' -- all there is"}],
    }
    return jwt.sign(claims, api.token)


class TestRowFilters:
    """``DATASOURCES:READ`` with a filter: the rows are filtered wherever the Data Source is read."""

    QUERIES = {
        "SELECT count() FROM sco_places": "10000",
        "SELECT DISTINCT country FROM sco_places": "ES",
        "SELECT min(n), max(n), count() FROM sco_places": "1\t19999\t10000",
        "SELECT sum(n % 2) FROM sco_places AS p": "10000",
        "SELECT count() FROM sco_places WHERE country = 'FR'": "0",
        "SELECT count() FROM sco_places WHERE country = 'FR' OR 1": "10000",
        "WITH 'ES' AS country SELECT DISTINCT sco_places.country FROM sco_places": "ES",
        "SELECT DISTINCT 'ES' AS country, n % 2 FROM sco_places": "ES\t1",
        "WITH x AS (SELECT * FROM sco_places) SELECT count() FROM x": "10000",
        "SELECT count() FROM (SELECT 4 AS n) AS a JOIN sco_places AS b ON a.n = b.n": "0",
        "SELECT count() FROM sco_places AS a JOIN sco_places AS b ON a.n = b.n": "10000",
        "SELECT count() FROM numbers(20000) WHERE number IN (SELECT n FROM sco_places)": "10000",
        "SELECT count() FROM (SELECT n FROM sco_places UNION ALL SELECT n FROM sco_places)": "20000",
        "SELECT (SELECT count() FROM sco_places)": "10000",
        "SELECT count() FROM sco_places ARRAY JOIN [1, 2] AS z": "20000",
        "SELECT count() FROM merge('sco_places')": None,
        "SELECT count() FROM sco_places SETTINGS additional_table_filters = {}": None,
        "SELECT count() FROM sco_places SETTINGS additional_table_filters = {'sco_places': '1'}": None,
    }

    @pytest.mark.parametrize("q", QUERIES)
    def test_queries(self, api, filtered_token, q):
        """None gives a row of the other country; the administrator sees all of them."""
        expected = self.QUERIES[q]
        answer = asked(api, q, filtered_token)
        assert answer == expected if expected is not None else answer.split()[0] in ("400", "403", "10000")
        assert asked(api, "SELECT count() FROM sco_places", api.token) == "20000"

    def test_the_quarantine_is_closed(self, api, filtered_token, places):
        """No filter can apply there."""
        assert asked(api, f"SELECT count() FROM {places}_quarantine", filtered_token).startswith("403")

    def test_colons_and_quotes(self, api, places):
        """The filter is everything after the third colon."""
        token = minted(
            api, f"DATASOURCES:READ:{places}:concat(country, ':', toString(n)) = 'FR:4' OR country = 'a''b:\\\\'"
        )
        assert asked(api, f"SELECT groupArray(n) FROM {places}", token) == "[4]"

    def test_a_wider_scope_wins(self, api, places):
        """With one that has no filter, or for the whole workspace, all rows are there."""
        for more in (f"DATASOURCES:READ:{places}", "WORKSPACE:READ_ALL"):
            token = minted(api, f"DATASOURCES:READ:{places}:country = 'ES'", more)
            assert asked(api, f"SELECT count() FROM {places}", token) == "20000"

    def test_a_column_that_goes(self, api):
        """The filter then refuses, with a sentence, and shows nothing."""
        ds = new_datasource(api)
        reply = api.post(
            f"/v0/datasources/{ds}/alter", data={"schema": "a Int32 `json:$.a`, b Int32 `json:$.b` DEFAULT 1"}
        )
        assert reply.status_code == 200, reply.text
        token = minted(api, f"DATASOURCES:READ:{ds}:b = 1")
        assert asked(api, f"SELECT count() FROM {ds}", token) == "2"
        api.post(f"/v0/datasources/{ds}/alter", data={"schema": "a Int32 `json:$.a`"})
        gone = asked(api, f"SELECT b FROM {ds} LIMIT 1", api.token) != "1"
        assert asked(api, f"SELECT count() FROM {ds}", token)[:2] == ("40" if gone else "2")

    @pytest.mark.parametrize(
        "q",
        [
            "SELECT count() FROM sco_places PREWHERE toUInt32(small) > 0",
            "SELECT count() FROM sco_places PREWHERE throwIf(country = 'FR') = 0",
            "SELECT count() FROM (SELECT * FROM sco_places PREWHERE toUInt32(small) > 0)",
            "SELECT count() FROM sco_places WHERE toUInt32(small) > 0",
            "SELECT count() FROM sco_places WHERE throwIf(n = 4) = 0",
            "SELECT count() FROM sco_places WHERE CAST(small AS UInt8) = 1 AND n > 4",
            "SELECT count() FROM (SELECT * FROM sco_places WHERE n > 0) WHERE toUInt32(small) = 1",
            "SELECT count() FROM sco_places AS a JOIN (SELECT '1' AS q) AS b ON toUInt32(a.small) = toUInt32(b.q)",
            "SELECT count() FROM sco_places SEMI JOIN (SELECT 1 AS q) AS b ON toUInt32(sco_places.small) = b.q",
            "SELECT count() FROM sco_places WHERE toUInt32(small) IN (SELECT 1)",
            "SELECT sum(toUInt32(small)) FROM sco_places GROUP BY country",
            "SELECT n FROM sco_places WHERE n > 0 ORDER BY toUInt32(small) LIMIT 1",
            "SELECT count() FROM sco_places AS a, sco_places AS b WHERE a.n = b.n AND toUInt32(a.small) = 1",
        ],
    )
    def test_errors_do_not_tell_about_hidden_rows(self, api, places, q):
        """No expression is evaluated on a row that the token may not read: its error would quote the row."""
        token = minted(api, f"DATASOURCES:READ:{places}:big NOT LIKE 'no%'")
        answer = asked(api, q, token)
        assert "hidden" not in answer
        if "PREWHERE" in q:
            assert answer.startswith("400")
            assert "PREWHERE" in answer
        else:
            assert int(answer) > 0


@pytest.fixture(scope="module")
def hidden_rows_token(api):
    """A token that may read one of the two rows of ``sco_hidden``."""
    name = "sco_hidden"
    parameters = {"name": name, "schema": "owner String, n Int32", "engine_sorting_key": "n"}
    assert api.post("/v0/datasources", params=parameters).status_code == 200
    rows = "me,1\nyou,31337\n"
    assert api.post("/v0/datasources", params={"name": name, "mode": "append"}, data=rows).status_code == 200
    return minted(api, f"DATASOURCES:READ:{name}:owner = 'me'")


class TestWhatAFilterHides:
    """A token for some rows does not learn how many others there are, or what is in them."""

    def test_how_much_was_read(self, api, hidden_rows_token):
        """It would tell whether a value is in a hidden row, because the sorting key prunes."""
        for n in (31337, 31338):
            data = {"q": f"SELECT count() FROM sco_hidden WHERE n >= {n} FORMAT JSON"}
            reply = api.post("/v0/sql", data=data, token=hidden_rows_token)
            assert reply.json()["data"] == [{"count()": 0}]
            assert "statistics" not in reply.json()
            assert '"read_rows":"1"' in reply.headers["X-ClickHouse-Summary"]

    @pytest.mark.parametrize("column", ["_part", "_part_offset", "_partition_id"])
    def test_where_rows_lie(self, api, hidden_rows_token, column):
        """Gaps would tell."""
        assert (
            api.post("/v0/sql", data={"q": f"SELECT {column} FROM sco_hidden"}, token=hidden_rows_token).status_code
            == 400
        )

    def test_how_many_there_are(self, api, hidden_rows_token):
        """The description has no counts; the administrator's has."""
        for path in ("/v0/datasources/sco_hidden", "/v0/datasources"):
            found = api.get(path, token=hidden_rows_token).json()
            found = found["datasources"][0] if "datasources" in found else found
            assert (found["name"], found["statistics"], found["quarantine_rows"]) == ("sco_hidden", None, None)
        assert api.get("/v0/datasources/sco_hidden").json()["statistics"]["row_count"] == 2
