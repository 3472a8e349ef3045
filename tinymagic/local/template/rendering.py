"""From the text of a template and a request's parameters to SQL: the order of steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import metadata
from .arrays import parsed_array
from .budget import Budget
from .errors import TemplateError
from .functions import Functions
from .interpreter import Interpreter
from .parser import parse
from .values import Placeholder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .nodes import Document

#: Names that the API keeps for itself: never a variable of a template.
_NOT_VARIABLES = ("q", "format")
#: Names that the API has a meaning for; a template may use them and is warned.
RESERVED_NAMES = frozenset(
    [
        "__tb__csv_header",
        "__tb__semver",
        "debug_source_tables",
        "debug",
        "explain",
        "finalize_aggregations",
        "output_format_json_quote_64bit_integers",
        "output_format_json_quote_denormals",
        "output_format_parquet_string_as_string",
        "pipeline",
        "playground",
        "query_id",
        "release_replacements",
        "tag",
        "template_parameters",
        "token",
        "job_timestamp",
    ]
)
_JOB_TIMESTAMP = "job_timestamp"
#: How many parsed templates are kept, and how long (in characters) one of them may be.
_PARSED_KEPT = 256
_LONGEST_KEPT = 20_000
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Rendered:
    """What a template gives.

    Attributes:
        sql: the SQL, without the ``%``.
        settings: what ``max_threads`` (int), ``cache_ttl``, ``backend_hint``, ``disable`` (text) and ``activate``
            (frozenset of text) asked for. Read them here, not from the comments in the SQL.
        secrets: names of the secrets that the SQL uses as query parameters ``{name: String}``.
        warnings: reserved names that the template uses as variables.
        literals: begin and end, in the SQL, of quoted texts that stand for a value: another value changes nothing else.
    """

    sql: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    literals: tuple[tuple[int, int], ...] = ()


def is_template(text: str) -> bool:
    """Say whether *text* is a template: its first character that is not blank is ``%``."""
    return text.lstrip().startswith("%")


def render(
    text: str,
    parameters: Mapping[str, Any],
    *,
    secrets: Callable[[str], bool] | None = None,
    now: datetime | None = None,
    name: str | None = None,
) -> Rendered:
    """Render *text* with the values of a request.

    Args:
        text: SQL; returned unchanged when it is no template.
        parameters: values by name: text as in URLs, or what a JSON body holds. ``None`` is the same as not given.
        secrets: says whether a secret exists; none does when it is ``None``.
        now: the value of ``job_timestamp`` when the request gives none; the current time in UTC by default.
        name: what errors call the template, for instance the name of its node.

    Raises:
        TemplateError: with the service's text. See its subclasses for ``error()`` and ``custom_error()``.

    Example:
        >>> render("% SELECT {{Int32(n, 3)}}", {}).sql
        " SELECT toInt32('3')"
    """
    if not is_template(text):
        return Rendered(text, _NOTHING)
    document = _parsed(_body(text), name)
    values = {key: _own(value) for key, value in parameters.items()}
    return _run(document, values, secrets or _no_secret, now, checking=False)


def check(text: str, *, now: datetime | None = None, name: str | None = None) -> Rendered:
    """Render *text* as when a pipe is saved: every parameter is a placeholder, ``error()`` is mute.

    Raises:
        TemplateError: the template is wrong whatever its parameters are.
    """
    if not is_template(text):
        return Rendered(text, _NOTHING)
    document = _parsed(_body(text), name)
    for entry in metadata.parameters(document):
        if not isinstance(entry["name"], str):
            raise TemplateError(f'"{entry["name"]}" can not be used as a variable name')
    names = metadata.values_used(document) - {_JOB_TIMESTAMP}
    placeholders = {used: Placeholder() for used in names}
    return _run(document, placeholders, _no_secret, now, checking=True)


def parameter_metadata(text: str) -> list[dict[str, Any]]:
    """Describe the parameters of *text*, one entry per use (``templating.md`` section 9).

    A text without ``%`` has none.

    Example:
        >>> parameter_metadata("% SELECT {{Int32(n, 3)}}")
        [{'name': 'n', 'type': 'Int32', 'default': 3}]
    """
    return metadata.parameters(_parsed(_body(text), None)) if is_template(text) else []


def _body(text: str) -> str:
    """Drop the ``%``; blanks before it stay, so that lines keep their numbers."""
    before, _, after = text.partition("%")
    return before + after


def _parsed(body: str, name: str | None) -> Document:
    # Trees are far larger than their text.
    return _remembered(body, name) if len(body) <= _LONGEST_KEPT else parse(body, name)


@lru_cache(maxsize=_PARSED_KEPT)
def _remembered(body: str, name: str | None) -> Document:
    return parse(body, name)


def _run(
    document: Document,
    values: dict[str, Any],
    has_secret: Callable[[str], bool],
    now: datetime | None,
    *,
    checking: bool,
) -> Rendered:
    warnings = _check_names(document)
    if _JOB_TIMESTAMP in metadata.names_beyond_output(document):
        values.setdefault(_JOB_TIMESTAMP, f"{now or datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S}")
    _parse_arrays(document, values)
    budget = Budget()
    functions = Functions(budget, has_secret, checking=checking)
    required = metadata.required_names(document)
    interpreter = Interpreter(document, values, functions.table(), budget, required=required, checking=checking)
    sql = interpreter.run()
    notes = functions.notes
    literals = tuple(interpreter.literals)
    return Rendered(sql, MappingProxyType(notes.settings), tuple(notes.secrets), warnings, literals)


def _check_names(document: Document) -> tuple[str, ...]:
    """Refuse names that cannot be variables; return those that are reserved."""
    reserved: dict[str, None] = {}
    for used, line in metadata.names_used(document):
        if used in _NOT_VARIABLES:
            raise TemplateError(f'"{used}" can not be used as a variable name, line {line}')
        if used in RESERVED_NAMES:
            reserved[used] = None
    return tuple(reserved)


def _parse_arrays(document: Document, values: dict[str, Any]) -> None:
    """Replace values that ``Array(...)`` uses by lists of the members' type, where they can be."""
    for name, element in metadata.array_types(document).items():
        if isinstance(values.get(name), (str, list)):
            values[name] = parsed_array(values[name], element)


def _own(value: Any, depth: int = 0) -> Any:
    """Copy a value, so that templates may change lists; what is no data becomes text."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if depth < 50 and isinstance(value, (list, tuple)):
        return [_own(each, depth + 1) for each in value]
    if depth < 50 and isinstance(value, dict):
        return {str(key): _own(each, depth + 1) for key, each in value.items()}
    return str(value)


def _no_secret(_: str) -> bool:
    return False
