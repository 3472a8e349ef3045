"""Requests that read data, as rows of ``tinybird.pipe_stats_rt`` and ``tinybird.endpoint_errors``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from .log import without_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.engine import QueryResult
    from tinymagic.local.errors import ApiError

    from .log import ServiceLog


@dataclass(frozen=True)
class RequestFacts:
    """What is known of a request beside its token: *url* is path and query string."""

    request_id: str
    method: str
    url: str
    user_agent: str | None = None
    client_ip: str | None = None


@dataclass(frozen=True)
class Traffic:
    """Notes what became of one request.

    Attributes:
        service_log: gets the rows.
        access: of the caller.
        facts: about the request.
        pipe_id: of what was read; ``query_api`` for ``/v0/sql``.
        pipe_name: the same.
    """

    service_log: ServiceLog
    access: Access
    facts: RequestFacts
    pipe_id: str
    pipe_name: str

    def answered(self, result: QueryResult, parameters: Mapping[str, Any], duration_s: float) -> None:
        """Note a request that got its rows."""
        self._note(
            parameters,
            duration_s,
            read_bytes=result.bytes_read,
            read_rows=result.rows_read,
            result_rows=result.rows,
            cpu_time=result.elapsed_s,
            error=0,
            status_code=200,
        )

    def failed(self, error: ApiError, parameters: Mapping[str, Any], duration_s: float) -> None:
        """Note a request that was refused or failed."""
        self._note(parameters, duration_s, error=1, error_message=error.message, status_code=error.status)
        self.service_log.add(
            "endpoint_errors",
            self.access.workspace.id,
            {
                "start_datetime": _before(duration_s),
                "request_id": self.facts.request_id,
                "pipe_id": self.pipe_id,
                "pipe_name": self.pipe_name,
                "params": json.dumps(_texts(parameters)),
                "url": without_token(self.facts.url),
                "status_code": error.status,
                "error": error.message,
            },
        )

    def _note(self, parameters: Mapping[str, Any], duration_s: float, **columns: Any) -> None:
        token = self.access.token
        self.service_log.add(
            "pipe_stats_rt",
            self.access.workspace.id,
            {
                "start_datetime": _before(duration_s),
                "pipe_id": self.pipe_id,
                "pipe_name": self.pipe_name,
                # The service has the id of the token here, never its text.
                "token": token.id,
                "token_name": token.name,
                "duration": duration_s,
                "url": without_token(self.facts.url),
                "request_id": self.facts.request_id,
                "parameters": _texts(parameters),
                "method": self.facts.method,
                "user_agent": self.facts.user_agent,
                "client_ip": self.facts.client_ip,
                **columns,
            },
        )


def _before(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")


def _texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
