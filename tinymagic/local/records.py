"""The records of the catalogue: workspaces, users, tokens, Data Sources, jobs, Pipes and the rest. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any


def new_id() -> str:
    """Return a new resource id: ``t_`` and 32 hexadecimal digits, as Data Sources, Pipes and nodes have."""
    return "t_" + uuid.uuid4().hex


def now() -> str:
    """Return the present UTC time as the API writes it: ``YYYY-MM-DD HH:MM:SS.ffffff``."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass(frozen=True)
class User:
    """A person with an account; the embedded server has one."""

    id: str
    email: str
    created_at: str = ""


@dataclass(frozen=True)
class Workspace:
    """A set of resources with a ClickHouse database of its own, named *database*.

    Attributes:
        main: id of the workspace that this is a branch of; empty when it is none.
        members: who takes part beside the owner, each ``{"id": ..., "email": ..., "role": ...}``.
        tags: ``[{"name": ..., "resources": [...]}, ...]``, which clients use to find resources.
        closing: whether its deletion has begun; it has no tokens any more then.
        vacant: whether somebody deleted it though it has to stay; asking for its creation gives it back.
    """

    id: str
    name: str
    database: str
    main: str = ""
    owner_id: str = ""
    created_at: str = ""
    members: list[dict[str, str]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    closing: bool = False
    vacant: bool = False


@dataclass(frozen=True)
class TokenRecord:
    """A static token.

    Attributes:
        token: the secret text; opaque on input.
        scopes: ``[{"type": "DATASOURCES:READ", "resource": "t_...", "filter": "...", "sql": "..."}, ...]``. A resource
            is an id, so that it may be renamed; *sql* is the filter as the engine's parser writes it.
        origin: where it comes from: ``{"type": "C"}`` custom, ``{"type": "P", "resource_id": ...}`` and so on.
        kind: ``workspace`` for what ``GET /v0/tokens`` lists, ``user`` for the token that belongs to a person, ``jwt``
            for the claims of a JWT, which is not stored.
    """

    id: str
    workspace_id: str
    name: str
    token: str
    scopes: list[dict[str, Any]] = field(default_factory=list)
    description: str = ""
    origin: dict[str, str] = field(default_factory=lambda: {"type": "C"})
    kind: str = "workspace"
    created_at: str = ""

    def __repr__(self) -> str:
        return f"TokenRecord(id={self.id!r}, name={self.name!r}, scopes={self.scopes!r})"  # Never the secret.


@dataclass(frozen=True)
class DataSourceRecord:
    """A Data Source: a ClickHouse table of the same name in the workspace's database.

    Attributes:
        id: ``t_`` and 32 hexadecimal digits.
        schema: the schema text of the columns as the API gives it, jsonpaths and defaults included.
        engine: keys and values such as ``{"engine": "MergeTree", "engine_sorting_key": "a"}``.
        tags: free keys, among them the API's own.
        indexes: secondary indexes, each an object with ``name``, ``expr``, ``type_full``, ``granularity``.
        headers: column names in the file that the Data Source was made from.
        settings: whatever else the Data Sources service wants to keep.
        created_at: UTC, ``YYYY-MM-DD HH:MM:SS.ffffff``; set by `Catalog.create_datasource` when empty.
        updated_at: the same; set by every update.
    """

    id: str
    workspace_id: str
    name: str
    description: str = ""
    type: str = "csv"
    schema: str = ""
    engine: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    indexes: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""
    updated_at: str = ""


@dataclass(frozen=True)
class JobRecord:
    """A piece of work in the background; its life is the business of `services.jobs`.

    Attributes:
        id: a UUID.
        kind: ``import``, ``delete_data``, ``populateview``, ``copy``, ``sink``, ``query``, ``branch`` ...
        status: ``waiting``, ``working``, ``done``, ``error``, ``cancelling`` or ``cancelled``.
        error: why it failed; empty when it did not.
        errors: details of it.
        details: further keys of the API's object, by kind of job.
        internals: what only the server needs, such as what is necessary to run it again.
        token_id: who started it.
        datasource_id: what it writes to; empty when nothing.
        pipe_id: what it reads from; empty when nothing.
        created_at: UTC, ``YYYY-MM-DD HH:MM:SS.ffffff``, as are the other times.
    """

    id: str
    workspace_id: str
    created_at: str
    kind: str
    status: str = "waiting"
    error: str = ""
    errors: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    internals: dict[str, Any] = field(default_factory=dict)
    token_id: str = ""
    datasource_id: str = ""
    pipe_id: str = ""
    started_at: str | None = None
    updated_at: str = ""


@dataclass(frozen=True)
class Node:
    """A node of a Pipe.

    Attributes:
        id: ``t_`` and 32 hexadecimal digits.
        sql: as the author wrote it, a template when it begins with ``%``.
        type: ``standard``, ``endpoint``, ``materialized``, ``copy`` or ``sink``.
        output: what its type needs, with ids of resources and never their names.
        tags: free keys.
        ignore_sql_errors: whether it was saved although it cannot run.
    """

    id: str
    name: str
    sql: str = ""
    description: str = ""
    type: str = "standard"
    output: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    ignore_sql_errors: bool = False
    created_at: str = ""
    updated_at: str = ""

    @property
    def is_output(self) -> bool:
        """Whether the Pipe gives what this node gives."""
        return self.type != "standard"


@dataclass(frozen=True)
class PipeRecord:
    """A Pipe: nodes, of which one may be its output.

    Attributes:
        nodes: in their order.
        settings: whatever else is kept, such as ``path``, the file that it was deployed from.
    """

    id: str
    workspace_id: str
    name: str
    description: str = ""
    nodes: tuple[Node, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""
    updated_at: str = ""

    def __post_init__(self) -> None:
        """Make nodes of what was read from JSON."""
        nodes = tuple(Node(**each) if isinstance(each, dict) else each for each in self.nodes)
        object.__setattr__(self, "nodes", nodes)

    @property
    def output_node(self) -> Node | None:
        """The node that is the output."""
        return next((node for node in self.nodes if node.is_output), None)

    @property
    def type(self) -> str:
        """``default`` without an output, else the type of the output."""
        node = self.output_node
        return "default" if node is None else node.type

    @property
    def endpoint(self) -> Node | None:
        """The published node."""
        return next((node for node in self.nodes if node.type == "endpoint"), None)

    def node(self, id_or_name: str) -> Node | None:
        """Find a node by id, else by name."""
        by_id = next((node for node in self.nodes if node.id == id_or_name), None)
        return by_id or next((node for node in self.nodes if node.name == id_or_name), None)

    def with_node(self, node: Node) -> PipeRecord:
        """Return the Pipe with *node* in the place of the one with its id, else at the end."""
        known = any(each.id == node.id for each in self.nodes)
        nodes = tuple(node if each.id == node.id else each for each in self.nodes)
        return replace(self, nodes=nodes if known else (*nodes, node))


@dataclass(frozen=True)
class VariableRecord:
    """An Environment Variable; *value* is sealed."""

    id: str
    workspace_id: str
    name: str
    value: str
    type: str = "secret"
    edited_by: str = ""
    created_at: str = ""
    updated_at: str = ""

    def __repr__(self) -> str:
        return f"VariableRecord(id={self.id!r}, name={self.name!r})"


@dataclass(frozen=True)
class ConnectionRecord:
    """A connection to another service; *settings* may be shown, *secrets* is a sealed JSON object."""

    id: str
    workspace_id: str
    name: str
    service: str
    settings: dict[str, Any] = field(default_factory=dict)
    secrets: str = ""
    created_at: str = ""
    updated_at: str = ""

    def __repr__(self) -> str:
        return f"ConnectionRecord(id={self.id!r}, name={self.name!r}, service={self.service!r})"


@dataclass(frozen=True)
class DeploymentRecord:
    """One deployment of a project; *details* is what the service keeps of it."""

    id: str
    workspace_id: str
    status: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""
    updated_at: str = ""
