"""ClickHouse SQL as text: its tokens, its first keyword, its trailing FORMAT clause.

Pure: no I/O. This knows where a string, a comment or a quoted name begins and ends, and nothing of
grammar: what a statement *means* is asked of the engine's own parser. The client needs it to add a
FORMAT or a LIMIT around a text without being fooled by a comment or a semicolon inside a string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Alternatives in the order in which they must be tried. An unclosed string or comment reaches to the end of the text.
_TOKEN_RE = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|\#[!\x20][^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<string>'(?:[^'\\]|\\.|'')*(?:'|\Z)|(?P<heredoc>\$\w*\$).*?(?:(?P=heredoc)|\Z))
  | (?P<quoted>`(?:[^`\\]|\\.|``)*(?:`|\Z)|"(?:[^"\\]|\\.|"")*(?:"|\Z))
  | (?P<number>\d[\w.]*)
  | (?P<word>[^\W\d]\w*)
  | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A piece of SQL text.

    Attributes:
        kind: ``word``, ``number``, ``string``, ``quoted`` (a quoted name), ``comment``, ``space`` or ``symbol``.
        text: the piece itself; the pieces of a text joined give the text again.
        start: offset of its first character in the text.
        end: offset after its last character.
    """

    kind: str
    text: str
    start: int
    end: int


def _scan(sql: str) -> Iterator[Token]:
    for match in _TOKEN_RE.finditer(sql):
        yield Token(match.lastgroup or "symbol", match.group(), match.start(), match.end())


def tokens(sql: str) -> list[Token]:
    """Cut *sql* into tokens; nothing is lost and nothing is judged.

    Example:
        >>> [token.kind for token in tokens("SELECT 'a;b' -- note")]
        ['word', 'space', 'string', 'space', 'comment']
    """
    return list(_scan(sql))


def meaningful(sql: str) -> list[Token]:
    """Return the tokens of *sql* without blanks and comments.

    Example:
        >>> [token.text for token in meaningful("SELECT /* one */ 1")]
        ['SELECT', '1']
    """
    return [token for token in _scan(sql) if token.kind not in ("space", "comment")]


def is_template(sql: str) -> bool:
    """Say whether *sql* is a Tinybird template: its first character that is not blank is ``%``.

    Example:
        >>> is_template("% SELECT {{Int32(n, 1)}}"), is_template("SELECT 5 % 2")
        (True, False)
    """
    return sql.lstrip().startswith("%")


def statement_kind(sql: str) -> str:
    r"""Return the first keyword of *sql* in upper case, opening parentheses skipped; ``""`` when there is none.

    Example:
        >>> statement_kind("-- note\n(select 1)"), statement_kind("%\nDESCRIBE t"), statement_kind(" -- ")
        ('SELECT', 'DESCRIBE', '')
    """
    for token in _scan(sql):
        if token.kind == "word":
            return token.text.upper()
        if token.kind in ("space", "comment") or token.text in ("(", "%"):
            continue
        return ""
    return ""


def split_format(sql: str) -> tuple[str, str | None]:
    """Take semicolons and the FORMAT clause off the end of *sql*.

    Comments after the last word go too. The text before the clause is returned as it was written.

    Returns:
        The text without them, and the name in the clause or ``None``.

    Example:
        >>> split_format("SELECT 1 FORMAT JSON; -- done")
        ('SELECT 1', 'JSON')
        >>> split_format("SELECT ';' ;")
        ("SELECT ';'", None)
    """
    kept = meaningful(sql)
    while kept and kept[-1].text == ";":
        kept.pop()
    name = None
    # A column may be called "format": the clause is the keyword, a bare name and the end, after some expression.
    if len(kept) > 2 and kept[-1].kind == "word" and kept[-2].text.upper() == "FORMAT" and _ends_expression(kept[-3]):
        name = kept[-1].text
        kept = kept[:-2]
        while kept and kept[-1].text == ";":
            kept.pop()
    return (sql[: kept[-1].end] if kept else ""), name


#: Keywords after which an expression is still to come.
_OPEN_ENDED = frozenset("SELECT AS BY WHERE AND OR NOT FROM JOIN DISTINCT DESCRIBE DESC TABLE".split())


def _ends_expression(token: Token) -> bool:
    """Say whether an expression can end with *token*, so that a FORMAT behind it is a clause and not a name."""
    if token.kind == "symbol":
        return token.text in (")", "]", "}", "*")
    return token.text.upper() not in _OPEN_ENDED
