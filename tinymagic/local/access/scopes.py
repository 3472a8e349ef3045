"""Scopes: their names, what includes what, and the text ``SCOPE:TYPE[:resource[:filter]]`` (``tokens.md`` section 3).

Pure. In a token a scope is an object ``{"type", "resource"?, "filter"?}``; the text is how it is typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Scopes that grant everything in the workspace.
ADMIN_SCOPES = ("ADMIN", "ADMIN_USER")

#: Scopes about one resource, which they must name.
RESOURCE_SCOPES = (
    "DATASOURCES:READ",
    "DATASOURCES:APPEND",
    "DATASOURCES:DROP",
    "PIPES:READ",
    "PIPES:DROP",
)

SCOPE_TYPES = (
    *ADMIN_SCOPES,
    "TOKENS",
    "DATASOURCES:CREATE",
    "PIPES:CREATE",
    *RESOURCE_SCOPES,
    "ORG_DATASOURCES:READ",
    "WORKSPACE:READ_ALL",
    "WORKSPACE:DEPLOY",
)

#: What a token may be given; ADMIN_USER comes with a person.
GIVEN_SCOPES = tuple(each for each in SCOPE_TYPES if each != "ADMIN_USER")

#: What a JWT may hold (``tokens.md`` section 5).
JWT_SCOPES = ("PIPES:READ", "DATASOURCES:READ", "DATASOURCES:APPEND")

#: Scopes that take a filter of rows.
FILTERED_SCOPES = ("DATASOURCES:READ", "PIPES:READ")

#: Scopes that another scope includes, beside ADMIN.
INCLUDED_IN = {
    "DATASOURCES:APPEND": ("DATASOURCES:CREATE",),
    "DATASOURCES:READ": ("WORKSPACE:READ_ALL",),
    "PIPES:READ": ("WORKSPACE:READ_ALL",),
}

#: The vendor's pages also write these families in the singular.
_PLURALS = {"DATASOURCE": "DATASOURCES", "PIPE": "PIPES", "TOKEN": "TOKENS"}


class ScopeError(ValueError):
    """A scope that cannot be; the message is a sentence."""


def parse_scope(text: str) -> dict[str, Any]:
    """Read a scope as it is typed.

    Args:
        text: ``SCOPE:TYPE[:resource[:filter]]``; the filter is everything after the third colon.

    Raises:
        ScopeError: there is no such scope, or it lacks its resource or has one too many.

    Example:
        >>> parse_scope("DATASOURCES:READ:events:country = 'ES'")
        {'type': 'DATASOURCES:READ', 'resource': 'events', 'filter': "country = 'ES'"}
    """
    family, *rest = text.strip().split(":")
    family = _PLURALS.get(family.strip().upper(), family.strip().upper())
    if family in GIVEN_SCOPES:
        kind = family
    else:
        kind = f"{family}:{rest[0].strip().upper()}" if rest else family
        rest = rest[1:]
    scope = {"type": kind, "resource": rest[0].strip() if rest else "", "filter": ":".join(rest[1:]).strip()}
    return check_scope(scope)


def check_scope(scope: Mapping[str, Any], allowed: tuple[str, ...] = GIVEN_SCOPES) -> dict[str, Any]:
    """Return the scope object without empty keys, with the keys that the API knows.

    Raises:
        ScopeError: a value has the wrong type, the scope is none of *allowed*, or its parts do not belong together.
    """
    for key in ("type", "resource", "filter"):
        # None means absent. Anything else that is false must not turn a filtered token into one without a filter.
        if not isinstance(scope.get(key, ""), (str, type(None))):
            raise ScopeError(f"The {key} of a scope must be a text.")
    family, colon, action = (scope.get("type") or "").partition(":")
    kind, resource, condition = (
        f"{_PLURALS.get(family, family)}{colon}{action}",
        scope.get("resource") or "",
        scope.get("filter") or "",
    )
    if kind not in allowed:
        raise ScopeError(f"{kind[:80]!r} is not a scope that can be given; there are {', '.join(allowed)}.")
    if kind in RESOURCE_SCOPES and not resource:
        raise ScopeError(f"The scope {kind} needs a resource: {kind}:name.")
    if kind not in RESOURCE_SCOPES and (resource or condition):
        raise ScopeError(f"The scope {kind} is about the whole workspace and takes no resource.")
    if condition and kind not in FILTERED_SCOPES:
        raise ScopeError(f"The scope {kind} takes no filter; only {' and '.join(FILTERED_SCOPES)} do.")
    checked = {"type": kind, "resource": resource, "filter": condition, "fixed_params": _fixed_params(scope, kind)}
    return {key: value for key, value in checked.items() if value}


def print_scope(scope: Mapping[str, Any]) -> str:
    """Write a scope object as `parse_scope` reads it."""
    return ":".join(scope[key] for key in ("type", "resource", "filter") if scope.get(key))


def _fixed_params(scope: Mapping[str, Any], kind: str) -> dict[str, Any]:
    values = scope.get("fixed_params")
    if values is None or values == {}:
        return {}
    if not isinstance(values, dict) or not all(isinstance(each, (str, int, float, bool)) for each in values.values()):
        raise ScopeError("fixed_params must be an object of texts, numbers and booleans.")
    if kind != "PIPES:READ":
        raise ScopeError(f"fixed_params belong to PIPES:READ, not to {kind}.")
    return values
