"""Connections to other services, ``/v0/connectors``: what sinks write to, and Data Sources read from (``sinks.md``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tinymagic.api.errors import InvalidInput, TinybirdError
from tinymagic.api.http.redaction import HIDDEN, Secret
from tinymagic.api.reading import frozen, mapping, mappings, moment, names, text
from tinymagic.api.refusals import Datafile, datafile_for
from tinymagic.api.resource import Resource, path

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable
    from datetime import datetime

_PATH = "/v0/connectors"

#: Names of settings whose values are never shown, even when the service sends them.
_SECRET_RE = re.compile(r"secret|password|passwd|token|key|credential|private|sasl_plain|connection_string", re.I)
#: ... and names that only look so.
_NO_SECRET_RE = re.compile(r"schema_registry_url|key_format|sorting_key|partition_key|registry_auth_type", re.I)

_Result = TypeVar("_Result")


def is_secret(setting: str) -> bool:
    """Say whether the value of a setting is to be kept out of sight, by its name. Pure.

    Example:
        >>> is_secret("s3_secret_access_key"), is_secret("kafka_sasl_plain_password"), is_secret("s3_region")
        (True, True, False)
    """
    return bool(_SECRET_RE.search(setting)) and not _NO_SECRET_RE.search(setting)


@dataclass(frozen=True)
class Connection:
    """A connection; ``""`` or nothing for what the service does not say.

    Attributes:
        id: of it.
        name: by which sinks and Data Sources name it.
        service: ``s3``, ``s3_iamrole``, ``gcs_hmac``, ``kafka`` ...
        settings: that may be shown; values that may be secrets are hidden.
        datasources: names of the Data Sources that it feeds; ``None`` when the service does not tell.
        sinks: names of the Pipes whose sink uses it; ``None`` likewise.
        created_at: UTC.
        updated_at: UTC.
        raw: all that the service said; values that may be secrets are hidden.
    """

    id: str
    name: str
    service: str
    settings: Mapping[str, Any]
    datasources: tuple[str, ...] | None
    sinks: tuple[str, ...] | None
    created_at: datetime | None
    updated_at: datetime | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Connection:
        """Read the object of a connection; some services put it under ``connector``."""
        found = mapping(described.get("connector")) or described
        shown = _hidden(found)
        return cls(
            id=text(found.get("id")),
            name=text(found.get("name")),
            service=text(found.get("service")),
            settings=frozen(mapping(shown.get("settings"))),
            datasources=_told(found.get("linkers")),
            sinks=_told(found.get("sinks")),
            created_at=moment(found.get("created_at")),
            updated_at=moment(found.get("updated_at")),
            raw=frozen(shown),
        )


def _told(value: Any) -> tuple[str, ...] | None:
    """Return the names of a list; that there is none does not mean that nothing uses the connection."""
    return names(value) if isinstance(value, list) else None


def _hidden(value: Any, name: str = "") -> Any:
    """Return a copy of a reply in which values that may be secrets are hidden."""
    if isinstance(value, Mapping):
        return {key: _hidden(each, text(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_hidden(each, name) for each in value]
    return HIDDEN if value not in (None, "") and is_secret(name) else value


class Connections(Resource):
    """``workspace.connections``: list, make, change and delete connections. Changing them needs ``ADMIN``."""

    def list(self, *, service: str | None = None) -> builtins.list[Connection]:
        """Return the connections, or those of one service."""
        return [Connection.of(each) for each in mappings(self._get(_PATH, {"service": service}).get("connectors"))]

    def get(self, connection: str) -> Connection:
        """Return one by name or id.

        Raises:
            NotFound: there is none.
        """
        return Connection.of(self._get(path("/v0/connectors/", connection)))

    def create(
        self, name: str, service: str, settings: Mapping[str, str] | None = None, *, dry_run: bool = False
    ) -> Connection:
        """Make a connection.

        Args:
            name: letters, digits and underscores.
            service: ``s3``, ``s3_iamrole``, ``gcs_hmac``, ``kafka`` ...
            settings: what the service needs. S3: ``s3_access_key_id``, ``s3_secret_access_key``, ``s3_region``; Kafka:
                ``kafka_bootstrap_servers``, ``kafka_key``, ``kafka_secret`` ... They travel in the body of the request
                and are in no error.
            dry_run: only check them.

        Raises:
            InvalidInput: there is no name or service; nothing was sent.
            BadRequest: a setting is missing or cannot be used.
            Conflict: the name is taken.
        """
        if not name.strip() or not service.strip():
            raise InvalidInput("A connection needs a name and a service, for instance s3 or kafka.")
        document = {**_texts(settings), "name": name, "service": service}
        return self._without_secrets(
            settings,
            lambda: Connection.of(
                self._change(
                    "POST",
                    _PATH,
                    query={"dry_run": dry_run or None},
                    document=document,
                    effect="read" if dry_run else "write",
                    datafile=lambda: _datafile(name, service, settings or {}),
                )
            ),
        )

    def update(self, connection: str, settings: Mapping[str, str], *, service: str | None = None) -> Connection:
        """Give a connection other settings: **all** of them, since secrets cannot be read back.

        Args:
            connection: name or id.
            settings: as for `create`.
            service: another service.

        Raises:
            NotFound: there is none.
            BadRequest: a setting is missing or cannot be used.
        """
        if not settings:
            raise InvalidInput("Nothing is to be changed: give all settings of the connection.")
        document = {**_texts(settings), **({} if service is None else {"service": service})}
        return self._without_secrets(
            settings,
            lambda: Connection.of(
                self._change("PUT", path("/v0/connectors/", connection), document=document, effect="idempotent")
            ),
        )

    def delete(self, connection: str, *, force: bool = False) -> None:
        """Delete a connection.

        Args:
            connection: name or id.
            force: also when sinks use it; they fail from then on.

        Raises:
            NotFound: there is none.
            Conflict: sinks use it.
        """
        self._change("DELETE", path("/v0/connectors/", connection), query={"force": force or None}, effect="idempotent")

    def _without_secrets(self, settings: Mapping[str, str] | None, call: Callable[[], _Result]) -> _Result:
        """Run *call*; take the values of *settings* that may be secrets out of the texts of its error."""
        try:
            return call()
        except TinybirdError as error:
            for name, value in _texts(settings).items():
                if not is_secret(name):
                    continue
                redact = Secret(value).redact
                error.args = tuple(redact(each) if isinstance(each, str) else each for each in error.args)
                error.message = redact(error.message)
                error.errors = tuple(redact(each) for each in error.errors)
                answer = getattr(error, "answer", None)
                if answer is not None:
                    error.answer = replace(answer, body=redact(answer.body))
            raise error from None


def _texts(settings: Mapping[str, str] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in (settings or {}).items() if value is not None}


def _datafile(name: str, service: str, settings: Mapping[str, str]) -> Datafile | None:
    """Return the file for a connection; its secrets are named there, and belong into the Workspace's variables."""
    from tinymagic.datafiles import connection_text

    shown = {
        key: f'{{{{ tb_secret("{name}_{key}") }}}}' if is_secret(key) else value
        for key, value in _texts(settings).items()
    }
    return datafile_for("connection", name, connection_text(name, service, shown))
