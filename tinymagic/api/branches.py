"""Branches, ``/v0/environments``: copies of a Workspace to try things in (``workspace.md`` section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.http.redaction import Secret
from tinymagic.api.jobs import Job, Jobs
from tinymagic.api.reading import frozen, mapping, mappings, moment, text, text_or_none
from tinymagic.api.resource import Resource, path
from tinymagic.api.tokens import without_tokens
from tinymagic.names import name_problem

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.progress import OnProgress

#: Which rows a branch gets; without one of them it has none.
DATA = ("last_partition", "all_partitions")


@dataclass(frozen=True)
class Branch:
    """A branch of a Workspace.

    Attributes:
        id: uuid.
        name: of it.
        main: id of the Workspace that it is a branch of.
        token: an administrator's token of it, when it was asked for; it does not show itself.
        owner: whose it is.
        created_at: aware, UTC.
        job: that makes it, when it was just created.
        raw: the whole description but tokens.
    """

    id: str
    name: str
    main: str | None = None
    token: Secret = field(default_factory=lambda: Secret(""), compare=False)
    owner: str = ""
    created_at: datetime | None = None
    job: Job | None = field(default=None, repr=False)
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Branch:
        """Read a branch of a reply.

        Example:
            >>> Branch.of({"id": "1", "name": "try", "main": "2"}).main
            '2'
        """
        started = mapping(reply.get("job"))
        return cls(
            id=text(reply.get("id")),
            name=text(reply.get("name")),
            main=text_or_none(reply.get("main")),
            token=Secret(text(reply.get("token"))),
            owner=text(reply.get("owner")),
            created_at=moment(reply.get("created_at")),
            job=Job.of({"job": started}) if started else None,
            raw=frozen(without_tokens(reply)),
        )


class Branches(Resource):
    """``workspace.branches``: make and delete branches. Needs an administrator's token."""

    def list(self) -> builtins.list[Branch]:
        """Return the branches of the Workspace."""
        return [Branch.of(each) for each in mappings(self._get("/v0/environments").get("environments"))]

    def get(self, branch: str, *, with_token: bool = False) -> Branch:
        """Return one.

        Args:
            branch: its name or id.
            with_token: whether its administrator's token is wanted.

        Raises:
            NotFound: there is none.
        """
        return Branch.of(self._get(path("/v0/environments/", branch), {"with_token": with_token or None}))

    def create(
        self,
        name: str,
        *,
        data: str | None = None,
        ignore_datasources: Sequence[str] = (),
        wait: bool = True,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> Branch:
        """Make a branch with the Workspace's Data Sources and Pipes.

        Args:
            name: letters, digits and underscores, not beginning with a digit.
            data: ``last_partition`` or ``all_partitions`` of the rows; ``None``: no rows.
            ignore_datasources: names of those that get no rows.
            wait: until it is there; else its ``job`` can be waited for.
            timeout_s: the longest wait; ``None`` for any.
            on_progress: told how far it is, in percent.
            cancellation: ends the waiting from another thread.

        Raises:
            InvalidInput: name or data cannot be used; nothing was sent.
            Conflict: the name is taken.
            JobFailed: it could not be made.
        """
        if problem := name_problem(name, kind="branch"):
            raise InvalidInput(problem)
        query = {"name": name, "data": _checked(data), "ignore_datasources": ",".join(ignore_datasources) or None}
        branch = Branch.of({"name": name, **self._change("POST", "/v0/environments", query=query)})
        if branch.job is None or not branch.job.id or not wait:
            return branch
        done = self._wait(branch.job, timeout_s, on_progress, cancellation)
        return replace(branch, job=done)

    def delete(self, branch: str) -> None:
        """Delete a branch with everything in it.

        Args:
            branch: its name or id.

        Raises:
            NotFound: there is none.
        """
        self._change("DELETE", path("/v0/environments/", branch), effect="idempotent")

    def data(
        self,
        branch: str,
        *,
        data: str = "last_partition",
        ignore_datasources: Sequence[str] = (),
        wait: bool = True,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> Job:
        """Copy rows of the Workspace into a branch, in the place of those there.

        Args:
            branch: its name or id.
            data: ``last_partition`` or ``all_partitions``.
            ignore_datasources: names of those that stay as they are.
            wait: until the rows are there.
            timeout_s: the longest wait; ``None`` for any.
            on_progress: told how far it is, in percent.
            cancellation: ends the waiting from another thread.

        Raises:
            InvalidInput: *data* cannot be used; nothing was sent.
            NotFound: there is no such branch.
            JobFailed: the rows could not be copied.
        """
        query = {"mode": _checked(data), "ignore_datasources": ",".join(ignore_datasources) or None}
        job = Job.of(self._change("POST", path("/v0/environments/", branch, "/data"), query=query))
        return self._wait(job, timeout_s, on_progress, cancellation) if wait and job.id else job

    def _wait(
        self,
        job: Job,
        timeout_s: float | None,
        on_progress: OnProgress | None,
        cancellation: Cancellation | None,
    ) -> Job:
        jobs = Jobs(self._transport)
        return jobs.wait(job, timeout_s=timeout_s, on_progress=on_progress, cancellation=cancellation)


def _checked(data: str | None) -> str | None:
    if data is not None and data not in DATA:
        raise InvalidInput(f"{data!r} says nothing about rows: {' or '.join(DATA)} does.")
    return data
