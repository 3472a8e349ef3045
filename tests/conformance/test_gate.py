"""The gate for user SQL against the vendor's own parser package, which is only called, as a black box.

The package (``clickhouse-toolset``; ``tinybird`` brings it along) has to be in another Python environment, whose
interpreter ``TINYMAGIC_GATE_ORACLE`` names; without that variable the comparison is skipped. For every query of
``gate_queries.txt`` both sides find the same tables, or refuse it for the same reason.

What is compared: of tables the set of (database, table), the database empty for the workspace. Names that stand for
CTEs do not count, nor do table functions, which are compared by being let through or refused. Of refusals the kind,
with the function, setting, statement or position that it is about; the rest of a syntax error depends on the version
of ClickHouse. Where the two differ on purpose the tables below say why, and say nothing that is not so.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tinymagic.local.engine import Engine
from tinymagic.local.errors import ApiError
from tinymagic.local.sql.gate import SqlGate

VARIABLE = "TINYMAGIC_GATE_ORACLE"
ORACLE = os.environ.get(VARIABLE, "")

needs_oracle = pytest.mark.skipif(
    not ORACLE,
    reason=f"NOT COMPARED with the vendor's parser: set {VARIABLE} to a Python interpreter that has clickhouse-toolset",
)

#: Reads queries, one JSON text a line, and answers each with what the package finds in it.
RUNNER = """
import json, sys
from chtoolset import query
for line in sys.stdin:
    try:
        answer = ["ok", sorted({table[:2] for table in query.tables(json.loads(line)) if table[1]})]
    except Exception as error:
        answer = ["error", str(error)]
    print("ANSWER" + json.dumps(answer), flush=True)
"""

#: Deeper than the engine's parser goes.
TOO_DEEP = ["SELECT " + "abs(" * 1200 + "1" + ")" * 1200, "SELECT " + "(" * 1200 + "1" + ")" * 1200]

#: Queries that do not fit on a line of the file.
LONG_QUERIES = [
    "",
    " \n\t",
    "SELECT a\nFROM t\nWHERE b = 1",
    "SELECT a -- FROM x\nFROM t",
    "SELECT 1\n;\n",
    "SELECT * FROM `line\nbreak`",
    "SELECT * FROM `t\n      TableIdentifier u`",
    "\ufeffSELECT 1",
    "SELECT\u00a01",
    "SELECT * FROM (" * 50 + "SELECT * FROM t" + ")" * 50,
    "SELECT " + "abs(" * 100 + "1" + ")" * 100,
    *TOO_DEEP,
    " UNION ALL ".join(f"SELECT a FROM t{number}" for number in range(50)),
    "SELECT a IN (" + ", ".join(map(str, range(2000))) + ") FROM t",
    "WITH "
    + ", ".join(f"x{n} AS (SELECT * FROM {f'x{n - 1}' if n else 't'})" for n in range(30))
    + " SELECT * FROM x29",
]

#: The gate refuses what the parser lets through.
STRICTER = {
    "safety: a file would be written": [
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT a FROM t INTO OUTFILE '/tmp/x' FORMAT CSV",
        "SELECT 1 INTO OUTFILE '/tmp/x' APPEND",
        "SELECT 1 INTO OUTFILE '/tmp/x' TRUNCATE COMPRESSION 'gzip'",
    ],
    "safety: a function by its name alone reaches a file or waits": [
        "SELECT * APPLY(file) FROM t",
        "SELECT * APPLY(sleep) FROM t",
        "SELECT arrayMap(file, arr) FROM t",
    ],
    "safety: the structure holds an expression, which the engine runs": [
        "SELECT b FROM values('a UInt8, b String ALIAS file(\\'/etc/passwd\\')', 1)",
        "SELECT b FROM generateRandom('a UInt8, b String DEFAULT file(\\'/etc/passwd\\')')",
        "SELECT b FROM null('a UInt8, b String MATERIALIZED hostName()')",
        "WITH 'a UInt8, b String ALIAS version()' AS s SELECT b FROM generateRandom(s)",
        "SELECT structureToProtobufSchema('a UInt8 DEFAULT length(file(\\'x\\'))')",
    ],
    "safety: tells about the server": [
        "SELECT errorCodeToName(1)",
        "SELECT countDigits(1), errorCodeToName(0) FROM t",
        "SELECT __actionName('a', 1)",
    ],
    "the service refuses these after its parser, with another list": [
        "SELECT * FROM generateSeries(1, 3)",
        "SELECT * FROM generate_series(1, 3)",
        "SELECT * FROM format('CSV', '1')",
        "SELECT * FROM fuzzJSON(x)",
        "SELECT * FROM cluster('c', system.one)",
        "SELECT * FROM clusterAllReplicas('c', system.one)",
        "SELECT * FROM cluster('c', ws, t)",
    ],
    "a setting is held to the same list wherever it stands": [
        "DESCRIBE t SETTINGS max_threads = 1",
        "SELECT 1 SETTINGS param_x = 'a'",
    ],
    "a table without a name cannot be checked, and nothing gives the parameter a value": [
        "SELECT * FROM {t:Identifier}",
        "SELECT * FROM ws.{t:Identifier}",
        "SELECT * FROM {d:Identifier}.t",
    ],
    "the engine has a limit of depth, lest its stack ends": TOO_DEEP,
    "a dictionary without a plain name cannot be checked": ["SELECT dictGet(concat('d', ''), 'a', 1)"],
    "the engine has no such function": [
        "SELECT a IN numbers(3) FROM t",
        "SELECT generateUUIDv4(), generateUUIDv7(), generateULID()",
    ],
}

#: The gate lets through what the parser refuses.
LOOSER = {
    "the engine is newer and knows the syntax": [
        "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x",
        "WITH x (c) AS (SELECT 1) SELECT c FROM x",
        "WITH (x -> x + 1) AS f SELECT f(1)",
        "SELECT * FROM (VALUES (1, 2), (3, 4))",
        "DESCRIBE SELECT 1",
        "FROM t",
    ],
    "the engine is newer and knows the function": [
        "SELECT lag(a) OVER (ORDER BY b) FROM t",
        "SELECT * FROM VALUES('a Int32', 1)",
    ],
    "the service answers it with names, whatever its parser says": ["SHOW TABLES", "SHOW TABLES FORMAT JSON"],
}

#: Both let it through and find other tables.
OTHER_TABLES = {
    "safety: the parser does not look into windows": ["SELECT sum(a) OVER (PARTITION BY (SELECT 1 FROM u)) FROM t"],
    "safety: the parser does not look into arguments of table functions": [
        "SELECT * FROM numbers((SELECT count() FROM t))",
    ],
    "safety: the parser takes the alias for a CTE, the engine reads the table": ["WITH u AS t SELECT * FROM t"],
    "the parser takes a recursive CTE for a table": [
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
        "WITH RECURSIVE r AS (SELECT id FROM t UNION ALL SELECT t.id FROM t JOIN r ON t.parent = r.id) SELECT * FROM r",
    ],
}

#: Both refuse it, for another reason.
OTHER_REASONS = {
    "the parser's binding cannot write the error down": [
        "SELECT * FROM 日本",
        "SELECT é FROM t",
    ],
    "the engine is newer: it knows the name, and refuses it": [
        "SELECT * FROM fuzzQuery('SELECT 1')",
        "SELECT getServerSetting('x')",
        "SELECT getMergeTreeSetting('x')",
        "SELECT getSettingOrDefault('x', 1)",
        "SELECT generateSerialID('x')",
        "SELECT chdb()",
    ],
    "the engine is newer: it knows the statement, or no longer": [
        "UPDATE t SET a = 1 WHERE 1",
        "EXECUTE AS u SELECT 1",
        "SELECT 1 PARALLEL WITH SELECT 2",
        "WATCH v",
    ],
}

EXCEPTIONS = {
    "stricter": [query for queries in STRICTER.values() for query in queries],
    "looser": [query for queries in LOOSER.values() for query in queries],
    "other tables": [query for queries in OTHER_TABLES.values() for query in queries],
    "other reasons": [query for queries in OTHER_REASONS.values() for query in queries],
}

#: What a refusal is about, and the parts of the text that say so.
KINDS = [
    r"Only SELECT or DESCRIBE queries are supported\. Got: \w+",
    r"Syntax error \(Multi-statements are not allowed\): failed at position \d+",
    r"Syntax error: failed at position \d+",
    r"Unknown function \w+",
    r"Usage of (?:function|setting) '?\w+'? is restricted",
]


def corpus():
    """Return all queries: those of the file, one a line, and the long ones."""
    lines = (Path(__file__).parent / "gate_queries.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("## ")] + LONG_QUERIES


def their_answers(queries):
    """Return what the package says to each query."""
    lines = "".join(json.dumps(query) + "\n" for query in queries)
    finished = subprocess.run([ORACLE, "-c", RUNNER], input=lines, capture_output=True, text=True, check=False)
    answers = [line for line in finished.stdout.splitlines() if line.startswith("ANSWER")]
    assert len(answers) == len(queries), f"the package did not answer; does {ORACLE} have it?"
    return [json.loads(answer.removeprefix("ANSWER")) for answer in answers]


def our_answers(queries):
    """Answer each query as `RUNNER` does."""
    engine = Engine(None)
    gate, answers = SqlGate(engine), []
    for query in queries:
        try:
            answers.append(["ok", sorted(map(list, gate.check(query).reads))])
        except ApiError as error:
            answers.append(["error", error.message])
    engine.close()
    return answers


def reason(message):
    """Return the comparable part of a refusal."""
    for kind in KINDS:
        if found := re.search(kind, message):
            return found[0]
    return message.strip()


def kind_of_difference(theirs, ours):
    """Say how two answers differ; ``None`` when they do not."""
    if theirs[0] == ours[0] == "ok":
        return None if theirs[1] == ours[1] else "other tables"
    if theirs[0] == ours[0]:
        return None if reason(theirs[1]) == reason(ours[1]) else "other reasons"
    return "stricter" if ours[0] == "error" else "looser"


@pytest.fixture(scope="module")
def differences():
    """The queries in which the two sides differ, with how and both answers."""
    queries = corpus()
    found = {}
    for query, theirs, ours in zip(queries, their_answers(queries), our_answers(queries), strict=True):
        kind = kind_of_difference(theirs, ours)
        if kind is not None:
            found[query] = (kind, theirs, ours)
    return found


def test_corpus():
    """It is large, has nothing twice, and holds every exception."""
    queries = corpus()
    assert len(queries) > 700
    assert len(set(queries)) == len(queries)
    exceptions = [query for group in EXCEPTIONS.values() for query in group]
    assert len(set(exceptions)) == len(exceptions)
    assert set(exceptions) <= set(queries)


@needs_oracle
def test_gate_agrees(differences):
    """Same tables, same refusals, but for the exceptions."""
    known = {query for group in EXCEPTIONS.values() for query in group}
    assert {query: found for query, found in differences.items() if query not in known} == {}


@needs_oracle
def test_no_exception_is_stale(differences):
    """Every exception differs in the way that it is listed under."""
    actual = {query: found[0] for query, found in differences.items()}
    listed = {query: kind for kind, group in EXCEPTIONS.items() for query in group}
    assert {query: (kind, actual.get(query)) for query, kind in listed.items() if actual.get(query) != kind} == {}
