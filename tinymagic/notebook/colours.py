"""Colours of SQL at the prompt of terminal IPython: cells of ``%%tbsql``, and what stands behind ``%tbsql``.

IPython makes a new lexer for each prompt and keeps its table of cell magics in different places from version to
version, but all from 7 to 9 ask the shell's ``_extra_prompt_options`` for it. What comes from there is wrapped; a shell
without it has no prompt to colour. Nothing is imported before the first prompt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.lexers import Lexer

_HOOK = "_extra_prompt_options"
#: Blank lines may stand before a cell magic, but no comments: IPython knows it by the cell's first word.
_CELL_RE = re.compile(r"\s*%%tbsql\b")
_LINE_RE = re.compile(r"(?P<before>\s*|[^#%'\"]*=\s*)%tbsql\b")


def register(shell: Any) -> Callable[[], None]:
    """Colour SQL at the prompt of *shell*; return what puts the prompt back as it was."""
    options = getattr(shell, _HOOK, None)
    if options is None:
        return lambda: None

    def options_with_colours() -> dict[str, Any]:
        found: dict[str, Any] = options()
        if "lexer" in found:
            found["lexer"] = lexer_around(found["lexer"])
        return found

    def put_back() -> None:
        # Somebody else may have wrapped ours since; then there is no taking it out.
        if vars(shell).get(_HOOK) is options_with_colours:
            delattr(shell, _HOOK)
            if getattr(shell, _HOOK) != options:
                setattr(shell, _HOOK, options)

    setattr(shell, _HOOK, options_with_colours)
    return put_back


def lexer_around(others: Lexer) -> Lexer:
    """Return a lexer for all text at the prompt: SQL is coloured here, anything else by *others*.

    Args:
        others: the lexer of prompt_toolkit that knows Python and the other magics.
    """
    from prompt_toolkit.document import Document
    from prompt_toolkit.lexers import Lexer, PygmentsLexer

    from tinymagic.notebook.sql_lexer import TbsqlLexer

    class PromptLexer(Lexer):
        """Chooses who colours what."""

        def __init__(self) -> None:
            self._sql = PygmentsLexer(TbsqlLexer)

        def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
            if _CELL_RE.match(document.text):
                return self._sql.lex_document(document)
            coloured = others.lex_document(document)

            def line(number: int) -> StyleAndTextTuples:
                text = document.lines[number] if number < len(document.lines) else ""
                found = _LINE_RE.match(text)
                if found is None:
                    return coloured(number)
                magic = self._sql.lex_document(Document(text[found.end("before") :]))
                return [*_up_to(coloured(number), found.end("before")), *magic(0)]

            return line

    return PromptLexer()


def _up_to(coloured: StyleAndTextTuples, length: int) -> StyleAndTextTuples:
    """Return the first *length* characters."""
    kept: StyleAndTextTuples = []
    for style, text, *_ in coloured:
        if length <= 0:
            break
        kept.append((style, text[:length]))
        length -= len(text)
    return kept
