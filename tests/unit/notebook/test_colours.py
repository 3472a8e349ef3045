"""The colours of SQL in terminal IPython: what is what, and that nothing of the text is lost."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from tinymagic.notebook.sql_lexer import TbsqlLexer

LEXER = TbsqlLexer()


def kinds(text):
    """Word -> kind, of all that is not blank."""
    return {word: kind for kind, word in LEXER.get_tokens(text) if word.strip()}


def test_sql():
    found = kinds("%%tbsql\nSELECT carrier, avg(delay) AS mean, 'a -- b' FROM `odd name` WHERE n >= 1.5 -- late\n")
    assert found["SELECT"] in Keyword
    assert found["FROM"] in Keyword
    assert found["avg"] in Name.Function
    assert found["carrier"] in Name
    assert found["'a -- b'"] in String
    assert found["`odd name`"] in Name
    assert found["1.5"] in Number
    assert found[">="] in Operator
    assert found["-- late"] in Comment


def test_line_of_the_magic():
    found = kinds("%%tbsql late= << --limit 5 --every 500ms\nSELECT 1\n")
    assert found["late"] in Name.Variable
    assert found["<<"] in Operator
    assert found["--limit"] in Name.Attribute
    assert found["5"] in Number
    assert found["500ms"] in Number


def test_sql_on_the_line():
    assert kinds("%tbsql --limit 3 SELECT carrier FROM flights")["SELECT"] in Keyword


def test_templates():
    found = kinds("%%tbsql\n%\nSELECT {{ Int32(n, 5) }} {% if defined(x) %} , 1 {% end %} {# no #}\n")
    assert found["{{"] in Comment.Preproc
    assert found["Int32"] in Name.Function
    assert found["n"] in Name.Variable
    assert found["if"] in Keyword
    assert found["{# no #}"] in Comment


def test_names_that_look_like_keywords():
    found = dict.fromkeys(kinds("%%tbsql\nSELECT t.date, t.order FROM t\n"))
    assert {"date", "order"} <= set(found)
    assert kinds("%%tbsql\nSELECT t.order FROM t\n")["order"] not in Keyword


@pytest.mark.parametrize(
    "text", ["", "%%tbsql", "%%tbsql\n", "%%tbsql\nSELECT 'open", "%%tbsql\n/* open", "%%tbsql\n{{ open", "%%tbsql $$a"]
)
def test_what_is_not_finished(text):
    assert "".join(word for _, _, word in LEXER.get_tokens_unprocessed(text)) == text


@given(st.text(st.sampled_from(list("%tbsql SELECT\n'\"`-{}#/*$()<>=.,;123abc_é"))))
def test_nothing_is_lost(text):
    assert "".join(word for _, _, word in LEXER.get_tokens_unprocessed(text)) == text


def test_words_are_in_order():
    """The list is read by two programs and by people: one word once, in capitals where SQL has them."""
    found = json.loads((files("tinymagic.notebook") / "sql_words.json").read_text("utf-8"))
    for kind in ("starts", "keywords"):
        words = found[kind].split()
        assert words == sorted(set(words)), kind
        assert words == [word.upper() for word in words]
