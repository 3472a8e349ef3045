"""The gate for user SQL, on the engine itself: attacks that must fail and legal queries that must pass."""

from __future__ import annotations

import pytest

from tinymagic.local.access.permissions import Access
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine
from tinymagic.local.errors import ApiError
from tinymagic.local.limits import Limits
from tinymagic.local.records import DataSourceRecord, TokenRecord, new_id
from tinymagic.local.services import Services
from tinymagic.local.services.query import QueryRequest
from tinymagic.local.sql.gate import SqlGate

COLUMNS = "a Int32, b String, d DateTime, arr Array(Int32), t Tuple(x Int32, y String), m Map(String, String)"


@pytest.fixture(scope="module")
def services():
    """Two workspaces with a table each, in an engine of this process."""
    engine, catalog = Engine(None), Catalog(None)
    built = Services.build(engine, catalog, Limits.named("default"))
    other = built.workspaces.create("Other")
    for workspace, name in ((catalog.workspaces()[0], "events"), (other, "secrets")):
        engine.execute(f"CREATE TABLE {name} ({COLUMNS}) ENGINE = MergeTree ORDER BY a", database=workspace.database)
        catalog.create_datasource(DataSourceRecord(new_id(), workspace.id, name))
    first = catalog.workspaces()[0].database
    engine.execute("INSERT INTO events (a, b) VALUES (1, 'x'), (2, 'y')", database=first)
    engine.execute("CREATE TABLE private (a Int32) ENGINE = MergeTree ORDER BY a", database=first)
    catalog.create_datasource(DataSourceRecord(new_id(), catalog.workspaces()[0].id, "private"))
    engine.execute("CREATE TABLE events_quarantine (a Int32) ENGINE = MergeTree ORDER BY a", database=first)
    engine.execute("CREATE TABLE _tm_staging (a Int32) ENGINE = MergeTree ORDER BY a", database=first)
    yield built
    engine.close()
    catalog.close()


@pytest.fixture
def run(services):
    """Run SQL with a token that has the scopes, an administrator's without any."""

    def run(sql: str, *scopes: dict[str, str]) -> str:
        workspace = services.catalog.workspaces()[0]
        token = TokenRecord("id", workspace.id, "test", "secret", list(scopes) or [{"type": "ADMIN"}])
        other = services.catalog.workspaces()[1].database
        request = QueryRequest(sql.replace("OTHER", other).replace("OWN", workspace.database))
        names = {name: name for name in ("events", "private")}
        return services.query.run(Access(workspace, token, names), request).result.data.decode()

    return run


ATTACKS = """
SELECT * APPLY(file) FROM (SELECT '/etc/hostname' AS a)
SELECT COLUMNS('a') APPLY(file) FROM (SELECT '/etc/hostname' AS a)
SELECT t.* APPLY(sleep) FROM (SELECT 1 AS a) AS t
SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/hostname' AS a)
SELECT * APPLY(joinGet('a', 'b')) FROM (SELECT 1 AS a)
SELECT arrayMap(file, ['/etc/hostname'])
SELECT arrayMap(`FILE`, ['/etc/hostname'])
SELECT arrayMap((file AS f), ['/etc/hostname'])
SELECT arrayFilter(sleep, [1])
SELECT mapApply(file, map('a', 'b'))
SELECT arrayMap(dictGet, ['a'], ['b'])
SELECT * REPLACE (file('/etc/hostname') AS a) FROM (SELECT 1 AS a)
SELECT * FROM file('/etc/passwd', 'LineAsString', 's String')
SELECT * FROM url('http://127.0.0.1/', 'CSV', 'a String')
SELECT * FROM s3('http://127.0.0.1/b/f.csv', 'CSV', 'a String')
SELECT * FROM remote('127.0.0.1', system.one)
SELECT * FROM remoteSecure('127.0.0.1', system, one)
SELECT * FROM cluster('default', system.one)
SELECT * FROM executable('id', 'CSV', 'a String')
SELECT * FROM mysql('127.0.0.1:3306', 'd', 't', 'u', 'p')
SELECT * FROM postgresql('127.0.0.1:5432', 'd', 't', 'u', 'p')
SELECT * FROM sqlite('/tmp/x.db', 't')
SELECT * FROM redis('127.0.0.1:6379', 'k', 'k String, v String')
SELECT * FROM mongodb('127.0.0.1:27017', 'd', 'c', 'u', 'p', 'a Int32')
SELECT * FROM hdfs('hdfs://127.0.0.1/x', 'CSV', 'a Int32')
SELECT * FROM merge('OTHER', '.*')
SELECT * FROM merge('.*')
SELECT * FROM loop('OTHER', 'secrets')
SELECT * FROM loop(OTHER.secrets)
SELECT * FROM view(SELECT * FROM OTHER.secrets)
SELECT * FROM viewIfPermitted(SELECT * FROM OTHER.secrets ELSE null('a Int32'))
SELECT * FROM dictionary('OTHER.d')
SELECT * FROM input('a Int32')
SELECT * FROM mergeTreeIndex('OTHER', 'secrets')
SELECT * FROM mergeTreeProjection('OTHER', 'secrets', 'p')
SELECT * FROM python('x')
SELECT * FROM Python(services)
SELECT * FROM eval('SELECT 1')
SELECT * FROM generateSeries(1, 2)
SELECT * FROM format('CSV', 'a')
SELECT * FROM OTHER.secrets
SELECT * FROM `OTHER`.`secrets`
SELECT * FROM "OTHER"."secrets"
SELECT * FROM OTHER . secrets
SELECT * FROM OTHER/* ; */./* */secrets
SELECT * FROM OWN.events
SELECT * FROM secrets
SELECT * FROM _tm_staging
WITH _tm_staging AS (SELECT 1) SELECT * FROM _tm_staging
SELECT * FROM (SELECT * FROM OTHER.secrets)
SELECT (SELECT count() FROM OTHER.secrets)
SELECT 1 IN OTHER.secrets
SELECT 1 IN (OTHER.secrets)
SELECT 1 NOT IN `OTHER`.secrets
SELECT 1 GLOBAL IN OTHER.secrets
SELECT in(1, OTHER.secrets)
SELECT nullIn(1, system.tables)
SELECT 1 IN system.tables
SELECT 1 IN merge('OTHER', '.*')
SELECT 1 IN file('/etc/passwd')
SELECT 1 WHERE (1, 2) IN (SELECT 1, 2 FROM OTHER.secrets)
SELECT * FROM events JOIN OTHER.secrets AS s ON events.a = s.a
SELECT * FROM events, OTHER.secrets
SELECT * FROM events UNION ALL SELECT * FROM OTHER.secrets
SELECT 1 EXCEPT SELECT a FROM OTHER.secrets
WITH x AS (SELECT * FROM OTHER.secrets) SELECT * FROM x
WITH (SELECT count() FROM OTHER.secrets) AS n SELECT n
SELECT * FROM (WITH ghost AS (SELECT 1) SELECT * FROM ghost) AS q JOIN secrets USING (a)
SELECT OTHER.secrets.a FROM events
SELECT * FROM system.tables
SELECT * FROM system.processes
SELECT * FROM system.query_log
SELECT * FROM SYSTEM.settings
SELECT * FROM `system`.`databases`
SELECT * FROM information_schema.tables
SELECT * FROM INFORMATION_SCHEMA.COLUMNS
SELECT * FROM tinybird.no_such_table
SELECT joinGet('OTHER.secrets', 'b', 1)
SELECT joinGet(OTHER.secrets, 'b', 1)
SELECT joinGet(concat('OTHER', '.secrets'), 'b', 1)
SELECT dictGet('OTHER.d', 'b', 1)
SELECT dictGetOrDefault('OTHER.d', 'b', 1, 2)
SELECT dictHas(OTHER.d, 1)
SELECT hasColumnInTable('OTHER', 'secrets', 'a')
SELECT currentDatabase()
SELECT CURRENTDATABASE()
SELECT DATABASE()
SELECT SCHEMA()
SELECT currentUser()
SELECT user()
SELECT hostName()
SELECT version()
SELECT getSetting('max_threads')
SELECT getServerSetting('path')
SELECT getMacro('x')
SELECT file('/etc/passwd')
SELECT arrayMap(x -> file('/etc/passwd'), [1])
SELECT sleep(3)
SELECT sleepEachRow(1) FROM numbers(3)
SELECT filesystemAvailable()
SELECT serverUUID()
SELECT logTrace('x')
SELECT aiGenerate('x')
SELECT __actionName(1, 'x')
SELECT 1; SELECT 2
SELECT 1; DROP TABLE events
SELECT 1; -- x
SELECT 1;SELECT 2 -- ;
SELECT ';' ; DROP TABLE events
SELECT 1 /* ; */; DROP TABLE events
SELECT 1 -- comment
SELECT 1 FORMAT JSON; DROP TABLE events
EXPLAIN SELECT 1
EXPLAIN AST SELECT 1
EXPLAIN AST SELECT 1; DROP TABLE events
SHOW TABLES LIKE 'e%'
SHOW TABLES FROM OTHER
SHOW FULL TABLES
SHOW TABLES INTO OUTFILE '/tmp/tinymagic-gate-test.csv'
SHOW DATABASES
SHOW CREATE TABLE events
SHOW PROCESSLIST
EXISTS TABLE OTHER.secrets
DESCRIBE OTHER.secrets
DESCRIBE TABLE file('/etc/passwd')
DESCRIBE (SELECT * FROM OTHER.secrets)
DESC url('http://127.0.0.1/')
DESCRIBE events; DROP TABLE events
INSERT INTO events (a) VALUES (1)
INSERT INTO events (a) SELECT 1
INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'a Int32') VALUES (1)
CREATE TABLE x (a Int32) ENGINE = Memory
CREATE FUNCTION f AS x -> x
DROP TABLE events
TRUNCATE TABLE events
ALTER TABLE events DELETE WHERE 1
UPDATE events SET b = 'z' WHERE 1
DELETE FROM events WHERE 1
RENAME TABLE events TO e
OPTIMIZE TABLE events
SYSTEM FLUSH LOGS
SYSTEM SHUTDOWN
KILL QUERY WHERE 1
USE OTHER
SET readonly = 0
SET readonly = 0; SELECT 1
GRANT SELECT ON *.* TO default
BACKUP DATABASE OTHER TO File('/tmp/x')
ATTACH TABLE x
SELECT 1 PARALLEL WITH SELECT 2
SELECT 1 INTO OUTFILE '/tmp/tinymagic-gate-test.csv'
SELECT 1 INTO OUTFILE '/tmp/tinymagic-gate-test.csv' FORMAT CSV
SELECT 1 SETTINGS readonly = 0
SELECT 1 SETTINGS max_execution_time = 0
SELECT 1 SETTINGS max_result_bytes = 0, join_use_nulls = 1
SELECT * FROM (SELECT 1 SETTINGS max_threads = 1)
SELECT 1 FORMAT JSON SETTINGS max_threads = 1
SELECT 1 SETTINGS join_use_nulls = 1, log_comment = 'x'
SELECT 1 SETTINGS allow_introspection_functions = 1
SELECT * FROM {t:Identifier}
SELECT 1 IN {t:Identifier}
SELECT {x:String}
SELECT b FROM generateRandom('a UInt8, b String ALIAS file(''/etc/hostname'')') LIMIT 1
SELECT b FROM generateRandom('a UInt8, b String ALIAS hostName()') LIMIT 1
SELECT b FROM generateRandom('a UInt8, b UInt8 ALIAS 7 IN private') LIMIT 1
SELECT b FROM generateRandom('a UInt8, b String MATERIALIZED file(''/etc/hostname'')') LIMIT 1
SELECT b FROM generateRandom(concat('a UInt8, b String ALIAS fi', 'le(''/etc/hostname'')')) LIMIT 1
SELECT b FROM generateRandom('a UInt8, b ALIAS file(''/etc/hostname'');') LIMIT 1
SELECT b FROM values('a UInt8, b String ALIAS file(''/etc/hostname'')', 1)
SELECT b FROM values('a UInt8, b ALIAS file(''/etc/hostname'');', 1)
SELECT b FROM values('a UInt8, b String ALIAS file(''/etc/hostname'') -- ', 1)
SELECT b FROM VALUES($$a UInt8, b String ALIAS file('/etc/hostname')$$, 1)
SELECT b FROM values('a UInt8, b String ALIAS file(''/etc/hostname'')' AS s, 1)
WITH 'a UInt8, b String ALIAS file(''/etc/hostname'')' AS s SELECT b FROM values(s, 1)
SELECT b FROM null('a UInt8, b String ALIAS file(''/etc/hostname'')')
DESCRIBE generateRandom('a UInt8, b String ALIAS file(''/etc/hostname'')')
SELECT structureToProtobufSchema('a UInt8 DEFAULT length(file(''/etc/hostname''))')
SELECT formatQueryFromJSON('{}')
SELECT chdb()
WITH OTHER.secrets AS x SELECT 1 IN x
SELECT 1 IN default.t
SELECT 1 IN _temporary_and_external_tables.t
SELECT 1 IN (EXPLAIN SELECT 1)
SELECT noSuchFunction(1)
SELECT * FROM noSuchTableFunction(1)
SELECT * FROM table('secrets')
% SELECT * FROM {{column(x, 'OTHER.secrets')}}
% SELECT * FROM {{symbol('secrets')}}
""".strip().splitlines()

#: These lines are shown among the attacks because they look like some, and are harmless.
HARMLESS = {"SELECT 1; -- x", "SELECT 1 -- comment"}


@pytest.mark.parametrize("sql", [line for line in ATTACKS if line not in HARMLESS])
def test_attack_is_refused(run, sql):
    """An attack ends in a 400 or 403 with a text, and the server lives."""
    with pytest.raises(ApiError) as caught:
        run(sql)
    assert caught.value.status in (400, 403)
    assert caught.value.message
    assert run("SELECT count() FROM events") == "2\n"


@pytest.mark.parametrize("sql", sorted(HARMLESS))
def test_look_alike_passes(run, sql):
    """A comment or a semicolon at the end is no second statement."""
    assert run(sql) == "1\n"


def test_newline_in_an_identifier_hides_nothing(run):
    """A name that looks like a line of a syntax tree is a name."""
    with pytest.raises(ApiError, match="not found"):
        run("SELECT * FROM `events\n      TableIdentifier events`")
    assert run("SELECT 1 AS `x\nTableIdentifier OTHER.secrets`") == "1\n"


LEGAL = """
SELECT 1.8446744073709552e+19 AS a, [-2e19, 0.5] AS b, 1e300 AS c
SELECT 2e19 AS a SETTINGS join_use_nulls = 1
SELECT arraySort(x -> -x, [1, 2]), arrayMap(negate, [1])
SELECT * APPLY(sum) FROM (SELECT 1 AS a)
SELECT COLUMNS('a') APPLY(quantiles(0.9)) FROM (SELECT 1 AS a)
SELECT * REPLACE (1 AS a) FROM (SELECT 2 AS a)
SELECT version, file, user FROM (SELECT 1 AS version, 2 AS file, 3 AS user)
SELECT number, 1 AS x FROM numbers(3) ORDER BY number WITH FILL FROM 0 TO 9 STEP 2 INTERPOLATE (x AS x + 1)
SELECT a, count() AS c FROM events WHERE b LIKE '%x;y%' GROUP BY a WITH TOTALS HAVING c > 0 ORDER BY c DESC LIMIT 2 BY a
WITH x AS (SELECT * FROM events) SELECT * FROM x
WITH events AS (SELECT 1 AS a) SELECT * FROM events
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT max(n) FROM r
WITH (SELECT max(a) FROM events) AS m SELECT m
WITH 5 AS five SELECT five
SELECT * FROM (SELECT * FROM events) AS s JOIN events AS e ON s.a = e.a
SELECT * FROM events_quarantine
SELECT * FROM events ARRAY JOIN arr AS z
SELECT a IN (1, 2), a IN (SELECT a FROM events), has(arr, a) FROM events
SELECT a FROM events WHERE a IN events_quarantine
SELECT arrayMap(x -> x * 2, arr), m['k'], t.x, t.1, events.a FROM events
SELECT count() OVER (PARTITION BY b ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM events
SELECT sum(a) OVER w FROM events WINDOW w AS (ORDER BY a)
SELECT * EXCEPT (d) REPLACE (1 AS a) FROM events
SELECT COLUMNS('a|b') APPLY(toString) FROM events
SELECT a::String, CAST(a AS Nullable(Float64)), toDate('2020-01-01') + INTERVAL 1 DAY FROM events
SELECT quantilesTDigest(0.5, 0.9)(a), sumIf(a, a > 1), topK(3)(b) FROM events
SELECT 1 UNION ALL SELECT 2 UNION DISTINCT SELECT 3
(SELECT 1) UNION ALL (SELECT 2)
SELECT 1 INTERSECT SELECT 1
FROM events SELECT a
SELECT number FROM numbers(3) ORDER BY number WITH FILL FROM 0 TO 5
SELECT * FROM numbers(3) AS n LEFT JOIN zeros(2) AS z ON n.number = z.zero
SELECT * FROM values('a Int32', 1, 2)
SELECT * FROM (VALUES (1, 2), (3, 4))
SELECT * FROM generateRandom('a Int32') LIMIT 1
SELECT * FROM system.one
SELECT number FROM system.numbers LIMIT toInt32('3')
SELECT 'it''s; -- not a comment', "dummy" FROM system.one
SELECT $$heredoc; text$$
SELECT 1 /* ; */
SELECT 1;;
SELECT 1 FORMAT JSON;
DESCRIBE events
DESC (SELECT 1 AS a)
DESCRIBE TABLE events FORMAT JSON
SELECT count() FROM events SETTINGS join_use_nulls = 1
SELECT throwIf(0), now() > 0, toString(generateUUIDv4()) != '', rand() >= 0, timezone()
SELECT 12345678901234567890123, 1e-7, 0x1F, -1, inf, nan, NULL, true
SELECT uniqExact(events.a) FROM events AS events PREWHERE a > 0
SELECT 1 AS `system`, 2 AS `weird "name"`
SELECT * FROM values('a Nullable(Int8), b Enum8(''x'' = 1)', (1, 'x'))
SELECT * FROM values('x', 'y; z')
SELECT * FROM values(toDate('2020-01-01'), toDate('2020-01-02'))
SELECT 1 IN system.one
SELECT sumIf(a, a > 1), uniqExactIf(a, a > 1), quantileExactWeightedIf(0.5)(a, 1, a > 1) FROM events
WITH (x -> x + 1) AS f SELECT f(1)
WITH x AS (SELECT 1 AS a) SELECT a FROM x UNION ALL SELECT a FROM x
% SELECT {{Int32(n, 3)}} FROM {{symbol('events')}} LIMIT {{Int32(l, 1)}}
""".strip().splitlines()


@pytest.mark.parametrize("sql", LEGAL)
def test_legal_query_passes(run, sql):
    """Ordinary SQL is not in the way of the gate."""
    assert isinstance(run(sql), str)


class TestScopes:
    READ = {"type": "DATASOURCES:READ", "resource": "events"}

    def test_readable_source_and_its_quarantine(self, run):
        """READ on a Data Source includes its quarantine."""
        assert run("SELECT count() FROM events", self.READ) == "2\n"
        assert run("SELECT count() FROM events_quarantine", self.READ) == "0\n"

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM private",
            "SELECT * FROM events WHERE a IN private",
            "WITH private AS (SELECT 1 AS a) SELECT * FROM (SELECT * FROM private)",
            "SELECT * FROM (WITH private AS (SELECT 1 AS a) SELECT * FROM private) AS x JOIN private USING (a)",
            "SELECT joinGet('private', 'a', 1)",
            "WITH private AS events SELECT 1 IN events",
            "WITH private AS x, x AS events SELECT 1 IN events",
            "SELECT 1 IN (private AS events)",
            "DESCRIBE private",
        ],
    )
    def test_other_source_is_not_found(self, run, sql):
        """Without READ a Data Source looks as if it did not exist, and a CTE of its name does not help."""
        with pytest.raises(ApiError, match="Resource 'private' not found") as caught:
            run(sql, self.READ)
        assert caught.value.status == 403

    def test_scope_for_all(self, run):
        """WORKSPACE:READ_ALL reads everything, APPEND reads nothing."""
        assert run("SELECT count() FROM private", {"type": "WORKSPACE:READ_ALL"}) == "0\n"
        with pytest.raises(ApiError, match="not found"):
            run("SELECT * FROM events", {"type": "DATASOURCES:APPEND", "resource": "events"})


class TestShowTables:
    def test_statement(self, services):
        """Exactly SHOW TABLES is recognised, and what would run has no rows."""
        gate = SqlGate(services.engine)
        for sql in ("SHOW TABLES", "show /* */ tables;", "SHOW TABLES FORMAT JSON"):
            statement = gate.check(sql)
            assert statement.shows_tables
            assert statement.output_format == ("JSON" if "JSON" in sql else None)
            assert services.engine.read(statement.sql, database="system").rows == 0
        assert not gate.check("SELECT 1").shows_tables

    def test_only_readable_names(self, run):
        """The answer has the Data Sources that the token may read."""
        assert run("SHOW TABLES") == "events\nprivate\n"
        assert run("SHOW TABLES FORMAT CSV", TestScopes.READ) == '"events"\n'


class TestNames:
    @pytest.mark.parametrize(
        ("sql", "tables", "optional", "reads"),
        [
            ("SELECT * FROM tinybird.pipe_stats_rt", "tinybird.pipe_stats_rt", "", "tinybird.pipe_stats_rt"),
            ("SELECT tinybird.a.url FROM tinybird.a", "tinybird.a", "", "tinybird.a"),
            ("SELECT organization.a.b FROM organization.a", "organization.a", "", "organization.a"),
            ("SELECT organization.size, tinybird.x FROM t", ".t", "", ".t"),
            ("SELECT 1 IN tinybird.a", "tinybird.a", "", "tinybird.a"),
            ("SELECT 1 IN ws.a", "", "ws.a", "ws.a"),
            ("WITH x AS (SELECT 1) SELECT * FROM x", "", ".x", ""),
            ("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x), x", "", ".x", ".x"),
            ("WITH x AS (SELECT 1) SELECT 1 IN x", "", ".x", ""),
            ("WITH a AS b SELECT 1 IN b", "", ".a .b", ""),
            ("SELECT joinGet(j, 'a', 1), joinGet('ws.j', 'a', 1)", ".j ws.j", "", ".j ws.j"),
            ("SELECT dictGet('d', 'a', 1)", ".d", "", ""),
        ],
    )
    def test_names(self, services, sql, tables, optional, reads):
        """Which names must be resources, which may be, and which the service counts as tables."""
        statement = SqlGate(services.engine).check(sql)
        for found, expected in ((statement.tables, tables), (statement.optional_tables, optional)):
            assert found == {tuple(name.split(".")) for name in expected.split()}
        assert statement.reads == {tuple(name.split(".")) for name in reads.split()}

    def test_unknown_function(self, services):
        """The text is the service's, with proposals."""
        with pytest.raises(ApiError, match=r"DB::Exception: Unknown function toStrin\. Maybe you meant: \['toString'"):
            SqlGate(services.engine).check("SELECT toStrin(1)")

    def test_joinget_reads_what_was_checked(self, services):
        """An alias of the same name does not lead to another table."""
        statement = SqlGate(services.engine).check("WITH 'private' AS events SELECT joinGet(events, 'a', 1)")
        assert statement.reads == {("", "events")}
        assert "joinGet('events', 'a', 1)" in statement.sql


@pytest.mark.parametrize("sql", [f"SELECT {'abs(' * 400}1{')' * 400}", f"SELECT {'(' * 400}1{')' * 400}"])
def test_deep_nesting_is_a_bad_request(api, sql):
    """Neither the parser's nor our own recursion ends in a failure of the server."""
    assert api.sql(sql).status_code == 400


#: Old to new in the tests of `SqlGate.renamed`; on the engine the new tables have the same rows as the old ones.
RENAMES = {("", "_"): ("", "flow"), ("ws", "events"): ("w_far", "events"), ("ws", "users"): ("w_far", "users")}

RENAMED = [
    ("SELECT * FROM _", "SELECT * FROM flow AS _"),
    ("SELECT _.a FROM _", "SELECT _.a FROM flow AS _"),
    ("SELECT x.a, _.b FROM _ AS x", "SELECT x.a, x.b FROM flow AS x"),
    ("SELECT _.* FROM _", "SELECT _.* FROM flow AS _"),
    (
        "SELECT x.a, _.b FROM _ AS x INNER JOIN _ ON x.a = _.a ORDER BY x.a",
        "SELECT x.a, _.b FROM flow AS x INNER JOIN flow AS _ ON x.a = _.a ORDER BY x.a ASC",
    ),
    (
        "SELECT x.a, _.b FROM _ AS x INNER JOIN events AS _ ON x.a = _.a ORDER BY x.a",
        "SELECT x.a, _.b FROM flow AS x INNER JOIN events AS _ ON x.a = _.a ORDER BY x.a ASC",
    ),
    ("SELECT ws.events.a FROM ws.events", "SELECT events.a FROM w_far.events"),
    ("SELECT ws.events.* FROM ws.events", "SELECT events.* FROM w_far.events"),
    ("SELECT ws.events.t.x FROM ws.events AS e", "SELECT e.t.x FROM w_far.events AS e"),
    (
        "SELECT ws.events.a, events.b FROM ws.events JOIN events ON ws.events.a = events.a",
        "SELECT w_far.events.a, events.b FROM w_far.events INNER JOIN events ON w_far.events.a = events.a",
    ),
    ("SELECT a IN ws.users FROM ws.events", "SELECT a IN (w_far.users) FROM w_far.events"),
    ("SELECT a IN _ FROM flow AS _", "SELECT a IN (_) FROM flow AS _"),
    ("WITH _ AS (SELECT 5 AS a) SELECT * FROM _", "WITH _ AS (SELECT 5 AS a) SELECT * FROM _"),
    (
        "WITH _ AS (SELECT a FROM _) SELECT _.a FROM _",
        "WITH _ AS (SELECT a FROM flow AS _) SELECT _.a FROM _",
    ),
    (
        "SELECT a FROM flow WHERE EXISTS (SELECT 1 FROM ws.events WHERE ws.events.a = flow.a)",
        "SELECT a FROM flow WHERE exists((SELECT 1 FROM w_far.events WHERE events.a = flow.a))",
    ),
    ("SELECT z FROM ws.events ARRAY JOIN ws.events.arr AS z", "SELECT z FROM w_far.events ARRAY JOIN events.arr AS z"),
    ("SELECT '_' AS s, a FROM `_` -- _", "SELECT '_' AS s, a FROM flow AS _"),
    ("SELECT p._ FROM (SELECT 1 AS _) AS p", "SELECT p._ FROM (SELECT 1 AS _) AS p"),
    ("DESCRIBE ws.events", "DESCRIBE TABLE w_far.events"),
    ("DESCRIBE (SELECT _.a FROM _)", "DESCRIBE TABLE (SELECT _.a FROM flow AS _)"),
    ("FROM _ SELECT _.a", "SELECT _.a FROM flow AS _"),
]


@pytest.fixture(scope="module")
def twins():
    """An engine with tables of equal rows under their old and their new names."""
    engine = Engine(None)
    for database in ("here", "ws", "w_far"):
        engine.execute(f"CREATE DATABASE {database}")
    for place in ("here._", "here.flow", "here.events", "ws.events", "ws.users", "w_far.events", "w_far.users"):
        database, table = place.split(".")
        columns = "a Int32, b String, arr Array(Int32), t Tuple(x Int32)"
        engine.execute(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY a", database=database)
        engine.execute(
            f"INSERT INTO {table} VALUES (1, 'x', [1, 2], tuple(3)), (2, 'y', [], tuple(4))", database=database
        )
    yield engine
    engine.close()


class TestRenamed:
    @pytest.mark.parametrize(("sql", "expected"), RENAMED)
    def test_text_and_rows(self, twins, sql, expected):
        """Other tables stand in the text, and the rows and names of columns are the same."""
        gate = SqlGate(twins)
        statement = gate.check(sql)
        renamed = gate.renamed(statement, RENAMES)
        assert renamed.strip() == expected
        if " a IN " not in sql:  # The sides of IN do not match; it is the text that counts.
            before, after = (
                twins.read(text, database="here", output_format="TSVWithNamesAndTypes").data
                for text in (statement.sql, renamed)
            )
            assert before == after

    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            ("SELECT joinGet('_', 'a', 1)", "joinGet('flow', 'a', 1)"),
            ("SELECT joinGet(ws.users, 'a', 1)", "'w_far.users'"),
        ],
    )
    def test_joinget(self, twins, sql, expected):
        """The table that is named in a text changes too."""
        gate = SqlGate(twins)
        assert expected in gate.renamed(gate.check(sql), RENAMES)

    def test_other_names_change_nothing(self, twins):
        """A statement without the names stays as it was written."""
        gate = SqlGate(twins)
        statement = gate.check("select  a from events -- x")
        assert gate.renamed(statement, {("", "other"): ("", "x"), ("ws", "events"): ("", "x")}) == statement.sql
        assert gate.renamed(statement, {("", "events"): ("", "events")}) == statement.sql
        assert gate.renamed(statement, {}) == "select  a from events -- x"
