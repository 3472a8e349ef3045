"""How a CSV file separates its cells and its lines, as somebody writes it into a field. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The parts that the API takes, each with values that are offered, as they are written.
PARTS: dict[str, tuple[str, ...]] = {
    "delimiter": (",", ";", "tab", "|", "space"),
    "new_line": ("\\n", "\\r\\n", "\\r"),
    "escapechar": ("\\",),
}

_WORDS = {"tab": "\t", "space": " ", "\\t": "\t", "\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n"}
_SHOWN = {"\t": "tab", " ": "space", "\n": "\\n", "\r": "\\r", "\r\n": "\\r\\n"}


def shown(value: str) -> str:
    r"""Return a separator as it is written: those that cannot be seen have words.

    Example:
        >>> shown("\t"), shown(";")
        ('tab', ';')
    """
    return _SHOWN.get(value, value)


def meant(text: str) -> str:
    r"""Return the separator that a text means; nothing is nothing.

    Example:
        >>> meant("tab") == "\t", meant(";"), meant(r"\r\n") == "\r\n"
        (True, ';', True)
    """
    return _WORDS.get(text.strip().lower(), text.strip() or text)


def dialect_problem(dialect: Mapping[str, str]) -> str:
    """Say what is wrong with a dialect; empty when nothing is.

    Example:
        >>> dialect_problem({"delimiter": ";;"})
        'The delimiter is one character, or the word tab or space.'
    """
    delimiter, escape = dialect.get("delimiter", ""), dialect.get("escapechar", "")
    if len(delimiter) > 1:
        return "The delimiter is one character, or the word tab or space."
    if delimiter in ("\n", "\r", '"'):
        return "The delimiter cannot be a quote or the end of a line."
    if len(escape) > 1:
        return "The escape sign is one character."
    if len(dialect.get("new_line", "")) > 2:
        return r"The end of a line is one or two characters, for instance \n or \r\n."
    return "The delimiter and the escape sign cannot be the same." if escape and escape == delimiter else ""


def usable(dialect: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of what a reply tells that the API takes: those that say something."""
    return {name: dialect[name] for name in PARTS if dialect.get(name)}
