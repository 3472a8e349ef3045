"""Deleting rows of a Data Source: all of them, or those that a condition names (``datasources.md`` 4.3, 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from tinymagic.api.datasource_changes import LightweightDelete
from tinymagic.api.errors import BadReply, InvalidInput
from tinymagic.api.jobs import Job, Jobs
from tinymagic.api.reading import count
from tinymagic.api.resource import Resource, path

if TYPE_CHECKING:
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.progress import OnProgress

ProjectionMode: TypeAlias = Literal["throw", "drop", "rebuild"]

#: A lightweight deletion is answered when it is done, which takes longer than a query may.
_LIGHTWEIGHT_TIMEOUT_S = 600.0


class RowDeletion(Resource):
    """The part of `tinymagic.api.datasources.DataSources` that deletes rows."""

    def truncate(self, name: str) -> None:
        """Delete all rows. The quarantine, and what other Data Sources have been made of the rows, stay.

        Raises:
            NotFound: there is no such Data Source.
        """
        self._change("POST", path("/v0/datasources/", name, "/truncate"), effect="idempotent")

    def delete_rows(
        self,
        name: str,
        condition: str,
        *,
        wait: bool = True,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> Job:
        """Delete the rows for which *condition* is true, in a job that rewrites the parts that hold them.

        Materialized views on the Data Source keep what they have.

        Args:
            name: of the Data Source.
            condition: SQL that is true or false, for instance ``"country = 'ES'"``.
            wait: return when the job is over; else as soon as it has begun.
            timeout_s: the longest wait for the job, in seconds; ``None`` for any.
            on_progress: told the percentage when the service says one.
            cancellation: ends the waiting, not the job, from another thread.

        Returns:
            The job; when it was waited for, it is done.

        Raises:
            NotFound: there is no such Data Source.
            InvalidInput: there is no condition; nothing was sent.
            BadRequest: the condition is no SQL, or the engine keeps no rows.
            JobFailed: the job ended with an error.
        """
        reply = self._change("POST", path("/v0/datasources/", name, "/delete"), form=_form(condition))
        job = Job.of(reply)
        if not wait:
            return job
        return Jobs(self._transport).wait(job, timeout_s=timeout_s, on_progress=on_progress, cancellation=cancellation)

    def count_rows_to_delete(self, name: str, condition: str) -> int:
        """Return how many rows `delete_rows` would delete; nothing is deleted.

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: the condition is no SQL.
            BadReply: the service does not tell the number.
        """
        form = {**_form(condition), "dry_run": True}
        reply = self._change("POST", path("/v0/datasources/", name, "/delete"), form=form, effect="read")
        rows = count(reply.get("rows_to_be_deleted"))
        if rows is None:
            raise BadReply(f"The service did not say how many rows of {name!r} would be deleted.")
        return rows

    @overload
    def delete_rows_lightweight(
        self,
        name: str,
        condition: str,
        *,
        partition: str | None = None,
        projection_mode: ProjectionMode | None = None,
        wait: Literal[True] = True,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> LightweightDelete: ...

    @overload
    def delete_rows_lightweight(
        self,
        name: str,
        condition: str,
        *,
        partition: str | None = None,
        projection_mode: ProjectionMode | None = None,
        wait: Literal[False],
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Job: ...

    def delete_rows_lightweight(
        self,
        name: str,
        condition: str,
        *,
        partition: str | None = None,
        projection_mode: ProjectionMode | None = None,
        wait: bool = True,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> LightweightDelete | Job:
        """Mark the rows for which *condition* is true as deleted: sooner done than `delete_rows`, and in beta.

        Args:
            name: of the Data Source.
            condition: SQL that is true or false.
            partition: look only into this partition; an expression that is its value.
            projection_mode: what becomes of the table's projections.
            wait: whether the service answers when it is done; else with a job.
            timeout_s: seconds for the reply; default ten minutes.
            cancellation: ends the request from another thread; the service goes on deleting.

        Raises:
            NotFound: there is no such Data Source.
            InvalidInput: there is no condition; nothing was sent.
            BadRequest: condition, partition or mode cannot be used.
        """
        form = {**_form(condition), "partition": partition, "projection_mode": projection_mode, "wait": wait}
        reply = self._change(
            "POST",
            path("/v1/datasources/", name, "/delete"),
            form=form,
            timeout_s=max(self._transport.timeout_s, _LIGHTWEIGHT_TIMEOUT_S) if timeout_s is None else timeout_s,
            cancellation=cancellation,
        )
        return LightweightDelete.of(reply) if wait else Job.of(reply)


def _form(condition: str) -> dict[str, object]:
    if not condition.strip():
        raise InvalidInput(
            "Which rows? A condition is needed, for instance \"country = 'ES'\". To delete all rows: truncate."
        )
    return {"delete_condition": condition}
