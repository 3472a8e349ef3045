"""The service Data Sources in a real engine: rows that were noted can be read, each workspace its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid

import pytest

from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine, EngineError, quote_string
from tinymagic.local.records import DataSourceRecord, Workspace
from tinymagic.local.service_datasources.log import MOST_CHARACTERS, ServiceLog
from tinymagic.local.service_datasources.tables import TABLES

SECRET = "p.eyJ1IjogIngifQ.c2VjcmV0"


@pytest.fixture(scope="module")
def engine():
    """An engine of this process."""
    return Engine(None)


@pytest.fixture(scope="module")
def catalog():
    """An empty catalogue."""
    return Catalog(None)


@pytest.fixture(scope="module")
def log(engine, catalog):
    """The log, with its tables."""
    made = ServiceLog(engine, catalog)
    made.flush()
    yield made
    made.close()


@pytest.fixture
def workspace():
    """The id of a workspace that no other test uses."""
    return str(uuid.uuid4())


@pytest.fixture
def rows(engine, log):
    """Run SQL as the Query API does, seen from one workspace, after a flush."""

    def run(workspace_id, sql):
        log.flush()
        filters = log.table_filters(workspace_id)
        written = ", ".join(f"{quote_string(table)}: {quote_string(text)}" for table, text in filters.items())
        settings = {"additional_table_filters": f"{{{written}}}", "output_format_json_quote_64bit_integers": 0}
        result = engine.read(sql, database="default", output_format="JSONCompactEachRow", settings=settings)
        return [json.loads(line) for line in result.data.splitlines()]

    return run


class TestTables:
    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    def test_columns_are_the_documented_ones(self, engine, log, table):
        """The engine gives back names and types as they are written in the contract."""
        assert log.has("tinybird", table.name)
        described = engine.rows(f"DESCRIBE tinybird.{table.name}")
        assert {name: kind for name, kind, *_ in described} == table.columns
        described = engine.rows(f"DESCRIBE organization.{table.name}")
        assert {name: kind for name, kind, *_ in described} == table.stored_columns

    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    def test_engine_key_and_lifetime(self, engine, log, table):
        """The engine says what it made."""
        [[made, key, sql]] = engine.rows(
            "SELECT engine, sorting_key, create_table_query FROM system.tables "
            f"WHERE database = 'organization' AND name = '{table.name}'"
        )
        assert (made, key) == (table.engine, table.key)
        assert ("TTL " in sql) == bool(table.ttl)
        assert table.ttl in sql

    def test_other_names_are_not_there(self, log):
        """Neither other tables nor other databases."""
        assert not log.has("tinybird", "nothing")
        assert not log.has("tinybird", "_pipe_stats_of_day")
        assert not log.has("system", "jobs_log")
        assert not log.has("", "jobs_log")


class TestRows:
    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    def test_each_workspace_sees_its_own(self, log, rows, table):
        """In every table and view, however it is read."""
        mine, other = str(uuid.uuid4()), str(uuid.uuid4())
        if table.name not in ("pipe_stats", "datasources_ops_stats"):  # Those are filled by others.
            own = {"created_at": "2026-01-02 03:04:05", "job_id": "j"} if table.name == "jobs_log" else {}
            log.add(table.name, mine, own)
            log.add(table.name, other, own | ({"job_id": "k"} if own else {}))
        else:
            source = {"pipe_stats": "pipe_stats_rt", "datasources_ops_stats": "datasources_ops_log"}[table.name]
            log.add(source, mine, {"pipe_id": "p"})
            log.add(source, other, {"pipe_id": "p"})
        name = f"tinybird.{table.name}"
        assert rows(mine, f"SELECT count() FROM {name}") == [[1]]
        assert rows(mine, f"SELECT count() FROM (SELECT * FROM {name}) WHERE 1 IN (SELECT 1 FROM {name})") == [[1]]
        assert rows(other, f"SELECT count() FROM organization.{table.name}") == [[1]]
        assert rows(str(uuid.uuid4()), f"SELECT count() FROM {name}") == [[0]]

    def test_values_come_back(self, log, rows, workspace):
        """Texts, numbers, NULLs, arrays, maps, truth values and nested arrays."""
        log.add(
            "pipe_stats_rt",
            workspace,
            {
                "start_datetime": time.time(),
                "pipe_name": "it's ☃\n",
                "duration": 0.25,
                "read_rows": 2**63,
                "url": f"/v0/sql?q=1&token={SECRET}",
                "error": True,
                "error_message": None,
                "parameters": {"a": "b", "n": 5, "l": [1, "x"], "none": None, "token": SECRET},
                "resource_tags": ["x", "y"],
                "release": None,
                "no_such_column": 1,
            },
        )
        sql = (
            "SELECT pipe_name, duration, read_rows, url, error, error_message, parameters, resource_tags, release "
            "FROM tinybird.pipe_stats_rt"
        )
        parameters = {"a": "b", "n": "5", "l": '[1, "x"]', "none": ""}
        expected = ["it's ☃\n", 0.25, 2**63, "/v0/sql?q=1", 1, None, parameters, ["x", "y"], ""]
        assert rows(workspace, sql) == [expected]
        log.add("datasources_ops_log", workspace, {"Options.Names": ["a"], "Options.Values": ["b"], "rows": 3})
        sql = "SELECT `Options.Names`, Options.Values, rows, rows_quarantine FROM tinybird.datasources_ops_log"
        assert rows(workspace, sql) == [[["a"], ["b"], 3, None]]

    def test_no_token_is_stored(self, engine, log, rows, workspace):
        """Neither in URLs nor in parameters."""
        row = {"url": f"/v0/x?token={SECRET}", "params": "{}", "parameters": {"Token": SECRET}}
        for table in TABLES:
            log.add(table.name, workspace, row)
        log.flush()
        for table in TABLES:
            plain = [name for name, kind in table.stored_columns.items() if not kind.startswith("AggregateFunction")]
            found = engine.rows(f"SELECT {', '.join(f'`{name}`' for name in plain)} FROM organization.{table.name}")
            assert SECRET not in json.dumps(found)

    def test_the_time_is_filled_in(self, log, rows, workspace):
        """When the row does not say when it happened."""
        log.add("endpoint_errors", workspace, {"error": "x"})
        sql = "SELECT abs(dateDiff('second', start_datetime, now())) < 60 FROM tinybird.endpoint_errors"
        assert rows(workspace, sql) == [[1]]

    @pytest.mark.parametrize(
        "moment", ["2026-01-02 03:04:05.678901", "2026-01-02T03:04:05.678Z", 1767323045.678, "2026-01-02 03:04:05.678"]
    )
    def test_times_in_several_forms(self, log, rows, workspace, moment):
        """As the catalogue, JSON and Python write them."""
        log.add("jobs_log", workspace, {"job_id": "j", "created_at": moment, "started_at": moment})
        sql = "SELECT toString(created_at), toString(started_at) FROM tinybird.jobs_log"
        assert rows(workspace, sql) == [["2026-01-02 03:04:05.678"] * 2]

    def test_one_bad_row_does_not_take_the_others_with_it(self, log, rows, workspace):
        """It is left out."""
        log.add("endpoint_errors", workspace, {"error": "first"})
        log.add("endpoint_errors", workspace, {"error": "bad", "status_code": "no number"})
        log.add("endpoint_errors", workspace, {"error": "last", "status_code": 400})
        found = rows(workspace, "SELECT error FROM tinybird.endpoint_errors ORDER BY error")
        assert found == [["first"], ["last"]]

    def test_an_unknown_table_is_no_error(self, log, rows, workspace):
        """It must not stop a request, nor what else was noted."""
        log.add("no_such_table", workspace, {"a": 1})
        log.add("endpoint_errors", workspace, {"error": "x"})
        assert rows(workspace, "SELECT count() FROM tinybird.endpoint_errors") == [[1]]

    def test_long_texts_are_cut(self, log, rows, workspace):
        """A request can have megabytes of parameters."""
        log.add("pipe_stats_rt", workspace, {"error_message": "x" * 10**6, "parameters": {"a": "y" * 10**6}})
        sql = "SELECT length(error_message), length(parameters['a']) FROM tinybird.pipe_stats_rt"
        assert rows(workspace, sql) == [[MOST_CHARACTERS, MOST_CHARACTERS]]

    def test_the_caller_may_change_its_row_afterwards(self, log, rows, workspace):
        """What was noted is what was given."""
        row = {"error": "before"}
        log.add("endpoint_errors", workspace, row)
        row["error"] = "after"
        assert rows(workspace, "SELECT error FROM tinybird.endpoint_errors") == [["before"]]


class TestJobs:
    def test_one_row_for_each_job(self, log, rows, workspace):
        """The latest, whether it was written together with the earlier ones or later."""
        row = {"job_id": "a", "created_at": "2026-01-02 03:04:05.678"}
        log.add("jobs_log", workspace, {**row, "status": "waiting"})
        log.add("jobs_log", workspace, {**row, "status": "working"})
        log.add("jobs_log", workspace, {**row, "job_id": "b", "status": "waiting"})
        sql = "SELECT job_id, status FROM tinybird.jobs_log ORDER BY job_id"
        assert rows(workspace, sql) == [["a", "working"], ["b", "waiting"]]
        log.add("jobs_log", workspace, {**row, "status": "done"})
        assert rows(workspace, sql) == [["a", "done"], ["b", "waiting"]]


class TestSums:
    def test_pipe_stats_of_a_day(self, log, rows, workspace):
        """States that the documented functions merge; seconds in the average, milliseconds in the quantiles."""
        day = time.strftime("%Y-%m-%d", time.gmtime())
        for number in range(1, 11):
            row = {"pipe_id": "p", "pipe_name": "top", "duration": number / 10, "error": number > 8, "read_rows": 5}
            log.add("pipe_stats_rt", workspace, {"start_datetime": f"{day} 0{number % 10}:00:00", **row})
        sql = (
            "SELECT toString(date), pipe_name, sum(view_count), sum(error_count), sum(read_rows_sum), "
            "round(avgMerge(avg_duration_state), 3), "
            "quantilesTimingMerge(0.9, 0.95, 0.99)(quantile_timing_state) FROM tinybird.pipe_stats GROUP BY 1, 2"
        )
        [[date, name, views, errors, read, average, quantiles]] = rows(workspace, sql)
        assert (date, name, views, errors, read, average) == (f"{day} 00:00:00", "top", 10, 2, 50, 0.55)
        assert len(quantiles) == 3
        assert 900 <= quantiles[0] <= quantiles[2] <= 1000

    def test_what_the_clients_ask(self, log, rows, workspace):
        """The combinators of the command line's statistics."""
        log.add("pipe_stats_rt", workspace, {"pipe_id": "p", "duration": 2})
        sql = (
            "SELECT sumIf(view_count, date > now() - INTERVAL 7 DAY), "
            "avgMergeIf(avg_duration_state, date > now() - INTERVAL 7 DAY) FROM tinybird.pipe_stats"
        )
        assert rows(workspace, sql) == [[1, 2]]

    def test_operations_of_a_day(self, log, rows, workspace):
        """Each Data Source has its own sums."""
        for name, result in (("a", "ok"), ("a", "error"), ("b", "ok")):
            row = {"datasource_id": name, "datasource_name": name, "event_type": "append", "result": result}
            log.add("datasources_ops_log", workspace, {**row, "elapsed_time": 0.5, "written_rows": 7})
        sql = (
            "SELECT datasource_name, event_type, sum(executions), sum(error_count), sum(written_rows), "
            "avgMerge(avg_elapsed_time_state), quantilesMerge(0.9, 0.95, 0.99)(quantiles_state) "
            "FROM tinybird.datasources_ops_stats GROUP BY 1, 2 ORDER BY 1"
        )
        expected = [["a", "append", 2, 1, 14, 0.5, [0.5, 0.5, 0.5]], ["b", "append", 1, 0, 7, 0.5, [0.5, 0.5, 0.5]]]
        assert rows(workspace, sql) == expected

    def test_merging_keeps_workspaces_and_data_sources_apart(self, engine, log, rows):
        """The engine adds up rows of one key; the key must tell them apart."""
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        for number, workspace_id in enumerate((first, second, first)):
            log.add("pipe_stats_rt", workspace_id, {"pipe_id": "query_api"})
            row = {"event_type": "append", "datasource_id": f"t_{number}"}
            log.add("datasources_ops_log", workspace_id, row)
            log.flush()
        engine.execute("OPTIMIZE TABLE organization.pipe_stats FINAL")
        engine.execute("OPTIMIZE TABLE organization.datasources_ops_stats FINAL")
        assert rows(first, "SELECT pipe_id, view_count FROM tinybird.pipe_stats") == [["query_api", 2]]
        assert rows(second, "SELECT pipe_id, view_count FROM tinybird.pipe_stats") == [["query_api", 1]]
        sql = "SELECT datasource_id, executions FROM tinybird.datasources_ops_stats ORDER BY 1"
        assert rows(first, sql) == [["t_0", 1], ["t_2", 1]]


class TestStorage:
    def test_sizes_are_noted_when_they_change(self, engine, catalog, log, rows):
        """One row for each change, with the quarantine."""
        identifier = uuid.uuid4()
        workspace = catalog.create_workspace(Workspace(str(identifier), identifier.hex, f"w_{identifier.hex}"))
        engine.execute(f"CREATE DATABASE {workspace.database}")
        for name in ("visits", "visits_quarantine"):
            engine.execute(f"CREATE TABLE {name} (a UInt8) ENGINE = MergeTree ORDER BY a", database=workspace.database)
        record = catalog.create_datasource(DataSourceRecord(f"t_{identifier.hex}", workspace.id, "visits"))
        table = "tinybird.datasources_storage"
        sql = f"SELECT datasource_id, datasource_name, rows, rows_quarantine FROM {table} ORDER BY rows"

        def loaded() -> list[list[object]]:
            log.add("datasources_ops_log", workspace.id, {"event_type": "append"})
            return rows(workspace.id, sql)

        try:
            assert loaded() == [[record.id, "visits", 0, 0]]
            engine.execute("INSERT INTO visits VALUES (1), (2)", database=workspace.database)
            engine.execute("INSERT INTO visits_quarantine VALUES (1)", database=workspace.database)
            # Both snapshots may fall into one second; the engine then keeps the larger.
            assert loaded()[-1] == [record.id, "visits", 2, 1]
            before = len(loaded())
            assert len(loaded()) == before, "nothing changed, so nothing is noted"
            found = rows(workspace.id, f"SELECT max(bytes) > 0, max(bytes_quarantine) > 0 FROM {table}")
            assert found == [[1, 1]]
        finally:
            engine.execute(f"DROP DATABASE {workspace.database} SYNC")
            catalog.delete_workspace(workspace.id)


class TestWriting:
    def test_flush_writes_what_was_noted_before_it(self, engine, log):
        """Also while others note rows and flush, and the background writes."""
        workspaces = [str(uuid.uuid4()) for _ in range(6)]
        problems: list[str] = []

        def note_and_look(workspace_id: str) -> None:
            for number in range(1, 16):
                log.add("endpoint_errors", workspace_id, {"error": str(number)})
                log.flush()
                [[count]] = engine.rows(
                    f"SELECT count() FROM organization.endpoint_errors WHERE workspace_id = '{workspace_id}'"
                )
                if count != number:
                    problems.append(f"{count} rows of {number}")

        threads = [threading.Thread(target=note_and_look, args=(each,)) for each in workspaces]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []

    def test_the_background_writes_within_a_few_seconds(self, engine, log, workspace):
        """Without anybody asking."""
        log.add("endpoint_errors", workspace, {"error": "x"})
        sql = f"SELECT count() FROM organization.endpoint_errors WHERE workspace_id = '{workspace}'"
        deadline = time.monotonic() + 20
        while engine.rows(sql) == [[0]] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert engine.rows(sql) == [[1]]

    def test_an_engine_that_fails_is_not_heard(self, catalog, caplog):
        """The request goes on; the log says so once for each table."""

        class Broken:
            def execute(self, *_: object, **__: object) -> bytes:
                raise EngineError(1, "BROKEN", "no " + SECRET)

            rows = insert = execute

        log = ServiceLog(Broken(), catalog)  # type: ignore[arg-type]
        for _ in range(3):
            log.add("endpoint_errors", "w", {"error": SECRET})
            log.flush()
        log.close()
        sentences = [record.getMessage() for record in caplog.records]
        assert len([each for each in sentences if "endpoint_errors" in each]) == 1
        assert "BROKEN" in caplog.text
        assert SECRET not in caplog.text

    def test_the_queue_is_bounded(self, catalog, caplog, monkeypatch):
        """Rows are lost, with a sentence, rather than memory."""
        monkeypatch.setattr("tinymagic.local.service_datasources.log.MOST_ROWS", 10)
        stuck = threading.Event()

        class Stuck:
            def execute(self, *_: object, **__: object) -> bytes:
                stuck.wait(10)
                return b""

            def rows(self, *_: object, **__: object) -> list[object]:
                return []

            insert = execute

        log = ServiceLog(Stuck(), catalog)  # type: ignore[arg-type]
        for _ in range(1000):
            log.add("endpoint_errors", "w", {})
        assert len(log._queue) <= 10
        assert caplog.text.count("rows are lost") == 1
        stuck.set()
        log.close()


SCRIPT = """
import sys
from pathlib import Path
from tinymagic.local.service_datasources import tables as service_tables
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine
if sys.argv[2] == "older":  # A version in which one table lacked a column and another had a column of another type.
    import dataclasses
    def changed(table):
        if table.name == "endpoint_errors":
            table = dataclasses.replace(table, text=table.text.replace("pipe_name String;", ""))
        if table.name == "pipe_stats_rt":
            table = dataclasses.replace(table, text=table.text.replace("memory_usage UInt64", "memory_usage UInt8"))
        return table
    service_tables.TABLES = tuple(changed(table) for table in service_tables.TABLES)
    service_tables.BY_NAME = {table.name: table for table in service_tables.TABLES}
from tinymagic.local.service_datasources.log import ServiceLog
engine = Engine(Path(sys.argv[1]))
log = ServiceLog(engine, Catalog(None))
log.add("endpoint_errors", "w", {"error": sys.argv[2], "pipe_name": "p"})
log.add("pipe_stats_rt", "w", {"pipe_id": "p", "memory_usage": 2})
log.close()
print(engine.rows("SELECT error, pipe_name FROM organization.endpoint_errors ORDER BY error") if sys.argv[2] != "older"
      else [])
print(engine.rows("SELECT count(), sum(memory_usage), any(toTypeName(memory_usage)) FROM tinybird.pipe_stats_rt"))
print(engine.rows("SELECT sum(view_count) FROM tinybird.pipe_stats"))
print(engine.rows("SELECT name FROM system.tables WHERE database = 'organization' AND startsWith(name, '_new')"))
engine.close()
"""


def run_version(folder, name):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), name], capture_output=True, text=True, timeout=120, check=True
    )
    assert "service Data Sources" not in done.stderr
    return done.stdout.splitlines()


class TestRestart:
    def test_rows_survive(self, tmp_path):
        """They are on disk."""
        run_version(tmp_path / "data", "first")
        errors, calls, views, left = run_version(tmp_path / "data", "second")
        assert errors == "[['first', 'p'], ['second', 'p']]"
        assert (calls, views, left) == ("[[2, 4, 'UInt64']]", "[[2]]", "[]")

    def test_an_older_version_is_taken_over(self, tmp_path):
        """Columns that both have are kept, and nothing is added up twice."""
        run_version(tmp_path / "data", "older")
        errors, calls, views, left = run_version(tmp_path / "data", "present")
        assert errors == "[['older', ''], ['present', 'p']]"
        assert (calls, views, left) == ("[[2, 4, 'UInt64']]", "[[2]]", "[]")
        again, *_ = run_version(tmp_path / "data", "present")
        assert again == "[['older', ''], ['present', 'p'], ['present', 'p']]"
