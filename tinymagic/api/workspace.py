"""`Workspace`: what can be done with a token, as one method for SQL and one attribute per resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

from tinymagic.api.analyze import Analyze
from tinymagic.api.branches import Branches
from tinymagic.api.connections import Connections
from tinymagic.api.copies import Copies
from tinymagic.api.datasources import DataSources
from tinymagic.api.deployments import Deployments
from tinymagic.api.events import Events
from tinymagic.api.http.hosts import is_local_host
from tinymagic.api.http.request import Request
from tinymagic.api.http.transport import DEFAULT_TIMEOUT_S, OnWait, Transport
from tinymagic.api.jobs import Jobs
from tinymagic.api.materializations import Materializations
from tinymagic.api.pipes import Pipes
from tinymagic.api.probing import Probe, probe
from tinymagic.api.query import Dtypes, FormatChoice, Query, ResultType, RowsOptions
from tinymagic.api.reading import frozen
from tinymagic.api.regions import list_regions
from tinymagic.api.sinks import Sinks
from tinymagic.api.tags import Tags
from tinymagic.api.tokens import Tokens, without_tokens
from tinymagic.api.variables import Variables
from tinymagic.api.workspaces import Workspaces
from tinymagic.regions import Region, region_of_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from typing_extensions import Unpack

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.retries import Patience
    from tinymagic.api.http.transport import OnWait
    from tinymagic.api.own_token import OwnToken


@dataclass(frozen=True)
class WorkspaceInfo:
    """What the service says about the token's Workspace (``GET /v0/workspace``); ``""`` for what it does not say.

    Attributes:
        id: uuid.
        name: of the Workspace.
        user_email: whose token it is.
        user_id: uuid of that user.
        scope: empty when the token is no administrator's.
        main: id of the Workspace that this one is a branch of, or ``None``.
        raw: the whole reply but tokens.
    """

    id: str
    name: str
    user_email: str
    user_id: str
    scope: str
    main: str | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> WorkspaceInfo:
        """Read the reply; missing keys are empty."""

        def text(key: str) -> str:
            return str(reply.get(key) or "")

        return cls(
            id=text("id"),
            name=text("name"),
            user_email=text("user_email"),
            user_id=text("user_id"),
            scope=text("scope"),
            main=text("main") or None,
            raw=frozen(without_tokens(reply)),
        )


class Workspace:
    """A Tinybird Workspace, hosted or embedded. `tinymagic.connect` makes one from your settings.

    Args:
        host: base URL of the API, for instance ``https://api.us-east.aws.tinybird.co``.
        token: sent to that host only, in a header; never shown.
        timeout_s: seconds for one reply; calls may set their own.
        source: in words, where host and token come from.
        profile: name of the saved login, or ``None``.
        on_wait: called with seconds and a reason before each wait for another attempt, for instance after 429.
        patience: how often to try and how long to wait in between; ``None`` for the usual.
        embedded: whether the host is known to be tinymagic's own server; only `backend` depends on it.

    Attributes:
        query: the Query API with raw replies (`tinymagic.api.query.Query`).
        datasources: Data Sources (`tinymagic.api.datasources.DataSources`).
        events: rows as JSON, a batch a request (`tinymagic.api.events.Events`).
        analyze: columns and types of a file (`tinymagic.api.analyze.Analyze`).
        jobs: what runs in the background (`tinymagic.api.jobs.Jobs`).
        pipes: Pipes and their endpoints (`tinymagic.api.pipes.Pipes`).
        materializations: materialized views (`tinymagic.api.materializations.Materializations`).
        copies: Copy Pipes (`tinymagic.api.copies.Copies`).
        sinks: Sink Pipes (`tinymagic.api.sinks.Sinks`).
        connections: connections to other services (`tinymagic.api.connections.Connections`).
        tokens: who may do what (`tinymagic.api.tokens.Tokens`).
        variables: secrets for templates (`tinymagic.api.variables.Variables`).
        workspaces: the Workspaces of a person (`tinymagic.api.workspaces.Workspaces`).
        branches: copies to try things in (`tinymagic.api.branches.Branches`).
        tags: names under which resources are found (`tinymagic.api.tags.Tags`).
        deployments: whole projects of datafiles (`tinymagic.api.deployments.Deployments`).
        source: as given.
        profile: as given.

    Raises:
        InsecureHost: *host* is ``http://`` and not this machine.
        ConfigurationError: *host* or *token* cannot be used.

    Example:
        >>> Workspace("http://localhost:7181", "p.some.token")
        Workspace('http://localhost:7181', source='given')
    """

    def __init__(
        self,
        host: str,
        token: str,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        source: str = "given",
        profile: str | None = None,
        on_wait: OnWait | None = None,
        patience: Patience | None = None,
        embedded: bool = False,
    ) -> None:
        self._transport = Transport(host, token, timeout_s=timeout_s, on_wait=on_wait, patience=patience)
        self._embedded = embedded
        self.source = source
        self.profile = profile
        self.query = Query(self._transport)
        self.datasources = DataSources(self._transport)
        self.events = Events(self._transport)
        self.analyze = Analyze(self._transport)
        self.jobs = Jobs(self._transport)
        self.deployments = Deployments(self._transport)
        self.pipes = Pipes(self._transport)
        self.materializations = Materializations(self._transport)
        self.copies = Copies(self._transport)
        self.sinks = Sinks(self._transport)
        self.connections = Connections(self._transport)
        self.tokens = Tokens(self._transport)
        self.variables = Variables(self._transport)
        self.workspaces = Workspaces(self._transport)
        self.branches = Branches(self._transport)
        self.tags = Tags(self._transport)

    def __repr__(self) -> str:
        profile = f", profile={self.profile!r}" if self.profile else ""
        return f"Workspace({self.host!r}, source={self.source!r}{profile})"

    def __enter__(self) -> Workspace:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections. The Workspace stays usable: the next call opens new ones."""
        self._transport.close()

    @property
    def host(self) -> str:
        """Base URL of the API, without a slash at the end."""
        return self._transport.host

    @property
    def region(self) -> Region | None:
        """The region whose API the host is, or ``None`` for a host that is in no table."""
        return region_of_host(self.host)

    @property
    def backend(self) -> str:
        """What answers, for display only: ``embedded``, ``Tinybird Local`` or ``Tinybird Cloud``."""
        if self._embedded:
            return "embedded"
        return "Tinybird Local" if is_local_host(self.host) else "Tinybird Cloud"

    @property
    def timeout_s(self) -> float:
        """Seconds for one reply."""
        return self._transport.timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        self._transport.timeout_s = seconds

    @property
    def on_wait(self) -> OnWait | None:
        """Called with seconds and a reason before each wait for another attempt."""
        return self._transport.on_wait

    @on_wait.setter
    def on_wait(self, callback: OnWait | None) -> None:
        self._transport.on_wait = callback

    def with_token(self, token: str, *, source: str | None = None) -> Workspace:
        """Return a Workspace at the same host with another token, for instance that of a branch.

        Args:
            token: of it.
            source: in words, where the token comes from; ``None``: as this one.

        Raises:
            ConfigurationError: *token* cannot be used.
        """
        return Workspace(
            self.host,
            token,
            timeout_s=self.timeout_s,
            source=self.source if source is None else source,
            on_wait=self.on_wait,
            patience=self._transport.patience,
            embedded=self._embedded,
        )

    def redact(self, text: str) -> str:
        """Return *text* without this Workspace's token, pieces of it, and what looks like a token."""
        return self._transport.redact(text)

    def info(self) -> WorkspaceInfo:
        """Ask the service which Workspace the token belongs to; this also checks the token.

        Raises:
            Forbidden: the token is not valid here.
            TinybirdError: whatever else went wrong.
        """
        return WorkspaceInfo.of(self._transport.get_json("/v0/workspace"))

    def probe(self) -> Probe:
        """Ask the service something small, and return how it answered: time, clock, rate limits.

        Raises:
            TinybirdError: it did not, or the token is not valid there.
        """
        return probe(self._transport)

    @property
    def own_token(self) -> OwnToken:
        """What the token in use tells about itself; not the token."""
        return self._transport.own_token

    @property
    def identity(self) -> str:
        """A text that tells this host and token from others, and does not tell the token."""
        return self._transport.identity

    def regions(self) -> list[Region]:
        """Ask the service for its regions.

        Raises:
            TinybirdError: the tree is in `tinymagic.errors`.
        """
        return list_regions(self._transport)

    @overload
    def sql(self, q: str, *, type: Literal["pandas"] = ..., **options: Unpack[RowsOptions]) -> pd.DataFrame: ...

    @overload
    def sql(self, q: str, *, type: ResultType, **options: Unpack[RowsOptions]) -> Any: ...

    def sql(
        self,
        q: str,
        *,
        params: Mapping[str, object] | None = None,
        format: FormatChoice = "auto",  # noqa: A002 - the name that users know from the magic's flag
        limit: int | None = None,
        timeout_s: float | None = None,
        pipeline: str | None = None,
        cancellation: Cancellation | None = None,
        type: ResultType = "pandas",  # noqa: A002 - the name that users know from the magic's flag
        dtypes: Dtypes = "exact",
    ) -> Any:
        """Run a query and return its rows, by default as a DataFrame of pandas with exact dtypes.

        Args:
            q: one SELECT or DESCRIBE, or a template (first sign ``%``). A FORMAT clause at its end is dropped.
            params: values for the template, and for the Pipes that *q* reads; `tinymagic.api.parameters` has the table
                of types. ``None`` as a value means: use the template's default.
            format: how the rows travel; the frame is the same. ``auto`` takes Parquet when pyarrow is installed and the
                service tells statistics in its headers (Parquet has no room for them), else JSON.
            limit: keep at most so many rows.
            timeout_s: seconds for the whole reply; ``None``: the Workspace's.
            pipeline: name of the Pipe that ``_`` in *q* stands for.
            cancellation: ends the query from another thread.
            type: ``pandas``, ``polars`` (extra ``polars``), ``arrow`` (extra ``fast``), or ``dicts``: a list with a
                dictionary of Python's own values for each row. `tinymagic.frames.results` tells more.
            dtypes: of a DataFrame of pandas: ``exact``, nothing is ever rounded or turned into a float; ``numpy``,
                dtypes of numpy wherever they hold all the values; ``arrow``, ``pandas.ArrowDtype``. What numpy or Arrow
                cannot hold stays as with ``exact``, and a notice says so.

        Returns:
            The frame, or what *type* names (`Query.rows` gives the same facts for it). ``frame.attrs["tinybird"]`` is a
            plain dictionary that tells what was sent and what came back: ``sql``, ``parameters``, ``columns`` ([name,
            ClickHouse type] each), ``statistics`` (``elapsed`` in seconds, ``rows_read``, ``bytes_read``; or ``None``),
            ``rows``, ``rows_before_limit``, ``wall_s``, ``bytes_received``, ``format``, ``truncated`` (whether *limit*
            cut rows off), ``limit``, ``host``,
            ``request_id``, ``notices``.

        Raises:
            QueryError: the service refused the SQL or could not run it; its ``position`` is an offset in *q*.
            InvalidInput: an argument that cannot be right; nothing was sent.
            TinybirdError: whatever else went wrong; the tree is in `tinymagic.errors`.

        Example:
            >>> ws.sql("SELECT number AS n FROM numbers(3)").n.tolist()  # doctest: +SKIP
            [0, 1, 2]
        """
        return self.query.frame(
            q,
            params=params,
            format=format,
            limit=limit,
            timeout_s=timeout_s,
            pipeline=pipeline,
            cancellation=cancellation,
            type=type,
            dtypes=dtypes,
        )


def local_token(host: str, *, timeout_s: float = 10.0) -> str:
    """Ask a server on this machine for its workspace administrator's token.

    ``GET /tokens`` of the embedded server and of Tinybird Local (``workspace.md`` section 3).

    Raises:
        ConnectionFailed: nothing listens there.
        BadReply: what listens there is no Tinybird.
    """
    return _local_token(host, "workspace_admin_token", timeout_s)


def local_user_token(host: str, *, timeout_s: float = 10.0) -> str:
    """Ask a server on this machine for its user token, which makes and deletes Workspaces.

    Raises:
        ConnectionFailed: nothing listens there.
        BadReply: what listens there is no Tinybird.
    """
    return _local_token(host, "user_token", timeout_s)


def _local_token(host: str, name: str, timeout_s: float) -> str:
    from tinymagic.api.errors import BadReply

    transport = Transport(host, "", timeout_s=timeout_s)
    try:
        token = transport.send(Request("GET", "/tokens", token=False)).json_object().get(name)
    finally:
        transport.close()
    if not isinstance(token, str) or not token:
        raise BadReply(f"{transport.host}/tokens gives no {name}: is that a Tinybird server?")
    return token
