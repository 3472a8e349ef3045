"""The client of endpoints: calls in every format, frames, files, parameters of every type, and what goes wrong."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import itertools
import json
import uuid
import warnings
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

import tinymagic
from tinymagic import errors
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.links import TokenInLink

_numbers = itertools.count()

#: A column of each family, with what is easily lost: NULL, NaN, large integers, many digits, nested types.
TYPES_SQL = """
SELECT number AS id, toInt64(9007199254740993) AS big, toUInt256('1') AS huge, toDecimal64('1.10', 2) AS price,
  if(number = 1, NULL, toInt8(number)) AS small, if(number = 1, nan, 0.5) AS part, toDate('2024-02-29') AS day,
  toDateTime('2024-01-02 03:04:05', 'Europe/Madrid') AS moment, toDateTime64('2024-01-02 03:04:05.678901', 6) AS exact,
  [toString(number), ''] AS texts, map('a', number) AS pairs, (number, 'x') AS pair,
  toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS uuid, toIPv4('1.2.3.4') AS ip, number = 1 AS flag,
  CAST('a', 'Enum8(\\'a\\' = 1)') AS choice, 'it\\'s "quoted"\\n' AS text, toFixedString('ab', 2) AS fixed,
  toLowCardinality('low') AS low
FROM numbers(3)
"""


def new(kind="pipe"):
    """A name that no other test has."""
    return f"apiendpoints_{kind}_{next(_numbers)}"


@pytest.fixture
def pipes(workspace):
    return workspace.pipes


@pytest.fixture
def endpoint(pipes):
    """Publish SQL; returns the name of the Pipe."""

    def made(sql):
        return pipes.create(new(), {"name": "only", "sql": sql, "type": "endpoint"}).name

    return made


@pytest.fixture
def reader(server, api):
    """A Workspace whose token may read one Pipe only."""

    def made(pipe):
        reply = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{pipe}"})
        return tinymagic.connect(token=reply.json()["token"], host=server.host)

    return made


class TestFrames:
    @pytest.mark.parametrize("form", ["auto", "json", "parquet"])
    def test_the_frame_is_that_of_the_query(self, workspace, pipes, endpoint, form):
        """Types, values and dtypes are those of the Query API, whatever the wire."""
        name = endpoint(TYPES_SQL)
        frame = pipes.data(name, format=form)
        wanted = workspace.sql(TYPES_SQL)
        pd.testing.assert_frame_equal(frame, wanted)
        assert frame.attrs["tinybird"]["columns"] == wanted.attrs["tinybird"]["columns"]
        assert frame.big[0] == 9007199254740993

    def test_attributes(self, pipes, endpoint, server):
        name = endpoint("%\nSELECT number AS n FROM numbers({{Int32(m, 3)}})")
        facts = pipes.data(name, params={"m": 2}).attrs["tinybird"]
        assert facts["pipe"] == name
        assert facts["parameters"] == {"m": "2"}
        assert facts["rows"] == 2
        assert facts["columns"] == [["n", "UInt64"]]
        assert facts["statistics"]["rows_read"] == 2
        assert facts["host"] == server.host
        assert facts["request_id"]
        assert (facts["truncated"], facts["limit"], facts["sql"]) == (False, None, "")
        json.dumps(facts)

    @pytest.mark.parametrize("form", ["json", "parquet"])
    def test_limit(self, pipes, endpoint, form):
        name = endpoint("SELECT number AS n FROM numbers(10)")
        cut = pipes.data(name, limit=3, format=form)
        assert cut.n.tolist() == [0, 1, 2]
        assert cut.attrs["tinybird"]["truncated"] is True
        whole = pipes.data(name, limit=10, format=form)
        assert len(whole) == 10
        assert whole.attrs["tinybird"]["truncated"] is False
        assert pipes.data(name, limit=0, format=form).columns.tolist() == ["n"]

    @pytest.mark.parametrize("form", ["json", "parquet"])
    def test_q(self, pipes, endpoint, form):
        name = endpoint("%\nSELECT number AS n FROM numbers({{Int32(m, 10)}})")
        frame = pipes.data(name, params={"m": 4}, q="SELECT sum(n) AS total FROM _ -- done", format=form)
        assert frame.total.tolist() == [6]
        assert str(frame.total.dtype) == "uint64"
        assert pipes.data(name, q="SELECT n FROM _ WHERE n > 7 FORMAT CSV;", limit=1, format=form).n.tolist() == [8]

    @pytest.mark.parametrize("form", ["json", "parquet"])
    def test_no_rows(self, pipes, endpoint, form):
        frame = pipes.data(endpoint(f"SELECT * FROM ({TYPES_SQL}) WHERE id > 5"), format=form)
        assert len(frame) == 0
        assert str(frame.id.dtype) == "uint64"

    def test_what_parquet_has_no_form_for(self, pipes, endpoint):
        frame = pipes.data(endpoint("SELECT toIntervalDay(1) AS i, NULL AS nothing"), format="parquet")
        assert frame.attrs["tinybird"]["format"] == "JSON"
        assert frame.columns.tolist() == ["i", "nothing"]

    @pytest.mark.parametrize("options", [{"format": "csv"}, {"limit": -1}, {"limit": True}, {"params": {"q": "x"}}])
    def test_what_cannot_be(self, pipes, options):
        with pytest.raises(errors.InvalidInput):
            pipes.data("whatever", **options)


class TestParameters:
    @pytest.mark.parametrize(
        ("declared", "value", "expected"),
        [
            ("Int32(v)", 7, 7),
            ("Int64(v)", 2**60 + 1, 2**60 + 1),
            ("UInt8(v)", "5", 5),
            ("Float64(v)", 0.25, 0.25),
            ("String(v)", "it's {{x}} \\ \n\N{SNOWMAN}", "it's {{x}} \\ \n\N{SNOWMAN}"),
            ("String(v)", "'; DROP TABLE t; --", "'; DROP TABLE t; --"),
            ("String(v)", "a&b=c#d?e+f g", "a&b=c#d?e+f g"),
            ("String(v)", "", ""),
            ("Boolean(v)", True, 1),
            ("Date(v)", dt.date(2024, 2, 29), dt.date(2024, 2, 29)),
            ("DateTime(v)", dt.datetime(2024, 2, 29, 1, 2, 3), dt.datetime(2024, 2, 29, 1, 2, 3)),  # noqa: DTZ001
            ("Array(v, 'Int32')", [1, 2, 3], [1, 2, 3]),
            ("Array(v, 'String')", ["a", "b'c"], ["a", "b'c"]),
            ("String(v)", uuid.UUID(int=5), str(uuid.UUID(int=5))),
            ("Float64(v)", decimal.Decimal("1.5"), 1.5),
        ],
    )
    def test_every_type(self, pipes, endpoint, declared, value, expected):
        """A value arrives as it was given, whatever is in it."""
        name = endpoint("%\nSELECT {{" + declared + "}} AS v")
        [got] = pipes.data(name, params={"v": value}).v.tolist()
        if isinstance(expected, dt.datetime):
            assert pd.Timestamp(got).tz_localize(None) == pd.Timestamp(expected)
        elif isinstance(expected, dt.date):
            assert pd.Timestamp(got).date() == expected
        else:
            assert (list(got) if isinstance(expected, list) else got) == expected

    def test_columns(self, pipes, endpoint):
        name = endpoint("%\nSELECT {{columns(c, 'a')}} FROM (SELECT 1 AS a, 2 AS b)")
        assert pipes.data(name, params={"c": ["b"]}).columns.tolist() == ["b"]
        with pytest.raises(errors.ApiError) as caught:
            pipes.data(name, params={"c": "(SELECT 3)"})
        assert caught.value.status == 400

    def test_a_value_of_none_means_the_default(self, pipes, endpoint):
        assert pipes.data(endpoint("%\nSELECT {{Int32(v, 9)}} AS v"), params={"v": None}).v.tolist() == [9]

    def test_what_the_template_does_not_use_is_ignored(self, pipes, endpoint):
        assert pipes.data(endpoint("SELECT 1 AS one"), params={"other": 1}).one.tolist() == [1]

    @pytest.mark.parametrize("name", ["q", "token", "format", "explain", "__tb__x"])
    def test_reserved_names(self, pipes, name):
        with pytest.raises(errors.InvalidInput):
            pipes.call("whatever", params={name: 1})

    def test_long_parameters_go_by_post(self, pipes, endpoint):
        name = endpoint("%\nSELECT length({{String(v)}}) AS n, length({{String(w, '')}}) AS m")
        for length in (10, 4_000, 5_000, 200_000):
            assert pipes.data(name, params={"v": "a" * length}).n.tolist() == [length]

    def test_long_q(self, pipes, endpoint):
        q = f"SELECT '{'a' * 6000}' AS t FROM _"
        assert pipes.data(endpoint("SELECT 1 AS one"), q=q).t.str.len().tolist() == [6000]


class TestFormats:
    def test_json(self, pipes, endpoint):
        reply = pipes.call(endpoint("SELECT 1 AS one"))
        assert json.loads(reply.text())["data"] == [{"one": 1}]
        assert reply.content_type == "application/json"
        assert reply.statistics["rows_read"] == 1
        assert reply.bytes_received == len(reply.body)
        assert reply.request_id

    def test_options_of_the_api(self, pipes, endpoint):
        reply = pipes.call(endpoint("SELECT toUInt64(1) AS one"), output_format_json_quote_64bit_integers=1)
        assert json.loads(reply.text())["data"] == [{"one": "1"}]

    @pytest.mark.parametrize(
        ("form", "text", "content_type"),
        [
            ("csv", '"one","t"\n1,"a"\n', "text/csv"),
            ("csvwithnames", '"one","t"\n1,"a"\n', "text/csv"),
            ("ndjson", '{"one":1,"t":"a"}\n', "application/x-ndjson"),
        ],
    )
    def test_text(self, pipes, endpoint, form, text, content_type):
        reply = pipes.call(endpoint("SELECT 1 AS one, 'a' AS t"), format=form)
        assert (reply.text(), reply.content_type) == (text, content_type)

    def test_parquet(self, pipes, endpoint):
        parquet = pytest.importorskip("pyarrow.parquet")
        reply = pipes.call(endpoint("SELECT 1 AS one"), format="parquet")
        assert parquet.read_table(io.BytesIO(reply.body)).to_pydict() == {"one": [1]}

    def test_prometheus(self, pipes, endpoint):
        name = endpoint("SELECT 'requests' AS name, toFloat64(3) AS value, 'counter' AS type, 'how many' AS help")
        text = pipes.call(name, format="prometheus").text()
        assert "# TYPE requests counter" in text
        assert "requests 3" in text

    def test_prometheus_without_its_columns(self, pipes, endpoint):
        with pytest.raises(errors.ApiError):
            pipes.call(endpoint("SELECT 1 AS one"), format="prometheus")

    def test_another_format(self, pipes):
        with pytest.raises(errors.InvalidInput, match="prometheus"):
            pipes.call("whatever", format="xml")


class TestFiles:
    @pytest.mark.parametrize("ending", ["json", "csv", "ndjson", "jsonl", "parquet"])
    def test_written(self, pipes, endpoint, tmp_path, ending):
        name = endpoint("%\nSELECT number AS n FROM numbers({{Int32(m, 3)}})")
        target = tmp_path / f"rows.{ending}"
        size = pipes.stream_to(name, target, params={"m": 5})
        assert size == target.stat().st_size > 0
        form = {"jsonl": "ndjson"}.get(ending, ending)
        if form != "json":
            assert target.read_bytes() == pipes.call(name, params={"m": 5}, format=form).body
        assert [each.name for each in tmp_path.iterdir()] == [target.name]

    def test_progress(self, pipes, endpoint, tmp_path):
        seen = []
        name = endpoint("SELECT number AS n, repeat('x', 100) AS t FROM numbers(50000)")
        size = pipes.stream_to(name, tmp_path / "rows.csv", on_progress=seen.append)
        assert size > 5_000_000
        assert len(seen) > 3
        assert [each.done for each in seen] == sorted(each.done for each in seen)

    def test_a_failure_leaves_the_file(self, pipes, endpoint, tmp_path):
        target = tmp_path / "rows.csv"
        target.write_text("old")
        with pytest.raises(errors.BadRequest, match="Error validating"):
            pipes.stream_to(endpoint("%\nSELECT {{Int32(m, 3)}} AS m"), target, params={"m": "x"})
        with pytest.raises(errors.NotFound):
            pipes.stream_to("apiendpoints_none", target)
        assert target.read_text() == "old"
        assert [each.name for each in tmp_path.iterdir()] == ["rows.csv"]

    def test_what_is_raised_in_progress_ends_it(self, pipes, endpoint, tmp_path):
        def stop(_):
            raise RuntimeError("enough")

        name = endpoint("SELECT number AS n, repeat('x', 100) AS t FROM numbers(50000)")
        with pytest.raises(RuntimeError, match="enough"):
            pipes.stream_to(name, tmp_path / "rows.csv", on_progress=stop)
        assert list(tmp_path.iterdir()) == []

    def test_no_format(self, pipes, tmp_path):
        with pytest.raises(errors.InvalidInput, match="names no format"):
            pipes.stream_to("whatever", tmp_path / "rows")

    def test_no_folder(self, pipes, endpoint, tmp_path):
        with pytest.raises(FileNotFoundError):
            pipes.stream_to(endpoint("SELECT 1 AS one"), tmp_path / "none" / "rows.csv")


class TestAddresses:
    def test_url(self, pipes, endpoint, server, tokens):
        name = endpoint("%\nSELECT {{String(v, '')}} AS v")
        url = pipes.url(name, params={"v": "a b&c"}, q="SELECT 1", format="csv")
        assert url.startswith(f"{server.host}/v0/pipes/{name}.csv?")
        assert parse_qs(urlsplit(url).query) == {"v": ["a b&c"], "q": ["SELECT 1"]}
        assert pipes.url(name) == f"{server.host}/v0/pipes/{name}.json"

    def test_link(self, pipes, endpoint, api, tokens):
        name = endpoint("%\nSELECT {{String(v, '')}} AS v")
        with pytest.warns(TokenInLink):
            link = pipes.link(name, params={"v": "a b"}, format="csv")
        assert tokens["workspace_admin_token"] in link
        path = link.removeprefix(api.host)
        assert api.get(path, token=None).text == '"v"\n"a b"\n'

    def test_url_warns_of_nothing(self, pipes):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pipes.url("whatever")


class TestFailures:
    def test_unknown(self, pipes):
        for call in (pipes.call, pipes.data):
            with pytest.raises(errors.NotFound, match="apiendpoints_none"):
                call("apiendpoints_none")

    def test_not_published(self, pipes):
        name = pipes.create(new(), "SELECT 1 AS one").name
        with pytest.raises(errors.NotFound):
            pipes.data(name)

    def test_of_another_token(self, pipes, endpoint, reader):
        mine, other = endpoint("SELECT 1 AS one"), endpoint("SELECT 2 AS two")
        assert reader(mine).pipes.data(mine).one.tolist() == [1]
        with pytest.raises(errors.Forbidden):
            reader(mine).pipes.data(other)

    def test_bad_token(self, server, endpoint):
        name = endpoint("SELECT 1 AS one")
        with pytest.raises(errors.Forbidden):
            tinymagic.connect(token="p.wrong.token", host=server.host).pipes.data(name)

    def test_missing_parameter(self, pipes, endpoint):
        name = endpoint("%\nSELECT {{Int32(needed, required=True)}} AS n")
        with pytest.raises(errors.BadRequest, match="needed") as caught:
            pipes.data(name)
        assert not isinstance(caught.value, errors.QueryError)

    def test_wrong_value(self, pipes, endpoint):
        with pytest.raises(errors.BadRequest, match="Error validating 'x' to type Int32"):
            pipes.data(endpoint("%\nSELECT {{Int32(n, 1)}} AS n"), params={"n": "x"})

    def test_error_of_the_template(self, pipes, endpoint):
        with pytest.raises(errors.BadRequest, match="not today"):
            pipes.data(endpoint("%\n{% if defined(n) %}{{error('not today')}}{% end %}SELECT 1"), params={"n": 1})

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(400, errors.BadRequest), (403, errors.Forbidden), (404, errors.NotFound), (418, errors.ApiError)],
    )
    def test_custom_error(self, pipes, endpoint, status, kind):
        sql = "%\n{% if defined(n) %}{{custom_error({'reason': 'no', 'n': 5}, " + str(status) + ")}}{% end %}SELECT 1"
        with pytest.raises(kind) as caught:
            pipes.data(endpoint(sql), params={"n": 1})
        assert caught.value.status == status
        assert json.loads(caught.value.message) == {"reason": "no", "n": 5}

    def test_custom_error_with_a_text(self, pipes, endpoint):
        sql = "%\n{% if defined(n) %}{{custom_error({'error': 'no such day'}, 404)}}{% end %}SELECT 1"
        with pytest.raises(errors.NotFound, match="no such day"):
            pipes.data(endpoint(sql), params={"n": 1})

    def test_sql_of_the_pipe(self, pipes, endpoint):
        name = endpoint("%\nSELECT throwIf({{Int32(n, 0)}} = 1, 'one is too much') AS x")
        assert pipes.data(name).x.tolist() == [0]
        with pytest.raises(errors.QueryError, match="one is too much") as caught:
            pipes.data(name, params={"n": 1})
        assert caught.value.status == 400
        assert caught.value.code_name == "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"
        assert caught.value.sql is None

    def test_sql_of_q(self, pipes, endpoint):
        name = endpoint("SELECT 1 AS one")
        with pytest.raises(errors.QueryError) as caught:
            pipes.data(name, q="SELECT two FROM _")
        assert (caught.value.named, caught.value.position, caught.value.sql) == ("two", 7, "SELECT two FROM _")

    @pytest.mark.parametrize("q", ["SELEC 1", "SELECT (1", "DROP TABLE _", "INSERT INTO _ VALUES (1)", ")"])
    @pytest.mark.parametrize("limit", [None, 5])
    def test_bad_q(self, pipes, endpoint, q, limit):
        name = endpoint("SELECT 1 AS one")
        with pytest.raises(errors.ApiError):
            pipes.data(name, q=q, limit=limit)
        assert pipes.data(name).one.tolist() == [1]

    def test_q_reads_what_the_token_may_not(self, pipes, endpoint, reader):
        mine, other = endpoint("SELECT 1 AS one"), endpoint("SELECT 2 AS two")
        with pytest.raises(errors.ApiError):
            reader(mine).pipes.data(mine, q=f"SELECT * FROM {other}")

    def test_too_slow(self, pipes, endpoint):
        name = endpoint("SELECT count() AS c FROM numbers(1000000000000) WHERE sipHash64(number) = 1")
        with pytest.raises(errors.QueryTimeout) as caught:
            pipes.data(name)
        assert caught.value.status == 408

    def test_cancelled(self, pipes, endpoint):
        cancellation = Cancellation()
        cancellation.cancel()
        with pytest.raises(errors.Cancelled):
            pipes.data(endpoint("SELECT 1 AS one"), cancellation=cancellation)


class TestDescriptions:
    def test_explain(self, pipes, endpoint):
        found = pipes.explain(endpoint("%\nSELECT number FROM numbers({{Int32(m, 3)}})"), params={"m": 4})
        assert "Numbers" in found.plan
        assert "4" in found.query
        assert found.raw

    def test_explain_a_node(self, pipes):
        name = pipes.create(
            new(), [{"name": "a", "sql": "SELECT 1 AS one"}, {"name": "b", "sql": "SELECT one + 1 AS two FROM a"}]
        ).name
        assert "one" in pipes.explain(name, node="a").query
        assert "two" not in pipes.explain(name, node="a").query
        with pytest.raises(errors.NotFound):
            pipes.explain(name, node="none")
        with pytest.raises(errors.NotFound):
            pipes.explain("apiendpoints_none")

    def test_explain_a_wrong_value(self, pipes, endpoint):
        with pytest.raises(errors.BadRequest, match="validating"):
            pipes.explain(endpoint("%\nSELECT {{Int32(n, 1)}} AS n"), params={"n": "x"})

    def test_openapi(self, pipes, endpoint, reader):
        name = endpoint("%\nSELECT {{Int32(m, 3, description='how many')}} AS n")
        document = pipes.openapi(name)
        parameters = document["paths"][f"/v0/pipes/{name}.json"]["get"]["parameters"]
        assert "how many" in [each.get("description") for each in parameters]
        assert f"/v0/pipes/{name}.json" in pipes.openapi()["paths"]
        assert list(reader(name).pipes.openapi()["paths"]) == [f"/v0/pipes/{name}.json"]

    def test_openapi_unknown(self, pipes):
        with pytest.raises(errors.NotFound):
            pipes.openapi("apiendpoints_none")
