"""What the service answers to changes of Data Sources, as values (``datasources.md`` section 4). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinymagic.api.datasource_results import DataSource
from tinymagic.api.reading import count, frozen, mapping, names, text, texts


@dataclass(frozen=True)
class Alteration:
    """What an alteration does, or would do.

    Attributes:
        operations: texts for people, for instance ``ADD COLUMN ...``; none when it is already as asked for.
        dependencies: names of the Pipes that read the Data Source.
        datasource: as it is afterwards; ``None`` after a dry run, or when the reply does not tell.
        raw: the whole reply.
    """

    operations: tuple[str, ...]
    dependencies: tuple[str, ...] = ()
    datasource: DataSource | None = None
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Alteration:
        """Read the reply."""
        described = mapping(reply.get("datasource"))
        return cls(
            operations=texts(reply.get("operations")),
            dependencies=_named(reply.get("dependencies")),
            datasource=DataSource.of(described) if described else None,
            raw=frozen(reply),
        )


@dataclass(frozen=True)
class DeletionPlan:
    """What hangs on a Data Source that is to be deleted.

    Attributes:
        dependent_pipes: names of the Pipes that read it or fill it.
        said: the service's own text, which is meant for people.
        raw: the whole reply.
    """

    dependent_pipes: tuple[str, ...]
    said: str = ""
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> DeletionPlan:
        """Read the reply.

        Example:
            >>> DeletionPlan.of({"dependent_pipes": "top_products, by_day"}).dependent_pipes
            ('top_products', 'by_day')
        """
        said = reply.get("dependent_pipes")
        return cls(_named(said), said if isinstance(said, str) else "", frozen(reply))


@dataclass(frozen=True)
class LightweightDelete:
    """What a lightweight deletion did; ``None`` for what the reply does not tell.

    Attributes:
        rows_affected: rows that are gone.
        partitions_scanned: partitions that were looked at.
        partitions_done: that are done.
        partitions_in_progress: that are still being worked on.
        raw: the whole reply.
    """

    rows_affected: int | None
    partitions_scanned: int | None = None
    partitions_done: int | None = None
    partitions_in_progress: int | None = None
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> LightweightDelete:
        """Read the reply."""
        mutation = mapping(reply.get("mutation"))
        return cls(
            count(reply.get("rows_affected")),
            count(mutation.get("partitions_scanned")),
            count(mutation.get("partitions_done")),
            count(mutation.get("partitions_in_progress")),
            frozen(reply),
        )


@dataclass(frozen=True)
class Dependencies:
    """Which Pipes read which Data Sources.

    Attributes:
        readers: name of a Data Source -> names of the Pipes that read it.
        incompatible: Data Sources that a conditional replace cannot bring up to date, as their partitions differ; only
            when that was asked for.
        raw: the whole reply.
    """

    readers: Mapping[str, tuple[str, ...]]
    incompatible: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Dependencies:
        """Read the reply."""
        found = {text(name): _named(pipes) for name, pipes in mapping(reply.get("dependencies")).items()}
        return cls(frozen(found), _named(reply.get("incompatible_datasources")), frozen(reply))


def _named(value: Any) -> tuple[str, ...]:
    """Read names: an object's keys, a list of names or objects, or a text with commas or line ends between."""
    if isinstance(value, Mapping):
        return tuple(text(name) for name in value)
    if isinstance(value, str):
        return tuple(name for each in re.split(r"[,\n]", value) if (name := each.strip(" -*\t\r")))
    return names(list(value)) if isinstance(value, Sequence) else ()
