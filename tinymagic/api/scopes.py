"""Scopes: what a token may do, as a value and as the text ``SCOPE:TYPE[:resource[:filter]]`` (``tokens.md`` section 3).

Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.reading import Frozen, frozen, mapping, text
from tinymagic.names import near_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Scopes about one resource, which they must name.
RESOURCE_SCOPES = ("DATASOURCES:READ", "DATASOURCES:APPEND", "DATASOURCES:DROP", "PIPES:READ", "PIPES:DROP")

#: What a token can be given; ``ADMIN_USER`` comes with a person only.
SCOPES = (
    "ADMIN",
    "TOKENS",
    "DATASOURCES:CREATE",
    "PIPES:CREATE",
    *RESOURCE_SCOPES,
    "ORG_DATASOURCES:READ",
    "WORKSPACE:READ_ALL",
    "WORKSPACE:DEPLOY",
)

#: What a JWT can hold (``tokens.md`` section 5).
JWT_SCOPES = ("PIPES:READ", "DATASOURCES:READ", "DATASOURCES:APPEND")

_FILTERED = ("DATASOURCES:READ", "PIPES:READ")

#: What an object that is a scope may have.
_KEYS = ("type", "resource", "filter", "fixed_params")
_PLURALS = {"DATASOURCE": "DATASOURCES", "PIPE": "PIPES", "TOKEN": "TOKENS"}


@dataclass(frozen=True)
class Scope:
    """One thing that a token may do. ``str()`` gives the text that `parse` reads.

    Attributes:
        type: for instance ``ADMIN`` or ``PIPES:READ``.
        resource: name or id of the Data Source or Pipe; ``""`` when the scope is about the whole Workspace.
        filter: SQL condition that rows must meet, for ``DATASOURCES:READ`` (Forward refuses it in static tokens).
        fixed_params: values of parameters that callers of the endpoint cannot change; JWTs with ``PIPES:READ`` only.
    """

    type: str
    resource: str = ""
    filter: str = ""
    fixed_params: Mapping[str, Any] = field(default_factory=Frozen, hash=False)

    def __str__(self) -> str:
        return ":".join(part for part in (self.type, self.resource, self.filter) if part)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Scope:
        """Read a scope of a reply; nothing is checked.

        Example:
            >>> str(Scope.of({"type": "PIPES:READ", "resource": "top"}))
            'PIPES:READ:top'
        """
        return cls(
            text(reply.get("type")),
            text(reply.get("resource")),
            text(reply.get("filter")),
            frozen(mapping(reply.get("fixed_params"))),
        )

    @classmethod
    def parse(cls, written: str) -> Scope:
        """Read a scope as people write it, and check it.

        Args:
            written: ``SCOPE:TYPE[:resource[:filter]]``. The filter is all after the third colon.

        Raises:
            InvalidInput: there is no such scope, or its parts do not belong together; near names are in the sentence.

        Example:
            >>> Scope.parse("DATASOURCES:READ:events:country = 'ES'").filter
            "country = 'ES'"
        """
        family, *rest = written.strip().split(":")
        family = family.strip().upper()
        family = _PLURALS.get(family, family)
        if family in SCOPES:
            kind = family
        else:
            kind = f"{family}:{rest[0].strip().upper()}" if rest else family
            rest = rest[1:]
        scope = cls(kind, rest[0].strip() if rest else "", ":".join(rest[1:]).strip())
        scope.check()
        return scope

    def check(self, allowed: Iterable[str] = SCOPES) -> None:
        """See that the scope is one of *allowed*, and that its parts belong together.

        Raises:
            InvalidInput: it is not, or they do not.
        """
        known = list(allowed)
        if self.type not in known:
            near = near_names(self.type, known)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}."
            raise InvalidInput(f"{self.type[:80]!r} is no scope that can be given here. {hint}")
        if self.type in RESOURCE_SCOPES and not self.resource:
            kind = "Pipe" if self.type.startswith("PIPES") else "Data Source"
            raise InvalidInput(f"The scope {self.type} needs the name of a {kind}: {self.type}:name.")
        if self.type not in RESOURCE_SCOPES and (self.resource or self.filter):
            raise InvalidInput(f"The scope {self.type} is about the whole Workspace and takes no name after it.")
        if self.filter and self.type not in _FILTERED:
            raise InvalidInput(f"The scope {self.type} takes no filter; only {' and '.join(_FILTERED)} do.")
        if self.fixed_params and self.type != "PIPES:READ":
            raise InvalidInput(f"Fixed parameters belong to PIPES:READ, not to {self.type}.")
        if ":" in self.resource:
            # As a text the rest of it would be taken for a filter.
            raise InvalidInput(f"{self.resource[:80]!r} is no name of a Data Source or Pipe.")
        for name, value in self.fixed_params.items():
            is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
            if not isinstance(name, str) or not (isinstance(value, str) or is_number):
                raise InvalidInput(
                    f"The fixed parameter {str(name)[:80]!r} is a {type(value).__name__}; it must be a text, a number "
                    "or a boolean."
                )

    def document(self) -> dict[str, Any]:
        """Return the object that JWTs hold, without empty keys."""
        found: dict[str, Any] = {"type": self.type, "resource": self.resource, "filter": self.filter}
        found["fixed_params"] = dict(self.fixed_params)
        return {key: value for key, value in found.items() if value}


def read_scopes(scopes: Iterable[str | Scope | Mapping[str, Any]] | str) -> tuple[Scope, ...]:
    """Return checked scopes out of texts, objects with ``type`` and ``resource``, and scopes; one text is one scope.

    Raises:
        InvalidInput: one of them cannot be given to a token.
    """
    from collections.abc import Iterable, Mapping

    if isinstance(scopes, (str, Scope, Mapping)):
        return (_scope(scopes),)
    if not isinstance(scopes, Iterable):
        raise InvalidInput(f"Scopes are a list of texts such as PIPES:READ:name, not {type(scopes).__name__}.")
    return tuple(_scope(each) for each in scopes)


def read_jwt_scopes(scopes: Iterable[str | Scope | Mapping[str, Any]] | str) -> tuple[Scope, ...]:
    """Return the checked scopes of a JWT.

    Raises:
        InvalidInput: there is none, or one of them cannot be in a JWT.
    """
    found = read_scopes(scopes)
    if not found:
        raise InvalidInput("A JWT needs a scope, for instance PIPES:READ:name.")
    for scope in found:
        scope.check(JWT_SCOPES)
    return found


def _scope(given: object) -> Scope:
    from collections.abc import Mapping

    if isinstance(given, str):
        return Scope.parse(given)
    if not isinstance(given, (Scope, Mapping)):
        raise InvalidInput(f"A scope is a text such as PIPES:READ:name, not of the type {type(given).__name__}.")
    if isinstance(given, Mapping) and (unknown := [str(key) for key in given if key not in _KEYS]):
        # A filter with a misspelt name would be lost, and the token could read everything.
        raise InvalidInput(f"A scope has no {unknown[0][:80]!r}; it has {', '.join(_KEYS)}.")
    scope = given if isinstance(given, Scope) else Scope.of(given)
    scope.check()
    return scope
