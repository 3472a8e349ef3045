"""The text that is sent for a query, and the way back: where in the user's text is byte N of it? Pure.

A query that is to become a DataFrame gets a FORMAT, may get a LIMIT around it, and for Parquet a column with the exact
types. The user's text stands inside unchanged, on lines of its own, so a comment at its end hurts nothing::

    SELECT *, toTypeName(tuple(*)) AS __tinymagic_types FROM (
    <the user's text>
    ) LIMIT 101
    FORMAT Parquet
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tinymagic.sqltext import is_template, split_format, statement_kind, tokens

WireFormat: TypeAlias = Literal["JSONCompact", "Parquet"]

#: The column of a Parquet reply that carries the types of all the others.
TYPES_COLUMN = "__tinymagic_types"

#: Statements that can stand in FROM. DESCRIBE, SHOW and EXISTS cannot; the rest the service refuses, in its own words.
_WRAPPABLE = ("SELECT", "WITH", "FROM")


@dataclass(frozen=True)
class Statement:
    """A query as it is sent.

    Attributes:
        text: the whole text for ``q``.
        wire_format: the FORMAT at its end.
        given: what the user wrote.
        kept: the part of it that was sent: without FORMAT, semicolons and, in a template, the percent sign.
        kept_start: offset of *kept* in *given*.
        sent_start: offset of *kept* in *text*.
        wrapped: whether *kept* stands inside a SELECT of ours.
    """

    text: str
    wire_format: WireFormat
    given: str
    kept: str
    kept_start: int
    sent_start: int
    wrapped: bool

    def position_in_given(self, byte: int, message: str = "") -> int | None:
        """Return where in the user's text an error is, as an offset in characters, or ``None`` when that is not known.

        ClickHouse counts bytes, in the text it got. For a template that is the text after rendering: before the first
        tag both texts are the same, behind it the words that the error quotes are looked up.

        Args:
            byte: the place that the error gives; the first is 0.
            message: the error's text.
        """
        if is_template(self.given):
            return self._position_in_template(byte, message)
        # In the wrapper's own text: what is wrong began in the user's, for instance a bracket that is not closed.
        return self.kept_start + min(max(self._character(byte), 0), len(self.kept))

    def _position_in_template(self, byte: int, message: str) -> int | None:
        # The service drops the percent sign; what follows is rendered.
        rendered_start = self.text.index("%") + 1
        body = self.text[rendered_start:]
        literal = re.split(r"\{[{%#]", body, maxsplit=1)[0]
        if byte < len(literal.encode()):
            character = len(literal.encode()[:byte].decode("utf-8", "ignore"))
            inside = rendered_start + character - self.sent_start
            return self.kept_start + inside if 0 <= inside <= len(self.kept) else None
        quoted = _QUOTED_RE.search(message)
        words = quoted[1].strip() if quoted else ""
        # The quotation goes on to the end of the text, where the wrapper's own words are, or breaks off before it.
        tail = self.text[self.sent_start + len(self.kept) :].strip()
        ending = words[: words.index(tail)].rstrip() if tail in words else ""
        if ending and self.kept.rstrip().endswith(ending):
            return self.kept_start + len(self.kept.rstrip()) - len(ending)
        for length in range(len(words), 2, -1):
            if self.kept.count(words[:length]) == 1:
                return self.kept_start + self.kept.index(words[:length])
        return None

    def message_of_given(self, message: str) -> str:
        """Return the service's *message* in terms of the user's text: positions, lines, and nothing of the wrapper.

        Positions then count characters from 1. What speaks of the wrapper's own text is taken out.
        """
        raw = message
        head, tail = self.text[: self.sent_start], self.text[self.sent_start + len(self.kept) :]
        failed = _POSITION_RE.search(message)
        if failed and not is_template(self.given) and self._character(int(failed["byte"]) - 1) >= len(self.kept):
            # The text ended too early, so the engine stumbled over what we put behind it.
            rest = message[failed.end() :]
            kept_rest = rest[rest.find(". ") :] if ". " in rest else ""
            message = message[: failed.end("byte")] + " (end of query)" + kept_rest
            message = _UNMATCHED_RE.sub("Unmatched parentheses", message)
        elif failed and not is_template(self.given) and self._character(int(failed["byte"]) - 1) < 0:
            # It complains of our own parenthesis, because one of the user's took its end.
            message = message[: failed.start()] + message[message.find("Unmatched", failed.end()) :]
        for ours in (tail, tail.strip(), head):
            message = message.replace(ours, "") if len(ours) > _LEAST_WRAPPER else message
        return _POSITION_RE.sub(lambda found: self._place_of_given(found, raw), message)

    def _character(self, byte: int) -> int:
        """Return the offset in *kept* of a byte of the text sent; it may be outside."""
        return len(self.text.encode()[:byte].decode("utf-8", "ignore")) - self.sent_start

    def _place_of_given(self, found: re.Match[str], message: str) -> str:
        place = self.position_in_given(int(found["byte"]) - 1, message)
        if place is None:
            return found["what"] + (found["token"] or "")
        lines = self.given[:place].split("\n")
        where = f" (line {len(lines)}, col {len(lines[-1]) + 1})" if found["line"] else ""
        return f"{found['what']} at position {place + 1}{found['token'] or ''}{where}"


#: "failed at position 23 (z) (line 2, col 6)"; older engines leave the line out.
_POSITION_RE = re.compile(
    r"(?P<what>failed|'.') at position (?P<byte>\d+)(?P<token> \((?!line \d)[^\n]{1,200}?\)(?=[: ]))?"
    r"(?P<line> \(line \d+, col \d+\))?"
)
#: What the error quotes of the text, from the place on.
_QUOTED_RE = re.compile(
    r"failed at position \d+ \(.*?\)(?: \(line \d+, col \d+\))?: (.{3,}?)\.? (?:Expected|Unmatched|$)", re.DOTALL
)
_UNMATCHED_RE = re.compile(r"Unmatched parentheses:[^\n]*?is never closed")

#: Shorter pieces of the wrapper than this could be the user's own.
_LEAST_WRAPPER = 8


def find_name(sql: str, name: str, *, kind: str | None = None) -> int | None:
    """Return the offset of a word or quoted name in *sql*, outside strings and comments; ``None`` when it is not there.

    Args:
        sql: text or template.
        name: to look for. Of a dotted one the last part counts.
        kind: ``table`` prefers a place behind FROM, JOIN or IN; ``function`` one before a bracket.

    Example:
        >>> find_name("SELECT 'x', x FROM t", "x")
        12
        >>> find_name("SELECT t.x FROM t", "t", kind="table")
        16
    """
    last = name.rpartition(".")[2]
    words = [token for token in tokens(sql) if token.kind not in ("space", "comment")]
    places = [at for at, token in enumerate(words) if token.kind in ("word", "quoted") and _bare(token.text) == last]

    def fits(at: int) -> bool:
        if kind == "table":
            return at > 0 and words[at - 1].text.upper() in ("FROM", "JOIN", "IN", "TABLE", ".")
        if kind == "function":
            return at + 1 < len(words) and words[at + 1].text == "("
        return True

    if not places:
        return None
    return words[next((at for at in places if fits(at)), places[0])].start


def _bare(name: str) -> str:
    return name.strip('`"')


def compose(
    given: str, *, wire_format: WireFormat = "JSONCompact", limit: int | None = None, only_types: bool = False
) -> Statement:
    """Return the text to send for *given*.

    Args:
        given: SQL or a template as the user wrote it. A FORMAT clause at its end is dropped: a frame is a frame.
        wire_format: the FORMAT to ask for. A statement that cannot stand in FROM is asked for in JSONCompact.
        limit: at most so many rows are wanted; one more is asked for, which tells whether there were more.
        only_types: ask for no rows at all.

    Example:
        >>> print(compose("SELECT 1;", limit=10).text)
        SELECT * FROM (
        SELECT 1
        ) LIMIT 11
        FORMAT JSONCompact
    """
    template = is_template(given)
    kept_start = given.index("%") + 1 if template else 0
    kept = _without_format(given[kept_start:], template=template)
    lead = "%\n" if template else ""
    rows = 0 if only_types else None if limit is None else limit + 1
    # What a template will be is known only after rendering; nearly all are a SELECT.
    wrappable = statement_kind(kept) in _WRAPPABLE or (template and not statement_kind(kept))
    if not wrappable:
        # A statement that gives no frame, or cannot be wrapped, goes as it is: errors then speak of the user's text.
        text = f"{lead}{kept}\nFORMAT JSONCompact" if kept.strip() else given
        return Statement(text, "JSONCompact", given, kept, kept_start, len(lead), wrapped=False)
    if rows is None and wire_format == "JSONCompact":
        # Without the brackets, "SELECT 1 +" would take our FORMAT for a name and complain of that.
        head = f"{lead}(\n"
        text = f"{head}{kept}\n)\nFORMAT JSONCompact"
        return Statement(text, "JSONCompact", given, kept, kept_start, len(head), wrapped=False)
    types = f", toTypeName(tuple(*)) AS {TYPES_COLUMN}" if wire_format == "Parquet" else ""
    head = f"{lead}SELECT *{types} FROM (\n"
    tail = "\n)" + (f" LIMIT {rows}" if rows is not None else "") + f"\nFORMAT {wire_format}"
    return Statement(f"{head}{kept}{tail}", wire_format, given, kept, kept_start, len(head), wrapped=True)


def compose_file(given: str, *, output_format: str, limit: int | None = None) -> Statement:
    """Return the text to send for a result that is wanted as a file.

    Args:
        given: as for `compose`; its own FORMAT is dropped, because the file has one.
        output_format: ClickHouse's name of the file's format.
        limit: at most so many rows.

    Example:
        >>> print(compose_file("SELECT 1;", output_format="CSVWithNames", limit=10).text)
        SELECT * FROM (
        SELECT 1
        ) LIMIT 10
        FORMAT CSVWithNames
    """
    # Asked for one row less, since `compose` asks for one more; for no rows that is none at all.
    made = compose(given, limit=None if not limit else limit - 1, only_types=limit == 0)
    text = made.text.removesuffix("FORMAT JSONCompact") + f"FORMAT {output_format}"
    return replace(made, text=text if made.text != given else given)


def _without_format(text: str, *, template: bool) -> str:
    kept, output_format = split_format(text)
    if template and output_format is None:
        # In a template "# ..." is no comment but may be the end of a tag: only what is surely no text goes.
        return text.rstrip("; \t\r\n")
    return kept
