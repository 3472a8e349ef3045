"""Connections as datafiles. A service never tells their secrets: a file names variables in their places."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.api.http.redaction import HIDDEN
from tinymagic.datafiles import connection_text, print_connection, read_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Service -> settings that it cannot do without and that are secret.
_SECRETS = {
    "s3": ("s3_access_key", "s3_secret"),
    "kafka": ("kafka_key", "kafka_secret"),
    "gcs": ("gcs_service_account_credentials_json",),
    "gcs_hmac": ("gcs_hmac_access_id", "gcs_hmac_secret"),
}


def connection_file(name: str, service: str, settings: Mapping[str, Any]) -> str:
    """Return the text of a connection's file; each secret is the variable ``<connection>_<setting>``.

    Args:
        name: of the connection.
        service: ``s3``, ``kafka``, ...
        settings: that the service tells.
    """
    shown = {key.lower(): str(value) for key, value in settings.items() if value not in (None, "")}
    for key in [*(key for key, value in shown.items() if value == HIDDEN), *_SECRETS.get(service.lower(), ())]:
        if shown.get(key, HIDDEN) == HIDDEN:
            shown[key] = f'{{{{ tb_secret("{name}_{key}") }}}}'
    return connection_text(name, service.lower(), shown)


def same_connection(told: str, text: str) -> bool:
    """Say whether a file says nothing else than the service: only what both say can be compared.

    Args:
        told: text of the file that `connection_file` made.
        text: of the file.
    """
    theirs, ours = read_connection(told), read_connection(text)
    plain = _plain(theirs.settings)
    return theirs.type.lower() == ours.type.lower() and all(
        plain.get(key, value) == value for key, value in _plain(ours.settings).items()
    )


def with_settings_of(told: str, text: str) -> str:
    """Return a file with what the service tells put into it: its names of secrets and what is not told stay."""
    theirs, ours = read_connection(told), read_connection(text)
    return print_connection(replace(ours, type=theirs.type, settings={**ours.settings, **_plain(theirs.settings)}))


def _plain(settings: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in settings.items() if "{{" not in value}
