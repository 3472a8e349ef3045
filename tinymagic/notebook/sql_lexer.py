"""Cells of ``%%tbsql`` for Pygments: the line of the magic, ClickHouse's SQL, Tinybird's templates.

The words are in ``sql_words.json``, which the extension of JupyterLab (``labextension/``) reads too. Colours promise
nothing: a word that is missing there is shown plain.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files

from pygments.lexer import RegexLexer, bygroups, default, include, words
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

_WORDS: dict[str, list[str]] = {
    kind: text.split()
    for kind, text in json.loads((files("tinymagic.notebook") / "sql_words.json").read_text("utf-8")).items()
}
#: A name with a dot at either side is one of a column or table, whatever it is called.
_NO_DOT_BEFORE, _NO_DOT_BEHIND = r"(?<![.\w])", r"(?!\w|\s*\.\s*[^\W\d])"


def _any_of(kind: str, *, without: str = "") -> words:
    left_out = _WORDS.get(without, ())
    return words([word for word in _WORDS[kind] if word not in left_out], _NO_DOT_BEFORE, _NO_DOT_BEHIND)


class TbsqlLexer(RegexLexer):  # type: ignore[misc] # Pygments ships no types.
    """``%%tbsql`` or ``%tbsql`` with its options, and the SQL on its line and below."""

    name = "Tinybird SQL cell"
    flags = re.IGNORECASE | re.DOTALL

    tokens = {  # noqa: RUF012 (the form that Pygments wants)
        "root": [
            (r"(\s*)(%%?)(tbsql)\b", bygroups(Whitespace, Operator, Keyword), "line"),
            default("sql_start"),
        ],
        "line": [
            (r"[^\S\n]+", Whitespace),
            (r"\n", Whitespace, "sql_start"),
            (_any_of("starts"), Keyword, "sql"),
            (r"(?=\(|--\s|/\*)", Text, "sql_start"),
            (r"--?[^\W\d][\w-]*", Name.Attribute),
            (r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", String),
            (r"\d+(?:\.\d+)?(?:ms|[smhdw])?\b", Number),
            (r"<<|[=$|]", Operator),
            (r"[^\W\d]\w*", Name.Variable),
            (r".", Text),
        ],
        "sql_start": [
            (r"(\s*)(%)(?!})", bygroups(Whitespace, Comment.Preproc)),
            include("aside"),
            (_any_of("starts"), Keyword, "sql"),
            default("sql"),
        ],
        "aside": [
            (r"\s+", Whitespace),
            (r"--[^\n]*|#[! ][^\n]*", Comment.Single),
            (r"/\*.*?(?:\*/|\Z)", Comment.Multiline),
            (r"\{#.*?(?:#\}|\Z)", Comment.Multiline),
            (r"\{\{|\{%", Comment.Preproc, "template"),
        ],
        "sql": [
            include("aside"),
            (
                r"(\{)(\s*)([^\W\d]\w*)(\s*)(:)(\s*)([^{}]+)(\})",
                bygroups(
                    Punctuation,
                    Whitespace,
                    Name.Variable,
                    Whitespace,
                    Punctuation,
                    Whitespace,
                    Keyword.Type,
                    Punctuation,
                ),
            ),
            (r"'(?:[^'\\]|\\.|'')*(?:'|\Z)|\$(\w*)\$.*?(?:\$\1\$|\Z)", String.Single),
            (r"`(?:[^`\\]|\\.|``)*(?:`|\Z)|\"(?:[^\"\\]|\\.|\"\")*(?:\"|\Z)", Name.Label),
            (r"(?<!\w)(?:0x[\da-f]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)", Number),
            (words(_WORDS["also_functions"], _NO_DOT_BEFORE, r"(?=\()"), Name.Function),
            (_any_of("keywords"), Keyword),
            (_any_of("constants"), Keyword.Constant),
            (r"(?<![.\w])(?-i:" + "|".join(sorted(_WORDS["types"], reverse=True)) + r")(?!\w)", Keyword.Type),
            (r"[^\W\d]\w*(?=\s*\()", Name.Function),
            (r"[^\W\d]\w*", Name),
            (r"::|->|[=!<>]+|[-+*/%|?]", Operator),
            (r"[][(){},.;:]", Punctuation),
            (r".", Text),
        ],
        "template": [
            (r"\}\}|%\}", Comment.Preproc, "#pop"),
            (r"\s+", Whitespace),
            (r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", String),
            (r"\d+(?:\.\d+)?", Number),
            (words(_WORDS["template"], r"\b", r"\b"), Keyword),
            (r"[^\W\d]\w*(?=\s*\()", Name.Function),
            (r"[^\W\d]\w*", Name.Variable),
            (r".", Operator),
        ],
    }
