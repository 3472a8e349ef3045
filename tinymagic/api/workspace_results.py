"""What the service says about Workspaces and the people who use them, as values (``workspace.md`` section 2). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.http.redaction import Secret
from tinymagic.api.reading import flag, frozen, mapping, mappings, moment, text, text_or_none
from tinymagic.api.tokens import without_tokens

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Member:
    """Somebody who may use a Workspace.

    Attributes:
        email: of the person.
        role: ``admin``, ``guest`` or ``viewer``.
        id: uuid.
    """

    email: str
    role: str
    id: str

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Member:
        """Read one of a reply."""
        return cls(text(reply.get("email")), text(reply.get("role")), text(reply.get("id")))


@dataclass(frozen=True)
class WorkspaceEntry:
    """A Workspace or branch as lists describe it. What the service does not say is empty or ``None``.

    Attributes:
        id: uuid.
        name: of it.
        token: an administrator's token of it, where the service tells it; it does not show itself.
        role: of the person in it.
        owner: uuid of the person who owns it.
        plan: of it.
        main: id of the Workspace that it is a branch of, or ``None``.
        is_branch: whether it is one.
        members: who may use it.
        organization: name of the organization.
        organization_id: uuid of the organization.
        created_at: aware, UTC.
        raw: the whole description but tokens.
    """

    id: str
    name: str
    token: Secret = field(default_factory=lambda: Secret(""), compare=False)
    role: str = ""
    owner: str = ""
    plan: str = ""
    main: str | None = None
    is_branch: bool = False
    members: tuple[Member, ...] = ()
    organization: str = ""
    organization_id: str = ""
    created_at: datetime | None = None
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> WorkspaceEntry:
        """Read a Workspace of a reply.

        Example:
            >>> WorkspaceEntry.of({"id": "1", "name": "shop", "token": "p.a.b"}).token
            [hidden]
        """
        main = text_or_none(reply.get("main"))
        return cls(
            id=text(reply.get("id")),
            name=text(reply.get("name")),
            token=Secret(text(reply.get("token"))),
            role=text(reply.get("role")),
            owner=text(reply.get("owner")),
            plan=text(reply.get("plan")),
            main=main,
            is_branch=flag(reply.get("is_branch")) or main is not None,
            members=tuple(Member.of(each) for each in mappings(reply.get("members"))),
            organization=text(mapping(reply.get("organization")).get("name")),
            organization_id=text(mapping(reply.get("organization")).get("id") or reply.get("organization_id")),
            created_at=moment(reply.get("created_at")),
            raw=frozen(without_tokens(reply)),
        )


@dataclass(frozen=True)
class Release:
    """A release of a Workspace (Classic).

    Attributes:
        semver: its version.
        commit: of the project.
        status: for instance ``live``.
        raw: the whole description.
    """

    semver: str
    commit: str
    status: str
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Release:
        """Read one of a reply."""
        return cls(text(reply.get("semver")), text(reply.get("commit")), text(reply.get("status")), frozen(reply))


@dataclass(frozen=True)
class Organization:
    """An organization.

    Attributes:
        id: uuid.
        name: of it.
        plan: its name.
        workspaces: in it, as far as the token may see them.
        raw: the whole description but tokens.
    """

    id: str
    name: str
    plan: str
    workspaces: tuple[WorkspaceEntry, ...]
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Organization:
        """Read one of a reply."""
        plan = reply.get("plan")
        return cls(
            text(reply.get("id")),
            text(reply.get("name")),
            text(plan.get("name") if isinstance(plan, Mapping) else plan),
            tuple(WorkspaceEntry.of(each) for each in mappings(reply.get("workspaces"))),
            frozen(without_tokens(reply)),
        )


@dataclass(frozen=True)
class Authentication:
    """What ``GET /v0/auth`` says about the token in use.

    Attributes:
        is_valid: whether the service knows it.
        is_user: whether it is a user token.
        raw: the whole reply.
    """

    is_valid: bool
    is_user: bool
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Authentication:
        """Read the reply."""
        return cls(flag(reply.get("is_valid")) is True, flag(reply.get("is_user")) is True, frozen(reply))


@dataclass(frozen=True)
class User:
    """The person whose token it is.

    Attributes:
        id: uuid.
        email: of the person.
        workspaces: of the person.
        raw: the whole reply but tokens.
    """

    id: str
    email: str
    workspaces: tuple[WorkspaceEntry, ...]
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> User:
        """Read the reply."""
        listed = tuple(WorkspaceEntry.of(each) for each in mappings(reply.get("workspaces")))
        return cls(text(reply.get("id")), text(reply.get("email")), listed, frozen(without_tokens(reply)))
