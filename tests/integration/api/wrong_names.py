"""Calls whose last name is not there, below one that is: the node of a Pipe, a Workspace to share with, a connector.

That the first name of a path is not there is tried for all operations alike, in `test_every_resource`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.api.wrong_calls import Wrong, user_token

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = b"day,n\n2026-01-01,1\n"
NO_ID = "00000000-0000-4000-8000-000000000000"

_D = "/v0/datasources/{name}"
_N = "/v0/pipes/{pipe}/nodes/{node}"


def _sink(ws: Any) -> object:
    return ws.sinks.create(
        "wrong_free", "nothing", connection="wrong_lake", path="s3://wrong-bucket/out", file_template="f"
    )


def _all(says: str, calls: dict[str, Callable[[Any], object]]) -> dict[str, tuple[Wrong, ...]]:
    return {name: (Wrong(404, call, says),) for name, call in calls.items()}


#: Operation -> what it says of a name that is not there.
NOT_THERE: dict[str, tuple[Wrong, ...]] = {
    "POST /v0/datasources": (
        Wrong(404, lambda ws: ws.datasources.append("nothing", ROWS), "nothing", first="GET /v0/datasources/{name}"),
    ),
    "POST /v0/datasources/exchange": (
        Wrong(404, lambda ws: ws.datasources.exchange("wrong_events", "nothing"), "nothing"),
    ),
    f"POST {_D}/share": (Wrong(404, lambda ws: ws.datasources.share("wrong_events", NO_ID), NO_ID),),
    f"DELETE {_D}/share": (Wrong(404, lambda ws: ws.datasources.unshare("wrong_events", NO_ID), NO_ID),),
    "DELETE /v0/workspaces/{id}": (
        Wrong(404, lambda ws: ws.workspaces.delete(NO_ID, user_token=user_token(ws), name="nothing"), NO_ID),
    ),
    "GET /v0/integrations/{service}/policies/{policy}": (
        Wrong(404, lambda ws: ws.sinks.policy("s3", "nothing_known"), "nothing_known"),
    ),
    **_all(
        "wrong_events",
        {
            f"GET {_D}/scheduling/state": lambda ws: ws.datasources.scheduling_state("wrong_events"),
            f"PUT {_D}/scheduling/state": lambda ws: ws.datasources.set_scheduling_state("wrong_events", "paused"),
            f"POST {_D}/scheduling/runs": lambda ws: ws.datasources.run_scheduling("wrong_events"),
            f"POST {_D}/sample": lambda ws: ws.datasources.sample("wrong_events"),
            f"POST {_D}/start": lambda ws: ws.datasources.start("wrong_events"),
            f"POST {_D}/stop": lambda ws: ws.datasources.stop("wrong_events"),
        },
    ),
    **_all(
        "nothing",
        {
            f"GET {_N}": lambda ws: ws.pipes.node("wrong_free", "nothing"),
            f"PUT {_N}": lambda ws: ws.pipes.update_node("wrong_free", "nothing", sql="SELECT 1"),
            f"DELETE {_N}": lambda ws: ws.pipes.delete_node("wrong_free", "nothing"),
            f"DELETE {_N}/endpoint": lambda ws: ws.pipes.unpublish("wrong_asking", "nothing"),
            f"GET {_N}/explain": lambda ws: ws.pipes.explain("wrong_free", node="nothing"),
            f"GET {_N}/analysis": lambda ws: ws.pipes.analysis("wrong_free", "nothing"),
            f"POST {_N}/materialization": lambda ws: ws.materializations.create("wrong_free", "nothing", "wrong_new"),
            f"DELETE {_N}/materialization": lambda ws: ws.materializations.unlink("wrong_free", "nothing"),
            f"POST {_N}/population": lambda ws: ws.materializations.populate("wrong_free", "nothing"),
            f"POST {_N}/copy": lambda ws: ws.copies.create("wrong_free", "nothing", "wrong_target"),
            f"PUT {_N}/copy": lambda ws: ws.copies.update("wrong_copy", "nothing", schedule_cron="0 * * * *"),
            f"DELETE {_N}/copy": lambda ws: ws.copies.remove("wrong_copy", "nothing"),
            f"POST {_N}/sink": _sink,
            f"DELETE {_N}/sink": lambda ws: ws.sinks.remove("wrong_sinking", "nothing"),
        },
    ),
    # The contract's own exception: a node that is not there is a bad value here.
    f"POST {_N}/endpoint": (Wrong(400, lambda ws: ws.pipes.publish("wrong_free", "nothing"), "nothing"),),
}
