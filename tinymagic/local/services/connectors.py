"""Data Sources that a connector fills from a bucket: settings, schedule, runs, samples (``datasources.md`` 1 and 3).

The settings are those of the datafile, kept in the record of the Data Source (`connectors.settings`), wherever they
came from. How a run goes is told in `connector_runs`.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tinymagic.local.connectors import CONNECTORS_PAGE
from tinymagic.local.connectors.settings import (
    CONNECTOR,
    ON_DEMAND,
    PAUSED,
    check_settings,
    connector_of,
    given_settings,
    is_kafka,
    schedule_of,
)
from tinymagic.local.errors import BadRequest, Conflict, NotFound
from tinymagic.local.flags import flag
from tinymagic.local.records import DataSourceRecord
from tinymagic.local.template.secrets import secrets_used

from .connector_runs import CONNECTOR_JOB, SampleLimits
from .timetable import Scheduled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.records import JobRecord, Workspace

    from .connector_runs import ConnectorRuns
    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .schedules import Schedules

logger = logging.getLogger("tinymagic.local")

STATES = ("running", "paused")

MOST_SAMPLED_FILES = 10

_NO_KAFKA = (
    "The embedded Tinybird reads from no Kafka broker: it keeps the settings of the Data Source {name!r} and its "
    "table. Send it rows with the Events API, or append a file."
)


class Connectors:
    """Rules about Data Sources that are filled from a bucket."""

    def __init__(
        self, datasources: DataSourcesService, jobs: JobsService, schedules: Schedules, runs: ConnectorRuns
    ) -> None:
        self._datasources = datasources
        self._catalog = datasources.catalog
        self._schedules = schedules
        self._runs = runs
        self._starting = threading.Lock()
        schedules.add(DataSourceRecord, self.scheduled)
        jobs.retries_with(CONNECTOR_JOB, self._retry)

    # What a Data Source says

    def given(self, workspace: Workspace, fields: Mapping[str, Any], old: Mapping[str, str]) -> dict[str, str]:
        """Return the settings of a connector after a request.

        Args:
            workspace: with the connection.
            fields: of the request (``datasources.md`` section 3.1).
            old: the settings before.

        Returns:
            *old* with what the request gives; nothing when that is no connector to a bucket or to Kafka.

        Raises:
            BadRequest: they cannot be used, or there is no such connection.
        """
        given = given_settings(fields)
        settings = {**old, **given}
        if not given or not (settings.get("import_bucket_uri") or settings.get("kafka_topic")):
            return dict(old)
        for name, text in given.items():
            # Whoever may make Data Sources need not know what is in Environment Variables.
            if secrets_used(text):
                raise BadRequest(
                    f"{name}: Environment Variables can be named in datafiles only.", documentation=CONNECTORS_PAGE
                )
        check_settings(settings)
        named = "kafka_connection_name" if "kafka_topic" in settings else "import_connection_name"
        return {**settings, named: self._runs.connection(workspace, settings[named]).name}

    # The schedule

    def state(self, workspace: Workspace, name: str) -> str:
        """Return ``running`` or ``paused``; one without a schedule runs when somebody asks.

        Raises:
            NotFound: there is no such Data Source, or no connector fills it.
        """
        return "paused" if self._found(workspace, name).settings.get(PAUSED) else "running"

    def set_state(self, workspace: Workspace, name: str, state: Any) -> str:
        """Let the schedule run or rest; a run that is at work goes on.

        Raises:
            NotFound: there is no such Data Source, or no connector fills it.
            BadRequest: there is no such state.
        """
        record = self._found(workspace, name)
        if state not in STATES:
            raise BadRequest(
                f"state must be one of {', '.join(STATES)}, not {str(state)[:40]!r}.", documentation=CONNECTORS_PAGE
            )
        with self._datasources.changing(workspace, record.id) as record:
            settings = {key: value for key, value in record.settings.items() if key != PAUSED}
            if state == "paused":
                settings[PAUSED] = True
            self._catalog.update_datasource(replace(record, settings=settings))
        self._schedules.changed()
        return str(state)

    def scheduled(self, workspace: Workspace) -> Iterator[Scheduled]:
        """Tell the Data Sources that are filled at set times, for `Schedules`."""
        for record in self._catalog.datasources(workspace.id):
            cron = schedule_of(connector_of(record))
            if cron and not record.settings.get(PAUSED):
                yield Scheduled(
                    (record.id,),
                    cron,
                    partial(self._run_scheduled, workspace, record),
                    partial(self._take_schedule_away, workspace, record.id),
                )

    # Runs

    def run(self, access: Access, name: str) -> JobRecord:
        """Start a run because somebody asked, also while the schedule rests.

        Raises:
            NotFound: there is no such Data Source, or no connector fills it.
            BadRequest: the bucket cannot be reached with what is known of it.
            Conflict: a run of it is at work.
        """
        return self._start(access, self._found(access.workspace, name))

    def sample(self, access: Access, name: str, fields: Mapping[str, str]) -> JobRecord:
        """Start the import of a sample.

        Files that were taken are left out. Those that the sample stores whole are taken by it; of one that *rows* or
        *max_bytes* cut, a later run stores the rows again, with all others.

        Args:
            access: of who asks.
            name: of the Data Source.
            fields: ``max_files`` (1 to 10, one when not given), ``rows`` and ``max_bytes`` of all files together, or
                ``full_export`` alone: everything, as a run does.

        Raises:
            NotFound, Conflict: see `run`.
            BadRequest: a field cannot be used, or see `run`.
        """
        record = self._found(access.workspace, name)
        return self._start(access, record, _limits(fields))

    def kafka_refusal(self, workspace: Workspace, name: str) -> BadRequest:
        """Return why reading from Kafka neither begins nor ends here.

        Raises:
            NotFound: there is no such Data Source, or no connector fills it.
            BadRequest: it is one that Kafka should fill.
        """
        record = self._found(workspace, name)
        return BadRequest(
            f"The Data Source {record.name!r} is filled from a bucket; only reading from Kafka begins and ends so. "
            f"PUT /v0/datasources/{record.name}/scheduling/state lets its schedule run or rest.",
            documentation=CONNECTORS_PAGE,
        )

    # Steps

    def _start(self, access: Access, record: DataSourceRecord, limits: SampleLimits | None = None) -> JobRecord:
        self._runs.bucket(access.workspace, record)
        with self._starting:
            if problem := self._obstacle(access.workspace, record):
                raise Conflict(problem, documentation=CONNECTORS_PAGE)
            return self._runs.start(access.workspace, record, access, limits)

    def _run_scheduled(self, workspace: Workspace, record: DataSourceRecord, due: datetime) -> None:
        del due
        with self._starting:
            if problem := self._obstacle(workspace, record):
                logger.warning("The scheduled import was left out. %s", problem)
                return
            self._runs.start(workspace, record)

    def _obstacle(self, workspace: Workspace, record: DataSourceRecord) -> str:
        """Say why no run can begin now; empty when one can."""
        if self._runs.is_at_work(workspace, record):
            return (
                f"There is already a running import of the Data Source {record.name!r}. Wait for its end or cancel it."
            )
        if self._runs.needs_restart(record):
            return f"An import of the Data Source {record.name!r} was stopped half-way. Start the server anew."
        return ""

    def _take_schedule_away(self, workspace: Workspace, datasource_id: str) -> None:
        with self._datasources.changing(workspace, datasource_id) as record:
            settings = {**record.settings, CONNECTOR: {**record.settings[CONNECTOR], "import_schedule": ON_DEMAND}}
            self._catalog.update_datasource(replace(record, settings=settings))

    def _retry(self, access: Access, job: JobRecord) -> JobRecord:
        access.require("DATASOURCES:CREATE")
        limits = job.internals.get("limits")
        record = self._found(access.workspace, job.datasource_id)
        return self._start(access, record, SampleLimits(**limits) if limits else None)

    def _found(self, workspace: Workspace, name: str) -> DataSourceRecord:
        record = self._datasources.record(workspace, name)
        if is_kafka(record):
            raise BadRequest(_NO_KAFKA.format(name=record.name), documentation=CONNECTORS_PAGE)
        if not connector_of(record):
            raise NotFound(
                f"Data Source {record.name!r} has no connector: give it one with IMPORT_CONNECTION_NAME and "
                "IMPORT_BUCKET_URI in its datafile.",
                documentation=CONNECTORS_PAGE,
            )
        return record


def _limits(fields: Mapping[str, str]) -> SampleLimits | None:
    """Read what a sample may take; ``None`` means everything."""
    full = flag(fields, "full_export")
    found = {
        name: _number(fields[name], name, most)
        for name, most in (("max_files", MOST_SAMPLED_FILES), ("rows", None), ("max_bytes", None))
        if fields.get(name)
    }
    if not full:
        return SampleLimits(**found)
    if found:
        raise BadRequest(f"full_export=true takes everything: leave out {', '.join(found)}.")
    return None


def _number(value: str, name: str, most: int | None) -> int:
    is_number = value.isascii() and value.isdigit() and len(value) < 19
    if not is_number or not 1 <= int(value) <= (most or int(value)):
        allowed = f"from 1 to {most}" if most else "from 1 on"
        raise BadRequest(f"{name} must be a whole number {allowed}, not {value[:40]!r}.", documentation=CONNECTORS_PAGE)
    return int(value)
