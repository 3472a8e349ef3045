"""Changes of Data Sources: alter, rename, truncate, delete rows, exchange, drop. Effects are read with SQL."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from typing import Any

import pytest

_numbers = itertools.count()
SCHEMA = "id Int32, c Nullable(String)"


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"change_{next(_numbers)}"


@pytest.fixture
def existing(api: Any, name: str) -> str:
    """The name of a Data Source with three rows and one in quarantine."""
    create(api, name, SCHEMA)
    append(api, name, b"1,ES\n2,FR\n3,\nx,DE\n")
    return name


def create(api: Any, name: str, schema: str, **parameters: str) -> None:
    """Make an empty Data Source."""
    reply = api.post("/v0/datasources", params={"name": name, "schema": schema, **parameters})
    assert reply.status_code == 200, reply.text


def append(api: Any, name: str, data: bytes, file_format: str = "csv") -> dict[str, Any]:
    """Append rows and return the reply."""
    parameters = {"name": name, "mode": "append", "format": file_format}
    reply = api.post("/v0/datasources", params=parameters, data=data, headers={"Content-Type": "application/x"})
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def rows(api: Any, q: str) -> list[list[Any]]:
    """Return the rows of a query."""
    reply = api.sql(f"{q} FORMAT JSONCompact")
    assert reply.status_code == 200, reply.text
    found: list[list[Any]] = reply.json()["data"]
    return found


def described(api: Any, name: str) -> list[tuple[str, str]]:
    """Return names and types as the engine has them."""
    return [(row[0], row[1]) for row in rows(api, f"DESCRIBE TABLE {name}")]


def finished(api: Any, reply: Any) -> dict[str, Any]:
    """Wait for the job that a reply names."""
    assert reply.status_code == 200, reply.text
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        job: dict[str, Any] = api.get(f"/v0/jobs/{reply.json()['job_id']}").json()
        if job["status"] in ("done", "error", "cancelled"):
            return job
        time.sleep(0.03)
    raise AssertionError(f"The job did not end: {job}")


def logged(api: Any, name: str, event_type: str) -> list[list[Any]]:
    """Return result, rows and error of the operations on a Data Source."""
    return rows(
        api,
        "SELECT result, rows, error FROM tinybird.datasources_ops_log "
        f"WHERE datasource_name = '{name}' AND event_type = '{event_type}' ORDER BY timestamp, result",
    )


def token_for(api: Any, *scopes: str) -> str:
    """Make a token with scopes."""
    reply = api.post("/v0/tokens", params={"name": f"t_{uuid.uuid4().hex}", "scope": list(scopes)})
    assert reply.status_code == 200, reply.text
    token: str = reply.json()["token"]
    return token


class TestAlter:
    def alter(self, api: Any, name: str, **fields: str) -> Any:
        """Post an alter."""
        return api.post(f"/v0/datasources/{name}/alter", data=fields)

    @pytest.mark.parametrize(
        ("schema", "operations", "expected"),
        [
            ("id Int32, c Nullable(String), d Int16", ["ADD COLUMN `d` Int16"], [[1, "ES", 0]]),
            ("id Int32, c Nullable(String), d Nullable(Int16)", ["ADD COLUMN `d` Nullable(Int16)"], [[1, "ES", None]]),
            ("id Int32, c Nullable(String), d Int16 DEFAULT 7", ["ADD COLUMN `d` Int16 DEFAULT (7)"], [[1, "ES", 7]]),
            ("id Int32, d Int16, c Nullable(String)", ["ADD COLUMN `d` Int16 AFTER `id`"], [[1, 0, "ES"]]),
            ("d Int16, id Int32, c Nullable(String)", ["ADD COLUMN `d` Int16 FIRST"], [[0, 1, "ES"]]),
            ("id Int32", ["DROP COLUMN `c`"], [[1]]),
            ("id Int32, c Nullable(String), m Int32 MATERIALIZED id + 1", None, [[1, "ES"]]),
        ],
    )
    def test_columns(
        self, api: Any, existing: str, schema: str, operations: list[str] | None, expected: list[list[Any]]
    ) -> None:
        """The reply names the steps; a dry one does nothing; rows keep their values and the quarantine follows."""
        before = described(api, existing)
        dry = self.alter(api, existing, schema=schema, dry="true")
        assert dry.status_code == 200, dry.text
        assert described(api, existing) == before
        reply = self.alter(api, existing, schema=schema)
        assert reply.status_code == 200, reply.text
        assert reply.json()["operations"] == dry.json()["operations"]
        assert reply.json()["dependencies"] == []
        if operations is not None:
            assert reply.json()["operations"] == operations
        assert rows(api, f"SELECT * FROM {existing} WHERE id = 1") == expected
        columns = [each["name"] for each in api.get(f"/v0/datasources/{existing}").json()["columns"]]
        assert columns == [each for each, _ in described(api, existing)]
        inserted = [each for each in columns if each != "m"]
        assert [each for each, _ in described(api, f"{existing}_quarantine")][: len(inserted)] == inserted
        assert rows(api, f"SELECT id FROM {existing}_quarantine") == [["x"]]

    def test_nullable(self, api: Any, existing: str) -> None:
        """A column becomes Nullable and takes NULLs from then on."""
        reply = self.alter(api, existing, schema="id Nullable(Int32), c Nullable(String)")
        # The sorting key cannot become Nullable.
        assert reply.status_code == 400
        create(api, f"{existing}_n", "at Int32, n Int32", engine_sorting_key="at")
        append(api, f"{existing}_n", b"1,5\n")
        assert self.alter(api, f"{existing}_n", schema="at Int32, n Nullable(Int32)").status_code == 200
        append(api, f"{existing}_n", b"2,\n")
        assert rows(api, f"SELECT * FROM {existing}_n ORDER BY at") == [[1, 5], [2, None]]
        refused = self.alter(api, f"{existing}_n", schema="at Int32, n Int32")
        assert refused.status_code == 400
        assert "Nullable" in refused.json()["error"]

    def test_default_and_codec(self, api: Any, name: str) -> None:
        """A DEFAULT or codec may be added, changed and taken away."""
        create(api, name, "id Int32, d Int16 `json:$.d`", format="ndjson")
        for text, value in (("DEFAULT 7", 7), ("DEFAULT 8 CODEC(ZSTD(1))", 8), ("DEFAULT 8", 8)):
            schema = f"id Int32 `json:$.id`, d Int16 `json:$.d` {text}"
            reply = self.alter(api, name, schema=schema)
            assert reply.status_code == 200, reply.text
            append(api, name, b'{"id": %d}\n' % value, "ndjson")
            assert rows(api, f"SELECT max(d) FROM {name}") == [[value]]
        reply = self.alter(api, name, schema="id Int32 `json:$.id`, d Int16 `json:$.d`")
        assert reply.json()["operations"] == ["MODIFY COLUMN `d` REMOVE DEFAULT"]
        assert append(api, name, b'{"id": 9}\n', "ndjson")["quarantine_rows"] == 1

    @pytest.mark.parametrize(
        ("schema", "said"),
        [
            ("id Int64, c Nullable(String)", "type"),
            ("id Int32, c Nullable(FixedString(2))", "type"),
            ("c Nullable(String), id Int32", "places"),
            ("id Int32, c String", "Nullable"),
            ("c Nullable(String)", "id"),
            ("id Int32, c Nullable(String) MATERIALIZED 'x'", "MATERIALIZED"),
            ("id Int32, c Nullable(String), d Nonsense", "Nonsense"),
            ("id Int32, c Nullable(String), d Int32 DEFAULT nosuch(1)", "nosuch"),
            ("id Int32, c Nullable(String), c Int8", "twice"),
            ("id Int32, c Nullable(String), d String DEFAULT (SELECT 1)", "expression"),
        ],
    )
    def test_refused(self, api: Any, existing: str, schema: str, said: str) -> None:
        """What would lose or reorder values is refused in words, and nothing has changed."""
        before = described(api, existing)
        for dry in ("true", "false"):
            reply = self.alter(api, existing, schema=schema, dry=dry)
            assert reply.status_code == 400, reply.text
            assert said in reply.json()["error"]
            assert "_tm_" not in reply.json()["error"]
        assert described(api, existing) == before
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]
        assert append(api, existing, b"4,x\n")["quarantine_rows"] == 0

    def test_nothing_to_do(self, api: Any, existing: str) -> None:
        """The text is the vendor's."""
        reply = self.alter(api, existing, schema=SCHEMA)
        assert reply.status_code == 400
        assert "There were no operations to perform" in reply.json()["error"]
        assert self.alter(api, existing).status_code == 400
        assert self.alter(api, "change_unknown", schema=SCHEMA).status_code == 404
        assert logged(api, existing, "alter")[0][0] == "error"

    def test_appends_after_it(self, api: Any, existing: str) -> None:
        """CSV with and without header, and NDJSON with a new jsonpath, fill the new column."""
        schema = "id Int32 `json:$.id`, c Nullable(String) `json:$.c`, d Nullable(Int32) `json:$.deep.d`"
        reply = self.alter(api, existing, schema=schema)
        assert reply.status_code == 200, reply.text
        append(api, existing, b"10,a,100\n")
        append(api, existing, b"d,id\n110,11\n")
        append(api, existing, b'{"id": 12, "deep": {"d": 120}}\n', "ndjson")
        append(api, existing, b"13,b,wrong\n")
        assert rows(api, f"SELECT id, d FROM {existing} WHERE id >= 10 ORDER BY id") == [
            [10, 100],
            [11, 110],
            [12, 120],
        ]
        assert rows(api, f"SELECT d FROM {existing}_quarantine WHERE id = '13'") == [["wrong"]]

    def test_ttl(self, api: Any, name: str) -> None:
        """A TTL is set, changed and taken away; rows that are too old go."""
        create(api, name, "at DateTime, v Int32")
        for ttl in ("at + toIntervalYear(100)", "at + INTERVAL 90 YEAR"):
            assert self.alter(api, name, ttl=ttl).status_code == 200
            assert api.get(f"/v0/datasources/{name}").json()["engine"]["engine_ttl"] == ttl
            assert "no operations" in self.alter(api, name, ttl=ttl).text
        reply = self.alter(api, name, ttl="false")
        assert reply.json()["operations"] == ["REMOVE TTL"]
        assert "engine_ttl" not in api.get(f"/v0/datasources/{name}").json()["engine"]
        assert self.alter(api, name, ttl="false").status_code == 400
        assert self.alter(api, name, ttl="v + 'x'").status_code == 400
        append(api, name, b"2001-01-01 00:00:00,1\n2099-01-01 00:00:00,2\n")
        assert self.alter(api, name, ttl="at + toIntervalDay(1)").status_code == 200
        assert rows(api, f"SELECT v FROM {name}") == [[2]]

    def test_indexes(self, api: Any, existing: str) -> None:
        """Indexes are added, changed and taken away."""
        for text in (
            "ix id TYPE minmax GRANULARITY 1",
            "ix id TYPE set(100) GRANULARITY 2\niy c TYPE bloom_filter(0.1) GRANULARITY 1",
        ):
            assert self.alter(api, existing, indexes=text).status_code == 200
            found = api.get(f"/v0/datasources/{existing}").json()["indexes"]
            assert len(found) == len(text.splitlines())
            assert found[0]["type_full"] in text
            append(api, existing, b"5,x\n")
        assert self.alter(api, existing, indexes="0").json()["operations"] == ["DROP INDEX `ix`", "DROP INDEX `iy`"]
        assert api.get(f"/v0/datasources/{existing}").json()["indexes"] == []
        assert self.alter(api, existing, indexes="0").status_code == 400
        assert self.alter(api, existing, indexes="ix id TYPE hnsw GRANULARITY 1").status_code == 400
        assert self.alter(api, existing, indexes="ix nosuch TYPE minmax GRANULARITY 1").status_code == 400
        assert rows(api, f"SELECT count() FROM {existing}") == [[5]]

    def test_index_goes_with_its_column(self, api: Any, existing: str) -> None:
        """One call drops an index and the column that it is on."""
        assert self.alter(api, existing, indexes="ix c TYPE bloom_filter GRANULARITY 1").status_code == 200
        assert self.alter(api, existing, schema="id Int32").status_code == 400
        assert self.alter(api, existing, schema="id Int32", indexes="0").status_code == 200
        assert described(api, existing) == [("id", "Int32")]

    def test_description(self, api: Any, existing: str) -> None:
        """A description alone is a change."""
        assert self.alter(api, existing, description="what it is").status_code == 200
        assert api.get(f"/v0/datasources/{existing}").json()["description"] == "what it is"
        assert self.alter(api, existing, description="what it is").status_code == 400

    def test_null_engine(self, api: Any, name: str) -> None:
        """The engine Null is refused in words."""
        create(api, name, SCHEMA, engine="Null")
        assert self.alter(api, name, schema="id Int32").status_code == 400

    def test_while_rows_are_appended(self, api: Any, name: str) -> None:
        """No append fails, and every row is there, in whatever shape it found the table."""
        create(api, name, "id Int32, c Nullable(String)")
        replies: list[Any] = []

        def work(number: int) -> None:
            for each in range(6):
                data = f"id\n{number * 100 + each}\n".encode()
                replies.append(append(api, name, data))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for number in range(4):
            extra = ", ".join(f"x{each} Nullable(Int32)" for each in range(number + 1))
            assert self.alter(api, name, schema=f"id Int32, c Nullable(String), {extra}").status_code == 200
        for thread in threads:
            thread.join()
        assert len(replies) == 24
        assert all(each["quarantine_rows"] == 0 for each in replies)
        assert rows(api, f"SELECT uniqExact(id), count() FROM {name}") == [[24, 24]]


class TestRename:
    def rename(self, api: Any, name: str, new: str, **arguments: Any) -> Any:
        """Put a new name."""
        return api.request("PUT", f"/v0/datasources/{name}", data={"name": new}, **arguments)

    def test_everything_moves(self, api: Any, existing: str) -> None:
        """Rows, quarantine, id and tokens stay; the old name is free."""
        found = api.get(f"/v0/datasources/{existing}").json()["id"]
        reading = token_for(api, f"DATASOURCES:READ:{existing}")
        appending = token_for(api, f"DATASOURCES:APPEND:{existing}")
        reply = self.rename(api, existing, f"{existing}_new")
        assert reply.status_code == 200, reply.text
        assert (reply.json()["id"], reply.json()["name"]) == (found, f"{existing}_new")
        assert api.get(f"/v0/datasources/{existing}").status_code == 404
        assert api.sql(f"SELECT 1 FROM {existing}").status_code == 403
        assert rows(api, f"SELECT count() FROM {existing}_new") == [[3]]
        assert rows(api, f"SELECT id FROM {existing}_new_quarantine") == [["x"]]
        q = f"SELECT count() FROM {existing}_new"
        assert api.post("/v0/sql", data={"q": q}, token=reading).text.strip() == "3"
        parameters = {"name": f"{existing}_new", "mode": "append"}
        assert api.post("/v0/datasources", params=parameters, data="4,x\n", token=appending).status_code == 200
        create(api, existing, "other Int8")
        assert rows(api, f"SELECT count() FROM {existing}") == [[0]]
        assert api.post("/v0/sql", data={"q": f"SELECT count() FROM {existing}"}, token=reading).status_code == 403
        assert logged(api, existing, "rename")[0][0] == "ok"

    def test_refused(self, api: Any, existing: str) -> None:
        """A name that is taken, or cannot be one."""
        create(api, f"{existing}_b", "x Int8")
        assert self.rename(api, existing, f"{existing}_b").status_code == 409
        for bad in ("1x", "a b", "select", "x_quarantine", "_tm_x", "x" * 200, "a.b"):
            assert self.rename(api, existing, bad).status_code == 400, bad
        assert self.rename(api, "change_unknown", "change_other").status_code == 404
        assert self.rename(api, existing, existing).status_code == 200
        token = token_for(api, f"DATASOURCES:APPEND:{existing}")
        assert self.rename(api, existing, f"{existing}_c", token=token).status_code == 403
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]

    def test_two_to_one_name(self, api: Any, name: str) -> None:
        """Of Data Sources that get one name at the same time one has it, and all keep their rows."""
        names = [f"{name}_{number}" for number in range(4)]
        for number, each in enumerate(names):
            create(api, each, "id Int32")
            append(api, each, b"%d\n" % number)
        codes: dict[str, int] = {}

        def work(each: str) -> None:
            codes[each] = self.rename(api, each, f"{name}_x").status_code

        def make() -> None:
            codes["new"] = api.post("/v0/datasources", params={"name": f"{name}_x"}, data="id\n9\n").status_code

        threads = [threading.Thread(target=work, args=(each,)) for each in names] + [threading.Thread(target=make)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes.values()) == [200, 409, 409, 409, 409]
        expected = {"new": 9, **{each: number for number, each in enumerate(names)}}
        for each, code in codes.items():
            if code == 200:
                assert rows(api, f"SELECT id FROM {name}_x") == [[expected[each]]]
            elif each != "new":
                assert rows(api, f"SELECT id FROM {each}") == [[expected[each]]]
                assert append(api, each, b"50\n")["datasource"]["statistics"]["row_count"] == 2
                assert self.rename(api, each, f"{each}_later").status_code == 200

    def test_attributes(self, api: Any, existing: str) -> None:
        """A description and the backfill column are kept; what is unknown is ignored."""
        fields = {"description": "text", "backfill_column": "id", "nonsense": "1"}
        reply = api.request("PUT", f"/v0/datasources/{existing}", data=fields)
        assert reply.status_code == 200
        assert reply.json()["description"] == "text"
        assert reply.json()["tags"] == {"backfill_column": "id"}


class TestExchange:
    def exchange(self, api: Any, first: str, second: str, **arguments: Any) -> Any:
        """Swap two."""
        data = {"datasource_a": first, "datasource_b": second}
        return api.post("/v0/datasources/exchange", data=data, **arguments)

    def test_different_schemas(self, api: Any, existing: str) -> None:
        """Schemas, rows and quarantines change places; ids, names, descriptions and tokens stay."""
        other = f"{existing}_b"
        create(api, other, "x Float64, y String", description="about b", engine_sorting_key="y")
        append(api, other, b"1.5,z\nbad,q\nbad,r\n")
        ids = [api.get(f"/v0/datasources/{each}").json()["id"] for each in (existing, other)]
        reading = token_for(api, f"DATASOURCES:READ:{other}")
        reply = self.exchange(api, existing, other)
        assert reply.status_code == 200, reply.text
        assert [api.get(f"/v0/datasources/{each}").json()["id"] for each in (existing, other)] == ids
        assert rows(api, f"SELECT * FROM {existing}") == [[1.5, "z"]]
        assert rows(api, f"SELECT id FROM {other} ORDER BY id") == [[1], [2], [3]]
        assert rows(api, f"SELECT y FROM {existing}_quarantine ORDER BY y") == [["q"], ["r"]]
        assert rows(api, f"SELECT id FROM {other}_quarantine") == [["x"]]
        for each in (existing, other):
            shown = api.get(f"/v0/datasources/{each}").json()
            assert [column["name"] for column in shown["columns"]] == [column for column, _ in described(api, each)]
        assert api.get(f"/v0/datasources/{existing}").json()["engine"]["engine_sorting_key"] == "y"
        assert api.get(f"/v0/datasources/{other}").json()["description"] == "about b"
        assert api.post("/v0/sql", data={"q": f"SELECT count() FROM {other}"}, token=reading).text.strip() == "3"
        assert append(api, existing, b"2.5,w\n")["quarantine_rows"] == 0
        assert append(api, other, b"4,x\n")["quarantine_rows"] == 0
        # Back again.
        assert self.exchange(api, other, existing).status_code == 200
        assert rows(api, f"SELECT count() FROM {existing}") == [[4]]

    def test_refused(self, api: Any, existing: str) -> None:
        """The same one, one that does not exist, a missing parameter, no scope."""
        found = api.get(f"/v0/datasources/{existing}").json()["id"]
        assert self.exchange(api, existing, existing).status_code == 400
        assert self.exchange(api, existing, found).status_code == 400
        assert self.exchange(api, existing, "change_unknown").status_code == 404
        assert self.exchange(api, existing, "").status_code == 400
        token = token_for(api, f"DATASOURCES:APPEND:{existing}")
        assert self.exchange(api, existing, existing, token=token).status_code == 403

    def test_crosswise(self, api: Any, name: str) -> None:
        """Exchanges of the same two from both sides do not wait for each other for ever."""
        first, second = f"{name}_a", f"{name}_b"
        create(api, first, "a Int8")
        create(api, second, "b Int8")
        codes: list[int] = []

        def work(one: str, two: str) -> None:
            codes.extend(self.exchange(api, one, two).status_code for _ in range(4))

        pairs = [(first, second), (second, first)]
        threads = [threading.Thread(target=work, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert codes == [200] * 8
        assert described(api, first) == [("a", "Int8")]


class TestTruncate:
    def test_rows_go(self, api: Any, existing: str) -> None:
        """205 without a body; the quarantine stays; appends go on."""
        reply = api.post(f"/v0/datasources/{existing}/truncate")
        assert (reply.status_code, reply.content) == (205, b"")
        assert rows(api, f"SELECT count() FROM {existing}") == [[0]]
        assert rows(api, f"SELECT count() FROM {existing}_quarantine") == [[1]]
        assert api.get(f"/v0/datasources/{existing}").json()["statistics"]["row_count"] == 0
        append(api, existing, b"1,x\n")
        assert rows(api, f"SELECT count() FROM {existing}") == [[1]]
        assert logged(api, existing, "truncate") == [["ok", None, None]]

    def test_partitions_and_null(self, api: Any, name: str) -> None:
        """Every partition is emptied, and the engine Null has nothing to empty."""
        create(api, name, "id Int32", engine_partition_key="id")
        append(api, name, b"1\n2\n3\n")
        assert api.post(f"/v0/datasources/{name}/truncate").status_code == 205
        assert rows(api, f"SELECT count() FROM {name}") == [[0]]
        create(api, f"{name}_n", "id Int32", engine="Null")
        assert api.post(f"/v0/datasources/{name}_n/truncate").status_code == 205

    def test_refused(self, api: Any, existing: str) -> None:
        """No such Data Source, or no scope."""
        assert api.post("/v0/datasources/change_unknown/truncate").status_code == 404
        token = token_for(api, f"DATASOURCES:APPEND:{existing}")
        assert api.post(f"/v0/datasources/{existing}/truncate", token=token).status_code == 403
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]


BAD_CONDITIONS = [
    "",
    "   ",
    "nosuch = 1",
    "id = (SELECT 1)",
    "id IN (SELECT id FROM change_0)",
    "id = 1; DROP TABLE x",
    "id = 1) OR (1",
    "id =",
    "c",
    "count() > 1",
    "file('/etc/passwd') = ''",
    "id = {a:Int32}",
    "1 FORMAT CSV",
    "throwIf(id = 2)",
    "id = 1 SETTINGS mutations_sync = 0",
]
CONDITIONS = [
    ("id = 1", [2, 3]),
    ("c = 'ES'", [2, 3]),
    ("c != 'ES'", [1, 3]),
    ("c IS NULL", [1, 2]),
    ("c NOT IN ('ES')", [1, 3]),
    ("low = 'a'", [2, 3]),
    ("low LIKE '%'", [3]),
    ("id IN (1, 2) AND c = 'FR'", [1, 3]),
    ("1", []),
    ("0", [1, 2, 3]),
    ("id > 100", [1, 2, 3]),
    ("toString(id) = '2' -- comment", [1, 3]),
    ("c = 'it\\'s' OR id = 3", [1, 2]),
]


@pytest.fixture
def deletable(api: Any, name: str) -> str:
    """A Data Source with Nullable and LowCardinality columns."""
    create(api, name, "id Int32, c Nullable(String), low LowCardinality(Nullable(String))")
    append(api, name, b"1,ES,a\n2,FR,b\n3,,\n")
    return name


class TestDelete:
    def delete(self, api: Any, name: str, condition: str, **fields: str) -> Any:
        """Post a deletion."""
        return api.post(f"/v0/datasources/{name}/delete", data={"delete_condition": condition, **fields})

    @pytest.mark.parametrize(("condition", "left"), CONDITIONS)
    def test_conditions(self, api: Any, deletable: str, condition: str, left: list[int]) -> None:
        """The dry run counts what the job then deletes."""
        dry = self.delete(api, deletable, condition, dry_run="true")
        assert dry.json() == {"rows_to_be_deleted": 3 - len(left)}
        assert rows(api, f"SELECT count() FROM {deletable}") == [[3]]
        reply = self.delete(api, deletable, condition)
        body = reply.json()
        assert body["id"] == body["job_id"] == body["delete_id"] == body["job"]["id"]
        assert body["job_url"].endswith(f"/v0/jobs/{body['id']}")
        job = finished(api, reply)
        assert (job["kind"], job["status"]) == ("delete_data", "done")
        assert (job["delete_condition"], job["rows_affected"]) == (condition, 3 - len(left))
        assert job["datasource"]["name"] == deletable
        assert job["statistics"]["row_count"] == len(left)
        assert [row[0] for row in rows(api, f"SELECT id FROM {deletable} ORDER BY id")] == left

    @pytest.mark.parametrize("condition", BAD_CONDITIONS)
    def test_refused(self, api: Any, deletable: str, condition: str) -> None:
        """A condition that is none is refused at once, without a job, in the dry run too."""
        for version, fields in (("v0", {}), ("v0", {"dry_run": "true"}), ("v1", {}), ("v1", {"wait": "false"})):
            data = {"delete_condition": condition, **fields}
            reply = api.post(f"/{version}/datasources/{deletable}/delete", data=data)
            assert reply.status_code == 400, reply.text
            assert reply.json()["error"]
            assert "w_" not in reply.json()["error"]
        assert rows(api, f"SELECT count() FROM {deletable}") == [[3]]

    def test_other_refusals(self, api: Any, name: str) -> None:
        """The engine Null keeps nothing; unknown Data Sources; tokens without the scope."""
        create(api, name, SCHEMA, engine="Null")
        token = token_for(api, f"DATASOURCES:APPEND:{name}")
        for version in ("v0", "v1"):
            data = {"delete_condition": "id = 1"}
            assert api.post(f"/{version}/datasources/{name}/delete", data=data).status_code == 400
            assert api.post(f"/{version}/datasources/change_unknown/delete", data=data).status_code == 404
            assert api.post(f"/{version}/datasources/{name}/delete", data=data, token=token).status_code == 403

    def test_logged(self, api: Any, deletable: str) -> None:
        """The operation has its rows and its job."""
        job = finished(api, self.delete(api, deletable, "id < 3"))
        assert logged(api, deletable, "delete") == [["ok", 2, None]]
        sql = f"SELECT job_id FROM tinybird.datasources_ops_log WHERE datasource_name = '{deletable}' AND rows = 2"
        assert rows(api, sql) == [[job["id"]]]

    def test_what_follows_sees_it(self, api: Any, name: str) -> None:
        """A conditional replace, a rename and an exchange right after a deletion do not bring rows back."""
        create(api, name, "id Int32, part Int32", engine_partition_key="part")
        append(api, name, b"".join(b"%d,%d\n" % (each, each % 10) for each in range(200_000)))
        jobs = [self.delete(api, name, "id % 2 = 0"), self.delete(api, name, "id % 3 = 0")]
        parameters = {"name": name, "mode": "replace", "replace_condition": "part = 11"}
        assert api.post("/v0/datasources", params=parameters, data="-1,11\n").status_code == 200
        assert api.request("PUT", f"/v0/datasources/{name}", data={"name": f"{name}_x"}).status_code == 200
        assert [finished(api, job)["status"] for job in jobs] == ["done", "done"]
        expected = 1 + sum(each % 2 != 0 and each % 3 != 0 for each in range(200_000))
        assert rows(api, f"SELECT count() FROM {name}_x") == [[expected]]

    def test_several_at_once(self, api: Any, name: str) -> None:
        """Each deletion is done in every part, however many are begun at the same moment."""
        create(api, name, "id Int32, part Int32", engine_partition_key="part")
        append(api, name, b"".join(b"%d,%d\n" % (each, each % 8) for each in range(8_000)))
        replies: list[Any] = []
        threads = [
            threading.Thread(target=lambda prime=prime: replies.append(self.delete(api, name, f"id % {prime} = 0")))
            for prime in (2, 3, 5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [finished(api, reply)["status"] for reply in replies] == ["done"] * 3
        expected = sum(all(each % prime for prime in (2, 3, 5)) for each in range(8_000))
        assert rows(api, f"SELECT count() FROM {name}") == [[expected]]


class TestLightweightDelete:
    def delete(self, api: Any, name: str, condition: str, **fields: str) -> Any:
        """Post a deletion."""
        return api.post(f"/v1/datasources/{name}/delete", data={"delete_condition": condition, **fields})

    @pytest.mark.parametrize(("condition", "left"), CONDITIONS)
    def test_conditions(self, api: Any, deletable: str, condition: str, left: list[int]) -> None:
        """The reply comes when the rows are gone, and the counts are those of living rows."""
        reply = self.delete(api, deletable, condition, wait="true")
        assert reply.status_code == 200, reply.text
        body = reply.json()
        assert body["rows_affected"] == 3 - len(left)
        assert set(body["mutation"]) == {"partitions_scanned", "partitions_done", "partitions_in_progress"}
        assert [row[0] for row in rows(api, f"SELECT id FROM {deletable} ORDER BY id")] == left
        assert api.get(f"/v0/datasources/{deletable}").json()["statistics"]["row_count"] == len(left)
        listed = api.get("/v0/datasources").json()["datasources"]
        [shown] = [each for each in listed if each["name"] == deletable]
        assert shown["statistics"]["row_count"] == len(left)
        assert append(api, deletable, b"9,x,y\n")["datasource"]["statistics"]["row_count"] == len(left) + 1

    def test_without_waiting(self, api: Any, deletable: str) -> None:
        """With wait=false it is a job."""
        reply = self.delete(api, deletable, "id = 2", wait="false")
        assert {"job_id", "job_url"} <= set(reply.json())
        job = finished(api, reply)
        assert (job["kind"], job["status"], job["rows_affected"]) == ("delete_data", "done", 1)
        assert rows(api, f"SELECT id FROM {deletable} ORDER BY id") == [[1], [3]]
        assert logged(api, deletable, "delete") == [["ok", 1, None]]

    def test_partition(self, api: Any, name: str) -> None:
        """Only rows of the partition go."""
        create(api, name, "id Int32, at Date", engine_partition_key="toYYYYMM(at)")
        append(api, name, b"1,2024-01-01\n2,2024-01-02\n3,2024-02-01\n")
        body = self.delete(api, name, "id > 1", partition="202401").json()
        assert body["rows_affected"] == 1
        assert body["mutation"]["partitions_scanned"] == 1
        assert rows(api, f"SELECT id FROM {name} ORDER BY id") == [[1], [3]]
        assert self.delete(api, name, "id > 1", partition="nosuch").status_code == 400
        assert self.delete(api, name, "id > 1", partition="(SELECT 1)").status_code == 400
        assert rows(api, f"SELECT count() FROM {name}") == [[2]]

    @pytest.mark.parametrize("partition", ["(202401, 1)", "tuple(202401, 1)"])
    def test_a_partition_of_two_expressions(self, api: Any, name: str, partition: str) -> None:
        """It is named by a tuple."""
        create(api, name, "id Int32, at Date, n Int8", engine_partition_key="(toYYYYMM(at), n)")
        append(api, name, b"1,2024-01-01,1\n2,2024-01-02,2\n3,2024-02-01,1\n")
        reply = self.delete(api, name, "id > 0", partition=partition)
        assert reply.status_code == 200, reply.text
        assert rows(api, f"SELECT id FROM {name} ORDER BY id") == [[2], [3]]

    def test_options(self, api: Any, deletable: str) -> None:
        """projection_mode is one of three; dry_run does not go with it."""
        assert self.delete(api, deletable, "id = 1", dry_run="true").status_code == 400
        assert self.delete(api, deletable, "id = 1", projection_mode="maybe").status_code == 400
        assert rows(api, f"SELECT count() FROM {deletable}") == [[3]]
        for number, mode in enumerate(("throw", "drop", "rebuild"), 1):
            assert self.delete(api, deletable, f"id = {number}", projection_mode=mode).json()["rows_affected"] == 1

    def test_after_it(self, api: Any, deletable: str) -> None:
        """Rows that are only marked stay away through replace, alter, exchange and a further deletion."""
        assert self.delete(api, deletable, "id = 1").status_code == 200
        parameters = {"name": deletable, "mode": "replace", "replace_condition": "id = 2"}
        assert api.post("/v0/datasources", params=parameters, data="2,new,n\n").status_code == 200
        assert rows(api, f"SELECT id, c FROM {deletable} ORDER BY id") == [[2, "new"], [3, None]]
        assert self.delete(api, deletable, "id = 2").status_code == 200
        schema = "id Int32, c Nullable(String), low LowCardinality(Nullable(String)), d Int8"
        assert api.post(f"/v0/datasources/{deletable}/alter", data={"schema": schema}).status_code == 200
        data = {"delete_condition": "id = 2", "dry_run": "true"}
        assert api.post(f"/v0/datasources/{deletable}/delete", data=data).json() == {"rows_to_be_deleted": 0}
        assert rows(api, f"SELECT id FROM {deletable}") == [[3]]


class TestDrop:
    def test_drop(self, api: Any, existing: str) -> None:
        """The rows and the quarantine go, the name is free, scopes on it grant nothing more."""
        reading = token_for(api, f"DATASOURCES:READ:{existing}")
        dry = api.request("DELETE", f"/v0/datasources/{existing}", params={"dry_run": "true"})
        assert "dependent_pipes" in dry.json()
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]
        reply = api.request("DELETE", f"/v0/datasources/{existing}")
        assert (reply.status_code, reply.content) == (204, b"")
        assert api.get(f"/v0/datasources/{existing}").status_code == 404
        assert api.sql(f"SELECT 1 FROM {existing}_quarantine").status_code == 403
        create(api, existing, "other Int8")
        assert rows(api, f"SELECT count() FROM {existing}_quarantine") == [[0]]
        assert api.post("/v0/sql", data={"q": f"SELECT 1 FROM {existing}"}, token=reading).status_code == 403
        assert logged(api, existing, "delete") == [["ok", None, None]]

    def test_refused(self, api: Any, existing: str) -> None:
        """Unknown, or without the scope; DATASOURCES:DROP is enough."""
        assert api.request("DELETE", "/v0/datasources/change_unknown").status_code == 404
        token = token_for(api, f"DATASOURCES:APPEND:{existing}")
        assert api.request("DELETE", f"/v0/datasources/{existing}", token=token).status_code == 403
        token = token_for(api, f"DATASOURCES:DROP:{existing}")
        assert api.request("DELETE", f"/v0/datasources/{existing}", token=token).status_code == 204


class TestConnectors:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "scheduling/state"), ("PUT", "scheduling/state"), ("POST", "scheduling/runs"), ("POST", "sample")],
    )
    def test_there_are_none(self, api: Any, existing: str, method: str, path: str) -> None:
        """What only connectors have says so."""
        reply = api.request(method, f"/v0/datasources/{existing}/{path}")
        assert reply.status_code == 404
        assert "connector" in reply.json()["error"]


class TestRaces:
    def test_mixture(self, api: Any, name: str) -> None:
        """Eight threads do everything to three Data Sources: no reply is a 5xx, and the sums are right at the end."""
        names = [f"{name}_{number}" for number in range(3)]
        for each in names:
            create(api, each, "id Int64, v Int64")
        # With this token an append to a name that is just away makes no new Data Source.
        token = token_for(api, *(f"DATASOURCES:APPEND:{each}" for each in names))
        stop = time.monotonic() + 8
        ids = itertools.count(1)
        codes: dict[tuple[str, int], int] = {}
        appended: list[int] = []
        problems: list[str] = []

        def note(kind: str, reply: Any) -> int:
            code: int = reply.status_code
            codes[kind, code] = codes.get((kind, code), 0) + 1
            if code >= 500:
                problems.append(f"{kind}: {reply.text}")
            return code

        def appends(number: int) -> None:
            while time.monotonic() < stop:
                first = next(ids) * 10
                data = "".join(f"{first + each},1\n" for each in range(10))
                parameters = {"name": names[number % 3], "mode": "append"}
                reply = api.post("/v0/datasources", params=parameters, data=f"id,v\n{data}", token=token)
                if note("append", reply) == 200:
                    appended.append(first)

        def disturbs(kind: str) -> None:
            for turn in itertools.count():
                if time.monotonic() > stop:
                    return
                one, two = names[turn % 3], names[(turn + 1) % 3]
                if kind == "exchange":
                    data = {"datasource_a": one, "datasource_b": two}
                    note(kind, api.post("/v0/datasources/exchange", data=data))
                elif kind == "rename":
                    if note(kind, api.request("PUT", f"/v0/datasources/{one}", data={"name": f"{name}_away"})) == 200:
                        back = api.request("PUT", f"/v0/datasources/{name}_away", data={"name": one})
                        if note(kind, back) != 200:
                            problems.append(f"rename back: {back.text}")
                elif kind == "alter":
                    schema = f"id Int64, v Int64{', w Nullable(Int8)' if turn % 2 else ''}"
                    note(kind, api.post(f"/v0/datasources/{one}/alter", data={"schema": schema}))
                elif kind == "delete":
                    data = {"delete_condition": "v = 0", "wait": "false"}
                    note(kind, api.post(f"/v{turn % 2}/datasources/{one}/delete", data=data))
                else:
                    parameters = {"name": one, "mode": "replace", "replace_condition": "v = 0"}
                    note(kind, api.post("/v0/datasources", params=parameters, data=f"id,v\n{-turn},0\n"))
                    note("list", api.get("/v0/datasources"))
                    note("sql", api.sql(f"SELECT count() FROM {two}"))

        works = [(appends, number) for number in range(3)]
        works += [(disturbs, kind) for kind in ("exchange", "rename", "alter", "delete", "replace")]  # type: ignore[misc]
        threads = [threading.Thread(target=work, args=(argument,)) for work, argument in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert problems == []
        assert {kind for kind, code in codes if code == 200} >= {"append", "exchange", "rename", "alter", "delete"}
        union = " UNION ALL ".join(f"SELECT id, v FROM {each}" for each in names)
        [[count, distinct, total]] = rows(api, f"SELECT count(), uniqExact(id), sum(id) FROM ({union}) WHERE v = 1")
        assert (count, distinct) == (10 * len(appended), 10 * len(appended)), codes
        assert total == sum(10 * first + 45 for first in appended)
        for each in names:
            shown = api.get(f"/v0/datasources/{each}").json()
            assert [column["name"] for column in shown["columns"]] == [column for column, _ in described(api, each)]


class TestFlags:
    """What is asked for with dry_run is not done because of a spelling."""

    @pytest.mark.parametrize("word", ["yes", "TRUE", "on", "1"])
    def test_a_dry_run_in_other_words(self, api: Any, existing: str, word: str) -> None:
        """Nothing goes."""
        data = {"delete_condition": "id > 0", "dry_run": word}
        assert api.post(f"/v0/datasources/{existing}/delete", data=data).json() == {"rows_to_be_deleted": 3}
        assert api.request("DELETE", f"/v0/datasources/{existing}", params={"dry_run": word}).status_code == 200
        assert api.post(f"/v1/datasources/{existing}/delete", data=data).status_code == 400
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]

    def test_neither_true_nor_false(self, api: Any, existing: str) -> None:
        """It is a 400 that names the parameter."""
        for method, path in (("POST", "/delete"), ("DELETE", "")):
            data = {"delete_condition": "id > 0", "dry_run": "perhaps"}
            arguments = {"data": data} if method == "POST" else {"params": {"dry_run": "perhaps"}}
            reply = api.request(method, f"/v0/datasources/{existing}{path}", **arguments)
            assert reply.status_code == 400
            assert "dry_run" in reply.json()["error"]
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]

    def test_a_dry_alter_is_not_noted(self, api: Any, existing: str) -> None:
        """Nothing happened."""
        data = {"schema": f"{SCHEMA}, more Int8", "dry": "yes"}
        assert api.post(f"/v0/datasources/{existing}/alter", data=data).status_code == 200
        assert logged(api, existing, "alter") == []
