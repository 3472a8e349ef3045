"""How text becomes a part of SQL (``templating.md`` section 3)."""

from __future__ import annotations

_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\0": "\\0", "\x1a": "\\z"}
_COMMON = {"\\": "\\\\", "'": "\\'", "`": "\\`", "%": "\\%", **_CONTROLS}

_STRING = str.maketrans({**_COMMON, '"': '\\"'})
_IDENTIFIER = str.maketrans({**_COMMON, '"': ""})
#: What stays escaped in a text that was written as SQL and read back as Python.
_READ_BACK = str.maketrans({"`": "\\`", "%": "\\%", "\x1a": "\\z"})

#: What `unescape` never undoes: it would end the string, or end the escape of the character after it.
_KEPT = ("\\", "'", '"')

#: Control characters, and others that end a line for some reader and would end a comment with it.
_COMMENT = str.maketrans(dict.fromkeys([*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029"], " "))


def escape_string(text: str) -> str:
    """Escape *text* for a place between single quotes."""
    return text.translate(_STRING)


def escape_identifier(text: str) -> str:
    """Escape *text* for a place between backticks, or for a bare name."""
    return text.translate(_IDENTIFIER)


def quote(text: str) -> str:
    r"""Write *text* as an SQL string.

    Example:
        >>> print(quote("it's 5%"))
        'it\'s 5\%'
    """
    return f"'{escape_string(text)}'"


def read_back(text: str) -> str:
    r"""Return what the service makes of a member of an array before it renders a template.

    It writes the array as SQL and reads that as Python, which keeps three escapes as they are; when the member is
    written again they are escaped once more. So ``5%`` in ``Array(x)`` becomes ``5\\\%``, and ours does, too.
    """
    return text.translate(_READ_BACK)


def quote_plain(text: str) -> str:
    """Write *text* as a member of a list that the template writes itself: backslashes and quotes are doubled."""
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def quote_identifier(name: str) -> str:
    """Write *name* between backticks, each part of a dotted name alone: ``json.a`` gives `` `json`.`a` ``."""
    return ".".join(f"`{part}`" for part in escape_identifier(name).split("."))


def unescape(escaped: str, what: str) -> str:
    """Undo the escape before *what* in a text of `escape_string`; quotes and backslashes stay escaped."""
    if not what or any(character in what for character in _KEPT):
        return escaped
    # A doubled backslash is no escape of what follows it, so the text is taken apart there.
    return "\\\\".join(part.replace("\\" + what, what) for part in escaped.split("\\\\"))


def comment_text(text: str) -> str:
    """Make *text* safe for a comment of one line."""
    return text.translate(_COMMENT)
