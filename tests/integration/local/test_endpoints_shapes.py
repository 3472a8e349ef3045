"""What is remembered of a template's SQL for other values must make no difference but in time."""

from __future__ import annotations

import itertools
import re

import pytest

_numbers = itertools.count()

VALUES = [
    "a",
    "b",
    "c",
    "",
    "'",
    "\\",
    "\\'",
    "'; SELECT 1; --",
    "') FROM system.tables --",
    "' || (SELECT 1) || '",
    "x' UNION ALL SELECT name FROM system.tables --",
    "/* ",
    "*/",
    "-- ",
    "$$",
    "41",
    "number",
    "system.tables",
    "shp_other",
    "a UInt8 ALIAS file('x')",
    "a UInt8",
    "\n",
    "\x00\x01",
    "é😀",
]

#: Where a value may stand; most of these places are unusual, and some are wrong.
PLACES = {
    "condition": "SELECT count() AS c FROM numbers(3) WHERE toString(number) = {{String(x)}}",
    "column": "SELECT {{String(x)}} AS c",
    "described": "DESCRIBE TABLE (SELECT {{String(x)}} AS c)",
    "no alias": "SELECT {{String(x)}}",
    "twice": "SELECT {{String(x)}} AS a, {{String(x)}} AS b",
    "next to a quote": "SELECT {{String(x)}}'z' AS c",
    "after a quote": "SELECT 'z'{{String(x)}} AS c",
    "inside of quotes": "SELECT '{{String(x)}}' AS c",
    "inside of double quotes": 'SELECT 1 AS "{{String(x)}}"',
    "inside of backticks": "SELECT 1 AS `{{String(x)}}`",
    "comment": "SELECT 1 AS c -- {{String(x)}}",
    "block comment": "SELECT 1 /* {{String(x)}} */ AS c",
    "heredoc": "SELECT $${{String(x)}}$$ AS c",
    "named heredoc": "SELECT $x${{String(x)}}$x$ AS c",
    "hexadecimal": "SELECT x{{String(x)}} AS c",
    "binary": "SELECT b{{String(x)}} AS c",
    "columns": "SELECT COLUMNS({{String(x)}}) FROM numbers(1)",
    "interval": "SELECT toDateTime('2024-01-01 00:00:00') + INTERVAL {{String(x)}} DAY AS c",
    "typed": "SELECT DATE {{String(x)}} AS c",
    "cast": "SELECT {{String(x)}}::UInt8 AS c",
    "cast to": "SELECT CAST(1, {{String(x)}}) AS c",
    "in": "SELECT 'a' IN {{String(x)}} AS c",
    "in a list": "SELECT 'a' IN ({{String(x)}}, 'q') AS c",
    "table function": "SELECT * FROM values({{String(x)}}, 'z')",
    "structure": "SELECT * FROM generateRandom({{String(x)}}, 1, 1, 1) LIMIT 1",
    "file": "SELECT * FROM file({{String(x)}})",
    "join get": "SELECT joinGet({{String(x)}}, 'a', 1) AS c",
    "dictionary": "SELECT dictGet({{String(x)}}, 'a', 1) AS c",
    "settings": "SELECT 1 AS c SETTINGS join_algorithm = {{String(x)}}",
    "format": "SELECT 1 AS c FORMAT {{String(x)}}",
    "outfile": "SELECT 1 AS c INTO OUTFILE {{String(x)}}",
    "collation": "SELECT 'a' AS c ORDER BY c COLLATE {{String(x)}}",
    "alias": "SELECT 1 AS {{String(x)}}",
    "limit": "SELECT number AS c FROM numbers(3) ORDER BY c LIMIT {{Int32(n, 1)}}",
    "nested": "SELECT c FROM (SELECT concat({{String(x)}}, {{String(y, 'y')}}) AS c) WHERE c != {{String(y, 'y')}}",
    "branch": "SELECT 1 AS c {% if x == 'a' %} FROM numbers(2) {% else %} WHERE 1 = {{Int8(n, 1)}} {% end %}",
    "lambda": "SELECT arrayMap(e -> e || {{String(x)}}, ['p']) AS c",
    "union": "SELECT {{String(x)}} AS c UNION ALL SELECT {{String(x)}}",
}


def make(api, name, sql):
    """Make a Pipe of one node, and publish it."""
    node = {"name": "endpoint", "sql": sql, "type": "endpoint"}
    parameters = {"force": "true", "ignore_sql_errors": "true"}
    return api.post("/v0/pipes", params=parameters, json={"name": name, "nodes": [node]})


def asked(api, name, value, number):
    """Return what a call answers, without what differs from call to call."""
    form = {"x": value, "n": str(number % 3), "unseen": str(next(_numbers))}
    reply = api.post(f"/v0/pipes/{name}.ndjson", data=form)
    return reply.status_code, reply.text


@pytest.mark.parametrize("place", PLACES)
def test_same_answer_as_by_itself(api, place):
    """A Pipe answers each value in turn as a Pipe does whose SQL is another one at every call."""
    sql = PLACES[place]
    for name, text in (("shp_warm", sql), ("shp_cold", f"/* {{{{Int(unseen, 0)}}}} */ {sql}")):
        reply = make(api, name, f"%\n{text}")
        assert reply.status_code == 200, reply.text
    for number, value in enumerate(VALUES):
        warm, cold = asked(api, "shp_warm", value, number), asked(api, "shp_cold", value, number)
        assert warm[0] == cold[0], (value, warm, cold)
        if warm[0] == 200:
            assert warm == cold, value


def test_values_do_not_mix(api):
    """A value that looks like another's place is a text like any other."""
    make(api, "shp_two", "%\nSELECT {{String(a)}} AS a, {{String(b)}} AS b, {{Int32(n)}} AS n")
    for number in range(20):
        a, b = f"'{number}'", f"{{{{String(b)}}}} tm_{number}_"
        reply = api.post("/v0/pipes/shp_two.json", data={"a": a, "b": b, "n": str(number)})
        assert reply.json()["data"] == [{"a": a, "b": b, "n": number}]


def test_wrong_values_are_still_refused(api):
    """However often the template has been seen."""
    make(api, "shp_checked", "%\nSELECT toUInt8({{String(x, '1')}}) AS c, {{Int32(n, 1)}} AS n")
    for number in range(5):
        assert api.get(f"/v0/pipes/shp_checked.json?x={number}&n={number}").json()["data"] == [
            {"c": number, "n": number}
        ]
    assert api.get("/v0/pipes/shp_checked.json?n=x").status_code == 400
    reply = api.get("/v0/pipes/shp_checked.json?x=x")
    assert reply.status_code == 400
    assert reply.json()["error"].endswith("(CANNOT_PARSE_TEXT)")
    assert not re.search("tm[0-9a-f]{32}", reply.text)
