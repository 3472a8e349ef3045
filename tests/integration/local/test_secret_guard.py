"""Which queries would hand a secret through, as the engine's own parser reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tinymagic.local.engine import Engine, EngineError
from tinymagic.local.errors import BadRequest
from tinymagic.local.secret_text import SecretText
from tinymagic.local.sql.secret_guard import SecretGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

K = "{k:String}"
VALUE = "correct-horse-battery"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine with a small table."""
    opened = Engine(None)
    opened.execute("CREATE DATABASE w; CREATE TABLE w.t (a String, b Int32) ENGINE = MergeTree ORDER BY a")
    opened.execute(f"INSERT INTO w.t VALUES ('x', 1), ('{VALUE}', 2)")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def guard(engine: Engine) -> SecretGuard:
    """The guard."""
    return SecretGuard(engine)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT {K}",
        f"SELECT {K} AS a",
        "SELECT {k:UInt8}",
        f"SELECT concat('x', {K}) AS a",
        f"SELECT base64Encode({K})",
        f"SELECT toUInt8({K})",
        f"SELECT length({K})",
        f"SELECT if(1, {K}, 'x')",
        f"SELECT [{K}]",
        f"SELECT arrayMap(x -> x, [{K}])",
        f"SELECT any({K}) FROM t",
        f"SELECT quantile({K})(a) FROM t",
        f"SELECT decrypt('aes-256-ecb', {K}, 'key')",
        f"SELECT encrypt('aes-256-ecb', {K}, 'key')",
        f"SELECT tuple({K}).1",
        f"SELECT untuple((1, {K}))",
        f"SELECT CAST({K} AS LowCardinality(String)) AS q",
        f"SELECT a FROM (SELECT {K} AS a)",
        f"SELECT * FROM (SELECT {K} AS a)",
        f"SELECT * FROM (SELECT {K})",
        f"SELECT t.* FROM (SELECT {K} AS a) AS t",
        f"SELECT t.a FROM (SELECT {K} AS a) AS t",
        f"SELECT COLUMNS('.*') FROM (SELECT {K})",
        f"SELECT * REPLACE ({K} AS a) FROM t",
        f"SELECT * APPLY (x -> concat(toString(x), {K})) FROM t",
        f"SELECT substring(a, number, 1) FROM numbers(10), (SELECT {K} AS a)",
        f"WITH {K} AS kk SELECT kk",
        f"WITH t AS (SELECT {K} AS z, 1 AS o) SELECT * FROM t",
        f"WITH t AS (SELECT {K} AS z, 1 AS o) SELECT z FROM t",
        f"WITH t (c) AS (SELECT {K}) SELECT c FROM t",
        f"WITH (SELECT {K}) AS s SELECT s",
        f"WITH RECURSIVE t AS (SELECT 1 AS n, {K} AS s UNION ALL SELECT n + 1, s FROM t WHERE n < 3) SELECT s FROM t",
        f"SELECT (SELECT {K})",
        f"SELECT 'a' AS x UNION ALL SELECT {K}",
        f"SELECT x FROM (SELECT 'a' AS x UNION ALL SELECT {K})",
        f"SELECT k FROM (SELECT 1 AS k INTERSECT SELECT {K})",
        f"SELECT z FROM t ARRAY JOIN [{K}] AS z",
        f"SELECT * FROM t ARRAY JOIN [{K}]",
        f"SELECT * FROM values('a String', {K})",
        f"DESCRIBE TABLE (SELECT {K})",
        f"SELECT s FROM t WHERE ({K} AS s) != ''",
        f"SELECT s FROM t GROUP BY {K} AS s",
        f"SELECT number AS n, 'x' AS a FROM numbers(3) ORDER BY n WITH FILL TO 10 INTERPOLATE (a AS {K})",
        f"SELECT b FROM t ORDER BY b WITH FILL FROM length({K}) TO length({K}) + 1",
        f"SELECT a FROM t WHERE throwIf(a = 'x', hex({K}))",
        f"SELECT x FROM t ARRAY JOIN arrayMap(y -> {K}, [1]) AS x",
        f"WITH x AS (SELECT {K} AS s), y AS (SELECT concat(s, '') AS r FROM x) SELECT r FROM y",
        f"SELECT * FROM t LEFT JOIN (SELECT a, {K} AS s FROM t) AS u USING a",
        f"SELECT toJSONString(tuple(*)) FROM (SELECT {K} AS s)",
    ],
)
def test_refused(guard: SecretGuard, sql: str) -> None:
    """A column that carries the value is refused, whatever way it goes."""
    with pytest.raises(BadRequest, match=r"would show the value of an Environment Variable \(k\)"):
        guard.checked(sql, ["k"])


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT a FROM t WHERE a = {K}",
        f"SELECT a FROM t WHERE startsWith(a, lower({K}))",
        f"SELECT b > toUInt8({K}) AS more FROM t",
        f"SELECT * FROM t WHERE b > toUInt8({K})",
        f"SELECT decrypt('aes-256-ecb', a, {K}) FROM t",
        f"SELECT hex(SHA256(concat(a, {K}))) FROM t",
        f"SELECT hex(HMAC('SHA256', a, {K})) FROM t",
        f"WITH {K} AS kk SELECT decrypt('aes-256-ecb', a, kk) AS d FROM t",
        f"SELECT decrypt('aes-256-ecb', a, key) AS d FROM (SELECT *, {K} AS key FROM t)",
        f"SELECT count() FROM t WHERE a IN (SELECT {K})",
        f"SELECT a = {K} AS ok FROM t",
        f"SELECT * FROM (SELECT a FROM t WHERE a = {K}) LIMIT 10",
        f"SELECT a FROM t UNION ALL SELECT a FROM t WHERE a = {K}",
        f"SELECT throwIf(a != {K}, 'no') FROM t",
        f"SELECT countIf(a = {K}) FROM t",
        f"SELECT sipHash64(a, {K}) % 10 AS bucket, count() FROM t GROUP BY bucket",
        f"SELECT * FROM postgresql('h:1', 'd', 't', {K}, {K})",
        f"SELECT x.a FROM t AS x INNER JOIN t AS y ON x.a = y.a AND y.a = {K}",
        f"SELECT {{other:String}}, a FROM t WHERE a = {K}",
    ],
)
def test_passes(guard: SecretGuard, sql: str) -> None:
    """Keys, digests and conditions are what secrets are for."""
    assert guard.checked(sql, ["k"])


def test_names_of_columns(engine: Engine, guard: SecretGuard) -> None:
    """The engine would put the value into the name of a column; ours has the placeholder."""
    sql = f"SELECT hex(SHA256({K})) FROM t"
    values = {"k": SecretText(VALUE)}
    plain = engine.read(sql, database="w", output_format="JSON", parameters=values).data
    assert VALUE.encode() in plain
    checked = engine.read(guard.checked(sql, ["k"]), database="w", output_format="JSON", parameters=values).data
    assert VALUE.encode() not in checked
    assert b"hex(SHA256({k:String}))" in checked


def test_reply(engine: Engine, guard: SecretGuard) -> None:
    """A table that has the value does not give it to a query that uses the secret."""
    values = {"k": SecretText(VALUE)}
    data = engine.read(f"SELECT a FROM t WHERE a = {K}", database="w", parameters=values).data
    with pytest.raises(BadRequest, match="The result has the value of the Environment Variable 'k'"):
        guard.check_reply(data, values)
    guard.check_reply(b"x", values)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT toUInt8({K})",
        f"SELECT toDate({K})",
        "SELECT {k:Identifier}",
        f"SELECT throwIf(1, {K})",
        f"SELECT nowhere FROM t WHERE a = {K}",
        f"SELECT count() FROM t WHERE match(a, concat('(', {K}))",
        f"SELECT CAST({K}, 'Enum8(\\'a\\' = 1)')",
        f"SELECT decrypt('aes-256-ecb', a, {K}) FROM t",
        f"SELECT toDecimal32({K}, 2)",
        f"SELECT JSONExtract({K}, {K})",
        f"SELECT parseDateTime({K}, '%Y')",
        f"SELECT dateDiff({K}, now(), now())",
        f"SELECT formatRow({K}, 1)",
        f"SELECT toTimeZone(now(), {K})",
        f"SELECT toTypeName(CAST(1, {K}))",
        f"SELECT getSetting({K})",
        f"SELECT toTimeZone(now(), hex({K}))",
        f"SELECT toTimeZone(now(), reverse({K}))",
        f"SELECT toUInt8(substring({K}, 3, 2))",
        f"SELECT nowhere, hex({K}) FROM t",
        f"SELECT formatDateTime(now(), hex({K}), hex({K}))",
        f"SELECT toFixedString(hex({K}), 1)",
        f"SELECT a + hex({K}) FROM t",
    ],
)
def test_errors(engine: Engine, sql: str) -> None:
    """What the engine says against a query does not quote the value, nor what was made of it, nor a piece of it."""
    with pytest.raises(EngineError) as failed:
        engine.read(sql, database="w", parameters={"k": SecretText(VALUE)})
    text = str(failed.value)
    for form in (VALUE, VALUE[::-1], VALUE.encode().hex().upper()):
        assert not any(form[start : start + 4] in text for start in range(len(form) - 3)), text
    assert failed.value.__cause__ is None


def test_telling_errors(engine: Engine) -> None:
    """What helps and tells nothing of the value is told."""
    values = {"k": SecretText(VALUE)}
    for sql, text in (
        (f"SELECT nowhere FROM t WHERE a = {K}", "`nowhere`"),
        (f"SELECT throwIf(a != {K}, 'Not allowed') FROM t", "Not allowed"),
        (f"SELECT decrypt('aes-256-ecb', a, {K}) FROM t", "expected 32"),
    ):
        with pytest.raises(EngineError, match=text):
            engine.read(sql, database="w", parameters=values)


def test_plan(engine: Engine, guard: SecretGuard) -> None:
    """A plan is made with a mask in the place of the value, which it quotes."""
    sql = f"EXPLAIN indexes = 1 SELECT b FROM t WHERE a = {K} OR a = hex({K})"
    values = {"k": SecretText(VALUE), "other": "plain"}
    assert VALUE.encode() in engine.read(sql, database="w", parameters=values).data
    plan = engine.read(sql, database="w", parameters=guard.masked(values)).data
    assert VALUE.encode() not in plan
    assert VALUE.encode().hex().upper().encode() not in plan
    assert b"[secret]" in plan
    assert guard.masked(values)["other"] == "plain"


def test_parameters_end_with_the_query(engine: Engine) -> None:
    """The next query on the same connection does not have the value."""
    engine.read(f"SELECT 1 WHERE {K} = ''", database="w", parameters={"k": SecretText(VALUE)})
    with pytest.raises(EngineError, match="Substitution `k` is not set"):
        engine.read(f"SELECT {K}", database="w")


def test_a_query_over_an_endpoint_with_a_secret(api):
    """Who may call an endpoint may also ask over it, although the token itself may use no secret."""
    assert api.post("/v0/variables", data={"name": "guard_over", "value": "a-long-secret-value"}).status_code == 200
    sql = "% SELECT number AS n FROM numbers(5) WHERE {{tb_secret('guard_over')}} != '' AND n > 1"
    node = {"name": "n", "sql": sql, "type": "endpoint"}
    assert api.post("/v0/pipes", json={"name": "guard_over_pipe", "nodes": [node]}).status_code == 200
    scope = "PIPES:READ:guard_over_pipe"
    token = api.post("/v0/tokens", params={"name": "guard over", "scope": scope}).json()["token"]
    for path, q in (("/v0/pipes/guard_over_pipe.csv", "_"), ("/v0/sql", "guard_over_pipe")):
        reply = api.get(path, params={"q": f"SELECT max(n) AS m FROM {q} FORMAT CSVWithNames"}, token=token)
        assert reply.text == '"m"\n4\n'
        hers = "% SELECT 1 AS m FROM " + q + " WHERE {{tb_secret('guard_over')}} != ''"
        assert "Cannot access secret" in api.get(path, params={"q": hers}, token=token).json()["error"]
