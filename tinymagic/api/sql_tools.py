"""What the service does with a text of SQL without running it: format it, find its tables, put others in their place.

Helpers of the vendor's command line (``query.md`` section 1); and ``/v0/sql_copy``, which runs it in a job.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tinymagic.api.errors import BadReply, InvalidInput
from tinymagic.api.http.failures import query_failure_of
from tinymagic.api.http.request import FORM_TYPE, Request, form_body
from tinymagic.api.jobs import Job
from tinymagic.api.parameters import checked_unicode
from tinymagic.api.reading import mapping, text
from tinymagic.api.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.errors import TinybirdError
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.pipe_results import Explanation


class TableName(NamedTuple):
    """A table that SQL reads.

    Attributes:
        database: ``""`` for the Workspace's own.
        name: of the Data Source or Pipe; of a table function when *function* is.
        function: name of a table function, or ``""``.
    """

    database: str
    name: str
    function: str = ""


class SqlTools(Resource):
    """The part of `tinymagic.api.query.Query` that does not give rows."""

    def format_sql(self, q: str, *, with_clickhouse_format: bool | None = None) -> str:
        """Return *q* over several lines, in the service's good order.

        Args:
            q: one statement.
            with_clickhouse_format: by ClickHouse's own formatter instead; ``None`` for what the service prefers.

        Raises:
            QueryError: the SQL cannot be read.
            UriTooLong: it is too long for this call.
        """
        query = {"q": _sql(q), "with_clickhouse_format": _flag(with_clickhouse_format)}
        return self._text_in(self._told(Request("GET", "/v0/sql_format", query), q), "q")

    def tables(
        self, q: str, *, raising: bool = True, table_functions: bool = False, is_copy: bool = False
    ) -> tuple[TableName, ...]:
        """Return the tables that *q* reads, Pipes and Data Sources alike.

        Args:
            q: one SELECT.
            raising: SQL that cannot be read is an error; else its whole text may come back as a name.
            table_functions: also table functions.
            is_copy: it is for a Copy Pipe, which may read from elsewhere.

        Raises:
            QueryError: the SQL cannot be read.
        """
        flags = {"raising": raising, "table_functions": table_functions, "is_copy": is_copy}
        form = {"q": _sql(q), **{name: _flag(value) for name, value in flags.items()}}
        reply = self._told(_posted("/v0/sql_tables", form), q)
        found = reply.get("tables")
        rows = [each for each in found if isinstance(each, list)] if isinstance(found, list) else []
        return tuple(TableName(*map(text, [*row, "", ""][:3])) for row in rows)

    def replace_tables(self, q: str, replacements: Mapping[str, str]) -> str:
        """Return *q* with other tables in the place of some.

        Args:
            q: one SELECT.
            replacements: old name -> new name.

        Raises:
            QueryError: the SQL cannot be read.
        """
        form = {"q": _sql(q), "replacements": json.dumps(dict(replacements), ensure_ascii=False)}
        return self._text_in(self._told(_posted("/v0/sql_replace", form), q), "query")

    def copy_to(self, q: str, datasource: str, *, mode: Literal["append", "replace"] | None = None) -> Job:
        """Begin to copy what *q* gives into a Data Source, without a Pipe; return the job.

        Args:
            q: one SELECT; its columns are those of the Data Source.
            datasource: that is there.
            mode: ``replace`` puts the rows in the place of all that are there; default is to add them.

        Raises:
            QueryError: the SQL cannot run, or its columns are others.
            Forbidden: the token may not append to the Data Source.
            NotFound: there is no such Data Source.
        """
        body = _sql(q).encode()
        request = Request(
            "POST",
            "/v0/sql_copy",
            {"copy_to": datasource, "_mode": mode},
            body=lambda: body,
            content_type="text/plain; charset=utf-8",
            effect="write",
        )
        return Job.of(self._told(request, q))

    def _told(self, request: Request, q: str) -> Mapping[str, Any]:
        def failure(reply: Reply) -> TinybirdError:
            return query_failure_of(reply, q, redact=self._transport.redact)

        return self._ask(request, failure=failure).json_object()

    def _text_in(self, reply: Mapping[str, Any], key: str) -> str:
        found = reply.get(key)
        if not isinstance(found, str):
            raise BadReply("The service answered without the SQL that was asked for.")
        return found


def explanation_in(body: str) -> Explanation:
    """Read the reply to a query with ``explain=true``.

    Raises:
        BadReply: there is no plan in it; a service that knows no such parameter answers with rows.
    """
    from tinymagic.api.pipe_results import Explanation

    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    explained = Explanation.of(mapping(found))
    if not explained.plan:
        raise BadReply("The service gives no plan of a query here. Put the SQL into a Pipe: its plan can be had.")
    return explained


def _posted(address: str, form: Mapping[str, str | None]) -> Request:
    # A POST that reads: it may be repeated like a GET.
    return Request("POST", address, body=form_body(form), content_type=FORM_TYPE, effect="read")


def _flag(value: bool | None) -> str | None:
    return None if value is None else "true" if value else "false"


def _sql(q: str) -> str:
    if not isinstance(q, str) or not q.strip():
        raise InvalidInput("There is no SQL.")
    return checked_unicode(q, "The SQL")
