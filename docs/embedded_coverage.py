"""Writes docs/embedded-coverage.md from the route table: ``python docs/embedded_coverage.py``. A test compares them.

`OPERATIONS` lists what is documented of the service's API; whether it is done is read from the routes of the embedded
server, so the page cannot promise what is not there.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinymagic.local.app import load_routes

PAGE = Path(__file__).with_name("embedded-coverage.md")

#: Where the public material is silent or contradicts itself; each line is API, what about, choice.
CHOICES = Path(__file__).with_name("embedded-choices.txt")

#: Section of the page -> documented operations, as ``METHOD /path``.
OPERATIONS: dict[str, str] = {
    "Query": """
        GET /v0/sql
        POST /v0/sql
        GET /v0/sql_format
        POST /v0/sql_tables
        POST /v0/sql_replace
        POST /v0/sql_copy
    """,
    "Data Sources": """
        GET /v0/datasources
        POST /v0/datasources
        GET /v0/datasources/{name}
        PUT /v0/datasources/{name}
        DELETE /v0/datasources/{name}
        POST /v0/datasources/{name}/alter
        POST /v0/datasources/{name}/truncate
        POST /v0/datasources/{name}/delete
        POST /v0/datasources/exchange
        POST /v0/datasources/{name}/share
        DELETE /v0/datasources/{name}/share
        POST /v1/datasources/{name}/append
        POST /v1/datasources/{name}/replace
        POST /v1/datasources/{name}/delete
        GET /v0/dependencies
        GET /v0/datasources/{name}/scheduling/state
        PUT /v0/datasources/{name}/scheduling/state
        POST /v0/datasources/{name}/scheduling/runs
        POST /v0/datasources/{name}/sample
        POST /v0/datasources/{name}/start
        POST /v0/datasources/{name}/stop
        GET /v0/connectors
        POST /v0/connectors
        GET /v0/connectors/{connection}
        PUT /v0/connectors/{connection}
        DELETE /v0/connectors/{connection}
    """,
    "Events": "POST /v0/events",
    "Analyze": "POST /v0/analyze",
    "Jobs": """
        GET /v0/jobs
        GET /v0/jobs/{job_id}
        POST /v0/jobs/{job_id}/cancel
        POST /v0/jobs/{job_id}/retry
    """,
    "Tokens": """
        GET /v0/tokens
        POST /v0/tokens
        GET /v0/tokens/{token}
        PUT /v0/tokens/{token}
        POST /v0/tokens/{token}/refresh
        DELETE /v0/tokens/{token}
    """,
    "Workspaces, users, regions": """
        GET /tokens
        GET /health/liveness
        GET /health/readiness
        GET /v0/regions
        GET /v0/workspace
        GET /v1/workspace
        GET /v0/user/workspaces
        GET /v1/user/workspaces
        GET /v0/workspaces/{id}
        GET /v1/workspaces/{id}
        POST /v0/workspaces
        POST /v1/workspaces
        DELETE /v0/workspaces/{id}
        DELETE /v1/workspaces/{id}
        PUT /v0/workspaces/{id}/users
        GET /v0/workspaces/{id}/releases
        GET /v0/environments
        GET /v1/environments
        POST /v0/environments
        POST /v1/environments
        GET /v0/environments/{id}
        DELETE /v0/environments/{id}
        GET /v0/auth
        GET /v0/user
        GET /v0/organizations/{id}
        POST /v0/environments/{id}/data
        POST /v1/environments/{id}/data
        GET /v1/environments/{id}
        DELETE /v1/environments/{id}
        GET /v1/auth
        GET /v1/user
        GET /v1/organizations/{id}
        PUT /v1/workspaces/{id}/users
        GET /v1/workspaces/{id}/releases
        GET /v0/tags
        POST /v0/tags
        PUT /v0/tags/{name}
        DELETE /v0/tags/{name}
        GET /version
    """,
    "Pipes": """
        GET /v0/pipes
        GET /v1/pipes
        POST /v0/pipes
        GET /v0/pipes/{pipe}
        GET /v1/pipes/{pipe}
        PUT /v0/pipes/{pipe}
        DELETE /v0/pipes/{pipe}
        POST /v0/pipes/{pipe}/nodes
        POST /v0/pipes/{pipe}/append
        GET /v0/pipes/{pipe}.pipe
        GET /v1/pipes/{pipe}.pipe
        GET /v0/pipes/{pipe}/nodes
        GET /v0/pipes/{pipe}/nodes/{node}
        PUT /v0/pipes/{pipe}/nodes/{node}
        DELETE /v0/pipes/{pipe}/nodes/{node}
        POST /v0/pipes/{pipe}/nodes/{node}/endpoint
        DELETE /v0/pipes/{pipe}/nodes/{node}/endpoint
        PUT /v0/pipes/{pipe}/endpoint
        GET /v0/pipes/{pipe}.{extension}
        POST /v0/pipes/{pipe}.{extension}
        GET /v0/pipes/openapi.json
        GET /v0/pipes/{pipe}/openapi.json
        GET /endpoint/{pipe}
        GET /v0/pipes/{pipe}/explain
        POST /v0/pipes/{pipe}/explain
        GET /v0/pipes/{pipe}/nodes/{node}/explain
        POST /v0/pipes/{pipe}/nodes/{node}/explain
        GET /examples/query.http
        GET /v0/pipes/{pipe}/nodes/{node}/analysis
        POST /v0/pipes/{pipe}/nodes/{node}/materialization
        DELETE /v0/pipes/{pipe}/nodes/{node}/materialization
        POST /v0/pipes/{pipe}/nodes/{node}/population
        POST /v0/pipes/{pipe}/nodes/{node}/copy
        PUT /v0/pipes/{pipe}/nodes/{node}/copy
        DELETE /v0/pipes/{pipe}/nodes/{node}/copy
        POST /v0/pipes/{pipe}/copy
        POST /v0/pipes/{pipe}/copy/pause
        POST /v0/pipes/{pipe}/copy/resume
        POST /v0/pipes/{pipe}/copy/cancel
        DELETE /v0/pipes/{pipe}/nodes/{node}/stream
    """,
    "Sink Pipes": """
        POST /v0/pipes/{pipe}/nodes/{node}/sink
        PUT /v0/pipes/{pipe}/nodes/{node}/sink
        DELETE /v0/pipes/{pipe}/nodes/{node}/sink
        POST /v0/pipes/{pipe}/sink
        GET /v0/integrations/{service}/settings
        GET /v0/integrations/{service}/policies/{policy}
        GET /v0/datasources-bigquery-credentials
    """,
    "Environment Variables": """
        GET /v0/variables
        POST /v0/variables
        GET /v0/variables/{name}
        PUT /v0/variables/{name}
        DELETE /v0/variables/{name}
        GET /v1/variables
        POST /v1/variables
        GET /v1/variables/{name}
        PUT /v1/variables/{name}
        DELETE /v1/variables/{name}
    """,
    "Deployments": """
        POST /v1/build
        POST /v1/deploy
        GET /v1/deployments
        GET /v1/deployments/{id}
        DELETE /v1/deployments/{id}
        POST /v1/deployments/{id}/set-live
    """,
}

#: Operations that have a route which only says what is not there.
REFUSED: dict[str, str] = dict.fromkeys(
    (
        "POST /v0/datasources/{name}/start",
        "POST /v0/datasources/{name}/stop",
    ),
    "answers 400 for Kafka, which nothing here reads from; 404 without a connector",
)
REFUSED["GET /v0/datasources-bigquery-credentials"] = "answers 400: there is no BigQuery account here"
REFUSED["DELETE /v0/pipes/{pipe}/nodes/{node}/stream"] = "answers 404: there are no streams"

HEAD = """# What the embedded Tinybird can do

Each documented operation of the service's API, and whether the embedded server has it. This page is made from the
server's route table (`python docs/embedded_coverage.py`), and a test compares them.

"""


def routes() -> set[str]:
    """Return the operations that the server has, as ``METHOD /path`` with the names of parameters left out."""
    found = set()
    for route in load_routes():
        for method in route.methods or ():
            if method != "HEAD":
                found.add(anonymous(f"{method} {route.path}"))
    return found


def anonymous(operation: str) -> str:
    """Take the names of parameters out of an operation's path."""
    return re.sub(r"\{[^}]*\}", "{}", operation)


def documented() -> dict[str, list[str]]:
    """Return `OPERATIONS` as lists."""
    return {
        section: [line.strip() for line in text.splitlines() if line.strip()] for section, text in OPERATIONS.items()
    }


def page() -> str:
    """Return the page."""
    have = routes()
    parts = [HEAD]
    rows = []
    for section, operations in documented().items():
        done = [each for each in operations if anonymous(each) in have and each not in REFUSED]
        rows.append(f"| [{section}](#{_anchor(section)}) | {len(done)} of {len(operations)} |")
    parts.append("| API | done |\n|---|---|\n" + "\n".join(rows) + "\n\n")
    for section, operations in documented().items():
        parts.append(f"## {section}\n\n| operation | |\n|---|---|\n")
        for each in operations:
            state = REFUSED.get(each) or ("done" if anonymous(each) in have else "not yet")
            parts.append(f"| `{each}` | {state} |\n")
        parts.append("\n")
    parts.append(
        "## Choices\n\nWhere the public material is silent or contradicts itself, this is what the embedded Tinybird "
        "does.\n\n| API | about | choice |\n|---|---|---|\n"
    )
    parts += [f"| {line} |\n" for line in CHOICES.read_text(encoding="utf-8").splitlines()]
    return "".join(parts)


def _anchor(section: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", section.lower()).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
