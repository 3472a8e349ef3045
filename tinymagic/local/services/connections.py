"""Connections to other services: kept under a name, their secrets sealed (``sinks.md``, ``/v0/connectors``).

What the embedded server knows to be harmless of a connection's settings is kept in clear and shown, everything else is
sealed by `SecretBox` and never shown. Settings may name Environment Variables, as they stand in a ``.connection`` file:
``{{ tb_secret("name") }}`` is filled in when the connection is used.

An S3 connection has ``s3_access_key_id``, ``s3_secret_access_key`` and ``s3_region``; for a service that is not AWS
also ``s3_endpoint``, for instance ``http://127.0.0.1:9000``. What an administrator names there is reached, wherever it
is. Without it, ``AWS_ENDPOINT_URL_S3`` of the server's environment holds, as for Amazon's own programs.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import NameTaken
from tinymagic.local.connectors.settings import CONNECTOR
from tinymagic.local.errors import BadRequest, Conflict, NotFound
from tinymagic.local.records import ConnectionRecord, new_id
from tinymagic.local.secret_box import SecretUnreadable
from tinymagic.local.sinks import SINKS_PAGE
from tinymagic.local.sinks.buckets import checked_endpoint
from tinymagic.local.template.secrets import filled_setting, secrets_used
from tinymagic.names import NAME_RE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.records import DataSourceRecord, PipeRecord, Workspace
    from tinymagic.local.secret_box import SecretBox

    from .variables import VariablesService

MOST_CONNECTIONS = 1_000
_MOST_NAME_CHARACTERS = 200
_MOST_BYTES = 64 * 1024

#: Services that clients name; others are kept too.
KAFKA = "kafka"
S3_SERVICES = ("s3", "s3_iamrole")

#: Where an S3-compatible service is, under the names that people give it.
ENDPOINT_KEYS = ("s3_endpoint", "s3_endpoint_url", "endpoint_url", "endpoint")

#: And where for connections that do not say.
ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_S3"

#: Settings that may be shown. All others may be secrets, so they are sealed.
_SHOWN = frozenset(
    """
    s3_region s3_arn s3_iamrole_arn s3_iamrole_region s3_iamrole_external_id region role_arn
    s3_endpoint s3_endpoint_url endpoint_url endpoint
    gcs_region gcs_hmac_region kafka_bootstrap_servers kafka_security_protocol kafka_sasl_mechanism
    kafka_auto_offset_reset kafka_schema_registry_auth_type description
    """.split()
)

#: What a connection of a service cannot do without, each under any of several names.
_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "s3": (
        ("s3_access_key_id", "s3_access_key", "access_key_id", "key"),
        ("s3_secret_access_key", "s3_secret", "secret_access_key", "secret"),
    ),
    "kafka": (("kafka_bootstrap_servers", "bootstrap_servers"),),
}

#: A role at AWS, with which a connection needs no key of its own.
_ROLES = ("s3_arn", "s3_iamrole_arn", "role_arn")


class ConnectionsService:
    """Rules about connections.

    Args:
        catalog: where they are.
        box: seals their secrets.
        variables: fill what they name.
    """

    def __init__(self, catalog: Catalog, box: SecretBox, variables: VariablesService) -> None:
        self._catalog = catalog
        self._box = box
        self._variables = variables
        self._lock = threading.Lock()

    def find(self, workspace: Workspace, id_or_name: str) -> ConnectionRecord:
        """Return a connection.

        Raises:
            NotFound: there is none.
        """
        found = self._catalog.connection(workspace.id, id_or_name)
        if found is None:
            raise NotFound(f"The connection {id_or_name[:100]!r} does not exist.", documentation=SINKS_PAGE)
        return found

    def all(self, workspace: Workspace, service: str = "") -> Sequence[ConnectionRecord]:
        """Return the connections, oldest first, or those of one service."""
        every = self._catalog.connections(workspace.id)
        return [each for each in every if not service or each.service == service]

    def values(self, workspace: Workspace, record: ConnectionRecord) -> dict[str, str]:
        """Return all settings in clear, Environment Variables filled in. Never show them.

        Raises:
            BadRequest: a variable is missing.
            SecretUnreadable: the server's key is not the one that it was sealed with.
        """
        return {key: self.filled(workspace, value) for key, value in self._opened(record).items()}

    def values_named(
        self, workspace: Workspace, texts: Iterable[str], record: ConnectionRecord | None = None
    ) -> tuple[str, ...]:
        """Return the values of the Environment Variables that *texts* and a connection name: nothing may show them."""
        every = [*texts, *(self._opened(record).values() if record is not None else ())]
        names = dict.fromkeys(name for text in every for name in secrets_used(text))
        return tuple(value for name in names if (value := self._variables.value(workspace, name)))

    def _opened(self, record: ConnectionRecord) -> dict[str, str]:
        """Return all settings as they were written."""
        settings = {key: str(value) for key, value in record.settings.items()}
        try:
            settings.update(json.loads(self._box.open(record.secrets)) if record.secrets else {})
        except SecretUnreadable as error:
            raise SecretUnreadable(f"Connection {record.name!r}: {error.message}") from None
        return settings

    def filled(self, workspace: Workspace, text: str) -> str:
        """Put the values of Environment Variables into a setting.

        Raises:
            BadRequest: one is missing and has no default.
        """
        try:
            return filled_setting(text, lambda name: self._variables.value(workspace, name))
        except KeyError as error:
            raise BadRequest(
                f"Cannot access secret '{error.args[0]}'. Check the secret exists in the Workspace and the token has "
                "the required scope.",
                documentation=SINKS_PAGE,
            ) from None

    # Changing

    def create(
        self, workspace: Workspace, name: str, service: str, settings: Mapping[str, Any], *, dry_run: bool = False
    ) -> ConnectionRecord:
        """Add a connection.

        Args:
            workspace: that gets it.
            name: of it.
            service: ``s3``, ``s3_iamrole``, ``gcs``, ``gcs_hmac``, ``gcs_service_account``, ``kafka`` or another.
            settings: what the service needs; values are texts.
            dry_run: whether it is only checked, as the command lines do before; the other service is not asked.

        Raises:
            BadRequest: the name cannot be used, a setting is missing or no text, or the endpoint is no URL.
            Conflict: the name is taken.
        """
        _check_name(name)
        service = _checked_service(service)
        record = self._sealed(ConnectionRecord(new_id(), workspace.id, name, service), settings)
        with self._lock:
            if len(self._catalog.connections(workspace.id)) >= MOST_CONNECTIONS:
                raise BadRequest(f"A Workspace has at most {MOST_CONNECTIONS} connections.", documentation=SINKS_PAGE)
            if dry_run:
                return record
            try:
                return self._catalog.create_connection(record)
            except NameTaken as error:
                raise Conflict(f"There is already a connection called {name!r}.", documentation=SINKS_PAGE) from error

    def update(
        self, workspace: Workspace, id_or_name: str, settings: Mapping[str, Any], *, service: str = ""
    ) -> ConnectionRecord:
        """Give a connection other settings, all of them.

        Raises:
            NotFound: there is none.
            BadRequest: as in `create`.
        """
        with self._lock:
            record = self.find(workspace, id_or_name)
            record = replace(record, service=_checked_service(service or record.service))
            return self._catalog.update_connection(self._sealed(record, settings))

    def put(self, workspace: Workspace, name: str, service: str, settings: Mapping[str, Any]) -> ConnectionRecord:
        """Create a connection, or give the one of this name other settings: what a deployment does.

        Raises:
            BadRequest: as in `create`.
        """
        if self._catalog.connection(workspace.id, name) is None:
            return self.create(workspace, name, service, settings)
        return self.update(workspace, name, settings, service=service)

    def delete(self, workspace: Workspace, id_or_name: str, *, force: bool = False) -> ConnectionRecord:
        """Delete a connection.

        Raises:
            NotFound: there is none.
            Conflict: sinks or Data Sources use it, and not *force*.
        """
        with self._lock:
            record = self.find(workspace, id_or_name)
            pipes = [pipe.name for pipe in self.sinks_of(workspace, record)]
            sources = [source.name for source in self.sources_of(workspace, record)]
            users = [
                f"the {kind} {', '.join(names)}"
                for kind, names in (("Sink Pipes", pipes), ("Data Sources", sources))
                if names
            ]
            if users and not force:
                raise Conflict(
                    f"The connection {record.name!r} cannot be deleted: {' and '.join(users)} use it.",
                    documentation=SINKS_PAGE,
                )
            self._catalog.delete_connection(record.id)
            return record

    # What the API says

    def sinks_of(self, workspace: Workspace, record: ConnectionRecord) -> list[PipeRecord]:
        """Return the Pipes whose sink uses a connection."""
        return [
            pipe
            for pipe in self._catalog.pipes(workspace.id)
            if any(node.type == "sink" and node.output.get("connection") == record.id for node in pipe.nodes)
        ]

    def sources_of(self, workspace: Workspace, record: ConnectionRecord) -> list[DataSourceRecord]:
        """Return the Data Sources that a connection belongs to."""
        return [each for each in self._catalog.datasources(workspace.id) if record.name in _connections_named(each)]

    def view(self, workspace: Workspace, record: ConnectionRecord) -> dict[str, Any]:
        """Return the API's object; it has no setting that may be a secret."""
        sources = [{"id": each.id, "name": each.name} for each in self.sources_of(workspace, record)]
        sinks = [{"id": pipe.id, "name": pipe.name} for pipe in self.sinks_of(workspace, record)]
        return {
            "id": record.id,
            "name": record.name,
            "service": record.service,
            "created_at": record.created_at,
            "updated_at": record.updated_at,
            "connected_datasources": len(sources),
            "settings": record.settings,
            "tags": {},
            "linkers": sources,
            "sinks": sinks,
        }

    def _sealed(self, record: ConnectionRecord, settings: Mapping[str, Any]) -> ConnectionRecord:
        texts = _checked_settings(record.service, settings)
        shown = {key: value for key, value in texts.items() if key in _SHOWN and "@" not in value}
        hidden = {key: value for key, value in texts.items() if key not in shown}
        return replace(record, settings=shown, secrets=self._box.seal(json.dumps(hidden)) if hidden else "")


def _connections_named(source: DataSourceRecord) -> tuple[str, ...]:
    settings = source.settings.get(CONNECTOR) or {}
    return tuple(settings[key] for key in ("import_connection_name", "kafka_connection_name") if key in settings)


def endpoint_of(values: Mapping[str, str]) -> str:
    """Return where an S3-compatible service is; empty means AWS.

    Raises:
        BadRequest: it is no URL.
    """
    found = value_of(values, ENDPOINT_KEYS) or os.environ.get(ENDPOINT_VARIABLE, "").strip()
    return checked_endpoint(found) if found else ""


def value_of(values: Mapping[str, str], keys: Sequence[str]) -> str:
    """Return the first of several settings that is there; empty when none is."""
    return next((values[key] for key in keys if values.get(key)), "")


def credentials_of(values: Mapping[str, str]) -> tuple[str, str]:
    """Return the access key and the secret key of an S3 connection; empty ones when it has none."""
    access, secret = _NEEDED["s3"]
    return value_of(values, access), value_of(values, secret)


def _checked_settings(service: str, settings: Mapping[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, value in settings.items():
        name = str(key).strip().lower()
        if value is None or value == "":
            continue
        if not isinstance(value, (str, int, float, bool)) or not NAME_RE.fullmatch(name):
            raise BadRequest(f"The setting {name[:60]!r} of a connection must be a text.", documentation=SINKS_PAGE)
        texts[name] = str(value)
    if sum(len(value.encode("utf-8", "replace")) for value in texts.values()) > _MOST_BYTES:
        raise BadRequest(f"The settings of a connection have at most {_MOST_BYTES} bytes.", documentation=SINKS_PAGE)
    missing = [names[0] for names in _NEEDED.get(service, ()) if not value_of(texts, names)]
    if missing and not value_of(texts, _ROLES):
        raise BadRequest(
            f"A connection of the service {service!r} needs {' and '.join(missing)}.", documentation=SINKS_PAGE
        )
    if service in S3_SERVICES and "{{" not in value_of(texts, ENDPOINT_KEYS):
        endpoint_of(texts)
    return texts


def _checked_service(service: str) -> str:
    found = service.strip().lower()
    if not NAME_RE.fullmatch(found) or len(found) > _MOST_NAME_CHARACTERS:
        raise BadRequest("The parameter 'service' is missing, for instance s3, gcs or kafka.", documentation=SINKS_PAGE)
    return found


def _check_name(name: str) -> None:
    if not NAME_RE.fullmatch(name.replace("-", "_")) or len(name) > _MOST_NAME_CHARACTERS:
        raise BadRequest(
            f"{name[:100]!r} is not a valid name of a connection: use letters, digits and underscores, "
            "not beginning with a digit.",
            documentation=SINKS_PAGE,
        )
