"""The parameters of an endpoint, one for each name, out of the metadata of its templates (``templating.md`` section 9).

A template may use a name many times. What a type function says counts more than a bare use, and what the first of
several says counts more than what the others say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinymagic.local.template import TemplateError, parameter_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What the API itself reads, so that it is no parameter of a template even where one uses it.
_OF_THE_API = frozenset(["token", "job_timestamp"])

#: A template that asks whether it was given a parameter. The metadata does not tell it of those with a type.
_DEFINED_RE = re.compile(r"\bdefined\(\s*(\w+)\s*\)")


@dataclass(frozen=True)
class Parameter:
    """One parameter of an endpoint.

    Attributes:
        name: in the URL.
        type: of the template language, for instance ``Array(Int32)``.
        default: what the template takes when the parameter is not given; ``None`` when it has none.
        description: as the author wrote it; empty when he wrote none.
        required: whether a call without it fails, as far as the template tells.
        enum: the values that the author lists.
        format: a word of the author's about the form, for instance ``email``.
        example: a value that the author gives.
    """

    name: str
    type: str = "String"
    default: Any = None
    description: str = ""
    required: bool = False
    enum: tuple[Any, ...] = ()
    format: str = ""
    example: Any = None

    @property
    def sample(self) -> str | None:
        """A value for an example call, as text: the author's example, else the default; ``None`` when there is none."""
        value = self.example if self.example is not None else self.default
        return None if value is None else as_text(value)


def endpoint_parameters(texts: Iterable[str]) -> list[Parameter]:
    """Return the parameters of templates, sorted as they appear; templates that cannot be read have none.

    Args:
        texts: SQL of the nodes, as authors wrote it.

    Example:
        >>> [each.name for each in endpoint_parameters(["% SELECT {{Int32(a, 1)}}, {{String(b)}}"])]
        ['a', 'b']
    """
    uses: dict[str, list[dict[str, Any]]] = {}
    asked_about: set[str] = set()
    for text in texts:
        try:
            entries = parameter_metadata(text)
        except TemplateError:
            continue
        if entries:
            asked_about.update(_DEFINED_RE.findall(text))
        for entry in entries:
            if isinstance(entry["name"], str) and entry["name"] not in _OF_THE_API:
                uses.setdefault(entry["name"], []).append(entry)
    return [_merged(name, entries, name in asked_about) for name, entries in uses.items()]


def as_text(value: Any) -> str:
    """Write a default or an example as it stands in a URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(as_text(each) for each in value)
    return str(value)


def _merged(name: str, entries: list[dict[str, Any]], is_asked_about: bool) -> Parameter:
    # A bare use or a helper's has neither type nor default of its own to tell.
    typed = [each for each in entries if "used_in" not in each and (each["type"], each["default"]) != ("String", None)]
    first = (typed or entries)[0]

    def said(key: str) -> Any:
        return next((each[key] for each in entries if each.get(key) not in (None, "")), None)

    default, required = said("default"), said("required")
    if not isinstance(required, bool):
        # What asks whether it is there can probably do without.
        required = default is None and not is_asked_about and not any("used_in" in each for each in entries)
    enum = said("enum")
    return Parameter(
        name=name,
        type=str(first["type"]),
        default=default,
        description=str(said("description") or ""),
        required=required,
        enum=tuple(enum) if isinstance(enum, (list, tuple)) else (),
        format=str(said("format") or ""),
        example=said("example"),
    )
