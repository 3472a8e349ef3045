"""Sink Pipes: a node whose rows go into files of a bucket when somebody asks or a schedule says so (``sinks.md``).

A sink is a node of the type ``sink``; its output names the connection, where the files go and how they are written.
Nothing of it exists beside the catalogue. How a run goes is told in `sink_runs`.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import BadRequest, Conflict, Forbidden, NotFound
from tinymagic.local.pipes.outputs import MadeOutput
from tinymagic.local.sinks import SINKS_PAGE
from tinymagic.local.sinks.settings import ALIASES, FILLED, OVERRIDES, SinkSettings, given, read_settings
from tinymagic.local.template.secrets import secrets_used

from .connections import KAFKA
from .schedules import schedule_object
from .sink_targets import Order, hiding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.records import ConnectionRecord, JobRecord, Node, PipeRecord, Workspace

    from .connections import ConnectionsService
    from .jobs import JobsService
    from .pipes import PipesService
    from .schedules import Schedules
    from .sink_runs import SinkRuns

logger = logging.getLogger("tinymagic.local")

#: What only those may change for one run who may change the sink.
_PLACES = ("connection", "path", "write_strategy")

#: Parameters of a run that are not for the template.
_OWN_PARAMETERS = ("token", "from", "cli_version", "service", "on_demand_compute", "_execution_type", "strategy")


class Sinks:
    """Rules about sinks; also the `Output` for nodes of the type ``sink``."""

    def __init__(
        self,
        connections: ConnectionsService,
        composer: Composer,
        pipes: PipesService,
        jobs: JobsService,
        schedules: Schedules,
        runs: SinkRuns,
    ) -> None:
        self._connections = connections
        self._composer = composer
        self._pipes = pipes
        self._schedules = schedules
        self._runs = runs
        self._starting = threading.Lock()
        pipes.outputs["sink"] = self
        schedules.register("sink", self.run_scheduled)
        jobs.retries_with("sink", self._retry)

    # What nodes of this type are for: `pipes.outputs.Output`

    def make(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        fields: Mapping[str, Any],
        *,
        access: Access | None = None,
    ) -> MadeOutput:
        """Make *node* a sink; see `Output.make`.

        What the fields leave out stays as it is when the node is a sink already.

        Raises:
            BadRequest: there is no such connection, or a setting cannot be used.
        """
        del access
        old = node.output if node.type == "sink" else {}
        connection = self._connection(workspace, given(fields, "connection"), old)
        if fields.get("service") and (str(fields["service"]).lower() == KAFKA) != (connection.service == KAFKA):
            raise BadRequest(
                f"The connection {connection.name!r} is one to {connection.service}, not to {fields['service']}.",
                documentation=SINKS_PAGE,
            )
        cron = given(fields, "schedule_cron")
        with hiding(self._hidden(workspace, connection, fields, old)):
            settings = self._settings(workspace, connection, fields, old)
            schedule = str(old.get("schedule_cron", "")) if cron is None else self._schedules.check(cron)
            self._check_columns(workspace, pipe, node, self._filled(workspace, settings))
        output = {
            **settings.as_output(),
            "connection": connection.id,
            "service": connection.service,
            "schedule_cron": schedule,
            "paused": bool(old.get("paused")) and schedule == old.get("schedule_cron"),
        }
        return MadeOutput(replace(node, type="sink", output=output))

    def remade(self, workspace: Workspace, pipe: PipeRecord, old: Node, new: Node) -> None:
        """Check that the file template finds its columns in the new SQL; see `Output.remade`.

        Raises:
            BadRequest: it does not.
        """
        del old
        with hiding(self._hidden(workspace, None, {}, new.output)):
            self._check_columns(workspace, pipe, new, self._filled(workspace, SinkSettings.of(new.output)))

    def describe(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> dict[str, Any]:
        """Return the keys of the Pipe's object that are about its sink."""
        del pipe
        settings = SinkSettings.of(node.output)
        shown = {
            key: value for key, value in settings.as_output().items() if (key == "kafka_topic") is settings.is_kafka
        }
        record = self._found(workspace, str(node.output.get("connection")))
        return {
            "sink_node": node.id,
            "schedule": schedule_object(node.output),
            "sink": {
                "connection": record.name if record else None,
                "connection_id": node.output.get("connection"),
                "service": node.output.get("service"),
                "schedule_cron": node.output.get("schedule_cron") or None,
                **shown,
            },
        }

    def exported(self, workspace: Workspace, node: Node) -> dict[str, str]:
        """Return the settings of a sink as a datafile has them (``export_...``); ``{}`` for any other node."""
        if node.type != "sink":
            return {}
        settings = SinkSettings.of(node.output)
        record = self._found(workspace, str(node.output.get("connection")))
        found = {
            "export_service": str(node.output.get("service") or ""),
            "export_connection_name": record.name if record else "",
            "export_bucket_uri": settings.path,
            "export_file_template": settings.file_template,
            "export_format": "" if settings.is_kafka else settings.format,
            "export_compression": "" if settings.is_kafka or settings.compression == "none" else settings.compression,
            "export_write_strategy": "truncate" if settings.write_strategy == "truncate" else "",
            "export_kafka_topic": settings.kafka_topic,
            "export_schedule": str(node.output.get("schedule_cron") or "@on-demand"),
        }
        return {key: value for key, value in found.items() if value}

    # Running

    def run(self, access: Access, pipe_name: str, parameters: Mapping[str, Any]) -> tuple[PipeRecord, Node, JobRecord]:
        """Start a run because somebody asked.

        Args:
            access: of who asks: its row filters hold, and the parameters that a JWT forces.
            pipe_name: name or id.
            parameters: for the template; those of `OVERRIDES` change this run.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Sink Pipe, a parameter is wrong, or the connection cannot be used.
            Conflict: a run of it is at work.
            Forbidden: the token may not read the Pipe.
        """
        workspace = access.workspace
        pipe = self._pipes.pipe(workspace, pipe_name)
        if not access.allows("PIPES:CREATE"):
            access.require("PIPES:READ", pipe.name)
        node = self._sink_node(pipe)
        overrides = {key: value for key, value in parameters.items() if _is_override(key) and value not in (None, "")}
        if not access.allows("PIPES:CREATE"):
            _refuse_other_places(overrides)
        if not access.is_admin:  # Whoever may not see Environment Variables may not have them written somewhere either.
            _refuse_variables(overrides)
        connection = self._connection(workspace, given(overrides, "connection"), node.output)
        hidden = self._hidden(workspace, connection, overrides, node.output)
        values = {
            key: value for key, value in parameters.items() if not _is_override(key) and key not in _OWN_PARAMETERS
        }
        values.update(access.fixed_parameters(pipe.name) or {})
        with hiding(hidden):
            settings = self._filled(workspace, self._settings(workspace, connection, overrides, node.output))
            moment = datetime.now(timezone.utc)
            order = Order(pipe, node, settings, connection, values, moment, access, hidden=hidden)
            self._runs.check_target(workspace, order)
            composed = self._runs.composed(workspace, order)
            self._runs.check(workspace, composed, settings)
        with self._starting:
            if self._runs.unfinished(workspace, pipe):
                raise Conflict(
                    f"There is already a running job of the Sink Pipe '{pipe.name}'. Wait for its end or cancel it.",
                    documentation=SINKS_PAGE,
                )
            return pipe, node, self._runs.start(workspace, order)

    def run_scheduled(self, workspace: Workspace, pipe: PipeRecord, node: Node, due: datetime) -> None:
        """Start a run because it is due, unless the one before is still at work."""
        connection = self._found(workspace, str(node.output.get("connection")))
        if connection is None:
            logger.warning("The scheduled sink of the Pipe %s has no connection any more.", pipe.id)
            return
        settings = SinkSettings.of(node.output)
        hidden = self._hidden(workspace, connection, {}, node.output)
        order = Order(pipe, node, settings, connection, {}, due, None, self._connections.filled, hidden)
        with self._starting:
            if self._runs.unfinished(workspace, pipe):
                logger.warning("The scheduled sink of the Pipe %s was left out: the one before is at work.", pipe.id)
                return
            self._runs.start(workspace, order)

    # Steps

    def _retry(self, access: Access, record: JobRecord) -> JobRecord:
        del access
        raise BadRequest(
            f"The sink job {record.id!r} cannot be retried. Start a new run: POST /v0/pipes/<pipe>/sink.",
            documentation=SINKS_PAGE,
        )

    def _settings(
        self, workspace: Workspace, connection: ConnectionRecord, fields: Mapping[str, Any], old: Mapping[str, Any]
    ) -> SinkSettings:
        """Check settings with Environment Variables filled in, and return them with the variables' names."""
        before = SinkSettings.of(old)
        kafka = connection.service == KAFKA
        filled = {
            key: self._connections.filled(workspace, value) if isinstance(value, str) and secrets_used(value) else value
            for key, value in fields.items()
        }
        checked = read_settings(filled, self._filled(workspace, before), kafka=kafka)
        written = {}
        for name in FILLED:
            text = given(fields, name)
            text = getattr(before, name) if text is None else text
            if secrets_used(text):
                written[name] = text
        return replace(checked, **written)

    def _filled(self, workspace: Workspace, settings: SinkSettings) -> SinkSettings:
        found = {name: getattr(settings, name) for name in FILLED}
        return replace(
            settings,
            **{name: self._connections.filled(workspace, text) for name, text in found.items() if secrets_used(text)},
        )

    def _hidden(
        self,
        workspace: Workspace,
        connection: ConnectionRecord | None,
        fields: Mapping[str, Any],
        old: Mapping[str, Any],
    ) -> tuple[str, ...]:
        """Return the values of the Environment Variables that settings name."""
        texts = [value for value in (*fields.values(), *old.values()) if isinstance(value, str)]
        return self._connections.values_named(workspace, texts, connection)

    def _check_columns(self, workspace: Workspace, pipe: PipeRecord, node: Node, settings: SinkSettings) -> None:
        """Look for the columns of the file template in what the node gives."""
        if settings.is_kafka or settings.template.is_plain:
            return
        columns = self._composer.check(workspace, pipe, node)
        if columns:  # Without values for its parameters it may not be known.
            settings.template.expression(columns)

    def _connection(self, workspace: Workspace, name: str | None, old: Mapping[str, Any]) -> ConnectionRecord:
        wanted = name or str(old.get("connection") or "")
        if not wanted:
            raise BadRequest("The parameter 'connection' is missing.", documentation=SINKS_PAGE)
        found = self._found(workspace, wanted)
        if found is None:
            gone = "" if name else " any more"
            shown = f" {wanted!r}" if name else " of the sink"
            raise BadRequest(f"The connection{shown} does not exist{gone}.", documentation=SINKS_PAGE)
        return found

    def _found(self, workspace: Workspace, id_or_name: str) -> ConnectionRecord | None:
        try:
            return self._connections.find(workspace, id_or_name)
        except NotFound:
            return None

    def _sink_node(self, pipe: PipeRecord) -> Node:
        node = pipe.output_node
        if node is None or node.type != "sink":
            raise BadRequest(
                f"The pipe '{pipe.name}' is not a Sink Pipe. Make one of its nodes a sink: "
                f"POST /v0/pipes/{pipe.name}/nodes/<node>/sink with connection, path and file_template.",
                documentation=SINKS_PAGE,
            )
        return node


def _is_override(name: str) -> bool:
    return any(name in ALIASES[each] for each in OVERRIDES)


def _refuse_other_places(overrides: Mapping[str, Any]) -> None:
    """Let whoever may only read a Pipe choose how files look, and not where they go or what they overwrite."""
    found = [name for each in _PLACES for name in ALIASES[each] if name in overrides]
    if found:
        raise Forbidden(
            f"The token may run this sink, but not with another {found[0]}: that needs the scope PIPES:CREATE.",
            documentation=SINKS_PAGE,
        )


def _refuse_variables(overrides: Mapping[str, Any]) -> None:
    for text in overrides.values():
        for name in secrets_used(text) if isinstance(text, str) else ():
            raise BadRequest(
                f"Cannot access secret '{name}'. Check the secret exists in the Workspace and the token has the "
                "required scope.",
                documentation=SINKS_PAGE,
            )
