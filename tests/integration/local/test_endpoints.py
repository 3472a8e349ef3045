"""Calling endpoints: extensions, parameters, ``q`` over ``_``, errors, and Pipes that read each other."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pyarrow.parquet
import pytest

PAGE = "https://docs.tinybird.co/api-reference/pipe-api.html"

ROWS = [
    {"id": 1, "name": "a,b", "big": 9007199254740993, "ratio": 0.5, "tags": ["x", "y"]},
    {"id": 2, "name": 'say "hi"\nand é', "big": -1, "ratio": 2.25, "tags": []},
    {"id": 3, "name": "", "big": 0, "ratio": -1.0, "tags": ["z"]},
]


def make(api, name, *nodes, publish=True):
    """Make a Pipe from the SQL of its nodes, (name, SQL) each; the last one is published."""
    body = {
        "name": name,
        "nodes": [
            {"name": node, "sql": sql, "type": "endpoint" if publish and number == len(nodes) else "standard"}
            for number, (node, sql) in enumerate(nodes, 1)
        ],
    }
    reply = api.post("/v0/pipes", params={"force": "true"}, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def data(reply):
    """Return the rows of a reply in JSON."""
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


@pytest.fixture(scope="module", autouse=True)
def pipes(api):
    """Make the Data Source and the Pipes of this module."""
    schema = (
        "id Int32 `json:$.id`, name String `json:$.name`, big Int64 `json:$.big`, ratio Float64 `json:$.ratio`, "
        "tags Array(String) `json:$.tags[:]`"
    )
    body = "\n".join(map(json.dumps, ROWS))
    reply = api.post("/v0/datasources", params={"name": "ep_rows", "format": "ndjson", "schema": schema}, data=body)
    assert reply.status_code == 200, reply.text
    return {
        "all": make(api, "ep_all", ("endpoint", "SELECT * FROM ep_rows ORDER BY id")),
        "typed": make(
            api,
            "ep_typed",
            (
                "endpoint",
                (
                    "%\nSELECT {{Int32(n, 1)}} AS n, {{String(s, 'd')}} AS s, {{Array(l, 'Int32', '1')}} AS l, "
                    "{{Boolean(b, True)}} AS b, {{defined(s)}} AS given"
                ),
            ),
        ),
        "chain": make(
            api,
            "ep_chain",
            ("first", "%\nSELECT * FROM ep_rows WHERE id >= {{Int32(low, 0)}}"),
            ("second", "SELECT id, ratio * 2 AS twice FROM first"),
            ("third", "%\nSELECT id, twice FROM second WHERE id <= {{Int32(high, 100)}} ORDER BY id"),
        ),
        "reader": make(
            api, "ep_reader", ("endpoint", "%\nSELECT sum(twice) AS total, {{String(who, 'me')}} AS who FROM ep_chain")
        ),
        "metrics": make(
            api,
            "ep_metrics",
            (
                "endpoint",
                (
                    "SELECT 'rows' AS name, id AS value, 'How many' AS help, 'gauge' AS type, map('id', toString(id)) "
                    "AS labels FROM ep_rows ORDER BY id"
                ),
            ),
        ),
        "unpublished": make(api, "ep_unpublished", ("node", "SELECT 1 AS a"), publish=False),
    }


class TestExtensions:
    def test_json(self, api):
        """The object of the Query API; numbers of 64 bits have no quotes."""
        reply = api.get("/v0/pipes/ep_all.json")
        assert reply.headers["content-type"] == "application/json; charset=UTF-8"
        found = reply.json()
        assert found["data"] == ROWS
        assert found["meta"][0] == {"name": "id", "type": "Int32"}
        assert (found["rows"], found["statistics"]["rows_read"]) == (3, 3)
        assert json.loads(reply.headers["x-clickhouse-summary"])["read_rows"] == "3"

    @pytest.mark.parametrize("extension", ["csv", "csvwithnames"])
    def test_csv(self, api, extension):
        """Both have a header; quotes, commas and line ends come back."""
        reply = api.get(f"/v0/pipes/ep_all.{extension}")
        assert reply.headers["content-type"] == "text/csv; charset=UTF-8; header=present"
        found = list(csv.DictReader(io.StringIO(reply.content.decode(), newline="")))
        assert [row["name"] for row in found] == [row["name"] for row in ROWS]
        assert [int(row["big"]) for row in found] == [row["big"] for row in ROWS]

    def test_csv_without_header(self, api):
        """``__tb__csv_header`` takes it off."""
        reply = api.get("/v0/pipes/ep_all.csv", params={"__tb__csv_header": "false"})
        assert reply.headers["content-type"].endswith("header=absent")
        assert next(csv.reader(io.StringIO(reply.text)))[0] == "1"

    def test_ndjson(self, api):
        """One object on each line."""
        reply = api.get("/v0/pipes/ep_all.ndjson")
        assert reply.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in reply.text.splitlines()] == ROWS

    def test_parquet(self, api):
        """A file that pyarrow reads; strings are binary unless they are asked for."""
        reply = api.get("/v0/pipes/ep_all.parquet")
        assert reply.headers["content-type"] == "application/octet-stream"
        table = pyarrow.parquet.read_table(io.BytesIO(reply.content))
        assert table.column("big").to_pylist() == [row["big"] for row in ROWS]
        assert table.column("name").to_pylist() == [row["name"].encode() for row in ROWS]
        reply = api.get("/v0/pipes/ep_all.parquet", params={"output_format_parquet_string_as_string": "1"})
        table = pyarrow.parquet.read_table(io.BytesIO(reply.content))
        assert table.column("name").to_pylist() == [row["name"] for row in ROWS]

    def test_prometheus(self, api):
        """The text that scrapers read."""
        reply = api.get("/v0/pipes/ep_metrics.prometheus")
        assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=UTF-8"
        lines = [line for line in reply.text.splitlines() if line]
        assert lines == [
            "# HELP rows How many",
            "# TYPE rows gauge",
            *(f'rows{{id="{number}"}} {number}' for number in (1, 2, 3)),
        ]

    def test_prometheus_needs_its_columns(self, api):
        """Without ``name`` and ``value`` it is an error that says so."""
        reply = api.get("/v0/pipes/ep_all.prometheus")
        assert reply.status_code == 400
        assert "output format 'Prometheus'" in reply.json()["error"]
        assert reply.json()["error"].count("BAD_ARGUMENTS") == 1

    @pytest.mark.parametrize("extension", ["xml", "tsv", "JSONEachRow", "jso"])
    def test_others_are_a_400(self, api, extension):
        """The sentence lists what there is."""
        reply = api.get(f"/v0/pipes/ep_all.{extension}")
        assert reply.status_code == 400
        assert reply.json()["error"] == (
            f"An endpoint has no extension '.{extension}'; it can be called with "
            ".json, .csv, .csvwithnames, .ndjson, .parquet, .prometheus."
        )

    def test_datafile_is_no_call(self, api):
        """``.pipe`` is the text of the Pipe."""
        assert "SELECT * FROM ep_rows" in api.get("/v0/pipes/ep_all.pipe").text

    def test_by_id_and_by_post(self, api, pipes):
        """The id does as well as the name, and POST as well as GET."""
        assert data(api.get(f"/v0/pipes/{pipes['all']['id']}.json")) == ROWS
        assert data(api.post("/v0/pipes/ep_all.json")) == ROWS
        assert data(api.post("/v0/pipes/ep_all.json/")) == ROWS

    def test_gzip(self, api):
        """Long replies are compressed for clients that take it."""
        make(api, "ep_long", ("endpoint", "SELECT number FROM numbers(5000)"))
        plain = api.get("/v0/pipes/ep_long.csv", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        packed = api.get("/v0/pipes/ep_long.csv", headers={"Accept-Encoding": "gzip"}, stream=True)
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.raw.read()) == plain.content

    def test_output_settings(self, api):
        """The request may have large numbers quoted."""
        reply = api.get("/v0/pipes/ep_all.json", params={"output_format_json_quote_64bit_integers": "1"})
        assert data(reply)[0]["big"] == "9007199254740993"
        reply = api.get("/v0/pipes/ep_all.json", params={"output_format_json_quote_64bit_integers": "maybe"})
        assert reply.status_code == 400


class TestParameters:
    DEFAULTS = {"n": 1, "s": "d", "l": [1], "b": 1, "given": 0}

    @pytest.mark.parametrize(
        "arguments",
        [
            {"params": {"n": "5", "s": "it's", "l": "1,2", "b": "false"}},
            {"data": {"n": "5", "s": "it's", "l": "1,2", "b": "false"}},
            {"data": [("n", "5"), ("s", "it's"), ("l", "1"), ("l", "2"), ("b", "0")]},
            {"params": [("n", "5"), ("s", "it's"), ("l", "1"), ("l", "2"), ("b", "0")]},
            {"json": {"n": 5, "s": "it's", "l": [1, 2], "b": False}},
            {"json": {"n": "5", "s": "it's", "l": "1,2", "b": "false"}},
            {"params": {"n": "9", "s": "it's"}, "data": {"n": "5", "l": "1,2", "b": ""}},
            {"files": {name: (None, value) for name, value in [("n", "5"), ("s", "it's"), ("l", "1,2"), ("b", "0")]}},
        ],
        ids=["url", "form", "form-list", "url-list", "json", "json-text", "both", "multipart"],
    )
    def test_every_place(self, api, arguments):
        """Parameters come by URL, form and JSON; a list as text with commas, repeated, or as a JSON list."""
        expected = {"n": 5, "s": "it's", "l": [1, 2], "b": 0, "given": 1}
        found = data(api.post("/v0/pipes/ep_typed.json", **arguments))
        assert [{**row, "given": int(row["given"] in (1, True, "True"))} for row in found] == [expected]

    def test_defaults_and_unknown_names(self, api):
        """What is missing has its default; what no template knows is ignored, as is what clients say of themselves."""
        strange = {"from": "ui", "cli_version": "5", "__tb__semver": "1.0", "tag": "t", "playground": "p", "x": "y"}
        found = data(api.get("/v0/pipes/ep_typed.json", params=strange))[0]
        assert (found["n"], found["s"], found["l"], found["b"]) == (1, "d", [1], 1)

    @pytest.mark.parametrize("value", ["'; DROP TABLE ep_rows; --", "\\", "{{x}}", "é😀", "a\nb", "\x01", "' OR 1=1"])
    def test_hostile_values_come_back_equal(self, api, value):
        """No value gets out of its quotes."""
        assert data(api.post("/v0/pipes/ep_typed.json", data={"s": value}))[0]["s"] == value
        assert data(api.get("/v0/pipes/ep_typed.json", params={"s": value}))[0]["s"] == value
        assert len(data(api.get("/v0/pipes/ep_all.json"))) == 3

    def test_a_long_form(self, api):
        """Parameters that no URL could hold go into a form."""
        assert data(api.post("/v0/pipes/ep_typed.json", data={"s": "x" * 12_000}))[0]["s"] == "x" * 12_000

    @pytest.mark.parametrize("body", ["[]", "{", '{"q": 5}'])
    def test_wrong_json(self, api, body):
        """A body that says JSON and is none, or has no text in q, is refused."""
        reply = api.post("/v0/pipes/ep_typed.json", data=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == 400
        assert reply.json()["error"]


class TestNodes:
    def test_nodes_read_nodes(self, api):
        """Each node sees the parameters, whoever reads it."""
        assert data(api.get("/v0/pipes/ep_chain.json")) == [
            {"id": 1, "twice": 1},
            {"id": 2, "twice": 4.5},
            {"id": 3, "twice": -2},
        ]
        assert data(api.get("/v0/pipes/ep_chain.json?low=2&high=2")) == [{"id": 2, "twice": 4.5}]

    def test_pipes_read_pipes(self, api):
        """Parameters pass through to the Pipe that is read."""
        assert data(api.get("/v0/pipes/ep_reader.json")) == [{"total": 3.5, "who": "me"}]
        assert data(api.get("/v0/pipes/ep_reader.json?low=2&who=you")) == [{"total": 2.5, "who": "you"}]

    @pytest.mark.parametrize(
        "ending", [" -- why", " /* why */", ";", " ; -- why", "\n# why", " FORMAT CSV", " FORMAT CSV -- why"]
    )
    def test_endings(self, api, ending):
        """Comments, semicolons and a FORMAT at the end of a node do no harm to what is around it."""
        outer = f"%\nSELECT a + {{{{Int8(n, 1)}}}} AS b FROM inner{ending}"
        make(api, "ep_ending", ("inner", f"SELECT 1 AS a{ending}"), ("outer", outer))
        assert data(api.get("/v0/pipes/ep_ending.json")) == [{"b": 2}]
        parameters = {"q": f"SELECT b FROM _{ending}", "n": "2"}
        assert data(api.get("/v0/pipes/ep_ending.json", params=parameters)) == [{"b": 3}]
        assert api.get("/v0/pipes/ep_ending/explain").status_code == 200
        assert api.sql(f"SELECT b FROM ep_ending{ending}").text.strip() == "2"

    def test_rows_that_come_are_seen(self, api):
        """An endpoint reads what is there when it is called."""
        schema = {"name": "ep_live", "format": "ndjson", "schema": "a Int32 `json:$.a`"}
        assert api.post("/v0/datasources", params=schema).status_code == 200
        make(api, "ep_of_live", ("endpoint", "SELECT count() AS c FROM ep_live"))
        assert data(api.get("/v0/pipes/ep_of_live.json")) == [{"c": 0}]
        api.post("/v0/events", params={"name": "ep_live", "wait": "true"}, data='{"a": 1}\n')
        assert data(api.get("/v0/pipes/ep_of_live.json")) == [{"c": 1}]

    def test_a_changed_pipe_answers_differently(self, api):
        """Nothing of the old text is remembered."""
        for number in range(3):
            make(api, "ep_changing", ("endpoint", f"SELECT {number} AS n"))
            assert data(api.get("/v0/pipes/ep_changing.json")) == [{"n": number}]
        assert api.request("DELETE", "/v0/pipes/ep_changing").status_code == 204
        assert api.get("/v0/pipes/ep_changing.json").status_code == 404


class TestQ:
    @pytest.mark.parametrize("table", ["_", "ep_chain"])
    @pytest.mark.parametrize("ending", ["", " FORMAT CSV", " FORMAT Pretty", ";"])
    def test_over_the_result(self, api, table, ending):
        """``_`` is the result, as is the Pipe's own name; the extension rules the format; parameters hold inside."""
        q = f"SELECT count() AS c, max({table}.twice) AS m FROM {table}{ending}"
        reply = api.get("/v0/pipes/ep_chain.json", params={"q": q, "high": "2"})
        assert data(reply) == [{"c": 2, "m": 4.5}]

    def test_by_form_with_parameters_of_its_own(self, api):
        """``q`` may be a template."""
        form = {"q": "%\nSELECT id FROM _ WHERE twice > {{Float32(least)}} ORDER BY id", "least": "0.9"}
        assert data(api.post("/v0/pipes/ep_chain.json", data=form)) == [{"id": 1}, {"id": 2}]

    def test_beside_other_tables(self, api):
        """It may read what the token may read."""
        q = "SELECT name FROM _ AS e JOIN ep_rows AS r ON e.id = r.id WHERE r.id = 1"
        assert data(api.get("/v0/pipes/ep_chain.json", params={"q": q})) == [{"name": "a,b"}]

    def test_empty_means_none(self, api):
        """Clients send an empty ``q``."""
        assert data(api.get("/v0/pipes/ep_all.json?q=")) == ROWS

    @pytest.mark.parametrize(
        ("q", "status", "text"),
        [
            ("DROP TABLE ep_rows", 400, "DB::Exception: Only SELECT or DESCRIBE queries are supported. Got: DropQuery"),
            ("SELECT 1; SELECT 2", 400, "Multi-statements are not allowed"),
            ("SELECT * FROM ghost", 403, "Resource 'ghost' not found"),
            ("SELECT * FROM file('/etc/passwd')", 400, "restricted"),
            ("SELECT nope FROM _", 400, "(UNKNOWN_IDENTIFIER)"),
            ("SELECT * FROM first", 403, "Resource 'first' not found"),
        ],
    )
    def test_gate_holds(self, api, q, status, text):
        """What ``/v0/sql`` refuses is refused here; inner nodes are no names outside of their Pipe."""
        reply = api.get("/v0/pipes/ep_chain.json", params={"q": q})
        assert (reply.status_code, text in reply.json()["error"]) == (status, True), reply.text

    def test_sql_reads_pipes(self, api):
        """``/v0/sql`` reads a Pipe by name, and as ``_`` with ``pipeline``."""
        assert api.sql("SELECT total FROM ep_reader", low="3").text == "-2\n"
        assert api.sql("SELECT total FROM _", pipeline="ep_reader", low="3").text == "-2\n"


class TestErrors:
    def test_unknown(self, api):
        """The text that clients match on."""
        reply = api.get("/v0/pipes/ep_ghost.json")
        assert reply.status_code == 404
        assert reply.json() == {"error": "The pipe 'ep_ghost' does not exist", "documentation": PAGE}

    def test_not_published(self, api, pipes):
        """There is a Pipe, and nothing to call; publishing changes that, and back."""
        path = f"/v0/pipes/ep_unpublished/nodes/{pipes['unpublished']['nodes'][0]['id']}/endpoint"
        reply = api.get("/v0/pipes/ep_unpublished.json")
        assert reply.status_code == 404
        assert "'ep_unpublished' does not have an endpoint yet" in reply.json()["error"]
        assert api.post(path).status_code == 200
        assert data(api.get("/v0/pipes/ep_unpublished.json")) == [{"a": 1}]
        assert api.request("DELETE", path).status_code == 200
        assert api.get("/v0/pipes/ep_unpublished.json").status_code == 404

    @pytest.mark.parametrize(
        ("sql", "parameters", "text"),
        [
            (
                "SELECT {{Int32(a)}} AS x, {{String(b)}} AS y, {{String(c, 'd')}} AS z",
                {"a": "1"},
                (
                    "Template Syntax Error: Required parameter is not defined. Check the parameters a and b. "
                    "Please provide a value or set a default value in the pipe code."
                ),
            ),
            (
                "SELECT {{Int32(a, 1)}} AS x",
                {"a": "one"},
                "Template Syntax Error: Error validating 'one' to type Int32",
            ),
            ("SELECT {{Int32(a, 1)}} AS x", {"a": ""}, "Template Syntax Error: Error validating '' to type Int32"),
            ("{% if defined(a) %}{{error('no a, please')}}{% end %} SELECT 1 AS x", {"a": "1"}, "no a, please"),
        ],
        ids=["missing", "bad value", "empty", "error()"],
    )
    def test_templates(self, api, sql, parameters, text):
        """Errors of templates are a 400 with the service's text."""
        make(api, "ep_failing", ("endpoint", f"%\n{sql}"))
        reply = api.get("/v0/pipes/ep_failing.json", params=parameters)
        assert (reply.status_code, reply.json()["error"]) == (400, text)

    @pytest.mark.parametrize(
        ("call", "status", "body"),
        [
            ("{'reason': 'gone', 'n': 1}, 410", 410, {"reason": "gone", "n": 1}),
            ("{'error': 'custom'}", 400, {"error": "custom"}),
            ("'just text', 422", 422, {"error": "just text"}),
            ("{'error': 'no'}, 200", 400, {"error": "no"}),
        ],
    )
    def test_custom_error(self, api, call, status, body):
        """The template gives body and status."""
        sql = f"%\n{{% if defined(a) %}}{{{{custom_error({call})}}}}{{% end %}} SELECT 1 AS x"
        make(api, "ep_custom", ("endpoint", sql))
        reply = api.get("/v0/pipes/ep_custom.json?a=1")
        assert (reply.status_code, reply.json()) == (status, body)
        assert data(api.get("/v0/pipes/ep_custom.json")) == [{"x": 1}]

    def test_sql(self, api):
        """Errors of the engine are a 400 with its words and the page of Pipes, without the workspace's database."""
        make(api, "ep_casting", ("endpoint", "%\nSELECT toUInt32({{String(a, '1')}}) AS x, count() AS c FROM ep_rows"))
        reply = api.get("/v0/pipes/ep_casting.json?a=x")
        assert reply.status_code == 400
        found = reply.json()
        assert found["error"].startswith("[Error] ")
        assert found["error"].endswith("(CANNOT_PARSE_TEXT)")
        assert "w_" not in found["error"]
        assert found["documentation"] == PAGE

    def test_template_that_makes_wrong_sql(self, api):
        """A column that the request names and that is not there."""
        make(api, "ep_column", ("endpoint", "%\nSELECT {{column(c, 'id')}} AS x FROM ep_rows ORDER BY x"))
        assert data(api.get("/v0/pipes/ep_column.json?c=big"))[0] == {"x": -1}
        reply = api.get("/v0/pipes/ep_column.json?c=nope")
        assert (reply.status_code, "(UNKNOWN_IDENTIFIER)" in reply.json()["error"]) == (400, True)

    def test_table_parameter_cannot_leave_the_workspace(self, api):
        """``table()`` writes a name without quotes; what it names is checked afterwards."""
        make(api, "ep_table", ("endpoint", "%\nSELECT count() AS c FROM {{table(t)}}"))
        assert data(api.get("/v0/pipes/ep_table.json?t=ep_rows")) == [{"c": 3}]
        refused = {"system.tables": 403, "file('/etc/passwd')": 400, "ghost": 403, "ep_rows; DROP": 400}
        for name, status in refused.items():
            assert api.get("/v0/pipes/ep_table.json", params={"t": name}).status_code == status, name

    def test_method(self, api):
        """Others than GET and POST are not there."""
        assert api.request("PUT", "/v0/pipes/ep_all.json").status_code == 404
