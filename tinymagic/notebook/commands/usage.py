"""``%tinybird usage``, ``why``, ``fmt``: what it costs, what went wrong, and SQL in good order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.errors import BadRequest, Forbidden, NotFound, TinybirdError
from tinymagic.notebook.display import count_of, footer_text, human_bytes, human_seconds, visible
from tinymagic.notebook.failures import Failure, last_event
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.tinybird import Call

_DAYS = 7

#: Source of the columns: ``workspace.md`` section 6. Requests to the Query API are logged under the name ``query_api``.
_USAGE_SQL = """
SELECT toDate(start_datetime) AS day, pipe_name AS pipe, token_name AS token, count() AS requests,
    countIf(error > 0) AS errors, sum(read_rows) AS rows_read, sum(read_bytes) AS bytes_read
FROM tinybird.pipe_stats_rt
WHERE start_datetime >= toStartOfDay(now()) - toIntervalDay({days})
GROUP BY day, pipe, token
ORDER BY day DESC, requests DESC, pipe, token
"""

#: Plan -> requests a day to endpoints and the Query API (``errors-and-limits.md`` section 4).
_QUERIES_A_DAY = {"free": 1000, "build": 1000}


def usage(call: Call) -> pd.DataFrame | None:
    """Print what was used today, and return requests, rows and bytes read by day, Pipe and token."""
    days = call.number("days")
    workspace = call.workspace
    try:
        frame = _by_day(workspace, _DAYS if days is None else max(days, 1))
    except (NotFound, Forbidden, BadRequest) as error:
        if isinstance(error, Forbidden) and "pipe_stats_rt" not in str(error):
            raise
        print(
            "What was used cannot be told: this Workspace or this token does not read tinybird.pipe_stats_rt, where "
            f"the service notes requests. It says: {visible(error.message)}"
        )
        return None
    print(visible(_today(workspace, frame)))
    frame.attrs.pop("tinybird", None)
    return frame


def used_today(workspace: Workspace) -> str:
    """Say what was used today, and what the plan allows: three requests.

    Raises:
        TinybirdError: this Workspace or this token does not tell.
    """
    return _today(workspace, _by_day(workspace, 1))


def _by_day(workspace: Workspace, days: int) -> pd.DataFrame:
    frame: pd.DataFrame = workspace.sql(_USAGE_SQL.format(days=days - 1))
    return frame


def _today(workspace: Workspace, frame: pd.DataFrame) -> str:
    """Say what was used on the day of the service's clock, and what the plan allows."""
    newest = _service_day(workspace)
    today = frame[frame["day"].astype(str).str[:10] == newest]
    requests, rows = int(today["requests"].sum()), int(today["rows_read"].sum())
    said = (
        f"Today ({newest}, UTC): {count_of(requests, 'request')}, {count_of(rows, 'row')} and "
        f"{human_bytes(int(today['bytes_read'].sum()))} read."
    )
    plan = str(workspace.info().raw.get("plan") or "").lower()
    limit = next((number for name, number in _QUERIES_A_DAY.items() if name in plan), None)
    if limit is None:
        return said if not plan else f"{said} The plan is {plan!r}; its daily limit is not known here."
    return (
        f"{said} The plan {plan!r} allows {limit:,} a day in the whole organization: {max(limit - requests, 0):,} left."
    )


def _service_day(workspace: Workspace) -> str:
    return str(workspace.sql("SELECT toString(toDate(now())) AS day")["day"].iloc[0])


# --- why --------------------------------------------------------------------------------------------------------------

#: Headers that tell nothing about an error.
_DULL_HEADERS = ("connection", "content-length", "keep-alive", "vary", "transfer-encoding")


def why(call: Call) -> None:
    """Print the last failure with the service's reply, word for word but for tokens; or how the last result came."""
    failure = last_event()
    if failure is None:
        print("Nothing has failed in this session, and there is no result yet.")
        return
    if not isinstance(failure, Failure):
        print(_hidden(call, _origin(failure)))
        return
    print(visible(f"{failure.kind}: {_hidden(call, failure.text)}"))
    answer = failure.answer
    if answer is None:
        print("No reply of the service is known for it: it was found out before one came.")
        return
    print(visible(f"{answer.asked} was answered {answer.status} after {human_seconds(answer.wall_s)}:"))
    for name, value in answer.headers.items():
        if name not in _DULL_HEADERS:
            print(visible(f"  {name}: {_hidden(call, value)}"))
    print()
    print(visible(_hidden(call, _indented(answer.body))) or "(no body)")


def _origin(facts: Mapping[str, Any]) -> str:
    """Say in lines where a result comes from."""
    wire = f"{facts['format']}, {human_bytes(facts['bytes_received'])}" if facts.get("bytes_received") else ""
    columns = "\n".join(f"  {name}  {kind}" for name, kind in facts["columns"])
    parameters = "\n".join(f"  {name} = {value!r}" for name, value in facts["parameters"].items())
    lines = [
        f"Nothing has failed since the last result: {footer_text(facts)}",
        f"From {facts['host']}" + (f", {wire} on the wire" if wire else ""),
        f"Request id: {facts['request_id']}" if facts.get("request_id") else "",
        f"Columns:\n{columns}",
        f"Parameters:\n{parameters}" if parameters else "",
        f"Sent:\n{facts['sql']}",
    ]
    return visible("\n".join(line for line in lines if line))


def _hidden(call: Call, text: str) -> str:
    """Take out tokens once more: the session may have another one by now."""
    from tinymagic.api.http.redaction import Secret

    try:
        return call.workspace.redact(text)
    except TinybirdError:
        return Secret("").redact(text)


def _indented(body: str) -> str:
    import json

    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


# --- fmt --------------------------------------------------------------------------------------------------------------


def fmt(call: Call) -> None:
    """Print SQL in good order, or which tables it reads; a variable's text when the word is one."""
    text, query = call.text(call.words[0]), call.workspace.query
    pairs = dict(_renaming(pair) for pair in call.all("replace"))
    if pairs:
        text = query.replace_tables(text, pairs)
    if "tables" in call.options:
        names = sorted({f"{each.database}.{each.name}" if each.database else each.name for each in query.tables(text)})
        print(visible("\n".join(names)) if names else "It reads no table.")
        return
    print(visible(query.format_sql(text)))


def _renaming(pair: str) -> tuple[str, str]:
    old, equals, new = pair.partition("=")
    if not (old.strip() and equals and new.strip()):
        raise CellProblem(f"--replace {pair!r} is no OLD=NEW: the name that the SQL has, and the one to read instead.")
    return old.strip(), new.strip()
