"""``/v0/pipes``: Pipes and their nodes (``pipes.md`` sections 1 to 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.http import base_url, in_thread, in_thread_to_write, json_response
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.views.pipe import pick

from .forms import parameters, text
from .replies import shown_extra, shown_pipe

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.records import PipeRecord
    from tinymagic.local.services import Services

#: Parameters of a request that are no fields of a node's output.
_OWN = (
    "name",
    "sql",
    "description",
    "nodes",
    "force",
    "ignore_sql_errors",
    "branch_mode",
    "token",
    "cli_version",
    "from",
)


async def index(request: Request, access: Access) -> Response:
    """List those that the token may see."""
    services: Services = request.app.state.services
    query = request.query_params
    attrs, node_attrs = query.get("attrs", ""), query.get("node_attrs", "")

    def listed() -> list[dict[str, Any]]:
        # Newest first: who deletes them in this order deletes what reads before what is read.
        seen = [pipe for pipe in reversed(services.pipes.all(access.workspace)) if _may_see(access, pipe)]
        base = base_url(request)
        return [pick(services.pipes.describe(access.workspace, pipe, base), attrs, node_attrs) for pipe in seen]

    return json_response({"pipes": await in_thread(listed)})


async def create(request: Request, access: Access) -> Response:
    """Make one, with its nodes, or put it in the place of another."""
    services: Services = request.app.state.services
    asked = await parameters(request, raw="sql")
    nodes = asked.get("nodes")
    if nodes is None:
        nodes = [{"sql": asked["sql"]}] if asked.get("sql") else []
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise BadRequest("nodes must be a list of objects with name and sql.", documentation=PIPES_PAGE)
    name = text(asked, "name")
    if not name:
        raise BadRequest("A Pipe needs the parameter 'name'.", documentation=PIPES_PAGE)
    made = await in_thread_to_write(
        services.pipes.create,
        access.workspace,
        name,
        nodes,
        description=text(asked, "description"),
        force=flag(asked, "force"),
        ignore_sql_errors=flag(asked, "ignore_sql_errors"),
        fields={key: value for key, value in asked.items() if key not in _OWN},
        access=access,
    )
    return json_response({**await _whole(request, access, made.pipe), **shown_extra(request, made.extra)})


async def show(request: Request, access: Access) -> Response:
    """Describe one with its nodes; as the text of a datafile when ``format=pipe`` asks for it."""
    if request.query_params.get("format") == "pipe":
        return await datafile(request, access)
    pipe = await _seen(request, access)
    query = request.query_params
    return json_response(pick(await _whole(request, access, pipe), query.get("attrs", ""), query.get("node_attrs", "")))


async def datafile(request: Request, access: Access) -> Response:
    """Give one as the text of a ``.pipe`` file."""
    services: Services = request.app.state.services
    pipe = await _seen(request, access)
    content = await in_thread(services.pipes.datafile, access.workspace, pipe)
    # Clients look for exactly this content type.
    return Response(content, headers={"Content-Type": "text/plain"})


async def update(request: Request, access: Access) -> Response:
    """Change name or description."""
    services: Services = request.app.state.services
    asked = await parameters(request)
    pipe = await in_thread_to_write(
        services.pipes.update,
        access.workspace,
        request.path_params["pipe"],
        name=text(asked, "name") or None,
        description=text(asked, "description") if "description" in asked else None,
    )
    return json_response(await _whole(request, access, pipe))


async def delete(request: Request, access: Access) -> Response:
    """Delete one."""
    services: Services = request.app.state.services
    pipe = await in_thread(services.pipes.pipe, access.workspace, request.path_params["pipe"])
    if not access.allows("PIPES:CREATE"):
        access.require("PIPES:DROP", pipe.name)
    await in_thread_to_write(services.pipes.delete, access.workspace, pipe.id)
    return Response(status_code=204)


async def nodes(request: Request, access: Access) -> Response:
    """List the nodes of one."""
    pipe = await _seen(request, access)
    return json_response({"nodes": (await _whole(request, access, pipe))["nodes"]})


async def node(request: Request, access: Access) -> Response:
    """Describe one node."""
    services: Services = request.app.state.services
    pipe = await _seen(request, access)
    found = services.pipes.node(pipe, request.path_params["node"])
    return json_response(await in_thread(services.pipes.describe_node, access.workspace, found))


async def add_node(request: Request, access: Access) -> Response:
    """Add a node; its SQL is the body or a field of it."""
    services: Services = request.app.state.services
    asked = await parameters(request, raw="sql")
    made, extra = await in_thread_to_write(
        services.pipes.add_node,
        access.workspace,
        request.path_params["pipe"],
        {key: value for key, value in asked.items() if key not in ("token", "from")},
        ignore_sql_errors=flag(asked, "ignore_sql_errors"),
        access=access,
    )
    return json_response(
        {
            **await in_thread(services.pipes.describe_node, access.workspace, made),
            **shown_extra(request, extra),
        }
    )


async def update_node(request: Request, access: Access) -> Response:
    """Change a node; its SQL is the body or a field of it."""
    services: Services = request.app.state.services
    asked = await parameters(request, raw="sql")
    changed = await in_thread_to_write(
        services.pipes.update_node,
        access.workspace,
        request.path_params["pipe"],
        request.path_params["node"],
        asked,
        ignore_sql_errors=flag(asked, "ignore_sql_errors"),
        access=access,
    )
    return json_response(await in_thread(services.pipes.describe_node, access.workspace, changed))


async def delete_node(request: Request, access: Access) -> Response:
    """Delete a node."""
    services: Services = request.app.state.services
    params = request.path_params
    await in_thread_to_write(services.pipes.delete_node, access.workspace, params["pipe"], params["node"])
    return Response(status_code=204)


async def publish(request: Request, access: Access) -> Response:
    """Make a node the endpoint of its Pipe."""
    return await _publish(request, access, request.path_params["node"])


async def publish_by_body(request: Request, access: Access) -> Response:
    """Make the node in the body the endpoint of its Pipe; an older way."""
    asked = await parameters(request, raw="node")
    return await _publish(request, access, text(asked, "node"))


async def _publish(request: Request, access: Access, node_id: str) -> Response:
    services: Services = request.app.state.services
    pipe_name = request.path_params["pipe"]
    pipe = await in_thread_to_write(services.pipes.set_endpoint, access.workspace, pipe_name, node_id)
    shown = await _whole(request, access, pipe)
    token = await in_thread(services.pipes.only_token, access, pipe)
    return json_response({**shown, "token": token} if token else shown)


async def unpublish(request: Request, access: Access) -> Response:
    """Take the endpoint back."""
    services: Services = request.app.state.services
    params = request.path_params
    pipe = await in_thread_to_write(services.pipes.unset_endpoint, access.workspace, params["pipe"], params["node"])
    return json_response(await _whole(request, access, pipe))


def _may_see(access: Access, pipe: PipeRecord) -> bool:
    return access.allows("PIPES:CREATE") or access.allows("PIPES:READ", pipe.name)


async def _seen(request: Request, access: Access) -> PipeRecord:
    services: Services = request.app.state.services
    pipe = await in_thread(services.pipes.pipe, access.workspace, request.path_params["pipe"])
    if not _may_see(access, pipe):
        access.require("PIPES:READ", pipe.name)
    return pipe


async def _whole(request: Request, access: Access, pipe: PipeRecord) -> dict[str, Any]:
    """Return the object of one Pipe, with its text."""
    services: Services = request.app.state.services
    shown = await shown_pipe(request, access, pipe)
    return {**shown, "content": await in_thread(services.pipes.datafile, access.workspace, pipe)}


_READING = ["PIPES:READ", "PIPES:CREATE"]
_CHANGING = ["PIPES:CREATE"]
_NODE = "/v0/pipes/{pipe}/nodes/{node}"

ROUTES = [
    guarded("/v0/pipes", index, methods=["GET"], needs=[*_READING, "DATASOURCES:READ"]),
    guarded("/v1/pipes", index, methods=["GET"], needs=[*_READING, "DATASOURCES:READ"]),
    guarded("/v0/pipes", create, methods=["POST"], needs=_CHANGING),
    guarded("/v0/pipes/{pipe}.pipe", datafile, methods=["GET"], needs=_READING),
    guarded("/v1/pipes/{pipe}.pipe", datafile, methods=["GET"], needs=_READING),
    guarded("/v0/pipes/{pipe}", show, methods=["GET"], needs=_READING),
    guarded("/v1/pipes/{pipe}", show, methods=["GET"], needs=_READING),
    guarded("/v0/pipes/{pipe}", update, methods=["PUT"], needs=_CHANGING),
    guarded("/v0/pipes/{pipe}", delete, methods=["DELETE"], needs=["PIPES:CREATE", "PIPES:DROP"]),
    guarded("/v0/pipes/{pipe}/nodes", nodes, methods=["GET"], needs=_READING),
    guarded("/v0/pipes/{pipe}/nodes", add_node, methods=["POST"], needs=_CHANGING),
    guarded("/v0/pipes/{pipe}/append", add_node, methods=["POST"], needs=_CHANGING),
    guarded("/v0/pipes/{pipe}/endpoint", publish_by_body, methods=["PUT"], needs=_CHANGING),
    guarded(_NODE, node, methods=["GET"], needs=_READING),
    guarded(_NODE, update_node, methods=["PUT"], needs=_CHANGING),
    guarded(_NODE, delete_node, methods=["DELETE"], needs=_CHANGING),
    guarded(_NODE + "/endpoint", publish, methods=["POST"], needs=_CHANGING),
    guarded(_NODE + "/endpoint", unpublish, methods=["DELETE"], needs=_CHANGING),
]
