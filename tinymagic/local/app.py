"""The HTTP application: who may talk to it, its routes, and what errors look like.

Before any route runs, `FrontDoor` checks that the request is meant for a loopback server (``Host``, against DNS
rebinding) and does not come from a web page (``Origin``), that the URL is not too long, and takes a trailing slash
off. Nothing that goes wrong inside leaves as anything but JSON: `ApiError` with its own text, everything else as a 500
that names the request's id, under which the log has the traceback. URLs are never logged, because they may carry
tokens.

`create_app` builds the services once, for an `Engine` and a `Catalog`, and imports the route modules.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import logging
import traceback
import uuid
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from tinymagic.local.access.permissions import check_routes

from .engine import DiskFull, EngineEnding
from .errors import ApiError, BadRequest, Forbidden, MethodNotAllowed, NotFound, ServerEnding, ServerError, UriTooLong
from .http import json_response
from .services import Services

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.responses import Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .catalog import Catalog
    from .engine import Engine
    from .limits import Limits

logger = logging.getLogger("tinymagic.local")

#: Modules of `routes/`; each has ROUTES. The order matters only where one path could match two templates.
_ROUTE_MODULES = (
    "health",
    "regions",
    "workspace",
    "workspaces",
    "environments",
    "tags",
    "tokens",
    "sql_tools",
    "query",
    "analyze",
    "events",
    "jobs",
    "datasources",
    "datasource_changes",
    "datasource_connectors",
    "variables",
    "connections",
    "endpoints",
    "materializations",
    "copies",
    "sinks",
    "pipes",
    "deployments",
)

#: No room, over the largest size of a file, over the user's quota.
_FULL_DISK_ERRNOS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def create_app(
    engine: Engine, catalog: Catalog, limits: Limits, *, port: int = 0, spool: Path | None = None
) -> Starlette:
    """Build the application over an open engine and catalogue.

    Args:
        engine: where the rows are.
        catalog: what exists; gets its first workspace and tokens here when it is empty.
        limits: sizes, times, rates.
        port: the port it will listen on; URLs in replies name it.
        spool: folder for uploads, emptied now; a temporary one when ``None``.
    """
    services = Services.build(engine, catalog, limits, port=port, spool=spool)
    routes = load_routes()
    check_routes(routes)
    app = Starlette(
        routes=routes,
        exception_handlers={ApiError: _api_error, HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    app.state.services = services
    app.add_middleware(FrontDoor, limits=limits)
    return app


def load_routes() -> list[Route]:
    """Import every route module and return all routes."""
    routes: list[Route] = []
    for name in _ROUTE_MODULES:
        routes.extend(importlib.import_module(f"{__package__}.routes.{name}").ROUTES)
    return routes


class FrontDoor:
    """The checks before routing and the net under it, as plain ASGI so that replies stream through untouched."""

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        response: Response | None = None
        try:
            self._check(scope)
            scope = {**_without_trailing_slash(scope), "state": {"request_id": request_id}}
            await self._app(scope, receive, send_marked)
        except ClientDisconnect:
            return  # There is nobody to answer.
        except ApiError as error:
            response = _reply(error)
        except asyncio.CancelledError:
            # The server ends and will not wait any longer for the thread that does the work.
            if started:
                raise
            response = _reply(_ending())
        except Exception as error:
            known = _no_mistake(error)
            if known is None or started:
                _log_failure(request_id, scope, error)
            if started:
                raise
            response = _reply(known or _mistake(request_id))
        if response is not None:
            await response(scope, receive, send_marked)

    def _check(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not _is_loopback(host):
            raise Forbidden(
                "The embedded Tinybird answers only requests to localhost, 127.0.0.1 or [::1]; "
                f"the Host header of this one says {host[:100]!r}."
            )
        origin = headers.get(b"origin")
        if origin is not None and not _is_loopback(_origin_host(origin.decode("latin-1").lower())):
            raise Forbidden("The embedded Tinybird does not answer web pages of other sites (Origin header).")
        limit = self._limits.url_bytes
        if limit is not None and len(scope.get("raw_path") or b"") + len(scope["query_string"]) > limit:
            raise UriTooLong(f"The URL is over the limit of {limit} bytes. Send the parameters in a POST body.")


def _no_mistake(error: Exception) -> ApiError | None:
    """Return what to answer when neither the request nor our code is to blame."""
    if isinstance(error, EngineEnding):
        return _ending()
    if _is_full_disk(error):
        return ServerError(
            "The disk of the embedded Tinybird is full, so the request was not carried out. "
            "Make room on it, or start the server with a path on another disk, and send the request again."
        )
    return None


def _is_full_disk(error: Exception) -> bool:
    if isinstance(error, DiskFull):
        return True
    if isinstance(error, OSError):
        return error.errno in _FULL_DISK_ERRNOS
    # SQLite's words: its exception is one for everything, and has no code before Python 3.11.
    return "database or disk is full" in str(error)


def _ending() -> ApiError:
    return ServerEnding("The embedded Tinybird is ending, so the request was stopped. Start it and ask again.")


def _mistake(request_id: str) -> ApiError:
    return ServerError(
        "The embedded Tinybird failed on this request. It is a mistake of tinymagic, not of the request; "
        f"the server's log has the details under request id {request_id}.",
        request_id=request_id,
    )


def _is_loopback(host: str) -> bool:
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name = host
    return name in _LOOPBACK_NAMES


def _origin_host(origin: str) -> str:
    scheme, separator, host = origin.partition("://")
    return host if separator and scheme in ("http", "https") else "null"


def _without_trailing_slash(scope: Scope) -> Scope:
    path = scope["path"]
    if len(path) > 1 and path.endswith("/"):
        return {**scope, "path": path.rstrip("/") or "/"}
    return scope


def _log_failure(request_id: str, scope: Scope, error: Exception) -> None:
    """Log where it happened: method, path without query string, stack. The text of an error may quote user data."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    kind = type(error).__name__
    logger.error("request %s: %s %s failed with %s\n%s", request_id, scope["method"], scope["path"], kind, stack)


def _reply(error: ApiError) -> Response:
    return json_response(error.body(), error.status, error.headers)


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _reply(error)


async def _http_error(request: Request, error: Exception) -> Response:
    """Turn Starlette's own refusals into ours."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _reply(NotFound(f"There is nothing at {request.url.path}."))
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.method} is not possible at {request.url.path}; it takes {allowed or 'other methods'}."
        return _reply(MethodNotAllowed(message, headers={"Allow": allowed} if allowed else {}))
    return _reply(BadRequest(str(error.detail), status=error.status_code))
