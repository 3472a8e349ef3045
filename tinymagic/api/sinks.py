"""Sink Pipes: the rows of a node go into files of a bucket, or to a topic of Kafka (``sinks.md``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.parameters import request_parameters
from tinymagic.api.pipe_results import Pipe, Schedule
from tinymagic.api.pipes import Pipes
from tinymagic.api.reading import mapping, text, text_or_none
from tinymagic.api.resource import path
from tinymagic.api.running import asked_in_url, job_of
from tinymagic.api.sink_policies import SinkPolicies

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

    from tinymagic.api.http.transport import Transport
    from tinymagic.api.jobs import Job


@dataclass(frozen=True)
class Sink:
    """A Sink Pipe; ``""`` or ``None`` for what the service does not say.

    Attributes:
        pipe: name.
        node: name of the node whose rows are written.
        connection: name of the connection.
        service: ``s3``, ``gcs_hmac``, ``kafka`` ...
        path: ``s3://bucket/prefix``.
        file_template: name of the files.
        format: ``csv``, ``ndjson`` or ``parquet``.
        compression: ``none``, ``gzip`` ...
        write_strategy: ``new`` or ``truncate``.
        kafka_topic: for Kafka.
        schedule: when it runs by itself, or ``None``.
        raw: the object of the Pipe.
    """

    pipe: str
    node: str
    connection: str
    service: str
    path: str
    file_template: str
    format: str
    compression: str
    write_strategy: str
    kafka_topic: str
    schedule: Schedule | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, pipe: Pipe) -> Sink:
        """Read the Pipe; its settings stand under ``sink``, where the service tells them."""
        found = mapping(pipe.raw.get("sink"))
        node = next((each for each in pipe.nodes if each.id == pipe.sink_node or each.node_type == "sink"), None)
        settings = {**(node.tags if node else {}), **found}

        def said(key: str) -> str:
            return text(settings.get(key))

        return cls(
            pipe=pipe.name,
            node=node.name if node else pipe.sink_node or "",
            connection=said("connection"),
            service=said("service"),
            path=said("path"),
            file_template=said("file_template"),
            format=said("format"),
            compression=said("compression"),
            write_strategy=said("write_strategy"),
            kafka_topic=said("kafka_topic"),
            schedule=pipe.schedule,
            raw=pipe.raw,
        )


class Sinks(SinkPolicies):
    """``workspace.sinks``: make, list, run and remove Sink Pipes. *pipe* and *node* are names or ids."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._pipes = Pipes(transport)

    def list(self) -> builtins.list[Sink]:
        """Return the Sink Pipes that the token may see."""
        return [Sink.of(pipe) for pipe in self._pipes.list() if pipe.type == "sink" or pipe.sink_node]

    def create(
        self,
        pipe: str,
        node: str,
        *,
        connection: str,
        path: str | None = None,
        file_template: str | None = None,
        format: str | None = None,  # noqa: A002 - what the API calls it
        compression: str | None = None,
        schedule_cron: str | None = None,
        write_strategy: str | None = None,
        kafka_topic: str | None = None,
        service: str | None = None,
    ) -> Pipe:
        """Make a node the sink of its Pipe.

        Args:
            pipe: name or id; it can have no other output.
            node: name or id.
            connection: name of a connection, see `tinymagic.api.connections`.
            path: ``s3://bucket/prefix`` or ``gs://bucket/prefix``; not for Kafka, as are the next four.
            file_template: name of the files, columns in braces: ``{day, '%Y-%m-%d'}``, ``{4}`` for 4 files; the
                endings for format and compression are added.
            format: ``csv`` (default), ``ndjson`` or ``parquet``.
            compression: ``none`` (default), ``gzip``, ``snappy`` ...
            write_strategy: ``new`` (default: a file that is there stays, the new one gets another name) or
                ``truncate`` (it is overwritten).
            schedule_cron: five fields, UTC; ``None``: only when asked.
            kafka_topic: for a connection to Kafka.
            service: of the connection, where the service wants to be told.

        Raises:
            BadRequest: there is no such connection, a setting is missing or cannot be used, or the Pipe has another
                output.
            NotFound: there is no such Pipe or node.
            DeploymentRequired: only deployments may; ``datafile`` is the Pipe with the sink.
        """
        settings = {
            "connection": connection,
            "path": path,
            "file_template": file_template,
            "format": format,
            "compression": compression,
            "write_strategy": write_strategy,
            "kafka_topic": kafka_topic,
            "schedule_cron": schedule_cron,
            "service": service,
        }
        return self._set(pipe, node, settings)

    def update(
        self,
        pipe: str,
        node: str | None = None,
        *,
        connection: str | None = None,
        path: str | None = None,
        file_template: str | None = None,
        format: str | None = None,  # noqa: A002 - what the API calls it
        compression: str | None = None,
        schedule_cron: str | None = None,
        write_strategy: str | None = None,
        kafka_topic: str | None = None,
    ) -> Pipe:
        """Change a sink: it is set again, with what is ``None`` as it was.

        Args:
            pipe: name or id.
            node: name or id; ``None``: the node that is the sink.
            connection: as for `create`, like the others.
            path: see there.
            file_template: see there.
            format: see there.
            compression: see there.
            schedule_cron: ``""`` takes the schedule away.
            write_strategy: see there.
            kafka_topic: see there.

        Raises:
            InvalidInput: nothing is to be changed, or the Pipe has no sink.
            BadRequest: as for `create`.
        """
        given = {
            "connection": connection,
            "path": path,
            "file_template": file_template,
            "format": format,
            "compression": compression,
            "write_strategy": write_strategy,
            "kafka_topic": kafka_topic,
            "schedule_cron": schedule_cron,
        }
        changes = {key: value for key, value in given.items() if value is not None}
        if not changes:
            raise InvalidInput("Nothing is to be changed: give the settings of the sink that shall be others.")
        found = self._pipes.get(pipe)
        old = Sink.of(found)
        now = _sink_node(found)
        before: dict[str, str | None] = {key: text_or_none(getattr(old, key, "")) for key in given}
        before["schedule_cron"] = old.schedule.cron if old.schedule else None
        return self._set(pipe, node or now, {**before, **changes})

    def run(
        self,
        pipe: str,
        *,
        params: Mapping[str, object] | None = None,
        connection: str | None = None,
        path: str | None = None,
        file_template: str | None = None,
        format: str | None = None,  # noqa: A002 - what the API calls it
        compression: str | None = None,
        write_strategy: str | None = None,
    ) -> Job:
        """Start a run.

        Args:
            pipe: name or id.
            params: for the template, see `tinymagic.api.parameters`.
            connection: for this run only, like all that follow; see `create`.
            path: see there.
            file_template: see there.
            format: see there.
            compression: see there.
            write_strategy: see there.

        Returns:
            The job as it begins; `tinymagic.api.jobs.Jobs.wait` waits for it.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Sink Pipe, or the bucket cannot be reached.
            Conflict: another run is at work.
            Forbidden: the token needs ``PIPES:READ``, and more to write elsewhere.
        """
        overrides = {
            "connection": connection,
            "path": path,
            "file_template": file_template,
            "format": format,
            "compression": compression,
            "write_strategy": write_strategy,
        }
        given = request_parameters(params)
        both = sorted(set(given) & set(overrides))
        if both:
            raise InvalidInput(
                f"{both[0]!r} is a setting of a sink and would not reach the template: give it as {both[0]}=..., or "
                "call the parameter something else."
            )
        sent = {**given, **{key: value for key, value in overrides.items() if value is not None}}
        address = _address(pipe)
        return job_of(self._change("POST", address, **asked_in_url(self._transport.host, address, sent)))

    def remove(self, pipe: str, node: str | None = None) -> None:
        """Make the sink a plain node again; the Pipe, and the files that were written, stay.

        Args:
            pipe: name or id.
            node: name or id; ``None``: the node that is the sink.

        Raises:
            InvalidInput: the Pipe has no sink.
            NotFound: there is no such Pipe or node.
        """
        if node is None:
            node = _sink_node(self._pipes.get(pipe))
        self._change(
            "DELETE",
            _address(pipe, node),
            effect="idempotent",
            datafile=self._pipes.output_datafile(pipe, node, "standard"),
        )

    def _set(self, pipe: str, node: str, settings: Mapping[str, str | None]) -> Pipe:
        schedule = settings.get("schedule_cron")
        keywords = {
            "export_service": settings.get("service"),
            "export_connection_name": settings.get("connection"),
            "export_schedule": schedule or "@on-demand",
            "export_bucket_uri": settings.get("path"),
            "export_file_template": settings.get("file_template"),
            "export_format": settings.get("format"),
            "export_compression": settings.get("compression"),
            "export_write_strategy": settings.get("write_strategy"),
            "export_kafka_topic": settings.get("kafka_topic"),
        }
        return Pipe.of(
            self._change(
                "POST",
                _address(pipe, node),
                form=settings,
                effect="idempotent",
                datafile=self._pipes.output_datafile(pipe, node, "sink", keywords),
            )
        )


def _sink_node(pipe: Pipe) -> str:
    node = pipe.sink_node or Sink.of(pipe).node
    if not node:
        raise InvalidInput(f"The Pipe {pipe.name!r} has no sink: none of its nodes is one.")
    return node


def _address(pipe: str, node: str | None = None) -> str:
    # A function of its own, since "path" is also the setting of a sink.
    return path("/v0/pipes/", pipe, *(("/nodes/", node) if node is not None else ()), "/sink")
