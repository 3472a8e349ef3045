"""What the calls of ``/v0/pipes`` give back, read from replies of any of the service's generations. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.http.redaction import Secret
from tinymagic.api.reading import flag, frozen, mapping, mappings, moment, names, text, text_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True)
class PipeParameter:
    """A parameter of a template, as the service found it (``templating.md`` section 9).

    Attributes:
        name: under which its value is sent.
        type: ``String``, ``Int32``, ``Array(String)`` ...; ``""`` when the template names none.
        default: as written in the template, or ``None``.
        required: whether a call fails without it; ``None`` when the service does not say.
        description: in words.
        raw: all that the service said, also ``enum``, ``format`` and ``example``.
    """

    name: str
    type: str
    default: Any
    required: bool | None
    description: str
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> PipeParameter:
        """Read one of a node's ``params``."""
        return cls(
            name=text(described.get("name")),
            type=text(described.get("type")),
            default=described.get("default"),
            required=flag(described.get("required")),
            description=text(described.get("description")),
            raw=frozen(described),
        )


@dataclass(frozen=True)
class Node:
    """A node of a Pipe (``pipes.md`` section 1.2); ``""``, ``None`` or nothing for what the service does not say.

    Attributes:
        id: ``t_...``.
        name: of the node.
        sql: SQL, or a template (first sign ``%``).
        description: in words.
        node_type: ``standard``, ``endpoint``, ``materialized``, ``copy``, ``sink`` or ``stream``.
        materialized: id of the Data Source that it fills, or ``None``.
        dependencies: names of the Data Sources, Pipes and nodes that it reads.
        params: parameters of its template.
        tags: what the service keeps beside it; a copy's target is here.
        created_at: UTC.
        updated_at: UTC.
        raw: all that the service said.
    """

    id: str
    name: str
    sql: str
    description: str
    node_type: str
    materialized: str | None
    dependencies: tuple[str, ...]
    params: tuple[PipeParameter, ...]
    tags: Mapping[str, Any]
    created_at: datetime | None
    updated_at: datetime | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Node:
        """Read the object of a node."""
        kind = text(described.get("node_type"))
        return cls(
            id=text(described.get("id")),
            name=text(described.get("name")),
            sql=text(described.get("sql")),
            description=text(described.get("description")),
            # Older replies say "default" for a node that is nothing special.
            node_type="standard" if kind in ("", "default") else kind,
            materialized=text_or_none(described.get("materialized")),
            dependencies=names(described.get("dependencies")),
            params=tuple(PipeParameter.of(each) for each in mappings(described.get("params"))),
            tags=frozen(mapping(described.get("tags"))),
            created_at=moment(described.get("created_at")),
            updated_at=moment(described.get("updated_at")),
            raw=frozen(described),
        )


@dataclass(frozen=True)
class Schedule:
    """When a Copy Pipe or a Sink Pipe runs by itself.

    Attributes:
        cron: five fields, UTC.
        timezone: as the service names it, or ``None``.
        status: ``running``, ``paused`` ..., or ``None``.
        raw: all that the service said.
    """

    cron: str
    timezone: str | None
    status: str | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, described: Any) -> Schedule | None:
        """Read ``schedule``; ``None`` when there is none."""
        found = mapping(described)
        cron = text_or_none(found.get("cron"))
        if cron is None:
            return None
        return cls(cron, text_or_none(found.get("timezone")), text_or_none(found.get("status")), frozen(found))


@dataclass(frozen=True)
class Pipe:
    """A Pipe (``pipes.md`` section 1.1); ``""``, ``None`` or nothing for what the service does not say.

    Attributes:
        id: ``t_...``.
        name: of the Pipe.
        description: in words.
        type: ``default`` (no output yet), ``endpoint``, ``materialized``, ``copy``, ``sink`` or ``stream``.
        endpoint: id of the published node, or ``None``.
        url: of the endpoint in JSON, without a token; there even when nothing is published.
        nodes: in order. Lists of Pipes may come without.
        created_at: UTC.
        updated_at: UTC.
        schedule: of a copy or sink, or ``None``.
        copy_node: id of the node that is copied, or ``None``.
        copy_target_datasource: id of the Data Source that a copy fills, or ``None``.
        copy_mode: ``append`` or ``replace``, or ``None``.
        sink_node: id of the node whose rows a sink writes, or ``None``.
        content: the text of its datafile, or ``None``.
        token: the Pipe's one READ token, which only the reply of publishing has; hidden, ``.reveal()`` gives it.
        dependent_pipes: names of Pipes that read it, when that was asked for.
        dependent_datasources: names of Data Sources that it fills, likewise.
        raw: all that the service said; a token in it is hidden.
    """

    id: str
    name: str
    description: str
    type: str
    endpoint: str | None
    url: str
    nodes: tuple[Node, ...]
    created_at: datetime | None
    updated_at: datetime | None
    schedule: Schedule | None
    copy_node: str | None
    copy_target_datasource: str | None
    copy_mode: str | None
    sink_node: str | None
    content: str | None = field(repr=False)
    token: Secret | None
    dependent_pipes: tuple[str, ...]
    dependent_datasources: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def endpoint_node(self) -> Node | None:
        """The published node."""
        return next((node for node in self.nodes if self.endpoint in (node.id, node.name)), None)

    def node(self, name_or_id: str) -> Node | None:
        """Return one of `nodes`, or ``None``."""
        return next((node for node in self.nodes if name_or_id in (node.name, node.id)), None)

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Pipe:
        """Read the object of a Pipe."""
        token = text_or_none(described.get("token"))
        secret = None if token is None else Secret(token)
        shown = {key: _without(value, token) for key, value in described.items()}
        # In replies of before "endpoint" there was "published_version".
        endpoint = text_or_none(described.get("endpoint")) or text_or_none(described.get("published_version"))
        return cls(
            id=text(described.get("id")),
            name=text(described.get("name")),
            description=text(described.get("description")),
            type=text(described.get("type")) or ("endpoint" if endpoint else "default"),
            endpoint=endpoint,
            url=_without(text(described.get("url")), token),
            nodes=tuple(Node.of(each) for each in mappings(described.get("nodes"))),
            created_at=moment(described.get("created_at")),
            updated_at=moment(described.get("updated_at")),
            schedule=Schedule.of(described.get("schedule")),
            copy_node=text_or_none(described.get("copy_node")),
            copy_target_datasource=text_or_none(described.get("copy_target_datasource")),
            copy_mode=text_or_none(described.get("copy_mode")),
            sink_node=text_or_none(described.get("sink_node")),
            content=text_or_none(described.get("content")),
            token=secret,
            dependent_pipes=names(described.get("dependent_pipes")),
            dependent_datasources=names(described.get("dependent_datasources")),
            raw=frozen({**shown, "token": secret} if secret else shown),
        )


def _without(value: Any, token: str | None) -> Any:
    return value.replace(token, "[hidden]") if token and isinstance(value, str) else value


@dataclass(frozen=True)
class Explanation:
    """How a query would be run (``pipes.md`` section 5).

    Attributes:
        plan: the engine's plan as text; ``""`` when the service gave none.
        query: the SQL that is run, Pipes and parameters put in; ``None`` when the service does not tell.
        raw: the whole reply.
    """

    plan: str
    query: str | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Explanation:
        """Read a reply; also one with rows of ``explain`` instead of ``query_explain``."""
        plan = reply.get("query_explain", reply.get("explain"))
        if not isinstance(plan, str):
            rows = plan if isinstance(plan, list) else reply.get("data")
            lines = rows if isinstance(rows, list) else []
            plan = "\n".join(text(each.get("explain") if isinstance(each, dict) else each) for each in lines)
        return cls(plan=plan, query=text_or_none(reply.get("debug_query")), raw=frozen(reply))


@dataclass(frozen=True)
class MaterializationAdvice:
    """How a node would be materialized (``pipes.md`` section 5).

    Attributes:
        pipe_datafile: text of the ``.pipe`` file that does it; ``""`` when the service gave none.
        datasource_datafile: text of the ``.datasource`` file of the target.
        warnings: sentences of the service, with its codes in front.
        raw: the whole reply.
    """

    pipe_datafile: str
    datasource_datafile: str
    warnings: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> MaterializationAdvice:
        """Read a reply."""
        analysis = mapping(reply.get("analysis"))
        said = ((text(each.get("code")), text(each.get("text"))) for each in mappings(reply.get("warnings")))
        return cls(
            pipe_datafile=text(mapping(analysis.get("pipe")).get("datafile")),
            datasource_datafile=text(mapping(analysis.get("datasource")).get("datafile")),
            warnings=tuple(": ".join(part for part in (code, words) if part) for code, words in said if words),
            raw=frozen(reply),
        )
