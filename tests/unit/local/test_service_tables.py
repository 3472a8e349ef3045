"""The definitions of the service Data Sources as data, and the URL without its token."""

from __future__ import annotations

import pytest

from tinymagic.local.service_datasources.log import without_token
from tinymagic.local.service_datasources.tables import BY_NAME, SUMS, TABLES

#: Name to number of columns and sorting key, counted in the contract (``workspace.md`` section 6).
DOCUMENTED = {
    "pipe_stats_rt": (23, "pipe_id, start_datetime"),
    "pipe_stats": (11, "pipe_id, date"),
    "datasources_ops_log": (28, "datasource_id, timestamp"),
    "datasources_ops_stats": (18, "event_date, event_type, pipe_id, datasource_id"),
    "endpoint_errors": (9, "start_datetime"),
    "jobs_log": (12, "created_at, job_id"),
    "block_log": (18, "timestamp, cityHash64(datasource_name)"),
    "datasources_storage": (7, "datasource_id, timestamp"),
    "sinks_ops_log": (17, "pipe_id, timestamp"),
    "kafka_ops_log": (13, "datasource_id, topic, timestamp"),
    "data_transfer": (8, "timestamp"),
    "hook_log": (13, "timestamp, cityHash64(datasource_name)"),
    "releases_log": (8, "semver, timestamp"),
    "hfi_requests": (16, "workspace_id, datasource_id, event_time"),
    "llm_usage": (12, "workspace_id, start_time, user_email, request_id"),
    # Not of the contract: columns as they are known in general.
    "bi_stats_rt": (10, "start_datetime"),
    "bi_stats": (11, "date"),
}


class TestTables:
    def test_all_that_are_documented(self):
        """As many columns as the contract lists, in its order of keys."""
        assert {table.name: (len(table.columns), table.order) for table in TABLES} == DOCUMENTED

    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    def test_the_workspace_can_be_told(self, table):
        """It is the first column, and in front of the key, unless the documented columns have it."""
        if "workspace_id" in table.columns:
            assert table.stored_columns == table.columns
        else:
            assert next(iter(table.stored_columns)) == "workspace_id"
            assert table.key == f"workspace_id, {table.order}"

    def test_types_with_commas_and_parentheses_stay_whole(self):
        """The text is cut at semicolons only."""
        columns = BY_NAME["pipe_stats"].columns
        assert columns["quantile_timing_state"] == "AggregateFunction(quantilesTiming(0.9, 0.95, 0.99), Float64)"
        assert columns["avg_duration_state"] == "AggregateFunction(avg, Float32)"

    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    def test_the_column_of_the_time_exists(self, table):
        """It is one of the columns."""
        assert not table.time or table.time in table.columns

    def test_the_view_has_the_documented_columns_only(self):
        """And not the one that keeps workspaces apart."""
        sql = BY_NAME["endpoint_errors"].view_sql()
        assert "workspace_id" not in sql
        assert "FROM organization.endpoint_errors" in sql

    def test_jobs_are_shown_once(self):
        """A job has a row for each status; the view gives the last one."""
        assert " FINAL" in BY_NAME["jobs_log"].view_sql()

    def test_marks_differ(self):
        """Each definition has a fingerprint of its own."""
        marks = [each.mark for each in (*TABLES, *SUMS)]
        assert len(set(marks)) == len(marks)


class TestWithoutToken:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("/v0/sql", "/v0/sql"),
            ("/v0/sql?q=1", "/v0/sql?q=1"),
            ("/v0/sql?token=p.a.b", "/v0/sql"),
            ("/v0/sql?token=p.a.b&q=1", "/v0/sql?q=1"),
            ("/v0/sql?q=1&token=p.a.b", "/v0/sql?q=1"),
            ("/v0/sql?q=1&token=p.a.b&x=2&token=c", "/v0/sql?q=1&x=2"),
            ("/v0/sql?TOKEN=p.a.b&q=1", "/v0/sql?q=1"),
            ("/v0/sql?%74oken=p.a.b&q=1", "/v0/sql?q=1"),
            ("/v0/sql?tok%65n=p.a.b", "/v0/sql"),
            ("/v0/sql?token", "/v0/sql"),
            ("/v0/sql?my_token=kept", "/v0/sql?my_token=kept"),
            ("/v0/sql?q=token", "/v0/sql?q=token"),
            ("http://localhost:7181/v0/sql?token=a#b", "http://localhost:7181/v0/sql"),
            ("", ""),
        ],
    )
    def test_url(self, url, expected):
        """The parameter goes, whatever its spelling and place; everything else stays."""
        assert without_token(url) == expected
