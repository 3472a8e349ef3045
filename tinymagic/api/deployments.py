"""Deployments, ``/v1/build`` and ``/v1/deploy``: a project's datafiles become what the Workspace is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.api.deployment_results import Change, Deployment, DeploymentProblem, DeploymentResult
from tinymagic.api.errors import ApiError, InvalidInput
from tinymagic.api.http.request import Request
from tinymagic.api.polling import poll
from tinymagic.api.reading import mapping, mappings
from tinymagic.api.resource import Resource, path

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.progress import OnProgress

__all__ = ["Change", "Deployment", "DeploymentProblem", "DeploymentResult", "Deployments"]

#: Name of a part that is a file of the project; the file's path is the part's file name.
_PART = "data_project://"

#: Statuses after which a deployment does not change any more by itself.
_SETTLED = ("data_ready", "live", "failed", "deleted")

#: A deployment is answered when it is planned, tried and, on the embedded server, done.
_TIMEOUT_S = 600.0


class Deployments(Resource):
    r"""``workspace.deployments``: build, check, deploy, promote and discard whole projects.

    A project is given as its files: path -> text, for instance
    ``{"datasources/events.datasource": "SCHEMA >\n    id Int32"}``. What is deployed and not in the files is deleted:
    the files are the whole project.
    """

    def build(self, files: Mapping[str, str]) -> DeploymentResult:
        """Build a project, as Tinybird Local and the embedded server do for development: at once, without a deployment.

        Data Sources that have no file any more are deleted with their rows: nothing asks, as with ``tb build``.

        Raises:
            InvalidInput: there are no files.
            BadRequest: the service does not take the request. What is wrong *in the files* is no exception: the result
                has failed, and tells it by file and line.
        """
        return self._send("/v1/build", files, {}, key="build")

    def deploy(
        self,
        files: Mapping[str, str],
        *,
        check: bool = False,
        allow_destructive: bool = False,
        auto_promote: bool = True,
        cancellation: Cancellation | None = None,
    ) -> DeploymentResult:
        """Deploy a project, all of it or nothing.

        Args:
            files: path -> text of every datafile.
            check: try and plan, change nothing.
            allow_destructive: whether Data Sources that are not among the files may be deleted with their rows.
            auto_promote: ``False`` leaves the deployment beside the live one until `set_live`.
            cancellation: ends the request from another thread; what the service does then is not known.

        Returns:
            The result. `DeploymentResult.failed` with `Deployment.problems` when something in the files is wrong.

        Raises:
            InvalidInput: there are no files.
            Forbidden: the token may not deploy (``ADMIN`` or ``WORKSPACE:DEPLOY``).
            Conflict: another deployment is under way.
        """
        query = {
            "check": check or None,
            "auto_promote": (auto_promote and not check) or None,
            "allow_destructive_operations": allow_destructive or None,
        }
        return self._send("/v1/deploy", files, query, cancellation=cancellation)

    def list(self) -> builtins.list[Deployment]:
        """Return the live deployment and those beside it."""
        return [Deployment.of(each) for each in mappings(self._get("/v1/deployments").get("deployments"))]

    def get(self, deployment_id: str) -> Deployment:
        """Return one.

        Raises:
            NotFound: there is none.
        """
        return _of(self._get(path("/v1/deployments/", deployment_id)))

    def set_live(self, deployment_id: str) -> Deployment:
        """Make a deployment the live one.

        Raises:
            NotFound: there is none.
            BadRequest: it is not ready; some services say so of one that is live already, too.
        """
        reply = self._change("POST", path("/v1/deployments/", deployment_id, "/set-live"))
        return _described(reply, deployment_id)

    def discard(self, deployment_id: str) -> Deployment:
        """Throw a deployment away that is not live.

        Raises:
            NotFound: there is none.
            BadRequest: it is live.
        """
        reply = self._change("DELETE", path("/v1/deployments/", deployment_id), effect="idempotent")
        return _described(reply, deployment_id)

    def wait(
        self,
        deployment_id: str,
        *,
        live: bool = True,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> Deployment:
        """Look at a deployment until it is settled, in pauses that grow from 0.1 to 2 seconds.

        Args:
            deployment_id: of it.
            live: wait until it is live too.
            timeout_s: the longest wait; ``None`` for any. The deployment goes on after it.
            on_progress: told 100 % at the end; the service tells no number on the way.
            cancellation: ends the waiting from another thread.

        Raises:
            Timeout: it is not settled in time.
            Cancelled: through *cancellation*.
            NotFound: there is none.
        """
        from tinymagic.api.progress import Progress

        request = Request("GET", path("/v1/deployments/", deployment_id))

        def is_over(now: Deployment) -> bool:
            return now.status in _SETTLED and (now.live or not live or now.status in ("failed", "deleted"))

        last = poll(
            lambda switch: _of(self._ask(request, cancellation=switch).json_object()),
            is_over,
            lambda now: f"The deployment {deployment_id} is {now.status or 'open'} after {timeout_s:g} s. It goes on.",
            timeout_s=timeout_s,
            cancellation=cancellation,
        )
        if on_progress is not None:
            on_progress(Progress(100.0, 100.0, "%"))
        return last

    def _send(
        self,
        address: str,
        files: Mapping[str, str],
        query: Mapping[str, object],
        *,
        key: str = "deployment",
        cancellation: Cancellation | None = None,
    ) -> DeploymentResult:
        if not files:
            raise InvalidInput("There are no datafiles to deploy: everything in the Workspace would be deleted.")
        for name, written in files.items():
            if not isinstance(name, str) or not isinstance(written, str):
                raise InvalidInput(f"The datafiles are texts by path; {name!r} is a {type(written).__name__}.")
        body, content_type = _multipart(files)
        try:
            reply = self._change(
                "POST",
                address,
                query=query,
                content=body,
                content_type=content_type,
                timeout_s=max(self._transport.timeout_s, _TIMEOUT_S),
                cancellation=cancellation,
            )
        except ApiError as error:
            result = _failure(error, key)
            if result is None:
                raise
            return result
        return DeploymentResult.of(reply, key=key)


def _multipart(files: Mapping[str, str]) -> tuple[bytes, str]:
    """Return body and content type; Data Sources first, then Pipes, as the vendor's own client sends them."""
    from urllib3.filepost import encode_multipart_formdata

    order = (".datasource", ".pipe", ".connection")
    paths = sorted(files, key=lambda each: next((place for place, end in enumerate(order) if each.endswith(end)), 3))
    parts = [(_PART, (each, files[each].encode("utf-8", "surrogatepass"), "text/plain")) for each in paths]
    return encode_multipart_formdata(parts)


def _failure(error: ApiError, key: str) -> DeploymentResult | None:
    """Read the answer to a project that is wrong, which comes with the status 400; ``None`` for another error."""
    if error.status != 400 or not error.errors:
        return None
    return DeploymentResult.of({"result": "failed", key: {}, "errors": _members(error), "error": error.message})


def _members(error: ApiError) -> builtins.list[Any]:
    """Undo what `tinymagic.api.http.failures` makes of ``{"filename": ..., "error": ...}``: ``filename: error``."""
    members: builtins.list[Any] = []
    for sentence in error.errors:
        file, colon, said = sentence.partition(": ")
        is_file = bool(colon) and file.endswith((".datasource", ".pipe", ".connection", ".incl"))
        members.append({"filename": file, "error": said} if is_file else sentence)
    return members


def _of(reply: Mapping[str, Any]) -> Deployment:
    return Deployment.of(mapping(reply.get("deployment")) or reply)


def _described(reply: Mapping[str, Any], deployment_id: str) -> Deployment:
    described = dict(mapping(reply.get("deployment")) or reply)
    described.setdefault("id", deployment_id)
    return Deployment.of(described)
