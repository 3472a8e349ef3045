"""Which secrets a text uses, found in its syntax tree: also in branches that one rendering does not take."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from .errors import TemplateError
from .metadata import expressions
from .parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable

_FUNCTIONS = ("tb_secret", "tb_var")

#: ``{{ tb_secret("NAME", "default") }}`` in the settings of a datafile, which are no templates otherwise.
_SETTING_RE = re.compile(
    r"""\{\{\s*tb_(?:secret|var)\s*\(\s*(["'])(?P<name>[A-Za-z_]\w*)\1\s*"""
    r"""(?:,\s*(?:default\s*=\s*)?(["'])(?P<default>[^"'{}]*)\3\s*)?\)\s*\}\}"""
)


def secrets_used(text: str) -> tuple[str, ...]:
    """Return the names of the secrets that *text* asks for by a literal name, in their order.

    *text* is a template when it begins with ``%``, else the setting of a datafile.

    Example:
        >>> secrets_used("% SELECT {{tb_secret('k', 'none')}}")
        ('k',)
    """
    return _used(text) if "tb_" in text else ()


def filled_setting(text: str, value: Callable[[str], str | None]) -> str:
    """Put the values of secrets into a setting of a datafile.

    Args:
        text: the setting.
        value: gives the value of a secret, ``None`` when there is no such secret.

    Raises:
        KeyError: there is no such secret and no default; its argument is the name.
    """

    def replaced(match: re.Match[str]) -> str:
        found = value(match["name"])
        if found is None:
            found = match["default"]
        if found is None:
            raise KeyError(match["name"])
        return found

    return _SETTING_RE.sub(replaced, text)


@lru_cache(maxsize=256)
def _used(text: str) -> tuple[str, ...]:
    if not text.lstrip().startswith("%"):
        return tuple(dict.fromkeys(match["name"] for match in _SETTING_RE.finditer(text)))
    try:
        document = parse(text.replace("%", "", 1), None)
    except TemplateError:
        return ()
    calls = (
        node
        for expression in expressions(document)
        for node in ast.walk(expression)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
    )
    names = (call.args[0] for call in calls if call.args)
    return tuple(dict.fromkeys(str(each.value) for each in names if isinstance(each, ast.Constant)))
