"""What a build or a deployment answers, as values: what changed, what is wrong in which file, how it stands. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.reading import flag, frozen, mapping, mappings, moment, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: Kind of a resource -> what the keys of the reply call it.
_KINDS = {"Data Source": "datasource_names", "Pipe": "pipe_names", "connection": "data_connector_names"}
_CHANGES = ("new", "changed", "deleted")

#: "line 3", "L3", ":3:" in a sentence about a file.
_LINE_RE = re.compile(r"\b[Ll]ine:? (\d+)\b|\bL(\d+)\b|:(\d+):")

#: The same in front of the sentence, where the file's name tells it already.
_LEADING_LINE_RE = re.compile(r"^[Ll]ine:? \d+[:,] *")


@dataclass(frozen=True)
class Change:
    """What a deployment does to one resource.

    Attributes:
        kind: ``Data Source``, ``Pipe`` or ``connection``.
        name: of it.
        change: ``new``, ``changed`` or ``deleted``.
    """

    kind: str
    name: str
    change: str


@dataclass(frozen=True)
class DeploymentProblem:
    """Something that is wrong in a project.

    Attributes:
        file: path in the project; ``""`` when it is about the whole.
        line: counted from 1, or ``None``.
        sentence: what is wrong.
    """

    file: str
    line: int | None
    sentence: str

    def __str__(self) -> str:
        """Return ``file:line: sentence``."""
        where = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"{where}: {_LEADING_LINE_RE.sub('', self.sentence)}" if where else self.sentence

    @classmethod
    def of(cls, described: Any) -> DeploymentProblem:
        """Read one member of ``errors``: an object with ``filename`` and ``error``, or a sentence."""
        known = mapping(described)
        sentence = text(known.get("error") or known.get("message")) if known else text(described)
        line = _LINE_RE.search(sentence)
        number = next((int(each) for each in line.groups() if each), None) if line else None
        return cls(text(known.get("filename") or known.get("resource")), number, sentence)


@dataclass(frozen=True)
class Deployment:
    """A deployment as the service describes it.

    Attributes:
        id: of it; ``""`` when it was only checked.
        status: for instance ``calculating``, ``creating_schema``, ``data_ready``, ``deleted``, ``failed``.
        live: whether the Workspace answers with it.
        created_at: aware, UTC.
        updated_at: likewise.
        changes: what it does, in the order Data Sources, Pipes, connections.
        problems: what is wrong; none for one that went well.
        feedback: warnings and hints of the service.
        raw: the whole description.
    """

    id: str
    status: str
    live: bool
    created_at: datetime | None
    updated_at: datetime | None
    changes: tuple[Change, ...]
    problems: tuple[DeploymentProblem, ...]
    feedback: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Deployment:
        """Read a description; missing keys are empty."""
        errors = described.get("errors")
        status = text(described.get("status"))
        return cls(
            id=text(described.get("id")),
            status=status,
            live=flag(described.get("live")) is True or status == "live",
            created_at=moment(described.get("created_at")),
            updated_at=moment(described.get("updated_at")),
            changes=_changes(described),
            problems=tuple(map(DeploymentProblem.of, errors if isinstance(errors, list) else [])),
            feedback=tuple(_feedback(each) for each in mappings(described.get("feedback"))),
            raw=frozen(described),
        )

    @property
    def destroys(self) -> tuple[Change, ...]:
        """The changes after which rows are gone."""
        return tuple(each for each in self.changes if each.change == "deleted" and each.kind == "Data Source")


@dataclass(frozen=True)
class DeploymentResult:
    """What a call to build or deploy gave.

    Attributes:
        result: ``success``, ``no_changes`` or ``failed``.
        deployment: with what it changed and what is wrong.
        error: the service's sentence about a failure, or ``""``.
        raw: the whole reply.
    """

    result: str
    deployment: Deployment
    error: str
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, reply: Mapping[str, Any], *, key: str = "deployment") -> DeploymentResult:
        """Read the reply; the description stands under ``deployment`` or, of a build, under ``build``."""
        described = dict(mapping(reply.get(key)) or mapping(reply.get("deployment")))
        outer = reply.get("errors")
        if isinstance(outer, list) and outer and not described.get("errors"):
            described["errors"] = outer
        deployment = Deployment.of(described)
        result = text(reply.get("result"))
        if not result:
            result = "failed" if deployment.problems else "success" if deployment.changes else "no_changes"
        return cls(result, deployment, "; ".join(texts(reply.get("error"))), frozen(reply))

    @property
    def failed(self) -> bool:
        """Whether nothing was done because something is wrong."""
        return self.result == "failed"

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it changed, or would change when it was only checked."""
        return self.deployment.changes


def _changes(described: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(kind, name, change)
        for kind, key in _KINDS.items()
        for change in _CHANGES
        for name in texts(described.get(f"{change}_{key}"))
    )


def _feedback(described: Mapping[str, Any]) -> str:
    parts = [text(described.get(key)) for key in ("level", "resource", "message")]
    return ": ".join(part for part in parts if part)
