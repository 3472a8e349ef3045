"""The typed parameters of an endpoint as fields of a form, and what is typed into them as values. Pure.

What a template says about its parameters is in ``templating.md`` section 9: one entry for each use of a name.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tinymagic.api.parameters import RESERVED_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tinymagic.api.pipe_results import Node, PipeParameter

#: What the API itself puts in.
_OF_THE_API = RESERVED_NAMES | {"job_timestamp"}

_NAME_RE = re.compile(r"[A-Za-z_]\w{0,199}", re.ASCII)
_WHOLE_RE = re.compile(r"(U?)Int(8|16|32|64|128|256)")
_ARRAY_RE = re.compile(r"Array\((\w+)\)")


class Unreadable(ValueError):  # noqa: N818 - says what the text is
    """A text that is no value of the field's type. The message is a sentence."""


@dataclass(frozen=True)
class Field:
    """One field of the form.

    Attributes:
        name: of the parameter: letters, digits, underscores.
        type: of the template language, for instance ``Int32`` or ``Array(String)``; ``String`` where none is named.
        kind: which input suits: ``number``, ``boolean``, ``date``, ``time``, ``array``, ``json`` or ``text``.
        default: what the template takes by itself, as text; ``None`` when it has none.
        required: whether a call fails without it.
        description: by the author.
        choices: the values that the author lists, as texts.
        example: by the author, as text; empty when there is none.
    """

    name: str
    type: str
    kind: str
    default: str | None
    required: bool
    description: str
    choices: tuple[str, ...]
    example: str

    @property
    def hint(self) -> str:
        """What to type, for an empty input."""
        if self.default not in (None, ""):
            return str(self.default)
        return self.example or _HINTS.get(self.kind, "")

    def about(self) -> str:
        """Say in words what the author says: type, whether it is needed, the default, the description."""
        parts = [self.type, "required" if self.required else "optional"]
        if self.default is not None:
            parts.append(f"default {self.default or 'an empty text'}")
        words = ", ".join(parts)
        return f"{words}. {self.description}" if self.description else words


_HINTS = {"number": "0", "time": "2026-01-31 12:00:00", "array": "a,b,c", "json": "{}", "date": "2026-01-31"}


def fields_of(nodes: Iterable[Node]) -> list[Field]:
    """Return the fields for the templates of an endpoint and the nodes that it reads, in the order of their appearance.

    A name may be used many times: what a typed use says counts more than a bare one, and an earlier one more than the
    later ones.
    """
    uses: dict[str, list[PipeParameter]] = {}
    for node in nodes:
        for each in node.params:
            if _NAME_RE.fullmatch(each.name) and each.name not in _OF_THE_API and not each.name.startswith("__tb__"):
                uses.setdefault(each.name, []).append(each)
    return [_field(name, several) for name, several in uses.items()]


def read_all(fields: Iterable[Field], given: Mapping[str, object]) -> dict[str, Any]:
    """Return the values to call with; what was left empty is left out, so that the template's default is used.

    Args:
        fields: of the form.
        given: name -> what the input holds: a text, a bool, a date, or a sequence of texts.

    Raises:
        Unreadable: one or several cannot be read, or are needed and empty; a line for each.
    """
    values: dict[str, Any] = {}
    problems = []
    for field in fields:
        try:
            value = read(field, given.get(field.name))
        except Unreadable as problem:
            problems.append(str(problem))
            continue
        if value is not None:
            values[field.name] = value
    if problems:
        raise Unreadable("\n".join(problems))
    return values


def read(field: Field, given: object) -> Any:
    """Return the value that was typed: ``int``, ``float``, ``bool``, a list of such, or a text; ``None`` for nothing.

    Dates and times are texts as the template language writes them.

    Raises:
        Unreadable: it is no value of the field's type, or is needed and empty.
    """
    if isinstance(given, bool):
        return given
    if isinstance(given, date):
        return given.isoformat()
    if isinstance(given, (list, tuple)):
        given = ",".join(str(each) for each in given)
    text = "" if given is None else str(given)
    # In a text blanks may mean something.
    text = text if field.kind == "text" and text.strip() else text.strip()
    if not text:
        if field.required and field.default is None:
            raise Unreadable(f"{field.name} is needed: give a value of the type {field.type}.")
        return None
    found = _ARRAY_RE.fullmatch(field.type)
    if field.kind == "array":
        element = found[1] if found else "String"
        return [_scalar(field, element, part.strip()) for part in text.split(",")]
    return _scalar(field, field.type, text)


def _field(name: str, several: list[PipeParameter]) -> Field:
    # A bare use, or one in a helper, has neither a type nor a default of its own to tell.
    typed = [each for each in several if "used_in" not in each.raw and (each.type, each.default) != ("String", None)]
    type_name = (typed or several)[0].type or "String"

    def said(key: str) -> Any:
        return next((each.raw[key] for each in several if each.raw.get(key) not in (None, "")), None)

    default = next((each.default for each in several if each.default is not None), None)
    required = next((each.required for each in several if each.required is not None), None)
    choices, example = said("enum"), said("example")
    return Field(
        name=name,
        type=type_name,
        kind=_kind(type_name),
        default=None if default is None else _text(default),
        # Where the service does not say, leaving it out is allowed: the endpoint answers with a sentence if it is not.
        required=bool(required),
        description=str(said("description") or ""),
        choices=tuple(_text(each) for each in choices) if isinstance(choices, (list, tuple)) else (),
        example="" if example is None else _text(example),
    )


def _kind(type_name: str) -> str:
    if type_name.startswith("Array"):
        return "array"
    if _WHOLE_RE.fullmatch(type_name) or type_name in ("Float32", "Float64", "Int", "Integer"):
        return "number"
    known = {"Boolean": "boolean", "Date": "date", "DateTime": "time", "DateTime64": "time", "JSON": "json"}
    return known.get(type_name, "text")


def _scalar(field: Field, type_name: str, text: str) -> Any:
    if field.choices and text not in field.choices and field.kind != "array":
        raise Unreadable(f"{field.name} is one of {', '.join(field.choices)}; not {text!r}.")
    kind = _kind(type_name)
    try:
        if kind == "number":
            return _number(type_name, text)
        if kind == "boolean":
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if kind == "date":
            return date.fromisoformat(text).isoformat()
        if kind == "time":
            datetime.fromisoformat(text)
            return text.replace("T", " ")
        if kind == "json":
            json.loads(text)
    except (ValueError, KeyError, RecursionError, OverflowError):
        example = {"boolean": "true or false"}.get(kind) or f"for instance {_HINTS.get(kind, '')}"
        what = f"a {type_name}" if not type_name.startswith("I") else f"an {type_name}"
        raise Unreadable(f"{field.name} is {what}, {example}; {text!r} is none.") from None
    return text


def _number(type_name: str, text: str) -> int | float:
    whole = _WHOLE_RE.fullmatch(type_name)
    if whole is None and type_name not in ("Int", "Integer"):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    value = int(text)
    if whole:
        bits = int(whole[2])
        least, most = (0, 2**bits - 1) if whole[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if not least <= value <= most:
            raise ValueError(text)
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_text(each) for each in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
