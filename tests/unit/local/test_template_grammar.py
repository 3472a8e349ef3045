"""Texts that are no templates, and Python that is not allowed.

Rows are: template (without its ``%``), parameters, what comes out. They follow ``templating.md`` and agree with the
vendor's own package, except where a comment says so.
"""

# ruff: noqa: E501 - a row is a row, however long its text

from __future__ import annotations

import pytest

from tinymagic.local.template import TemplateError, render

#: Sections 8, 10 and 11; the words of Python's own parser differ between its versions and are left out. What is refused.
SYNTAX_REFUSED = [
    ("{{x", {}, "Missing end expression }} at <string>:1"),
    ("{{ }}", {}, "Empty expression at <string>:1"),
    ("{{}}", {}, "Empty expression at <string>:1"),
    ("{#", {}, "Missing end comment #} at <string>:1"),
    ("{% %}", {}, "Empty block tag ({% %}) at <string>:1"),
    ("{% if x", {}, "Missing end block %} at <string>:1"),
    ("\n\n{{ }}", {}, "Empty expression at <string>:3"),
    ("{% if True %}a", {}, "Missing {% end %} block for if at line 1"),
    ("a\n{% for a in b %}\nc", {}, "Missing {% end %} block for if at line 2"),
    ("{% end %}", {}, "Extra {% end %} block at <string>:1"),
    ("{% else %}", {}, "else outside {'if', 'for', 'while', 'try'} block at <string>:1"),
    ("{% elif x %}", {}, "elif outside {'if'} block at <string>:1"),
    ("{% except %}", {}, "except outside {'try'} block at <string>:1"),
    ("{% finally %}", {}, "finally outside {'try'} block at <string>:1"),
    ("{% break %}", {}, "break outside {'for', 'while'} block at <string>:1"),
    ("{% continue %}", {}, "continue outside {'for', 'while'} block at <string>:1"),
    ("{% if 1 %}{% except %}{% end %}", {}, "except block cannot be attached to if block at <string>:1"),
    ("{% for a in b %}{% elif 1 %}{% end %}", {}, "elif block cannot be attached to for block at <string>:1"),
    ("{% endif %}", {}, "unknown operator: 'endif' at <string>:1"),
    ("{% if(x) %}", {}, "unknown operator: 'if(x)' at <string>:1"),
    ("{% import os %}", {}, "import is forbidden at <string>:1"),
    ("{% from os import path %}", {}, "import is forbidden at <string>:1"),
    ("{% extends x %}", {}, "extends is forbidden at <string>:1"),
    ("{% include x %}", {}, "include is forbidden at <string>:1"),
    ("{% apply x %}", {}, "apply is forbidden at <string>:1"),
    ("{% autoescape x %}", {}, "autoescape is forbidden at <string>:1"),
    ("{% raw x %}", {}, "raw is forbidden at <string>:1"),
    ("{% module x %}", {}, "module is forbidden at <string>:1"),
    ("{% block x %}{% end %}", {}, "block is forbidden at <string>:1"),
    ("{% whitespace foo %}", {}, "invalid whitespace mode foo"),
    ("{% if 1 %}1{% else if x %}2{% end %}", {}, "Template Syntax Error: Invalid control block: else if x"),
    ("{{1 / 2}}", {}, "Template Syntax Error: Invalid BinOp: Div()"),
    ("{{2 ** 2}}", {}, "Template Syntax Error: Invalid BinOp: Pow()"),
    ("{{1 % 2}}", {}, "Template Syntax Error: Invalid BinOp: Mod()"),
    ("{{1 // 2}}", {}, "Template Syntax Error: Invalid BinOp: FloorDiv()"),
    ("{{+1}}", {}, "Template Syntax Error: Invalid UnaryOp: UAdd()"),
    ("{{~1}}", {}, "Template Syntax Error: Invalid UnaryOp: Invert()"),
    ("{{x.upper()}}", {}, "Template Syntax Error: Invalid method name: upper"),
    ("{{f(x)}}", {}, "Template Syntax Error: Invalid function name: f"),
    ("{{str(5)}}", {}, "Template Syntax Error: Invalid function name: str"),
    ("{{range(3)}}", {}, "Template Syntax Error: Invalid function name: range"),
    ("{{__x__}}", {}, "Template Syntax Error: Invalid name: __x__"),
    ("{{eval('1')}}", {}, "Template Syntax Error: Invalid function name: eval"),
    ("{% if x.__class__ %}{% end %}", {}, "Template Syntax Error: Invalid attribute: __class__"),
    ("{% if eval('1') %}{% end %}", {}, "Template Syntax Error: Invalid function name: eval"),
    ("{% if __import__('os') %}{% end %}", {}, "Template Syntax Error: Invalid name: __import__"),
    ("{% if type(x) %}{% end %}", {}, "Template Syntax Error: Invalid function name: type"),
    ("{% set a = getattr(x, 'y') %}", {}, "Template Syntax Error: Invalid function name: getattr"),
    ("{% set a = '{}'.format(x) %}", {}, "Template Syntax Error: Invalid attribute: format"),
    ("{% set a = x.mro %}", {}, "Template Syntax Error: Invalid attribute: mro"),
    ("{% set a = (yield) %}", {}, "Template Syntax Error: Invalid expression type: Yield()"),
    (
        "{% if 1: pass\nimport os\nif 1 %}{% end %}",
        {},
        "Template Syntax Error: Invalid control block: if 1: pass\nimport os\nif 1",
    ),
    (
        "{% for a in [1]: open('x')\nfor b in [1] %}{% end %}",
        {},
        "Template Syntax Error: Invalid control block: for a in [1]: open('x')\nfor b in [1]",
    ),
    ("{% set a = 1\nimport os %}", {}, "Template Syntax Error: Invalid set statement: a = 1\nimport os"),
    (
        "{% try %}{% except Exception: import os\nexcept ValueError %}{% end %}",
        {},
        "Template Syntax Error: Invalid control block: except Exception: import os\nexcept ValueError",
    ),
    ("{{q}}", {}, '"q" can not be used as a variable name, line 1'),
    ("\n{{String(format)}}", {}, '"format" can not be used as a variable name, line 2'),
    ("{% set q = 1 %}", {}, '"q" can not be used as a variable name, line 1'),
    ("{{Int32([1])}}", {}, '"[1]" can not be used as a variable name'),
]


@pytest.mark.parametrize(("template", "parameters", "text"), SYNTAX_REFUSED)
def test_syntax_refused(template, parameters, text):
    """The error has the service's text."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, parameters)
    assert str(caught.value) == text


#: The error shows the part of Python's syntax tree; how, depends on the version of Python.
NODES = [
    ("{{x > 1}}", "Template Syntax Error: Invalid expression type: Compare("),
    ("{{x and 1}}", "Template Syntax Error: Invalid expression type: BoolOp("),
    ("{{lambda: 1}}", "Template Syntax Error: Invalid expression type: Lambda("),
    ("{{[y for y in x]}}", "Template Syntax Error: Invalid expression type: ListComp("),
    ("{{(x := 1)}}", "Template Syntax Error: Invalid expression type: NamedExpr("),
    ("{{x = 1}}", "Template Syntax Error: Invalid expression type: Assign("),
    ("{{*x}}", "Template Syntax Error: Invalid expression type: Starred("),
    ("{{x[-1]}}", "Template Syntax Error: Invalid Slice expression: UnaryOp("),
    ("{{x[y]}}", "Template Syntax Error: Invalid Slice expression: Name("),
    ("{{x[1 + 1]}}", "Template Syntax Error: Invalid Slice expression: BinOp("),
    ("{{x.foo}}", "Template Syntax Error: Invalid expression type: Attribute("),
    ("{{x[0]()}}", "Template Syntax Error: Invalid function: Call("),
    ("{{x.__class__}}", "Template Syntax Error: Invalid expression type: Attribute("),
    ("{{b'a'}}", "Template Syntax Error: Invalid Constant: Constant("),
    ("{{1j}}", "Template Syntax Error: Invalid Constant: Constant("),
    ("{{...}}", "Template Syntax Error: Invalid Constant: Constant("),
    ("{% if await x %}{% end %}", "Template Syntax Error: Invalid expression type: Await("),
]


@pytest.mark.parametrize(("template", "text"), NODES)
def test_nodes_are_refused(template, text):
    """The error names the kind of node."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, {})
    assert str(caught.value).startswith(text)


#: Python's parser refuses these.
NOT_PYTHON = [
    "{% if 1 %}1{% else %}2{% else %}3{% end %}",
    "{% try %}A{% end %}",
    "{{x y}}",
    "{{ '}}' }}",
    "{{1, 2}}",
    "{{1; 2}}",
    "{{1 # c}}",
    "{% if %}{% end %}",
    "{% if x: %}{% end %}",
    "{% for a %}{% end %}",
]


@pytest.mark.parametrize("template", NOT_PYTHON)
def test_python_refuses(template):
    """The text of Python's parser comes with the line, and nothing runs."""
    with pytest.raises(TemplateError, match=r"\(<unknown>, line \d+\)$"):
        render("%" + template, {})
