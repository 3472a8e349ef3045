"""What the API says about a token (``tokens.md`` section 2). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.access.scopes import print_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.records import TokenRecord


def describe(record: TokenRecord, names: Mapping[str, str], *, secret: bool) -> dict[str, Any]:
    """Return the object of a token.

    Args:
        record: the token.
        names: present name of each resource by its id; scopes about others are left out.
        secret: whether the string of the token is shown; clients pass over tokens without one.
    """
    shown: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "description": record.description,
        "token": record.token,
        "scopes": [_shown_scope(scope, names) for scope in record.scopes if is_alive(scope, names)],
        "origin": record.origin,
        "host": "local",
        "is_internal": False,
        "kind": record.kind,
    }
    if not secret:
        del shown["token"]
    return shown


def datafile(shown: Mapping[str, Any]) -> str:
    """Return the object of a token, without its string, as the text of a file."""
    lines = [f"NAME {shown['name']}"]
    if shown["description"]:
        lines += ["DESCRIPTION >", *(f"    {line}" for line in shown["description"].splitlines())]
    lines += [f"SCOPE {print_scope(scope)}" for scope in shown["scopes"]]
    return "\n".join(lines) + "\n"


def is_alive(scope: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    """Say whether the resource of a stored scope, if it has one, is still there."""
    return "resource" not in scope or scope["resource"] in names


def _shown_scope(scope: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    shown = {key: value for key, value in scope.items() if key != "sql"}
    if "resource" in scope:
        shown["resource"] = names[scope["resource"]]
    return shown
