"""``/v0/connectors``: connections to other services; ``/v0/integrations``: what they need at AWS (``sinks.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest, NotFound
from tinymagic.local.flags import flag
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.sinks import SINKS_PAGE

from .forms import parameters, text

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tinymagic.local.services.connections import ConnectionsService

#: Parameters of requests that are no settings.
_OWN = ("name", "service", "token", "from", "cli_version", "force", "dry_run", "settings")

#: An account of nobody, as documents of AWS write it.
_ACCOUNT = "000000000000"


async def index(request: Request, access: Access) -> Response:
    """List them."""
    service = _service(request)

    def views() -> list[dict[str, Any]]:
        found = service.all(access.workspace, request.query_params.get("service", ""))
        return [service.view(access.workspace, each) for each in found]

    return json_response({"connectors": await in_thread(views)})


async def show(request: Request, access: Access) -> Response:
    """Describe one."""
    service, name = _service(request), request.path_params["connection"]
    return json_response(await in_thread(lambda: service.view(access.workspace, service.find(access.workspace, name))))


async def create(request: Request, access: Access) -> Response:
    """Add one."""
    asked = await parameters(request)
    name, kind = text(asked, "name"), text(asked, "service")
    service, dry_run = _service(request), flag(asked, "dry_run")
    made = await in_thread(lambda: service.create(access.workspace, name, kind, _settings(asked), dry_run=dry_run))
    return json_response(await in_thread(service.view, access.workspace, made))


async def update(request: Request, access: Access) -> Response:
    """Give one other settings."""
    asked = await parameters(request)
    service = _service(request)
    name, kind = request.path_params["connection"], text(asked, "service")
    changed = await in_thread(lambda: service.update(access.workspace, name, _settings(asked), service=kind))
    return json_response(await in_thread(service.view, access.workspace, changed))


async def delete(request: Request, access: Access) -> Response:
    """Delete one."""
    service, name, force = _service(request), request.path_params["connection"], flag(request.query_params, "force")
    gone = await in_thread(lambda: service.delete(access.workspace, name, force=force))
    return json_response({"ok": True, "id": gone.id, "name": gone.name})


async def integration_settings(request: Request, access: Access) -> Response:
    """Say who would take on a role at AWS; nobody does here."""
    _check_s3(request)
    return json_response({"principal": f"arn:aws:iam::{_ACCOUNT}:root", "external_id": access.workspace.id})


async def policy(request: Request, access: Access) -> Response:
    """Give a policy document for a bucket."""
    _check_s3(request)
    kind, bucket = request.path_params["policy"], request.query_params.get("bucket", "") or "<bucket>"
    if kind == "trust-policy":
        return json_response(_trust(access.workspace.id))
    actions = _ACTIONS.get(kind)
    if actions is None:
        raise NotFound(f"There is no policy {kind[:60]!r}.", documentation=SINKS_PAGE)
    of_bucket = {"Effect": "Allow", "Action": list(actions[0]), "Resource": f"arn:aws:s3:::{bucket}"}
    of_objects = {"Effect": "Allow", "Action": list(actions[1]), "Resource": f"arn:aws:s3:::{bucket}/*"}
    return json_response({"Version": "2012-10-17", "Statement": [of_bucket, of_objects]})


async def google_account(_: Request, __: Access) -> Response:
    """There is no account at Google behind this server."""
    raise BadRequest("The embedded Tinybird has no account at Google Cloud.", documentation=SINKS_PAGE)


_ACTIONS = {
    "write-access-policy": (
        ("s3:GetBucketLocation", "s3:ListBucket"),
        ("s3:PutObject", "s3:PutObjectAcl", "s3:GetObject", "s3:DeleteObject"),
    ),
    "read-access-policy": (("s3:GetBucketLocation", "s3:ListBucket"), ("s3:GetObject",)),
}


def _trust(external_id: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{_ACCOUNT}:root"},
                "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
            }
        ],
    }


def _check_s3(request: Request) -> None:
    service = request.path_params.get("service", "s3")
    if service not in ("s3", "s3_iamrole"):
        raise BadRequest(
            f"The embedded Tinybird has no policies for {service[:40]!r}, only for s3.", documentation=SINKS_PAGE
        )


def _settings(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the settings: an object ``settings`` of a JSON body, and every parameter that is not the API's own."""
    inner = asked.get("settings")
    given = {key: value for key, value in asked.items() if key not in _OWN}
    return {**(inner if isinstance(inner, dict) else {}), **given}


def _service(request: Request) -> ConnectionsService:
    service: ConnectionsService = request.app.state.services.connections
    return service


_READING = ["DATASOURCES:CREATE", "PIPES:CREATE"]
_ONE = "/v0/connectors/{connection}"

ROUTES = [
    guarded("/v0/connectors", index, methods=["GET"], needs=_READING),
    guarded("/v0/connectors", create, methods=["POST"], needs=["ADMIN"]),
    guarded(_ONE, show, methods=["GET"], needs=_READING),
    guarded(_ONE, update, methods=["PUT"], needs=["ADMIN"]),
    guarded(_ONE, delete, methods=["DELETE"], needs=["ADMIN"]),
    guarded("/v0/integrations/{service}/settings", integration_settings, methods=["GET"], needs=["ADMIN"]),
    guarded("/v0/integrations/{service}/policies/{policy}", policy, methods=["GET"], needs=["ADMIN"]),
    guarded("/v0/datasources-bigquery-credentials", google_account, methods=["GET"], needs=["ADMIN"]),
]
