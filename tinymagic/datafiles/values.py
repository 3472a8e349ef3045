"""What stands behind a keyword in the same line: quotes and comments."""

from __future__ import annotations

import re

#: Behind a closing quote: then the quotes belong to pieces of the value and not to the whole.
_GOES_ON_RE = re.compile(r"\s*[,)+=|]|\s+\w")

#: Names of settings of nodes: other spellings, and those of the API -> those that we write.
_SETTING_NAMES = {
    "mode": "copy_mode",
    "schedule_cron": "copy_schedule",
    "materialized_datasource": "datasource",
    "partition_key": "engine_partition_key",
    "sorting_key": "engine_sorting_key",
    "primary_key": "engine_primary_key",
    "sampling_key": "engine_sampling_key",
    "ttl": "engine_ttl",
}


def setting_name(name: str) -> str:
    """Return a setting's keyword in small letters, old spellings replaced.

    Example:
        >>> setting_name("COPY_SCHEDULE"), setting_name("mode"), setting_name("TTL")
        ('copy_schedule', 'copy_mode', 'engine_ttl')
    """
    name = name.lower()
    return _SETTING_NAMES.get(name, name)


def read_value(text: str) -> str | None:
    """Read the value in a line; ``None`` when it goes on in the lines below.

    Example:
        >>> read_value('"a, b"  # the key'), read_value("toDate(day)"), read_value(">")
        ('a, b', 'toDate(day)', None)
    """
    text = text.strip()
    return None if text.startswith(">") else unquoted(without_comment(text))


def unquoted(text: str) -> str:
    """Take the quotes off that stand around a whole text; quoted names in a list keep theirs.

    Example:
        >>> unquoted('"toDate(a)"'), unquoted('"a", "b"'), unquoted("'concat('a')'")
        ('toDate(a)', '"a", "b"', "concat('a')")
    """
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return text
    closing = text.index(text[0], 1)
    if closing < len(text) - 1 and _GOES_ON_RE.match(text[closing + 1 :]):
        return text
    return text[1:-1].strip()


def without_comment(text: str) -> str:
    """Cut off a comment: ``#`` after a blank, outside of quotes and braces.

    Example:
        >>> without_comment('"#1" # first'), without_comment("s3://bucket/a#b")
        ('"#1"', 's3://bucket/a#b')
    """
    quote, braces = "", 0
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'`":
            quote = char
        elif char in "{}":
            braces += 1 if char == "{" else -1
        elif char == "#" and not braces and (place == 0 or text[place - 1].isspace()):
            return text[:place].rstrip()
    return text
