"""What the service usually answers, by the pages of the contract: one reply per kind of thing."""

from __future__ import annotations

from typing import Any

ID = "t_0123456789abcdef0123456789abcdef"
UUID = "5b1c2f0e-0d6c-4c51-9f43-1f6f4f1c9a11"
WHEN = "2026-01-02 03:04:05.678901"

Json = dict[str, Any]

JOB: Json = {
    "id": UUID,
    "job_id": UUID,
    "kind": "import",
    "status": "done",
    "created_at": WHEN,
    "started_at": WHEN,
    "updated_at": WHEN,
    "is_cancellable": False,
    "job_url": f"https://api.tinybird.co/v0/jobs/{UUID}",
    "mode": "append",
    "url": "https://example.com/a.csv",
    "import_id": UUID,
    "datasource": {"id": ID, "name": "events"},
    "statistics": {"bytes": 1024, "row_count": 20},
    "quarantine_rows": 1,
    "invalid_lines": 0,
    "progress_percentage": 100,
    "errors": [],
    "blocks": [
        {
            "block_id": "b",
            "process_return": [{"lines": 3, "quarantine": 0, "bytes": 120, "parser": "python"}],
            "processing_time": 0.1,
        }
    ],
    "block_log": [{"block_id": "b", "status": "done", "processing_time": 0.05}],
}
STARTED: Json = {
    "id": UUID,
    "job_id": UUID,
    "job_url": f"https://api.tinybird.co/v0/jobs/{UUID}",
    "job": {"id": UUID, "job_id": UUID, "kind": "import", "status": "waiting", "created_at": WHEN},
    "status": "waiting",
    "import_id": UUID,
    "delete_id": UUID,
}

DATASOURCE: Json = {
    "id": ID,
    "name": "events",
    "cluster": None,
    "tags": {},
    "created_at": WHEN,
    "updated_at": WHEN,
    "replicated": False,
    "version": 0,
    "project": None,
    "headers": {},
    "shared_with": [UUID],
    "shared_from": None,
    "description": "What happened.",
    "used_by": [{"id": ID, "name": "by_day"}],
    "type": "ndjson",
    "engine": {
        "engine": "MergeTree",
        "engine_sorting_key": "day",
        "engine_partition_key": "",
        "engine_primary_key": "day",
        "engine_ttl": "",
    },
    "columns": [
        {
            "name": "day",
            "type": "Date",
            "nullable": False,
            "normalized_name": "day",
            "codec": None,
            "default_value": "DEFAULT today()",
            "jsonpath": "$.day",
        }
    ],
    "schema": {"sql_schema": "day Date `json:$.day`"},
    "statistics": {"bytes": 430, "row_count": 42},
    "new_columns_detected": {},
    "quarantine_rows": 0,
    "indexes": [{"name": "i", "expr": "day", "type_full": "minmax", "granularity": 1}],
}
IMPORT: Json = {
    "import_id": UUID,
    "datasource": DATASOURCE,
    "error": False,
    "errors": [],
    "quarantine_rows": 0,
    "invalid_lines": 0,
    "blocks": JOB["blocks"],
    "block_log": JOB["block_log"],
}
DATAFILE = "SCHEMA >\n    `day` Date `json:$.day`\n\nENGINE MergeTree\n"
ALTERATION: Json = {"operations": ["ADD COLUMN n Int64"], "dependencies": ["by_day"]}
LIGHTWEIGHT: Json = {
    "rows_affected": 3,
    "mutation": {"partitions_scanned": 1, "partitions_done": 1, "partitions_in_progress": 0},
}
DEPENDENCIES: Json = {
    "dependencies": [{"object": "datasource", "name": "events", "id": ID, "dependents": [], "columns": ["day"]}],
    "incompatible_datasources": [],
}

ROWS: Json = {
    "meta": [{"name": "n", "type": "UInt64"}, {"name": "s", "type": "Nullable(String)"}],
    "data": [[1, "a"]],
    "rows": 1,
    "rows_before_limit_at_least": 1,
    "statistics": {"elapsed": 0.001, "rows_read": 1, "bytes_read": 8},
}
NAMED_ROWS: Json = {**ROWS, "data": [{"n": 1, "s": "a"}]}

NODE: Json = {
    "id": ID,
    "name": "endpoint",
    "sql": "SELECT * FROM events",
    "description": None,
    "materialized": None,
    "cluster": None,
    "tags": {"copy_target_datasource": ID, "copy_target_workspace": UUID},
    "created_at": WHEN,
    "updated_at": WHEN,
    "version": 0,
    "project": None,
    "result": None,
    "ignore_sql_errors": False,
    "node_type": "endpoint",
    "dependencies": ["events"],
    "params": [{"name": "day", "type": "Date", "default": "2026-01-01", "required": False}],
    "mode": "append",
    "columns": [{"name": "n", "type": "UInt64", "nullable": False}],
}
PIPE: Json = {
    "id": ID,
    "name": "by_day",
    "description": "Per day.",
    "type": "endpoint",
    "endpoint": ID,
    "url": "https://api.tinybird.co/v0/pipes/by_day.json",
    "created_at": WHEN,
    "updated_at": WHEN,
    "parent": None,
    "nodes": [NODE],
    "content": "NODE endpoint\nSQL >\n    SELECT * FROM events\n",
    "edited_by": None,
    "last_commit": {"content_sha": "", "path": "", "status": "None"},
    "schedule": {"cron": "0 * * * *", "status": "running", "timezone": "Etc/UTC"},
    "token": "p.eyJ1IjogIjEifQ.signature-of-a-read-token",
}
COPY_PIPE: Json = {
    **PIPE,
    "type": "copy",
    "endpoint": None,
    "copy_node": ID,
    "copy_target_datasource": ID,
    "copy_target_workspace": UUID,
    "nodes": [{**NODE, "node_type": "copy"}],
}
SINK_PIPE: Json = {
    **PIPE,
    "type": "sink",
    "endpoint": None,
    "sink_node": ID,
    "nodes": [{**NODE, "node_type": "sink", "tags": {"service": "s3", "connection_name": "bucket"}}],
}
RUN: Json = {**NODE, "job": {**STARTED["job"], "kind": "copy", "pipe_id": ID, "pipe_name": "by_day"}}
CANCELLED: Json = {**COPY_PIPE, "jobs": [{"id": UUID, "status": "cancelling"}]}
MATERIALIZED: Json = {
    **NODE,
    "materialized": ID,
    "datasource": {"id": ID, "name": "by_day_mv"},
    "created_datasource": True,
    "job": STARTED["job"],
}
PIPE_FILE = "NODE endpoint\nSQL >\n    SELECT * FROM events\n\nTYPE endpoint\n"
EXPLANATION: Json = {"debug_query": "SELECT 1", "query_explain": "Expression ..."}
ADVICE: Json = {
    "analysis": {"pipe": {"datafile": PIPE_FILE}, "datasource": {"datafile": DATAFILE, "name": "by_day_mv"}},
    "warnings": [{"code": "SIM", "weight": 1, "text": "Filter first.", "documentation": "https://docs.tinybird.co"}],
}
OPENAPI: Json = {
    "openapi": "3.0.0",
    "info": {"title": "events", "version": "1"},
    "paths": {"/v0/pipes/by_day.json": {"get": {"summary": "Per day."}}},
}

CONNECTION: Json = {
    "id": UUID,
    "name": "bucket",
    "service": "s3",
    "settings": {"s3_region": "us-east-1"},
    "linkers": [],
    "sinks": [],
    "created_at": WHEN,
}
S3_SETTINGS: Json = {"principal": "arn:aws:iam::1:root", "external_id": "x"}
POLICY: Json = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}

TOKEN: Json = {
    "id": UUID,
    "name": "reader",
    "description": "",
    "token": "p.eyJ1IjogIjEifQ.signature-of-another-token",
    "scopes": [{"type": "PIPES:READ", "resource": "by_day", "filter": "n > 1"}],
    "origin": {"type": "C"},
    "host": "https://api.tinybird.co",
    "is_internal": False,
    "kind": "workspace",
}
JWT: Json = {"token": "eyJhbGciOiJIUzI1NiJ9.eyJuYW1lIjoieCJ9.signature", "name": "x"}

VARIABLE: Json = {
    "name": "password",
    "type": "secret",
    "created_at": "2026-01-02T03:04:05",
    "updated_at": "2026-01-02T03:04:05",
    "edited_by": "token: 'admin token'",
}
OK: Json = {"ok": True}

WORKSPACE: Json = {
    "id": UUID,
    "name": "shop",
    "user_email": "me@example.com",
    "user_id": UUID,
    "scope": "ADMIN",
    "main": None,
    "token": "p.eyJ1IjogIjIifQ.signature-of-the-admin-token",
    "role": "admin",
    "owner": UUID,
    "plan": "dev",
    "is_branch": False,
    "members": [{"id": UUID, "email": "me@example.com", "role": "admin"}],
    "organization": {"id": UUID, "name": "us"},
    "created_at": WHEN,
}
USER_WORKSPACES: Json = {
    "id": UUID,
    "email": "me@example.com",
    "organization_id": UUID,
    "organization_name": "us",
    "workspaces": [WORKSPACE],
}
BRANCH: Json = {**WORKSPACE, "name": "try", "is_branch": True, "main": UUID}
BRANCH_STARTED: Json = {**BRANCH, "job": {**STARTED["job"], "kind": "branch"}}
TAG: Json = {"id": UUID, "name": "team", "resources": [{"id": ID, "name": "events", "type": "datasource"}]}
AUTH: Json = {"is_valid": True, "is_user": True}
USER: Json = {"id": UUID, "email": "me@example.com", "workspaces": [{"id": UUID, "name": "shop"}]}
ORGANIZATION: Json = {"id": UUID, "name": "us", "plan": {"name": "dev"}, "workspaces": [WORKSPACE]}
RELEASES: Json = {"releases": [{"semver": "0.0.1", "commit": "a", "status": "live"}]}
REGIONS: Json = {
    "regions": [
        {
            "name": "europe-west2",
            "provider": "gcp",
            "api_host": "https://api.europe-west2.gcp.tinybird.co",
            "host": "https://cloud.tinybird.co/gcp/europe-west2",
        }
    ]
}
TOKENS_OF_LOCAL: Json = {
    "user_token": "p.a.user-token-of-local",
    "admin_token": "p.a.admin-token-of-local",
    "workspace_admin_token": "p.a.workspace-admin-token",
}

ANALYSIS: Json = {
    "analysis": {
        "columns": [{"path": "$.tags[:]", "recommended_type": "Array(String)", "present_pct": 2, "name": "tags"}],
        "schema": "tags Array(String) `json:$.tags[:]`",
    },
    "preview": {
        "meta": [{"name": "tags", "type": "Array(String)"}],
        "data": [{"tags": ["a", "b"]}],
        "rows": 1,
        "statistics": {"elapsed": 0.0003, "rows_read": 1, "bytes_read": 120},
    },
    "dialect": {"delimiter": ",", "new_line": "\n"},
}

DEPLOYMENT: Json = {
    "id": "7",
    "status": "data_ready",
    "live": True,
    "created_at": WHEN,
    "updated_at": WHEN,
    "errors": [{"filename": "x.pipe", "error": "bad"}],
    "feedback": [{"resource": "events", "level": "INFO", "message": "Fine."}],
    "new_datasource_names": ["events"],
    "changed_datasource_names": [],
    "deleted_datasource_names": [],
    "new_pipe_names": ["by_day"],
    "changed_pipe_names": [],
    "deleted_pipe_names": [],
    "new_data_connector_names": [],
}
DEPLOYED: Json = {"result": "success", "deployment": DEPLOYMENT, "errors": []}
BUILT: Json = {"result": "success", "build": DEPLOYMENT, "errors": []}

EVENTS: Json = {"successful_rows": 2, "quarantined_rows": 0}


def parquet() -> bytes:
    """Rows as Parquet."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table({"n": [1], "s": ["a"], "__tinymagic_types": ["Tuple(UInt64, Nullable(String))"]}), file)
    return file.getvalue()
