"""What the statements of a ``.connection`` file mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .common import error_at
from .datasource_files import put
from .model import ConnectionFile, DatafileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .statements import Statement

_TYPES = ("kafka", "s3", "s3_iamrole", "gcs", "gcs_hmac", "gcs_service_account", "dynamodb", "bigquery", "snowflake")
_NOT_SETTINGS = ("type", "description", "version", "tags")


def read_connection(
    name: str, file: str, statements: Sequence[Statement], errors: list[DatafileError]
) -> ConnectionFile:
    """Return the connection of a file; add what is wrong in it to *errors*.

    Which settings a type needs is the service's to say.
    """
    settings: dict[str, str] = {}
    type_ = description = ""
    for statement in statements:
        key = statement.keyword.lower()
        if key == "type":
            type_ = statement.setting.lower()
            if type_ not in _TYPES:
                message = f"Invalid connection type: {type_[:60]}. Valid types are: {', '.join(_TYPES)}"
                errors.append(error_at(statement, message))
        elif key == "description":
            description = statement.value
        elif key not in _NOT_SETTINGS:
            put(settings, key, statement.value if statement.is_block else statement.setting)
    if not type_ and not errors:
        errors.append(DatafileError("TYPE is mandatory. Write for instance TYPE kafka.", file=file))
    lines = {statement.keyword.lower(): statement.line for statement in statements}
    return ConnectionFile(name, type_, settings, description, file, lines)
