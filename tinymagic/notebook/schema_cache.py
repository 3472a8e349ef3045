"""Names of what the Workspace has, for Tab: at hand at once, fetched in the background, never while a key waits.

The calls are for metadata, which no query quota counts. A name that is not there yet is simply not offered; the next
Tab has it. What is known is dropped when the connection changes and when a command may have changed something.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from tinymagic.notebook import quiet
from tinymagic.notebook.sql_completion.names import Query, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from tinymagic.api.datasource_results import Column
    from tinymagic.api.pipe_results import Pipe
    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.session import Session

#: Names older than this are still offered, and fetched anew.
FRESH_S = 30.0
#: A kind that could not be fetched (no right, no network) is not tried again for so long.
_PAUSE_AFTER_FAILURE_S = 15.0


def _names(items: Iterable[object]) -> tuple[str, ...]:
    return tuple(sorted({str(name) for each in items if (name := getattr(each, "name", ""))}, key=str.lower))


def _of_pipes(workspace: Workspace) -> dict[str, Any]:
    """Return the Pipes, those that are endpoints, the nodes of each, and what is read under their names."""
    pipes = workspace.pipes.list()
    found: dict[str, Any] = {"pipe": _names(pipes), "endpoint": _names(each for each in pipes if each.endpoint)}
    for pipe in pipes:
        found[f"node {pipe.name}"] = tuple(node.name for node in pipe.nodes)
    found["queries"] = {pipe.name: query for pipe in pipes if (query := _query_of(pipe)) is not None}
    return found


def _query_of(pipe: Pipe) -> Query | None:
    """Return what a Pipe gives to those who read it: its endpoint, else its last node."""
    node = next((node for node in pipe.nodes if pipe.endpoint in (node.id, node.name)), None)
    node = node or (pipe.nodes[-1] if pipe.nodes else None)
    if node is None:
        return None
    return Query(node.sql, {other.name: other.sql for other in pipe.nodes if other is not node})


def _of_datasources(workspace: Workspace) -> dict[str, Any]:
    """Return the Data Sources, and the columns of each."""
    sources = workspace.datasources.list()
    columns = {f"column {each.name}": tuple(column.name for column in each.columns) for each in sources}
    tables = Tables((each.name, tuple(map(_name_and_type, each.columns))) for each in sources if each.name)
    return {"datasource": _names(sources), "tables": tables, **columns}


def _name_and_type(column: Column) -> tuple[str, str]:
    return column.name, f"Nullable({column.type})" if column.nullable else column.type


def _of_jobs(workspace: Workspace) -> dict[str, Any]:
    return {"job": tuple(each.id for each in workspace.jobs.list()[:100])}


#: Kind -> how it is fetched; the result may hold other kinds too, which the same call tells.
_FETCHED: Mapping[str, Callable[[Workspace], dict[str, Any]]] = {
    "datasource": _of_datasources,
    "pipe": _of_pipes,
    "job": _of_jobs,
    "token": lambda workspace: {"token": _names(workspace.tokens.list())},
    "variable": lambda workspace: {"variable": _names(workspace.variables.list())},
    "connection": lambda workspace: {"connection": _names(workspace.connections.list())},
    "workspace": lambda workspace: {"workspace": _names(workspace.workspaces.list())},
    "branch": lambda workspace: {"branch": _names(workspace.branches.list())},
    "tag": lambda workspace: {"tag": _names(workspace.tags.list())},
    "deployment": lambda workspace: {"deployment": tuple(each.id for each in workspace.deployments.list())},
}

#: Kinds that come with another one.
_COMES_WITH = {
    "column": "datasource",
    "tables": "datasource",
    "node": "pipe",
    "endpoint": "pipe",
    "queries": "pipe",
}


class SchemaCache:
    """The names of the Workspace that a session talks to. Threads may share it.

    Args:
        session: asked for the Workspace by the thread that fetches.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self._fetched_at: dict[str, float] = {}
        self._running: dict[str, threading.Thread] = {}
        self._version = 0
        self._key: Hashable = None

    def names(self, kind: str, of: str = "") -> tuple[str, ...]:
        """Return the names of a kind that are known, at once; when there is news to be had, have it fetched.

        Args:
            kind: as in `tinymagic.notebook.completion`.
            of: the Data Source of columns, the Pipe of nodes.
        """
        self._check_connection()
        self.fetch(kind)
        with self._lock:
            found: tuple[str, ...] = self._known.get(f"{kind} {of}" if kind in ("column", "node") else kind, ())
            return found

    def sql_names(self) -> tuple[Tables, Mapping[str, Query], tuple[str, ...]]:
        """Return what SQL can name, as far as it is known: Data Sources, Pipes, Environment Variables. As `names`."""
        self._check_connection()
        for kind in ("datasource", "pipe", "variable"):
            self.fetch(kind)
        with self._lock:
            known = self._known
            return known.get("tables", Tables()), known.get("queries", {}), known.get("variable", ())

    def fetch(self, kind: str) -> None:
        """Begin to fetch a kind in the background, unless it is fresh or on its way."""
        kind = _COMES_WITH.get(kind, kind)
        if kind not in _FETCHED:
            return
        with self._lock:
            if kind in self._running or time.monotonic() - self._fetched_at.get(kind, -FRESH_S) < FRESH_S:
                return
            arguments = (kind, self._version)
            thread = threading.Thread(target=self._fetch, args=arguments, name="tinymagic names", daemon=True)
            self._running[kind] = thread
        thread.start()

    def drop(self) -> None:
        """Forget everything; kinds that were in use are fetched anew in the background."""
        with self._lock:
            self._version += 1
            used = list(self._fetched_at)
            self._known.clear()
            self._fetched_at.clear()
            self._running.clear()
        for kind in used:
            self.fetch(kind)

    def forget(self) -> None:
        """Forget everything, and ask for nothing."""
        with self._lock:
            self._version += 1
            self._known.clear()
            self._fetched_at.clear()
            self._running.clear()

    def wait(self, timeout_s: float = 10.0) -> None:
        """Wait until everything that is on its way has come."""
        end = time.monotonic() + timeout_s
        for thread in list(self._running.values()):
            thread.join(max(0.0, end - time.monotonic()))

    def _check_connection(self) -> None:
        """Forget the names of another Workspace: a variable of the environment or a file may have changed."""
        key = self._session.key()
        if key != self._key:
            self.forget()
            self._key = key

    def _fetch(self, kind: str, version: int) -> None:
        found: dict[str, Any] | None = None
        # Whatever goes wrong here (no login, no right, no network): there are no names, and nobody is told.
        with contextlib.suppress(Exception), quiet.quietly():
            found = _FETCHED[kind](self._session.workspace())
        with self._lock:
            if version != self._version:
                return
            self._running.pop(kind, None)
            now = time.monotonic()
            self._fetched_at[kind] = now if found is not None else now - FRESH_S + _PAUSE_AFTER_FAILURE_S
            if found is not None:
                self._known = {
                    name: names for name, names in self._known.items() if _COMES_WITH.get(name.split(" ")[0]) != kind
                }
                self._known.update(found)
