"""The Events API of a real embedded server: every row stored, quarantined or refused, and counted."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

if TYPE_CHECKING:
    import requests

    from tests.integration.conftest import Api
    from tinymagic import local

PATH = "/v0/events"
_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"events_{next(_numbers)}"


def send(api: Api, name: str, body: bytes | str, **arguments: Any) -> requests.Response:
    """Send *body* raw; ``token`` and ``headers`` go to the request, everything else is a parameter."""
    options = {key: arguments.pop(key) for key in ("token", "headers") if key in arguments}
    data = body.encode() if isinstance(body, str) else body
    return api.post(PATH, params={"name": name, "wait": "true", **arguments}, data=data, **options)


def counts(reply: requests.Response, status: int = 200) -> tuple[int, int]:
    """Return the rows that were stored and those that were quarantined."""
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert set(body) == {"successful_rows", "quarantined_rows"}
    return body["successful_rows"], body["quarantined_rows"]


def refused(reply: requests.Response, status: int) -> str:
    """Return the sentence of an error."""
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert body["documentation"].startswith("https://docs.tinybird.co/")
    error: str = body["error"]
    return error


def create(api: Api, name: str, schema: str, **parameters: str) -> None:
    """Make an empty Data Source."""
    reply = api.post("/v0/datasources", params={"name": name, "schema": schema, "format": "ndjson", **parameters})
    assert reply.status_code == 200, reply.text


def rows(api: Api, q: str) -> list[list[Any]]:
    """Return the rows of a query as lists."""
    reply = api.sql(f"{q} FORMAT JSONCompact", output_format_json_quote_64bit_integers="0")
    assert reply.status_code == 200, reply.text
    found: list[list[Any]] = reply.json()["data"]
    return found


def quarantine(api: Api, name: str) -> list[tuple[list[str], list[str]]]:
    """Return columns and reasons of the quarantined rows."""
    q = f"SELECT c__error_column, c__error FROM {name}_quarantine ORDER BY c__error"
    return [(columns, reasons) for columns, reasons in rows(api, q)]


def lines(*events: object) -> bytes:
    """Write NDJSON."""
    return "\n".join(json.dumps(event, ensure_ascii=False) for event in events).encode()


class TestReply:
    def test_wait(self, api: Api, name: str) -> None:
        """200 with wait=true, else 202, the same body; the rows are there in both cases."""
        create(api, name, "a Int32 `json:$.a`")
        assert counts(send(api, name, '{"a":1}'), 200) == (1, 0)
        for number, wait in enumerate(("false", "", "no"), 1):
            assert counts(send(api, name, '{"a":1}\n', wait=wait), 202) == (1, 0)
            assert rows(api, f"SELECT count() FROM {name}") == [[1 + number]]
        reply = api.post(PATH, params={"name": name}, data=b'{"a":1}')
        assert counts(reply, 202) == (1, 0)
        assert reply.headers["content-type"].startswith("application/json")

    def test_rate_headers(self, api: Api, name: str) -> None:
        """All three are on every reply, whole numbers, also on refusals."""
        for reply in (send(api, name, '{"a":1}'), send(api, name, ""), send(api, name, "nope")):
            for header in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
                assert reply.headers[header].isdigit()

    @pytest.mark.parametrize(
        "content_type",
        ["application/x-ndjson", "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "x"],
    )
    def test_the_body_is_read_raw(self, api: Api, name: str, content_type: str) -> None:
        """Whatever the content type says, also what ``curl -d`` gives."""
        create(api, name, "a String `json:$.a`")
        body = '{"a":"x&y=1+2%20"}'
        assert counts(send(api, name, body, headers={"Content-Type": content_type})) == (1, 0)
        assert rows(api, f"SELECT a FROM {name}") == [["x&y=1+2%20"]]

    def test_unknown_parameters_are_ignored(self, api: Api, name: str) -> None:
        extra = {"from": "sdk", "cli_version": "1", "__tb__semver": "1", "mode": "append", "format": "ndjson"}
        assert counts(send(api, name, '{"a":1}', **extra)) == (1, 0)

    def test_by_id_and_by_parameter_token(self, api: Api, name: str) -> None:
        """``name`` may be the id, and the token may be a parameter."""
        create(api, name, "a Int32 `json:$.a`")
        id_ = api.get(f"/v0/datasources/{name}").json()["id"]
        reply = api.post(PATH, params={"name": id_, "token": api.token}, data=b'{"a":1}', token=None)
        assert counts(reply, 202) == (1, 0)


class TestRefusals:
    def test_no_name(self, api: Api) -> None:
        assert "add the parameter 'name'" in refused(api.post(PATH, data=b"{}"), 400)

    @pytest.mark.parametrize("body", ["", "\n\n \r\n", "\ufeff", "   "])
    def test_no_rows(self, api: Api, name: str, body: str) -> None:
        """Nothing to store is no mistake (an SDK of the vendor sends empty buffers), and makes nothing."""
        assert counts(send(api, name, body)) == (0, 0)
        assert counts(send(api, name, body, wait="false"), 202) == (0, 0)
        assert api.get(f"/v0/datasources/{name}").status_code == 404
        refused(send(api, "a-b", body), 400)

    @pytest.mark.parametrize("body", ["nope", "[1]\n2", "{", '{"a":NaN}', '{"a":1e400}', '{"a":01}', "x" * 100_000])
    def test_no_object(self, api: Api, name: str, body: str) -> None:
        """Without one JSON object nothing is stored, and nothing is created."""
        assert "o line of the body is a JSON object" in refused(send(api, name, body), 400)
        assert api.get(f"/v0/datasources/{name}").status_code == 404
        create(api, name, "a Nullable(Int32) `json:$.a`")
        assert "No line of the body is a JSON object" in refused(send(api, name, body), 400)
        assert rows(api, f"SELECT count() FROM {name}") == rows(api, f"SELECT count() FROM {name}_quarantine") == [[0]]

    @pytest.mark.parametrize(
        "bad",
        ["a b", "a-b", "1a", "é", "a;DROP", "../x", "select", "x_quarantine", "_tm_x", "a" * 300, "`", "a\0b", "%"],
    )
    def test_names_are_checked(self, api: Api, bad: str) -> None:
        """A new Data Source is called like any other."""
        before = api.get("/v0/datasources").json()
        refused(send(api, bad, '{"a":1}'), 400)
        assert api.get("/v0/datasources").json() == before

    def test_format(self, api: Api, name: str) -> None:
        assert "format must be one of ndjson, json" in refused(send(api, name, "{}", format="csv"), 400)

    def test_encoding(self, api: Api, name: str) -> None:
        reply = send(api, name, '{"a":1}', headers={"Content-Encoding": "br"})
        assert "'br' is not supported: send gzip, zstd" in refused(reply, 400)

    @pytest.mark.parametrize("body", [b'{"a":"\x00"}', b'{"a":1}\n{"a":"\xff"}', '{"a":1}'.encode("utf-16")])
    def test_no_text(self, api: Api, name: str, body: bytes) -> None:
        create(api, name, "a String `json:$.a`")
        assert "Nothing was stored" in refused(send(api, name, body), 400)
        assert rows(api, f"SELECT count() FROM {name}") == [[0]]

    def test_too_large(self, api: Api, name: str) -> None:
        """10 MB may come, compressed or not; one byte more may not, also when it is sent without its length."""
        create(api, name, "a String `json:$.a`")
        whole = b'{"a":"' + b"x" * (10_000_000 - 8) + b'"}'
        assert len(whole) == 10_000_000
        assert counts(send(api, name, whole)) == (1, 0)
        assert counts(send(api, name, gzip.compress(whole, 1), headers={"Content-Encoding": "gzip"})) == (1, 0)
        more = whole + b"\n"
        assert "over the limit of 10000000 bytes" in refused(send(api, name, more), 413)
        chunks = (more[at : at + 100_000] for at in range(0, len(more), 100_000))
        assert "over the limit" in refused(api.post(PATH, params={"name": name}, data=chunks), 413)
        packed = send(api, name, gzip.compress(more, 1), headers={"Content-Encoding": "gzip"})
        assert "after decompression" in refused(packed, 413)
        assert rows(api, f"SELECT count(), max(length(a)) FROM {name}") == [[2, 10_000_000 - 8]]

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    def test_cut_off_and_bombs(self, api: Api, name: str, encoding: str) -> None:
        """Nothing of a broken body is stored, and a bomb does not grow."""
        create(api, name, "a Int32 `json:$.a`")
        pack = gzip.compress if encoding == "gzip" else zstandard.compress
        headers = {"Content-Encoding": encoding}
        body = pack(lines(*({"a": number} for number in range(1_000))))
        assert counts(send(api, name, body, headers=headers)) == (1_000, 0)
        assert "cut off" in refused(send(api, name, body[: len(body) // 2], headers=headers), 400)
        refused(send(api, name, pack(bytes(1_000_000_000)), headers=headers), 413)
        assert rows(api, f"SELECT count() FROM {name}") == [[1_000]]


class TestRows:
    def test_quarantine(self, api: Api, name: str) -> None:
        """Rows that do not fit are kept with column and reason; lines = stored + quarantined."""
        create(api, name, "a Int32 `json:$.a`, b Nullable(String) `json:$.b`")
        body = b'{"a":1}\n{"a":"x","b":"kept"}\n\n{"b":"y"}\nnope\n{"a":2}\n[1]\n{"a":3000000000}\n'
        assert counts(send(api, name, body)) == (2, 5)
        assert rows(api, f"SELECT a FROM {name} ORDER BY a") == [[1], [2]]
        assert quarantine(api, name) == [
            ([], ["not a JSON object: [1]"]),
            ([], ["not a JSON object: nope"]),
            (["a"], ["value '3000000000' on column 'a' is not Int32"]),
            (["a"], ["value 'x' on column 'a' is not Int32"]),
            (["a"], ["value is missing on column 'a', which is not Nullable"]),
        ]
        assert rows(api, f"SELECT a, b FROM {name}_quarantine WHERE b = 'kept'") == [["x", "kept"]]

    def test_values_survive(self, api: Api, name: str) -> None:
        """In small requests, which are read in one way, and in large ones, which are read in another."""
        schema = (
            "i Int64 `json:$.i`, u UInt64 `json:$.u`, w UInt256 `json:$.w`, f Float64 `json:$.f`, s String `json:$.s`, "
            "t DateTime64(6) `json:$.t`, d Date `json:$.d`, l Array(String) `json:$.l[:]`, n Int64 `json:$.o.p.n`, "
            "m Map(String, Int64) `json:$.m`, z Nullable(String) `json:$.z`, c LowCardinality(String) `json:$.c`, "
            "x Decimal(20, 4) `json:$.x`, b Bool `json:$.b`"
        )
        create(api, name, schema)
        event = {
            "i": -(2**63),
            "u": 2**64 - 1,
            "w": str(2**256 - 1),
            "f": 0.1 + 0.2,
            "s": 'ü€😀 "q" \\ \n\t\u2028 \u0001 <&>\'',
            "t": "2024-02-29 23:59:59.123456",
            "d": "2024-02-29",
            "l": ["a", "", "ü,]\"'"],
            "o": {"p": {"n": 2**53 + 1}},
            "m": {"k ü": 1, "": -1},
            "z": None,
            "c": "low",
            "x": "1234567890.1234",
            "b": True,
        }
        assert counts(send(api, name, lines(event))) == (1, 0)
        assert counts(send(api, name, lines(*[event] * 3_000))) == (3_000, 0)
        q = (
            f"SELECT toString(i), toString(u), toString(w), f, s, toString(t), toString(d), l, toString(n), m, z, c, "
            f"toString(x), b, count() FROM {name} GROUP BY ALL"
        )
        [[*found, count]] = rows(api, q)
        assert count == 3_001
        assert found == [
            str(event["i"]), str(event["u"]), event["w"], event["f"], event["s"], event["t"], event["d"], event["l"],
            str(2**53 + 1), {"k ü": 1, "": -1}, None, "low", event["x"], True,
        ]  # fmt: skip

    def test_numbers_beyond_64_bits(self, api: Api, name: str) -> None:
        """They fit where there is room for them, else they are quarantined; nothing wraps."""
        create(api, name, "a Int64 `json:$.a`, b UInt256 `json:$.b`")
        body = b'{"a":1,"b":99999999999999999999999}\n{"a":9223372036854775808,"b":1}\n{"a":99999999999999999999,"b":1}'
        assert counts(send(api, name, body)) == (1, 2)
        assert rows(api, f"SELECT a, toString(b) FROM {name}") == [[1, "99999999999999999999999"]]

    def test_odd_json(self, api: Api, name: str) -> None:
        """NaN and infinities are no JSON; of a key that is there twice the first value counts."""
        create(api, name, "a Float64 `json:$.a`")
        body = b'{"a":NaN}\n{"a":Infinity}\n{"a":-Infinity}\n{"a":1e999}\n{"a":1,"a":2}\n{"a":1.5}'
        assert counts(send(api, name, body)) == (2, 4)
        assert rows(api, f"SELECT a FROM {name} ORDER BY a") == [[1], [1.5]]

    def test_deep_json(self, api: Api, name: str) -> None:
        """10,000 levels are no JSON for the engine; the lines around them are stored."""
        create(api, name, "a Int32 `json:$.a`")
        deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
        array = b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
        assert counts(send(api, name, b'{"a":1}\n' + deep + b"\n" + array + b'\n{"a":2}')) == (2, 2)
        assert refused(send(api, name, deep, format="json"), 400)
        assert rows(api, f"SELECT sum(a) FROM {name}") == [[3]]

    def test_defaults(self, api: Api, name: str) -> None:
        """A missing value takes the column's DEFAULT, one by one and among many."""
        create(
            api, name, "a Int32 `json:$.a`, b Int32 `json:$.b` DEFAULT a * 10, c Array(Int8) `json:$.c[:]` DEFAULT [7]"
        )
        assert counts(send(api, name, '{"a":1}\n{"a":2,"b":5,"c":[1]}')) == (2, 0)
        assert counts(send(api, name, '{"a":3,"b":null}\n' + '{"a":4,"c":[]}\n' * 9_000)) == (9_001, 0)
        assert rows(api, f"SELECT DISTINCT a, b, c FROM {name} ORDER BY a") == [
            [1, 10, [7]], [2, 5, [1]], [3, 30, [7]], [4, 40, []],
        ]  # fmt: skip

    def test_columns_without_jsonpath(self, api: Api, name: str) -> None:
        """They are found by their names."""
        reply = api.post("/v0/datasources", params={"name": name, "schema": "a Int32, `b c` String"})
        assert reply.status_code == 200
        assert counts(send(api, name, '{"a":1,"b c":"x"}')) == (1, 0)
        assert rows(api, f"SELECT a, `b c` FROM {name}") == [[1, "x"]]

    def test_json_format(self, api: Api, name: str) -> None:
        """One object over several lines, several of them, or an array of objects."""
        create(api, name, "a Int32 `json:$.a`")
        assert counts(send(api, name, json.dumps({"a": 1}, indent=2), format="json")) == (1, 0)
        assert counts(send(api, name, json.dumps([{"a": 2}, {"a": "x"}, 5], indent=2), format="json")) == (1, 2)
        assert "cannot be read at line 2" in refused(send(api, name, '{"a":1}\n{"a":', format="json"), 400)
        assert rows(api, f"SELECT groupArray(a) FROM (SELECT a FROM {name} ORDER BY a)") == [[[1, 2]]]

    def test_compressed(self, api: Api, name: str) -> None:
        body = lines({"a": 1}, {"a": 2})
        for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
            assert counts(send(api, name, pack(body), headers={"Content-Encoding": encoding})) == (2, 0)
            assert counts(send(api, name, pack(body))) == (2, 0)
        assert rows(api, f"SELECT count(), sum(a) FROM {name}") == [[8, 12]]

    @pytest.mark.parametrize("size", [1, 400_000])
    def test_partitions(self, api: Api, name: str, size: int) -> None:
        """Rows of one request go to as many partitions as there are."""
        create(
            api, name, "d Date `json:$.d`, s String `json:$.s`", engine="MergeTree", engine_partition_key="toYYYYMM(d)"
        )
        events = [
            {"d": f"20{year}-{month:02}-01", "s": "x" * (size // 24)} for year in (23, 24) for month in range(1, 13)
        ]
        assert counts(send(api, name, lines(*events))) == (24, 0)
        assert counts(send(api, name, lines(*events, {"d": "no"}))) == (24, 1)
        assert rows(api, f"SELECT count(), uniq(d) FROM {name}") == [[48, 24]]

    @pytest.mark.parametrize(
        ("engine", "left"),
        [
            ({"engine": "ReplacingMergeTree", "engine_sorting_key": "a"}, 1),
            ({"engine": "Null"}, 0),
            ({"engine": "MergeTree", "engine_ttl": "toDateTime(a) + INTERVAL 1 DAY"}, None),
        ],
    )
    def test_engines_that_do_not_keep_every_row(
        self, api: Api, name: str, engine: dict[str, str], left: int | None
    ) -> None:
        """The counts say what was sent, not what the engine made of it."""
        create(api, name, "a Int32 `json:$.a`", **engine)
        assert counts(send(api, name, b'{"a":1}\n' * 5)) == (5, 0)
        assert counts(send(api, name, b'{"a":1}\n' * 5 + b'{"a":"x"}')) == (5, 1)
        if left is not None:
            assert rows(api, f"SELECT count() FROM {name} {'FINAL' if left else ''}") == [[left]]

    def test_many_columns_and_tiny_rows(self, api: Api, name: str) -> None:
        """300,000 empty objects for 100 columns: their values are 30 million, and the server stays as it is."""
        create(api, name, ", ".join(f"c{number} Nullable(Int64) `json:$.c{number}`" for number in range(100)))
        assert counts(send(api, name, b"{}\n" * 300_000)) == (300_000, 0)
        assert rows(api, f"SELECT count(), countIf(c99 IS NULL) FROM {name}") == [[300_000, 300_000]]


class TestCreate:
    def test_types_are_guessed(self, api: Api, name: str) -> None:
        """A new Data Source has the inferred columns and the engine that the service would choose."""
        events = [
            {"at": "2024-01-02 03:04:05", "n": 70_000, "user": {"name": "x"}, "tags": ["a"], "some": 1},
            {"at": "2024-01-02 03:04:06", "n": 1, "user": {"name": "y"}, "tags": []},
        ]
        assert counts(send(api, name, lines(*events))) == (2, 0)
        described = api.get(f"/v0/datasources/{name}").json()
        assert [(c["name"], c["type"], c["nullable"], c["jsonpath"]) for c in described["columns"]] == [
            ("at", "DateTime", False, "$.at"),
            ("n", "Int32", False, "$.n"),
            ("some", "Int16", True, "$.some"),
            ("tags", "Array(String)", False, "$.tags[:]"),
            ("user_name", "String", False, "$.user.name"),
        ]
        assert described["engine"]["engine"] == "MergeTree"
        assert described["engine"]["engine_sorting_key"] == "`at`"
        assert rows(api, f"SELECT n, some, tags, user_name FROM {name} ORDER BY n") == [
            [1, None, [], "y"], [70_000, 1, ["a"], "x"],
        ]  # fmt: skip

    def test_first_requests_at_the_same_time(self, api: Api, name: str) -> None:
        """Both make the Data Source, and both succeed."""
        barrier = threading.Barrier(8)

        def first(number: int) -> tuple[int, int]:
            barrier.wait(10)
            return counts(send(api, name, lines({"a": number})))

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(first, range(8))) == [(1, 0)] * 8
        assert rows(api, f"SELECT count(), sum(a) FROM {name}") == [[8, 28]]

    def test_no_fields(self, api: Api, name: str) -> None:
        assert "a JSON object with fields" in refused(send(api, name, "{}"), 400)
        assert api.get(f"/v0/datasources/{name}").status_code == 404

    def test_too_many_fields(self, api: Api, name: str) -> None:
        assert "501 columns" in refused(send(api, name, lines({f"c{n}": n for n in range(501)})), 400)
        assert counts(send(api, name, lines({f"c{n}": n for n in range(500)}))) == (1, 0)


class TestNewColumns:
    def detected(self, api: Api, name: str) -> dict[str, str]:
        found: dict[str, str] = api.get(f"/v0/datasources/{name}").json()["new_columns_detected"]
        return found

    def test_extra_fields(self, api: Api, name: str) -> None:
        """They are not stored, and the Data Source tells about them; known ones change nothing."""
        create(api, name, "a Int32 `json:$.a`, b Int32 `json:$.o.b`")
        assert counts(send(api, name, '{"a":1,"o":{"b":1}}')) == (1, 0)
        assert self.detected(api, name) == {}
        assert counts(send(api, name, '{"a":1,"o":{"b":1,"c":"x"},"d":1.5}')) == (1, 0)
        assert self.detected(api, name) == {"o_c": "Nullable(String)", "d": "Nullable(Float32)"}
        updated = api.get(f"/v0/datasources/{name}").json()["updated_at"]
        assert counts(send(api, name, '{"a":1,"o":{"b":1,"c":"x"},"d":1.5}')) == (1, 0)
        assert api.get(f"/v0/datasources/{name}").json()["updated_at"] == updated
        body = b'{"a":1,"o":{"b":1}}\n' * 30_000 + b'{"a":1,"o":{"b":1},"late":["x"]}\n{"bad":1}'
        assert counts(send(api, name, body)) == (30_001, 1)
        assert self.detected(api, name) == {
            "o_c": "Nullable(String)",
            "d": "Nullable(Float32)",
            "late": "Array(String)",
            "bad": "Nullable(Int16)",
        }
        assert rows(api, f"SELECT count() FROM {name}") == [[30_004]]


class TestTokens:
    """Who may append, and to what."""

    @pytest.fixture
    def token(self, api: Api) -> Any:
        def make(*scopes: str) -> str:
            reply = api.post(
                "/v0/tokens", params=[("name", f"t{next(_numbers)}"), *(("scope", each) for each in scopes)]
            )
            assert reply.status_code == 200, reply.text
            made: str = reply.json()["token"]
            return made

        return make

    def test_append_scope(self, api: Api, name: str, token: Any) -> None:
        """It is good for its own Data Source, and makes none."""
        other = f"{name}_other"
        for each in (name, other):
            create(api, each, "a Int32 `json:$.a`")
        append = token(f"DATASOURCES:APPEND:{name}")
        assert counts(send(api, name, '{"a":1}', token=append)) == (1, 0)
        assert counts(send(api, api.get(f"/v0/datasources/{name}").json()["id"], '{"a":1}', token=append)) == (1, 0)
        for stranger in (other, f"{name}_none"):
            assert "not enough permissions" in refused(send(api, stranger, '{"a":1}', token=append), 403)
        assert rows(api, f"SELECT (SELECT count() FROM {name}), (SELECT count() FROM {other})") == [[2, 0]]
        assert api.get(f"/v0/datasources/{name}_none").status_code == 404

    def test_create_scope(self, api: Api, name: str, token: Any) -> None:
        assert counts(send(api, name, '{"a":1}', token=token("DATASOURCES:CREATE"))) == (1, 0)

    def test_read_scope(self, api: Api, name: str, token: Any) -> None:
        create(api, name, "a Int32 `json:$.a`")
        assert refused(send(api, name, '{"a":1}', token=token(f"DATASOURCES:READ:{name}")), 403)

    @pytest.mark.parametrize("token", [None, "nonsense"])
    def test_no_token(self, api: Api, name: str, token: str | None) -> None:
        refused(send(api, name, '{"a":1}', token=token), 403)


class TestTogether:
    def test_requests_that_are_written_together(self, api: Api, name: str) -> None:
        """Good, half good and hopeless requests at once: each gets its own counts, no row strays."""
        create(api, name, "a Int32 `json:$.a`, s String `json:$.s`")
        kinds = [
            (b'{"a":%d,"s":"x"}', (1, 0)),
            (b'{"a":%d,"s":"x"}\n{"a":"no"}\n', (1, 1)),
            (b'{"a":%d,"s":1.50}\n\nnope', (1, 1)),
            (b'{"a":"%d"}', (0, 1)),
            (b"nope %d", None),
        ]
        numbers = list(range(300))
        random.Random(7).shuffle(numbers)

        def one(number: int) -> None:
            body, wanted = kinds[number % len(kinds)]
            reply = send(api, name, body % number)
            if wanted is None:
                refused(reply, 400)
            else:
                assert counts(reply) == wanted

        with ThreadPoolExecutor(24) as pool:
            list(pool.map(one, numbers))
        stored = [number for number in range(300) if number % 5 in (0, 1, 2)]
        assert rows(api, f"SELECT count(), uniq(a), sum(a) FROM {name}") == [[len(stored), len(stored), sum(stored)]]
        assert rows(api, f"SELECT count() FROM {name}_quarantine") == [[180]]

    def test_readers_see_whole_requests(self, api: Api, name: str) -> None:
        """While batches arrive, in one partition or in several, every count is a multiple of the batch."""
        create(api, name, "d Date `json:$.d`, s String `json:$.s`", engine="MergeTree", engine_partition_key="d")
        batch = lines(*({"d": f"2024-01-{1 + number % 5:02}", "s": "x"} for number in range(500)))
        done = threading.Event()

        def write() -> None:
            for _ in range(12):
                assert counts(send(api, name, batch)) == (500, 0)

        with ThreadPoolExecutor(3) as pool:
            writers = [pool.submit(write) for _ in range(3)]
            seen = set()
            while not all(writer.done() for writer in writers):
                [[count, least, most]] = rows(
                    api, f"SELECT sum(c), min(c), max(c) FROM (SELECT d, count() AS c FROM {name} GROUP BY d)"
                )
                seen.add(count % 500)
                assert least == most
            for writer in writers:
                writer.result()
        done.set()
        assert seen == {0}
        assert rows(api, f"SELECT count() FROM {name}") == [[18_000]]

    def test_while_the_data_source_is_replaced(self, api: Api, name: str) -> None:
        """Replacing runs alone: afterwards there are its rows and those of later events, and nothing else."""
        create(api, name, "a Int32 `json:$.a`")
        stop = threading.Event()
        replies: list[int] = []

        def write() -> None:
            while not stop.is_set():
                replies.append(send(api, name, '{"a":1}').status_code)

        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write) for _ in range(4)]
            for _ in range(3):
                time.sleep(0.2)
                reply = api.post(
                    "/v0/datasources",
                    params={"name": name, "mode": "replace", "format": "ndjson"},
                    files={"ndjson": ("x.ndjson", b'{"a":100}\n' * 10)},
                )
                assert reply.status_code == 200, reply.text
            stop.set()
            for writer in writers:
                writer.result()
        assert set(replies) == {200}
        assert rows(api, f"SELECT countIf(a = 100) FROM {name}") == [[10]]

    def test_dropped_meanwhile(self, api: Api, name: str) -> None:
        """Events for a Data Source that is being dropped are stored in it, or in a new one; no request breaks."""
        stop = threading.Event()
        statuses: set[int] = set()

        def write() -> None:
            while not stop.is_set():
                statuses.add(send(api, name, '{"a":1}').status_code)

        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write) for _ in range(4)]
            for _ in range(4):
                time.sleep(0.15)
                assert api.request("DELETE", f"/v0/datasources/{name}").status_code in (204, 404)
            stop.set()
            for writer in writers:
                writer.result()
        assert 200 in statuses
        assert statuses <= {200, 404}


@pytest.mark.slow
def test_a_million_events(api: Api, name: str, server: local.LocalServer) -> None:
    """In batches of 10 MB: all are counted, and their sums are those of what was sent."""
    create(
        api,
        name,
        "id UInt64 `json:$.id`, at DateTime64(3) `json:$.at`, user String `json:$.user`, v Float64 `json:$.v`",
    )
    batches: list[tuple[int, bytes]] = []
    current: list[bytes] = []
    size = 0
    for number in range(1_000_000):
        line = b'{"id":%d,"at":"2024-01-%02d 10:20:%02d.%03d","user":"user-%08d","v":%d.25}' % (
            number, 1 + number % 28, number % 60, number % 1000, number, number % 1000,
        )  # fmt: skip
        size += len(line) + 1
        if size > 10_000_000:
            batches.append((len(current), b"\n".join(current)))
            current, size = [], len(line) + 1
        current.append(line)
    batches.append((len(current), b"\n".join(current)))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda batch: counts(send(api, name, batch[1])), batches))
    assert results == [(count, 0) for count, _ in batches]
    hashes = "SELECT sum(cityHash64(concat('user-', leftPad(toString(number), 8, '0')))) FROM numbers(1000000)"
    q = f"SELECT count(), sum(id), uniqExact(id), sum(v), sum(cityHash64(user)) = ({hashes}) FROM {name}"
    expected_v = sum(number % 1000 + 0.25 for number in range(1_000_000))
    assert rows(api, q) == [[1_000_000, 499_999_500_000, 1_000_000, expected_v, 1]]
