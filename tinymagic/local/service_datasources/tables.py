"""The service Data Sources as data: columns, engines, keys and lifetimes (``workspace.md`` section 6). Pure.

Each is a table ``organization.<name>``, whose first column tells the workspace, and a view ``tinybird.<name>`` over it
with the documented columns. Two tables of daily sums are filled from two others by materialized views (`SUMS`).

Two things differ from the vendor's definitions: tables of an engine that merges rows have the workspace in front of
their key, so that rows of two workspaces stay two; and the key of ``datasources_ops_stats`` ends with the Data Source,
whose counts would otherwise be added to those of another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

#: The database of the physical tables and the one of the views.
ORGANIZATION = "organization"
TINYBIRD = "tinybird"

WORKSPACE_COLUMN = "workspace_id"


@dataclass(frozen=True)
class ServiceTable:
    """One service Data Source.

    Attributes:
        name: without the database.
        text: the documented columns, ``name Type`` separated by semicolons.
        order: the sorting key.
        engine: of the MergeTree family.
        ttl: how long rows live; empty for ever.
        time: the column that gets the present time when a row does not say it; empty when there is none.
        settings: of the table.
        final: whether the view shows only the latest of the rows that the engine would merge.
    """

    name: str
    text: str
    order: str
    engine: str = "MergeTree"
    ttl: str = ""
    time: str = ""
    settings: str = ""
    final: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """The documented columns, name to type."""
        return dict(part.strip().split(" ", 1) for part in self.text.replace("\n", " ").split(";") if part.strip())

    @property
    def stored_columns(self) -> dict[str, str]:
        """The columns of the physical table."""
        columns = self.columns
        return columns if WORKSPACE_COLUMN in columns else {WORKSPACE_COLUMN: "String", **columns}

    @property
    def key(self) -> str:
        """The sorting key of the physical table."""
        return self.order if WORKSPACE_COLUMN in self.columns else f"{WORKSPACE_COLUMN}, {self.order}"

    def table_sql(self, name: str | None = None) -> str:
        """Return the CREATE TABLE, also under another *name*."""
        columns = ", ".join(f"`{column}` {kind}" for column, kind in self.stored_columns.items())
        ttl = f" TTL {self.ttl}" if self.ttl else ""
        settings = f" SETTINGS {self.settings}" if self.settings else ""
        return (
            f"CREATE TABLE {ORGANIZATION}.{name or self.name} ({columns}) ENGINE = {self.engine} "
            f"ORDER BY ({self.key}){ttl}{settings} COMMENT '{self.mark}'"
        )

    def view_sql(self) -> str:
        """Return the CREATE VIEW."""
        columns = ", ".join(f"`{column}`" for column in self.columns)
        final = " FINAL" if self.final else ""
        return (
            f"CREATE OR REPLACE VIEW {TINYBIRD}.{self.name} AS SELECT {columns} FROM {ORGANIZATION}.{self.name}{final} "
            f"COMMENT '{self.mark}'"
        )

    @property
    def mark(self) -> str:
        """What tells this definition from that of another version; kept as the comment of table and view."""
        return mark_of(repr(self))


@dataclass(frozen=True)
class DailySums:
    """How a table of sums is filled: a materialized view called *name* from *source* to *target*."""

    name: str
    source: str
    target: str
    select: str

    def view_sql(self) -> str:
        """Return the CREATE MATERIALIZED VIEW."""
        return (
            f"CREATE MATERIALIZED VIEW {ORGANIZATION}.{self.name} TO {ORGANIZATION}.{self.target} AS "
            f"SELECT {self.select.format(source=f'{ORGANIZATION}.{self.source}')} COMMENT '{self.mark}'"
        )

    @property
    def mark(self) -> str:
        """As `ServiceTable.mark`."""
        return mark_of(repr(self))


def mark_of(text: str) -> str:
    """Return a short fingerprint of a definition."""
    return f"tinymagic {hashlib.sha256(text.encode()).hexdigest()[:16]}"


TABLES: tuple[ServiceTable, ...] = (
    ServiceTable(
        "pipe_stats_rt",
        """
        start_datetime DateTime; pipe_id String; pipe_name String; token String; token_name String; duration Float32;
        read_bytes UInt64; read_rows UInt64; cpu_time Float32; result_rows UInt64; url Nullable(String); error UInt8;
        error_message Nullable(String); status_code Int32; request_id String; parameters Map(String, String);
        method String; release String; user_agent Nullable(String); client_ip Nullable(String);
        resource_tags Array(String); memory_usage UInt64; replica String
        """,
        order="pipe_id, start_datetime",
        ttl="start_datetime + toIntervalMonth(3)",
        time="start_datetime",
    ),
    ServiceTable(
        "pipe_stats",
        """
        date DateTime; pipe_id String; pipe_name String; avg_duration_state AggregateFunction(avg, Float32);
        error_count UInt64; view_count UInt64;
        quantile_timing_state AggregateFunction(quantilesTiming(0.9, 0.95, 0.99), Float64);
        read_bytes_sum UInt64; read_rows_sum UInt64; cpu_time_sum Float64; resource_tags Array(String)
        """,
        order="pipe_id, date",
        engine="SummingMergeTree",
    ),
    ServiceTable(
        "datasources_ops_log",
        """
        timestamp DateTime; event_type String; datasource_id String; datasource_name String; result String;
        elapsed_time Float32; error Nullable(String); Options.Names Array(String); Options.Values Array(String);
        request_id String; import_id Nullable(String); job_id Nullable(String); rows Nullable(UInt64);
        rows_quarantine Nullable(UInt64); blocks_ids Array(String); operation_id String; read_rows UInt64;
        read_bytes UInt64; cpu_time Float32; memory_usage UInt64; written_rows UInt64; written_bytes UInt64;
        written_rows_quarantine UInt64; written_bytes_quarantine UInt64; pipe_id String; pipe_name String;
        release String; resource_tags Array(String)
        """,
        order="datasource_id, timestamp",
        time="timestamp",
    ),
    ServiceTable(
        "datasources_ops_stats",
        """
        event_date DateTime; datasource_id String; datasource_name String; event_type LowCardinality(String);
        pipe_id String; pipe_name String; error_count UInt64; executions UInt64;
        avg_elapsed_time_state AggregateFunction(avg, Float32);
        quantiles_state AggregateFunction(quantiles(0.9, 0.95, 0.99), Float64); read_rows UInt64; read_bytes UInt64;
        written_rows UInt64; written_bytes UInt64; written_rows_quarantine UInt64; written_bytes_quarantine UInt64;
        cpu_time Float64; resource_tags Array(String)
        """,
        order="event_date, event_type, pipe_id, datasource_id",
        engine="SummingMergeTree",
    ),
    ServiceTable(
        "endpoint_errors",
        """
        start_datetime DateTime; request_id String; pipe_id String; pipe_name String; params Nullable(String);
        url Nullable(String); status_code Nullable(Int32); error Nullable(String); resource_tags Array(String)
        """,
        order="start_datetime",
        ttl="start_datetime + toIntervalDay(30)",
        time="start_datetime",
    ),
    ServiceTable(
        "jobs_log",
        """
        job_id String; job_type LowCardinality(String); status LowCardinality(String); error Nullable(String);
        workspace_id String; request_id Nullable(String); pipe_id Nullable(String); datasource_id Nullable(String);
        created_at DateTime64(3); started_at Nullable(DateTime64(3)); updated_at DateTime64(3); job_metadata String
        """,
        order="created_at, job_id",
        engine="ReplacingMergeTree",
        time="updated_at",
        final=True,
    ),
    ServiceTable(
        "block_log",
        """
        timestamp DateTime; request_id String; import_id String; job_id Nullable(String); source String;
        block_id String; status String; datasource_id String; datasource_name String; start_offset Nullable(Int64);
        end_offset Nullable(Int64); rows Nullable(Int32); parser Nullable(String); quarantine_lines Nullable(UInt32);
        empty_lines Nullable(UInt32); bytes Nullable(UInt32); processing_time Nullable(Float32);
        processing_error Nullable(String)
        """,
        order="timestamp, cityHash64(datasource_name)",
        time="timestamp",
    ),
    ServiceTable(
        "datasources_storage",
        """
        datasource_id String; datasource_name String; timestamp DateTime; bytes SimpleAggregateFunction(max, UInt64);
        rows SimpleAggregateFunction(max, UInt64); bytes_quarantine SimpleAggregateFunction(max, UInt64);
        rows_quarantine SimpleAggregateFunction(max, UInt64)
        """,
        order="datasource_id, timestamp",
        engine="AggregatingMergeTree",
        time="timestamp",
        # The name goes with the id, which is in the key.
        settings="allow_dimensions_outside_sorting_key = 1",
    ),
    ServiceTable(
        "sinks_ops_log",
        """
        timestamp DateTime; job_id Nullable(String); service LowCardinality(String); pipe_name String;
        pipe_id String; result LowCardinality(String); error Nullable(String); elapsed_time Float64; read_rows UInt64;
        written_rows UInt64; read_bytes UInt64; written_bytes UInt64; cpu_time Float32; output UInt64;
        parameters Map(String, String); options Map(String, String); token_name String
        """,
        order="pipe_id, timestamp",
        time="timestamp",
    ),
    ServiceTable(
        "kafka_ops_log",
        """
        timestamp DateTime; datasource_id String; topic String; partition Int16; msg_type String; lag Int64;
        processed_messages Int32; processed_bytes Int32; committed_messages Int32; time_read Float32;
        time_process Float32; time_write Float32; msg String
        """,
        order="datasource_id, topic, timestamp",
        ttl="timestamp + toIntervalDay(30)",
        time="timestamp",
    ),
    ServiceTable(
        "data_transfer",
        """
        timestamp DateTime; event LowCardinality(String); origin_provider LowCardinality(String);
        origin_region LowCardinality(String); destination_provider LowCardinality(String);
        destination_region LowCardinality(String); kind LowCardinality(String); bytes UInt64
        """,
        order="timestamp",
        time="timestamp",
    ),
    ServiceTable(
        "hook_log",
        """
        timestamp DateTime; request_id String; import_id Nullable(String); job_id Nullable(String); source String;
        hook_id String; name String; operation String; status String; datasource_id String; datasource_name String;
        processing_time Nullable(Float32); processing_error Nullable(String)
        """,
        order="timestamp, cityHash64(datasource_name)",
        engine="ReplacingMergeTree",
        time="timestamp",
    ),
    ServiceTable(
        "releases_log",
        """
        timestamp DateTime64(3); event_type LowCardinality(String); commit String; semver String; token String;
        token_name String; result LowCardinality(String); error String
        """,
        order="semver, timestamp",
        time="timestamp",
    ),
    ServiceTable(
        "hfi_requests",
        """
        event_time DateTime; workspace_id String; datasource_id String; successful_requests UInt64;
        error_requests UInt64; rows_total UInt64; rows_successful UInt64; rows_quarantined UInt64;
        bytes_received UInt64; bytes_decompressed UInt64; ch_written_rows UInt64; ch_written_bytes UInt64;
        ch_cpu_time Float32; rate_limited UInt8; ips SimpleAggregateFunction(groupUniqArrayArray, Array(String));
        tokens SimpleAggregateFunction(groupUniqArrayArray, Array(String))
        """,
        order="workspace_id, datasource_id, event_time",
        engine="SummingMergeTree",
        time="event_time",
    ),
    ServiceTable(
        "llm_usage",
        """
        start_time DateTime; end_time DateTime; workspace_id String; user_email String; request_id String;
        prompt_tokens UInt32; completion_tokens UInt32; total_tokens UInt32; duration Float32; cost Float32;
        origin String; feature String
        """,
        order="workspace_id, start_time, user_email, request_id",
        time="start_time",
    ),
    # Nothing here writes them: there is no BI Connector. Projects that watch it read them all the same.
    ServiceTable(
        "bi_stats_rt",
        """
        start_datetime DateTime; query String; query_normalized String; error_code Int32; error String;
        duration UInt64; read_rows UInt64; read_bytes UInt64; result_rows UInt64; result_bytes UInt64
        """,
        order="start_datetime",
        time="start_datetime",
    ),
    ServiceTable(
        "bi_stats",
        """
        date DateTime; database String; query_normalized String; view_count UInt64; error_count UInt64;
        avg_duration_state AggregateFunction(avg, Float32);
        quantile_timing_state AggregateFunction(quantilesTiming(0.9, 0.95, 0.99), Float64);
        read_bytes_sum UInt64; read_rows_sum UInt64; avg_result_rows_state AggregateFunction(avg, Float32);
        avg_result_bytes_state AggregateFunction(avg, Float32)
        """,
        order="date",
        time="date",
    ),
)

BY_NAME = {table.name: table for table in TABLES}

#: ``quantilesTiming`` keeps whole numbers, so it gets milliseconds; averages are in seconds as the rows themselves.
SUMS: tuple[DailySums, ...] = (
    DailySums(
        "_pipe_stats_of_day",
        "pipe_stats_rt",
        "pipe_stats",
        """workspace_id, toDateTime(toStartOfDay(start_datetime)) AS date, pipe_id, pipe_name,
        avgState(duration) AS avg_duration_state, countIf(error != 0) AS error_count, count() AS view_count,
        quantilesTimingState(0.9, 0.95, 0.99)(toFloat64(duration) * 1000) AS quantile_timing_state,
        sum(read_bytes) AS read_bytes_sum, sum(read_rows) AS read_rows_sum,
        sum(toFloat64(cpu_time)) AS cpu_time_sum, any(resource_tags) AS resource_tags
        FROM {source} GROUP BY workspace_id, date, pipe_id, pipe_name""",
    ),
    DailySums(
        "_ops_stats_of_day",
        "datasources_ops_log",
        "datasources_ops_stats",
        """workspace_id, toDateTime(toStartOfDay(timestamp)) AS event_date, datasource_id, datasource_name,
        event_type, pipe_id, pipe_name, countIf(result != 'ok') AS error_count, count() AS executions,
        avgState(elapsed_time) AS avg_elapsed_time_state,
        quantilesState(0.9, 0.95, 0.99)(toFloat64(elapsed_time)) AS quantiles_state, sum(read_rows) AS read_rows,
        sum(read_bytes) AS read_bytes, sum(written_rows) AS written_rows, sum(written_bytes) AS written_bytes,
        sum(written_rows_quarantine) AS written_rows_quarantine,
        sum(written_bytes_quarantine) AS written_bytes_quarantine, sum(toFloat64(cpu_time)) AS cpu_time,
        any(resource_tags) AS resource_tags
        FROM {source}
        GROUP BY workspace_id, event_date, datasource_id, datasource_name, event_type, pipe_id, pipe_name""",
    ),
)
