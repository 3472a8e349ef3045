"""What exists: workspaces, users, tokens, Data Sources, Pipes and the rest. The only file that touches SQLite.

One writer of truth per fact: this catalogue knows *what* exists, chDB holds the rows. Every method is one
transaction (WAL, ``synchronous=FULL``: what a method returned from is on disk) and may be called from any thread: one
connection behind one lock, because the statements take microseconds and SQLite has one writer anyway.

Each resource is a row with the columns that are searched and a JSON ``body`` with everything else, so that a new
attribute of a record needs no migration: give it a default in the dataclass. New tables are added to `_SCHEMA` with
``IF NOT EXISTS``; a change of an existing one raises `SCHEMA_VERSION` and is migrated in `_migrate`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from .records import (
    ConnectionRecord,
    DataSourceRecord,
    DeploymentRecord,
    JobRecord,
    PipeRecord,
    TokenRecord,
    User,
    VariableRecord,
    Workspace,
    now,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS workspaces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, database TEXT NOT NULL UNIQUE, main TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (main, name));
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL, token TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS tokens_of_workspace ON tokens (workspace_id);
CREATE TABLE IF NOT EXISTS datasources (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (workspace_id, name));
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    created_at TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS jobs_by_time ON jobs (workspace_id, created_at);
CREATE TABLE IF NOT EXISTS pipes (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (workspace_id, name));
CREATE TABLE IF NOT EXISTS variables (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (workspace_id, name));
CREATE TABLE IF NOT EXISTS connections (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (workspace_id, name));
CREATE TABLE IF NOT EXISTS deployments (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS deployments_of_workspace ON deployments (workspace_id);
"""

#: From version 1 to 2: the name of a branch need only differ from those of the other branches of its workspace.
_BRANCHES = """
CREATE TABLE new_workspaces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, database TEXT NOT NULL UNIQUE, main TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (main, name));
INSERT INTO new_workspaces SELECT id, name, database, '', body FROM workspaces ORDER BY rowid;
DROP TABLE workspaces;
ALTER TABLE new_workspaces RENAME TO workspaces;
"""


class CatalogError(Exception):
    """The catalogue cannot do it; the message is a sentence for the user."""


class NameTaken(CatalogError):  # noqa: N818 - says what happened
    """Another resource of the workspace has this name."""


_Record = TypeVar(
    "_Record",
    User,
    Workspace,
    TokenRecord,
    DataSourceRecord,
    JobRecord,
    PipeRecord,
    VariableRecord,
    ConnectionRecord,
    DeploymentRecord,
)

_Timed = TypeVar("_Timed", DataSourceRecord, PipeRecord, VariableRecord, ConnectionRecord, DeploymentRecord)

#: Columns that the tables have beside ``body``.
_COLUMNS: dict[type[Any], tuple[str, tuple[str, ...]]] = {
    User: ("users", ("id", "email")),
    Workspace: ("workspaces", ("id", "name", "database", "main")),
    TokenRecord: ("tokens", ("id", "workspace_id", "name", "token")),
    DataSourceRecord: ("datasources", ("id", "workspace_id", "name")),
    JobRecord: ("jobs", ("id", "workspace_id", "created_at")),
    PipeRecord: ("pipes", ("id", "workspace_id", "name")),
    VariableRecord: ("variables", ("id", "workspace_id", "name")),
    ConnectionRecord: ("connections", ("id", "workspace_id", "name")),
    DeploymentRecord: ("deployments", ("id", "workspace_id")),
}


class Catalog:
    """The catalogue of one data folder.

    Args:
        path: the SQLite file, created with mode 0600 when missing; ``None`` keeps it in memory.

    Raises:
        CatalogError: the file was written by a newer version of this package, or is no catalogue.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._version = 0
        self._versions: Counter[type[Any]] = Counter()
        #: Where the key of its secrets lies; ``None`` in memory.
        self.folder = None if path is None else path.parent
        if path is not None and not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.executescript(_SCHEMA)
            self._migrate()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise CatalogError(f"{path} is not a catalogue of tinymagic, or it is damaged: {error}.") from error

    @property
    def version(self) -> int:
        """A number that grows with every change; what was derived from the catalogue is good while it stays."""
        return self._version

    def version_of(self, *kinds: type[Any]) -> int:
        """Like `version`, for changes of some kinds of records only."""
        return sum(self._versions[kind] for kind in kinds)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes one: all are kept, or none when the block raises. May be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                self._version += 1
                self._versions.update([*_COLUMNS])
                raise
            self._connection.execute("COMMIT")
            self._version += 1

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # Small facts

    def meta(self, key: str) -> str | None:
        """Return a small fact of the installation, such as the signing key, or ``None``."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact of the installation."""
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    # Users and workspaces

    def create_user(self, user: User) -> User:
        """Add a user."""
        return self._insert(replace(user, created_at=user.created_at or now()))

    def users(self) -> list[User]:
        """Return every user, oldest first."""
        return self._select(User)

    def create_workspace(self, workspace: Workspace) -> Workspace:
        """Add a workspace. The caller makes its database.

        Raises:
            NameTaken: another workspace has the name.
        """
        return self._insert(replace(workspace, created_at=workspace.created_at or now()))

    def workspaces(self) -> list[Workspace]:
        """Return every workspace, branches too, oldest first."""
        return self._select(Workspace)

    def workspace(self, id_or_name: str) -> Workspace | None:
        """Find a workspace by id (also a branch), else by name (no branch)."""
        return self._first(Workspace, "id = ?", id_or_name) or self.branch("", id_or_name)

    def branches(self, main: str) -> list[Workspace]:
        """Return the branches of the workspace whose id is *main*, oldest first."""
        return self._select(Workspace, "main = ?", main)

    def branch(self, main: str, id_or_name: str) -> Workspace | None:
        """Find a branch of the workspace whose id is *main*, by id, else by name."""
        for column in ("id", "name"):
            found = self._first(Workspace, f"main = ? AND {column} = ?", main, id_or_name)
            if found:
                return found
        return None

    def update_workspace(self, workspace: Workspace) -> Workspace:
        """Replace the workspace that has the same id.

        Raises:
            NameTaken: another workspace has the new name.
        """
        return self._update(workspace)

    def delete_workspace(self, workspace_id: str) -> None:
        """Delete a workspace with its tokens, Data Sources, jobs and branches. The caller drops the databases."""
        with self.transaction():
            for branch in self.branches(workspace_id):
                self._delete(Workspace, branch.id)
            self._delete(Workspace, workspace_id)

    def clear_workspace(self, workspace: Workspace, tokens: list[TokenRecord]) -> None:
        """Delete everything that belongs to a workspace but *tokens*; the workspace keeps its place in the order."""
        with self.transaction():
            sql = "SELECT rowid FROM workspaces WHERE id = ?"
            [place] = self._connection.execute(sql, (workspace.id,)).fetchone()
            self.delete_workspace(workspace.id)
            self._insert(workspace)
            self._connection.execute("UPDATE workspaces SET rowid = ? WHERE id = ?", (place, workspace.id))
            for token in tokens:
                self._insert(token)

    # Tokens

    def create_token(self, token: TokenRecord) -> TokenRecord:
        """Add a token."""
        return self._insert(replace(token, created_at=token.created_at or now()))

    def tokens(self, workspace_id: str) -> list[TokenRecord]:
        """Return the workspace's tokens, oldest first."""
        return self._select(TokenRecord, "workspace_id = ?", workspace_id)

    def all_tokens(self) -> list[TokenRecord]:
        """Return the tokens of every workspace."""
        return self._select(TokenRecord)

    def token_strings(self) -> list[tuple[str, str, str]]:
        """Return workspace, id and string of every token; much cheaper than `all_tokens`."""
        with self._lock:
            return self._connection.execute("SELECT workspace_id, id, token FROM tokens").fetchall()

    def token(self, workspace_id: str, id_or_name: str) -> TokenRecord | None:
        """Find a token of the workspace by id, name, or the token text itself."""
        for column in ("id", "name", "token"):
            found = self._first(TokenRecord, f"workspace_id = ? AND {column} = ?", workspace_id, id_or_name)
            if found:
                return found
        return None

    def update_token(self, token: TokenRecord) -> TokenRecord:
        """Replace the token that has the same id."""
        return self._update(token)

    def delete_token(self, token_id: str) -> None:
        """Delete a token; it stops working at once."""
        self._delete(TokenRecord, token_id)

    def resource_names(self, workspace_id: str) -> dict[str, str]:
        """Return the present name of each resource that a scope can be about, by its id."""
        with self._lock:
            found = self._connection.execute(
                "SELECT id, name FROM datasources WHERE workspace_id = ?1 "
                "UNION ALL SELECT id, name FROM pipes WHERE workspace_id = ?1",
                (workspace_id,),
            )
            return dict(found.fetchall())

    # Data Sources

    def create_datasource(self, datasource: DataSourceRecord) -> DataSourceRecord:
        """Add a Data Source and return it with its times.

        Raises:
            NameTaken: the workspace has a Data Source of this name.
        """
        return self._create(datasource)

    def datasource(self, workspace_id: str, id_or_name: str) -> DataSourceRecord | None:
        """Find a Data Source of the workspace by id, else by name."""
        return self._named(DataSourceRecord, workspace_id, id_or_name)

    def datasources(self, workspace_id: str) -> list[DataSourceRecord]:
        """Return the workspace's Data Sources, oldest first."""
        return self._select(DataSourceRecord, "workspace_id = ?", workspace_id)

    def update_datasource(self, datasource: DataSourceRecord) -> DataSourceRecord:
        """Replace the Data Source that has the same id (also its name) and set its ``updated_at``.

        Raises:
            NameTaken: another Data Source of the workspace has the new name.
        """
        return self._update(replace(datasource, updated_at=now()))

    def delete_datasource(self, datasource_id: str) -> None:
        """Forget a Data Source. The caller drops its tables."""
        self._delete(DataSourceRecord, datasource_id)

    # Jobs

    def create_job(self, job: JobRecord) -> JobRecord:
        """Add a job."""
        return self._insert(job)

    def job(self, workspace_id: str, job_id: str) -> JobRecord | None:
        """Find a job of the workspace."""
        return self._first(JobRecord, "workspace_id = ? AND id = ?", workspace_id, job_id)

    def jobs(self, workspace_id: str, *, created_after: str) -> list[JobRecord]:
        """Return the workspace's jobs that were created after a time (same form as ``created_at``), oldest first."""
        return self._select(JobRecord, "workspace_id = ? AND created_at > ?", workspace_id, created_after)

    def unfinished_jobs(self, final: tuple[str, ...]) -> list[JobRecord]:
        """Return the jobs of all workspaces whose status is not one of *final*."""
        return [job for job in self._select(JobRecord) if job.status not in final]

    def update_job(self, job: JobRecord) -> JobRecord:
        """Replace the job that has the same id."""
        return self._update(job)

    def delete_jobs(self, *, created_before: str) -> None:
        """Forget the jobs of all workspaces that are older."""
        with self.transaction():
            self._connection.execute("DELETE FROM jobs WHERE created_at <= ?", (created_before,))

    # Pipes

    def create_pipe(self, pipe: PipeRecord) -> PipeRecord:
        """Add a Pipe and return it with its times.

        Raises:
            NameTaken: the workspace has a Pipe of this name.
        """
        return self._create(pipe)

    def pipe(self, workspace_id: str, id_or_name: str) -> PipeRecord | None:
        """Find a Pipe of the workspace by id, else by name."""
        return self._named(PipeRecord, workspace_id, id_or_name)

    def pipes(self, workspace_id: str) -> list[PipeRecord]:
        """Return the workspace's Pipes, oldest first."""
        return self._select(PipeRecord, "workspace_id = ?", workspace_id)

    def update_pipe(self, pipe: PipeRecord) -> PipeRecord:
        """Replace the Pipe that has the same id (also its name) and set its ``updated_at``.

        Raises:
            NameTaken: another Pipe of the workspace has the new name.
        """
        return self._update(replace(pipe, updated_at=now()))

    def delete_pipe(self, pipe_id: str) -> None:
        """Forget a Pipe. The caller takes away what hangs on its output."""
        self._delete(PipeRecord, pipe_id)

    # Environment Variables

    def create_variable(self, variable: VariableRecord) -> VariableRecord:
        """Add an Environment Variable and return it with its times.

        Raises:
            NameTaken: the workspace has one of this name.
        """
        return self._create(variable)

    def variable(self, workspace_id: str, name: str) -> VariableRecord | None:
        """Find an Environment Variable of the workspace by name."""
        return self._first(VariableRecord, "workspace_id = ? AND name = ?", workspace_id, name)

    def variables(self, workspace_id: str) -> list[VariableRecord]:
        """Return the workspace's Environment Variables, oldest first."""
        return self._select(VariableRecord, "workspace_id = ?", workspace_id)

    def update_variable(self, variable: VariableRecord) -> VariableRecord:
        """Replace the Environment Variable that has the same id and set its ``updated_at``."""
        return self._update(replace(variable, updated_at=now()))

    def delete_variable(self, variable_id: str) -> None:
        """Forget an Environment Variable."""
        self._delete(VariableRecord, variable_id)

    # Connections

    def create_connection(self, connection: ConnectionRecord) -> ConnectionRecord:
        """Add a connection and return it with its times.

        Raises:
            NameTaken: the workspace has one of this name.
        """
        return self._create(connection)

    def connection(self, workspace_id: str, id_or_name: str) -> ConnectionRecord | None:
        """Find a connection of the workspace by id, else by name."""
        return self._named(ConnectionRecord, workspace_id, id_or_name)

    def connections(self, workspace_id: str) -> list[ConnectionRecord]:
        """Return the workspace's connections, oldest first."""
        return self._select(ConnectionRecord, "workspace_id = ?", workspace_id)

    def update_connection(self, connection: ConnectionRecord) -> ConnectionRecord:
        """Replace the connection that has the same id and set its ``updated_at``."""
        return self._update(replace(connection, updated_at=now()))

    def delete_connection(self, connection_id: str) -> None:
        """Forget a connection."""
        self._delete(ConnectionRecord, connection_id)

    # Deployments

    def create_deployment(self, deployment: DeploymentRecord) -> DeploymentRecord:
        """Add a deployment and return it with its times."""
        return self._create(deployment)

    def deployment(self, workspace_id: str, deployment_id: str) -> DeploymentRecord | None:
        """Find a deployment of the workspace."""
        return self._first(DeploymentRecord, "workspace_id = ? AND id = ?", workspace_id, deployment_id)

    def deployments(self, workspace_id: str) -> list[DeploymentRecord]:
        """Return the workspace's deployments, oldest first."""
        return self._select(DeploymentRecord, "workspace_id = ?", workspace_id)

    def update_deployment(self, deployment: DeploymentRecord) -> DeploymentRecord:
        """Replace the deployment that has the same id and set its ``updated_at``."""
        return self._update(replace(deployment, updated_at=now()))

    # One implementation for all records

    def _create(self, record: _Timed) -> _Timed:
        moment = now()
        return self._insert(replace(record, created_at=record.created_at or moment, updated_at=moment))

    def _named(self, kind: type[_Record], workspace_id: str, id_or_name: str) -> _Record | None:
        """Find by id, else by name."""
        for column in ("id", "name"):
            found = self._first(kind, f"workspace_id = ? AND {column} = ?", workspace_id, id_or_name)
            if found:
                return found
        return None

    def _insert(self, record: _Record) -> _Record:
        table, columns = _COLUMNS[type(record)]
        marks = ", ".join("?" * (len(columns) + 1))
        sql = f"INSERT INTO {table} ({', '.join(columns)}, body) VALUES ({marks})"
        return self._write(record, sql, ())

    def _update(self, record: _Record) -> _Record:
        columns: list[str] = [*_COLUMNS[type(record)][1], "body"]
        assignments = ", ".join(f"{column} = ?" for column in columns)
        sql = f"UPDATE {_COLUMNS[type(record)][0]} SET {assignments} WHERE id = ?"
        return self._write(record, sql, (record.id,))

    def _write(self, record: _Record, sql: str, tail: tuple[str, ...]) -> _Record:
        attributes: dict[str, Any] = asdict(record)
        values: list[str] = [attributes.pop(column) for column in _COLUMNS[type(record)][1]]
        with self.transaction():
            self._refuse_taken(record)
            try:
                self._connection.execute(sql, (*values, json.dumps(attributes), *tail))
            except sqlite3.IntegrityError as error:
                name = getattr(record, "name", record.id)
                raise NameTaken(f"There is already something called {name!r}.") from error
            self._versions[type(record)] += 1
        return record

    def _refuse_taken(self, record: _Record) -> None:
        """Data Sources and Pipes have one namespace, which no index of SQLite spans."""
        other = {DataSourceRecord: "pipes", PipeRecord: "datasources"}.get(type(record))
        if other is None or not isinstance(record, (DataSourceRecord, PipeRecord)):
            return
        sql = f"SELECT 1 FROM {other} WHERE workspace_id = ? AND name = ?"
        if self._connection.execute(sql, (record.workspace_id, record.name)).fetchone():
            kind = "Pipe" if other == "pipes" else "Data Source"
            raise NameTaken(f"There is already a {kind} called {record.name!r}.")

    def _delete(self, kind: type[_Record], record_id: str) -> None:
        with self.transaction():
            self._connection.execute(f"DELETE FROM {_COLUMNS[kind][0]} WHERE id = ?", (record_id,))
            self._versions.update([*_COLUMNS] if kind is Workspace else [kind])  # A workspace takes all that is in it.

    def _first(self, kind: type[_Record], where: str, *values: str) -> _Record | None:
        return next(iter(self._select(kind, where, *values)), None)

    def _select(self, kind: type[_Record], where: str = "1", *values: str) -> list[_Record]:
        table, columns = _COLUMNS[kind]
        sql = f"SELECT {', '.join(columns)}, body FROM {table} WHERE {where} ORDER BY rowid"
        with self._lock:
            rows = self._connection.execute(sql, values).fetchall()
        known = {each.name for each in fields(kind)}
        make: Callable[..., _Record] = kind
        records = []
        for row in rows:
            attributes = dict(zip(columns, row[:-1], strict=True))
            attributes.update((key, value) for key, value in json.loads(row[-1]).items() if key in known)
            records.append(make(**attributes))
        return records

    def _migrate(self) -> None:
        found = self.meta("schema_version")
        if found is None:
            self.set_meta("schema_version", str(SCHEMA_VERSION))
        elif int(found) == 1:
            self._connection.execute("PRAGMA foreign_keys = OFF")  # Dropping a table would delete what points to it.
            with self.transaction():
                for statement in _BRANCHES.split(";"):
                    self._connection.execute(statement)
                self.set_meta("schema_version", str(SCHEMA_VERSION))
            self._connection.execute("PRAGMA foreign_keys = ON")
        elif int(found) > SCHEMA_VERSION:
            raise CatalogError(
                f"The data folder was written by a newer tinymagic (catalogue version {found}, this one knows "
                f"{SCHEMA_VERSION}). Update tinymagic, or start with another folder."
            )
