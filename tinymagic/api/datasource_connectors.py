"""Data Sources that a connector fills: its schedule, its runs, Kafka ingestion, samples (``datasources.md`` 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from tinymagic.api.errors import InvalidInput
from tinymagic.api.jobs import Job
from tinymagic.api.reading import mapping, text
from tinymagic.api.resource import Resource, path

SchedulingState: TypeAlias = Literal["running", "paused"]

_STATES = ("running", "paused")


class ConnectorIngestion(Resource):
    """The part of `tinymagic.api.datasources.DataSources` about those that a connector fills.

    For a Data Source without a connector the service answers 404, which is `tinymagic.errors.NotFound` here. The
    embedded server runs connectors to S3, to services that speak its protocol, and to Google's storage with an HMAC
    key; it reads from no Kafka broker, and answers `start` and `stop` with `tinymagic.errors.BadRequest`.
    """

    def scheduling_state(self, name: str) -> str:
        """Return whether the schedule of its connector is ``running`` or ``paused``; ``""`` when that is not told.

        Args:
            name: or id.

        Raises:
            NotFound: there is no such Data Source, or it has no schedule.
        """
        return _state_in(self._get(path("/v0/datasources/", name, "/scheduling/state")))

    def set_scheduling_state(self, name: str, state: SchedulingState) -> str:
        """Let the schedule of its connector run or rest; return its state.

        Args:
            name: or id.
            state: ``running`` or ``paused``.

        Raises:
            NotFound: there is no such Data Source, or it has no schedule.
            InvalidInput: there is no such state; nothing was sent.
        """
        if state not in _STATES:
            raise InvalidInput(f"The state of a schedule is {' or '.join(_STATES)}, not {state!r}.")
        address = path("/v0/datasources/", name, "/scheduling/state")
        return _state_in(self._change("PUT", address, document={"state": state}, effect="idempotent")) or state

    def run_scheduling(self, name: str) -> Mapping[str, Any]:
        """Let the connector fetch now; return the whole reply, whose shape the contract does not tell.

        `Job.of` reads it when it tells of a job, as that of the embedded server does.

        Raises:
            NotFound: there is no such Data Source, or it has no schedule.
            Conflict: the embedded server: it fetches already.
        """
        return self._change("POST", path("/v0/datasources/", name, "/scheduling/runs"))

    def start(self, name: str) -> Mapping[str, Any]:
        """Begin to read from Kafka, in a branch; return the whole reply.

        Raises:
            NotFound: there is no such Data Source, or it does not read from Kafka.
        """
        return self._change("POST", path("/v0/datasources/", name, "/start"), effect="idempotent")

    def stop(self, name: str) -> Mapping[str, Any]:
        """End reading from Kafka, in a branch; return the whole reply.

        Raises:
            NotFound: there is no such Data Source, or it does not read from Kafka.
        """
        return self._change("POST", path("/v0/datasources/", name, "/stop"), effect="idempotent")

    def sample(
        self,
        name: str,
        *,
        max_files: int | None = None,
        rows: int | None = None,
        max_bytes: int | None = None,
        full_export: bool | None = None,
    ) -> Job:
        """Import a sample of what S3, GCS or DynamoDB holds; return the job.

        Args:
            name: of the Data Source.
            max_files: from 1 to 10.
            rows: at most so many.
            max_bytes: at most so many.
            full_export: everything (DynamoDB).

        Raises:
            NotFound: there is no such Data Source, or it has no such connector.
            InvalidInput: *max_files* is out of range; nothing was sent.
        """
        if max_files is not None and not 1 <= max_files <= 10:
            raise InvalidInput(f"A sample is of 1 to 10 files, not {max_files}.")
        asked = {"max_files": max_files, "rows": rows, "max_bytes": max_bytes, "full_export": full_export}
        document = {key: value for key, value in asked.items() if value is not None}
        return Job.of(self._change("POST", path("/v0/datasources/", name, "/sample"), document=document))


def _state_in(reply: Mapping[str, Any]) -> str:
    found = reply.get("state") or mapping(reply.get("scheduling")).get("state")
    return text(found.get("state") if isinstance(found, Mapping) else found)
