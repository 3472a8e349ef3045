"""``%tinybird pipe``: calling endpoints, and what is known about calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.pipe_lookup import get_pipe, near_node, near_pipe, sql_of
from tinymagic.notebook.commands.writing import write_text
from tinymagic.notebook.display import footer_text, human_bytes, visible
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.parameters import prepare
from tinymagic.notebook.paths import path_of
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.notebook.tinybird import Call

#: Formats of an endpoint whose rows become a DataFrame; the others are shown as text.
_FRAMES = ("json", "parquet")
_STATS_DAYS = 7


def data(call: Call) -> pd.DataFrame | None:
    """Return the rows of an endpoint, print them as text, or write them into a file."""
    name, options = call.words[0], call.options
    params, q, limit = call.params(), _q(call), call.number("limit")
    chosen: Any = options.get("format")
    if "to_file" in options:
        _into_file(call, name, params, _limited(q, limit))
        return None
    with near_pipe(call, name), interruptible() as cancellation:
        if chosen is None or chosen in _FRAMES:
            frame = call.workspace.pipes.data(
                name, params=params, q=q, limit=limit, format=chosen or "auto", cancellation=cancellation
            )
            return call.notebook.presenter.expect(frame, footer_text(frame.attrs["tinybird"]))
        reply = call.workspace.pipes.call(
            name, params=params, q=_limited(q, limit), format=chosen, cancellation=cancellation
        )
    print(_visible_lines(reply.text()))
    return None


def _q(call: Call) -> str | None:
    return sql_of(call) if "sql" in call.options else None


def _limited(q: str | None, limit: int | None) -> str | None:
    """Return *q* that gives at most *limit* rows."""
    if limit is None:
        return q
    from tinymagic.sqltext import split_format

    inner = "SELECT * FROM _" if q is None else split_format(q)[0]
    return f"SELECT * FROM (\n{inner}\n) LIMIT {limit}"


def _into_file(call: Call, name: str, params: dict[str, Any], q: str | None) -> None:
    from tinymagic.notebook.progress import progress

    target = path_of(call.options["to_file"])
    chosen: Any = call.options.get("format")
    with (
        near_pipe(call, name),
        progress(f"{name} to {target}") as tell,
        interruptible() as cancellation,
    ):
        try:
            size = call.workspace.pipes.stream_to(
                name, target, params=params, q=q, format=chosen, on_progress=tell, cancellation=cancellation
            )
        except OSError as error:
            raise CellProblem(f"The file {str(target)!r} cannot be written: {error.strerror or error}.") from None
    print(f"Wrote {human_bytes(size)} to {visible(str(target))}.")


def link(call: Call) -> None:
    """Print the address of an endpoint with the token in it, after asking."""
    name = call.words[0]
    pipe = get_pipe(call, name)
    if not pipe.endpoint:
        raise CellProblem(f"The Pipe {name!r} is not published: %tinybird pipe publish {name} does that.")
    if not confirm(
        f"The link to {visible(name)} will hold your token, which stays in this notebook's output: whoever sees it can "
        "do what the token may do. Make it?",
        yes="yes" in call.options,
        otherwise="No link was made.",
    ):
        return
    chosen: Any = call.options.get("format", "json")
    print(call.workspace.pipes.link(name, params=call.params(), q=_q(call), format=chosen))


def stats(call: Call) -> pd.DataFrame:
    """Return calls, errors and times of endpoints, from ``tinybird.pipe_stats_rt``."""
    name, days = call.word(0), call.number("days")
    by_day = "by" in call.options
    names: dict[str, Any] = {"days": _STATS_DAYS if days is None else days}
    where = "start_datetime >= now() - toIntervalDay({{ days }})"
    if name is not None:
        names["pipe"] = get_pipe(call, name).name
        where += " AND pipe_name = {{ pipe }}"
    day = "toDate(start_datetime) AS day, " if by_day else ""
    bound = prepare(
        f"SELECT {day}pipe_name AS pipe, count() AS calls, countIf(error = 1) AS errors, "
        "round(quantile(0.5)(duration) * 1000, 1) AS `p50 ms`, round(quantile(0.95)(duration) * 1000, 1) AS `p95 ms`, "
        "sum(read_rows) AS `rows read`, max(start_datetime) AS `last call` "
        f"FROM tinybird.pipe_stats_rt WHERE {where} GROUP BY {'day, ' if by_day else ''}pipe "
        f"ORDER BY {'day DESC, ' if by_day else ''}calls DESC, pipe",
        names,
        {},
    )
    frame = call.workspace.sql(bound.text, params=bound.parameters)
    return call.notebook.presenter.expect(frame, footer_text(frame.attrs["tinybird"]))


def explain(call: Call) -> None:
    """Print the plan of a node."""
    name, node = call.words[0], call.word(1)
    get_pipe(call, name)
    with near_node(call, name, node or ""):
        found = call.workspace.pipes.explain(name, node=node, params=call.params())
    if found.query:
        print(f"{_visible_lines(found.query.strip())}\n")
    print(_visible_lines(found.plan) if found.plan else "The service gave no plan.")


def _visible_lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.splitlines())


def openapi(call: Call) -> None:
    """Print the OpenAPI document, or write it into a file."""
    name = call.word(0)
    with near_pipe(call, name or ""):
        document = json.dumps(dict(call.workspace.pipes.openapi(name)), indent=2, ensure_ascii=False)
    target = call.options.get("to_file")
    if target is None:
        print(_visible_lines(document))
        return
    write_text(path_of(target), document + "\n")
    print(f"Wrote {visible(target)}.")
