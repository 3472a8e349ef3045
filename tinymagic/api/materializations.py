"""Materialized views: nodes whose rows go into a Data Source as rows arrive (``pipes.md`` section 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.pipe_results import MaterializationAdvice, Node
from tinymagic.api.pipes import Pipes
from tinymagic.api.reading import flag, frozen, mapping, text
from tinymagic.api.resource import Resource, path
from tinymagic.api.running import job_of

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

    from tinymagic.api.http.transport import Transport
    from tinymagic.api.jobs import Job


@dataclass(frozen=True)
class Materialization:
    """A materialized view.

    Attributes:
        pipe: name of the Pipe.
        node: name of the node.
        datasource: name of the Data Source that it fills; its id where the token may not read names.
        sql: of the node.
        node_id: ``t_...``.
        datasource_id: ``t_...``.
        reads: names of what the node reads.
        raw: the object of the node.
    """

    pipe: str
    node: str
    datasource: str
    sql: str = field(repr=False)
    node_id: str
    datasource_id: str
    reads: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class MadeMaterialization:
    """What became of a node.

    Attributes:
        node: as it is now.
        datasource: name of the Data Source that it fills; ``""`` when the service does not say.
        created_datasource: whether that was made for it; ``None`` when the service does not say.
        job: that fills it with what was there before, when that was asked for; else ``None``.
        raw: the whole reply.
    """

    node: Node
    datasource: str
    created_datasource: bool | None
    job: Job | None
    raw: Mapping[str, Any] = field(repr=False)


class Materializations(Resource):
    """``workspace.materializations``: make, list, fill and unlink materialized views.

    *pipe* and *node* are names or ids everywhere.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._pipes = Pipes(transport)

    def list(self) -> builtins.list[Materialization]:
        """Return the materialized views in the Pipes that the token may see."""
        views = [
            (pipe, node)
            for pipe in self._pipes.list()
            for node in pipe.nodes
            if node.node_type == "materialized" or node.materialized
        ]
        names = self._pipes.datasource_names() if views else {}
        return [
            Materialization(
                pipe=pipe.name,
                node=node.name,
                datasource=names.get(node.materialized or "", node.materialized or ""),
                sql=node.sql,
                node_id=node.id,
                datasource_id=node.materialized or "",
                reads=node.dependencies,
                raw=node.raw,
            )
            for pipe, node in views
        ]

    def create(
        self,
        pipe: str,
        node: str,
        datasource: str,
        *,
        engine: str | None = None,
        sorting_key: str | None = None,
        partition_key: str | None = None,
        primary_key: str | None = None,
        ttl: str | None = None,
        engine_options: Mapping[str, str] | None = None,
        override_datasource: bool | None = None,
        populate: bool = False,
        populate_condition: str | None = None,
        populate_subset: float | None = None,
        unlink_on_populate_error: bool | None = None,
    ) -> MadeMaterialization:
        """Make a node a materialized view.

        Rows that come into the Data Source that the node reads first are put through its SQL from now on, and what
        comes out goes into *datasource*.

        Args:
            pipe: name or id.
            node: name or id; it can have no parameters.
            datasource: name of the target. It is made when it is not there, with the columns of the node.
            engine: of a target that is made; the service picks one, for instance AggregatingMergeTree, when absent.
            sorting_key: of it, columns with commas.
            partition_key: of it, expression.
            primary_key: of it, columns with commas.
            ttl: of it, expression.
            engine_options: further ``engine_...`` parameters.
            override_datasource: give a target that is there the columns of the node; **it loses its rows**.
            populate: put what is there already through it, too.
            populate_condition: see `populate`.
            populate_subset: see `populate`.
            unlink_on_populate_error: see `populate`.

        Raises:
            InvalidInput: no target is named; nothing was sent.
            BadRequest: the SQL cannot be a view, the target does not fit, or the Pipe has another output.
            Forbidden: the token needs ``PIPES:CREATE`` and ``DATASOURCES:CREATE`` (or APPEND for a target).
            DeploymentRequired: only deployments may; ``datafile`` is the Pipe with the view.
        """
        if not datasource.strip():
            raise InvalidInput("A materialized view needs the name of the Data Source that it fills.")
        engine_settings = {
            "engine": engine,
            "engine_sorting_key": sorting_key,
            "engine_partition_key": partition_key,
            "engine_primary_key": primary_key,
            "engine_ttl": ttl,
            **(engine_options or {}),
        }
        reply = self._change(
            "POST",
            path("/v0/pipes/", pipe, "/nodes/", node, "/materialization"),
            form={
                "datasource": datasource,
                "override_datasource": override_datasource,
                **engine_settings,
                **_population(populate_condition, populate_subset, unlink_on_populate_error),
                "populate": populate or None,
            },
            datafile=self._pipes.output_datafile(
                pipe, node, "materialized", {"datasource": datasource, **engine_settings}
            ),
        )
        target = mapping(reply.get("datasource"))
        return MadeMaterialization(
            node=Node.of(reply),
            datasource=text(target.get("name")) or datasource,
            created_datasource=flag(reply.get("created_datasource")),
            job=job_of(reply) if mapping(reply.get("job")) else None,
            raw=frozen(reply),
        )

    def unlink(self, pipe: str, node: str) -> None:
        """Let the target get no more rows; the node, the Data Source and its rows stay.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: the node is no materialized view.
        """
        self._change(
            "DELETE",
            path("/v0/pipes/", pipe, "/nodes/", node, "/materialization"),
            effect="idempotent",
            datafile=self._pipes.output_datafile(pipe, node, "standard"),
        )

    def populate(
        self,
        pipe: str,
        node: str,
        *,
        subset: float | None = None,
        condition: str | None = None,
        truncate: bool | None = None,
        unlink_on_populate_error: bool | None = None,
    ) -> Job:
        """Put rows that are there already through a view, in a job.

        Rows that the view has seen are put through it again: use *truncate*, or a *condition* that leaves them out.

        Args:
            pipe: name or id.
            node: name or id.
            subset: fraction of the rows to use, over 0 and up to 1, at most 2 million rows: for quick tests.
            condition: SQL condition on the Data Source that the view reads; ignored with *subset*.
            truncate: empty the target first.
            unlink_on_populate_error: unlink the view when the job fails. The first failure always does.

        Returns:
            The job as it begins; `tinymagic.api.jobs.Jobs.wait` waits for it.

        Raises:
            BadRequest: the node is no view, or *condition* cannot be used.
        """
        if subset is not None and not 0 < subset <= 1:
            raise InvalidInput(f"subset is a fraction over 0 and up to 1, not {subset!r}.")
        return job_of(
            self._change(
                "POST",
                path("/v0/pipes/", pipe, "/nodes/", node, "/population"),
                form={**_population(condition, subset, unlink_on_populate_error), "truncate": truncate},
            )
        )

    def analysis(self, pipe: str, node: str, *, datasource: str | None = None) -> MaterializationAdvice:
        """Ask how a node would be materialized; see `tinymagic.api.pipes.Pipes.analysis`."""
        return self._pipes.analysis(pipe, node, datasource=datasource)


def _population(condition: str | None, subset: float | None, unlink: bool | None) -> dict[str, object]:
    return {"populate_condition": condition, "populate_subset": subset, "unlink_on_populate_error": unlink}
