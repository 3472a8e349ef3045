"""The template language: exact output and exact error texts of ``templating.md``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.local.template import Template, TemplateError


def render(source: str, **parameters: object) -> str:
    """Render a template."""
    return Template(source).render(parameters)


RENDERED = [
    ("% SELECT 1", {}, " SELECT 1"),
    ("  %\nSELECT 1", {}, "\nSELECT 1"),
    ("{{x}}", {"x": "a"}, "'a'"),
    ("'{{x}}'", {"x": "a"}, "''a''"),
    ("{{x}}", {"x": "a'b\\c%d\"e`"}, "'a\\'b\\\\c\\%d\\\"e\\`'"),
    ("{{x}}", {"x": "\n\r\t\b\0\x1a"}, "'\\n\\r\\t\\b\\0\\z'"),
    ("{{x}}", {"x": ""}, "''"),
    ("{{String(x)}}", {"x": ""}, "''"),
    ("{{String(x, 'd')}}", {}, "'d'"),
    ("{{String(x, 'd')}}", {"x": ""}, "''"),
    ("{{Int32(x)}}", {"x": "5"}, "toInt32('5')"),
    ("{{Int32(x)}}", {"x": "-5"}, "toInt32('-5')"),
    ("{{Int32(x)}}", {"x": "+5"}, "toInt32('5')"),
    ("{{Int32(x)}}", {"x": "5\n"}, "toInt32('5')"),
    ("{{Int32(5)}}", {}, "toInt32('5')"),
    ("{{Int32(x, 7)}}", {}, "toInt32('7')"),
    ("{{Int32(x)}}", {"x": 5}, "toInt32('5')"),
    ("{{Int32(page, 2) * 10}}", {}, "20"),
    ("{{Int32(page, 2) * Int32(n, 3) - 1 + 2}}", {}, "7"),
    ("{{-Int32(x)}}", {"x": "5"}, "-5"),
    ("{{Int(x)}}", {"x": "5"}, "5"),
    ("{{Integer(x, 3)}}", {}, "3"),
    ("{{UInt256(x)}}", {"x": "+5"}, "toUInt256('5')"),
    ("{{Int256(x)}}", {"x": str(-(2**255))}, f"toInt256('{-(2**255)}')"),
    ("{{Float64(x)}}", {"x": "1e3"}, "toFloat64('1000.0')"),
    ("{{Float32(x)}}", {"x": "nan"}, "toFloat32('nan')"),
    ("{{Float32(x, -0.5)}}", {}, "toFloat32('-0.5')"),
    ("{{Boolean(x)}}", {}, "0"),
    ("{{Boolean(x)}}", {"x": "FALSE"}, "0"),
    ("{{Boolean(x)}}", {"x": ""}, "0"),
    ("{{Boolean(x)}}", {"x": "no"}, "1"),
    ("{{Boolean(x)}}", {"x": True}, "1"),
    ("{{Boolean(x, 1)}}", {}, "1"),
    ("{{Date(x)}}", {"x": "2020-13-45"}, "'2020-13-45'"),
    ("{{DateTime(x)}}", {"x": "2020-01-01T00:00:00Z"}, "'2020-01-01T00:00:00Z'"),
    ("{{DateTime(x)}}", {"x": "2020/01/01 00:00:00"}, "'2020/01/01 00:00:00'"),
    ("{{DateTime64(x)}}", {"x": "2020-01-01 00:00:00.123"}, "'2020-01-01 00:00:00.123'"),
    ("{{Array(x)}}", {"x": "a,b"}, "['a','b']"),
    ("{{Array(x)}}", {"x": "a, b"}, "['a',' b']"),
    ("{{Array(x, 'Int32')}}", {"x": "1,2"}, "[1,2]"),
    ("{{Array(x, 'Int32')}}", {"x": [1, 2]}, "[1,2]"),
    ("{{Array(x, 'String')}}", {"x": ""}, "['']"),
    ("{{Array(x, 'Int32', '1,2')}}", {}, "[1,2]"),
    ("{{Array(x, 'Boolean')}}", {"x": "true,false"}, "[1,0]"),
    ("{{Array(x, 'Foo')}}", {"x": "a,b"}, "['a','b']"),
    ("{{Array(x)}}", {"x": "a'b,c"}, "['a\\'b','c']"),
    ("{{column(x)}}", {"x": "json.a"}, "`json`.`a`"),
    ("{{column(x, 'd')}}", {}, "`d`"),
    ("{{column(x)}}", {"x": 'a`b"c'}, "`a\\`bc`"),
    ("{{columns(x)}}", {"x": "a, b"}, "`a`,`b`"),
    ("{{columns(x, 'c', fn='sum')}}", {}, "sum(`c`) as c"),
    ("{{symbol(x)}}", {"x": "a.b"}, "`a.b`"),
    ("{{symbol(x, quote='')}}", {"x": "a.b"}, "a.b"),
    ("{{sql_unescape(String(x), '%')}}", {"x": "a%b'\\"}, "'a%b\\'\\\\'"),
    ("{{1.0}}{{True}}{{5}}", {}, "1.0True5"),
    ("{{x if defined(x) else 'none'}}", {}, "'none'"),
    ("{{x if defined(x) else 'none'}}", {"x": ""}, "''"),
    ("a{# gone {{x}} #}b", {}, "ab"),
    ("{{!x}} {%!y%} {#!z#}", {}, "{{x}} {%y%} {#z#}"),
    ("{% if defined(x) %}X{% elif y == 'a' %}Y{% else %}Z{% end %}", {"y": "a"}, "Y"),
    ("{% if defined(x) %}X{%else%}{% if not defined(y) %}N{%end%}Z{%end%}", {}, "NZ"),
    ("{% if Int32(x, 0) > 3 and Int32(x, 0) < 9 %}big{% end %}", {"x": "5"}, "big"),
    ("{% comment anything %}x", {}, "x"),
    ("{ {x} }", {}, "{ {x} }"),
]


@pytest.mark.parametrize(("source", "parameters", "expected"), RENDERED)
def test_renders(source, parameters, expected):
    """The output is the service's, to the byte."""
    assert render(source, **parameters) == expected


NEEDED = "Please provide a value or set a default value in the pipe code."
HEAD = "Template Syntax Error: "
REFUSED = [
    ("{{x}}", {}, HEAD + 'expression "x" evaluated to null'),
    ("{{String(x, defined=False)}}", {}, HEAD + 'expression "String(x, defined=Fa..." evaluated to null'),
    ("{{Int32(a)}}{{Int8(b)}}{{String(c)}}", {"b": "1"}, f"Required parameter is not defined. Check the parameters a, b and c. {NEEDED}"),  # noqa: E501
    ("{{Int32(a)}}{{Int8(b, 1)}}", {}, f"Check the parameters a. {NEEDED}"),
    ("{{Int32(x)}}", {"x": ""}, HEAD + "Error validating '' to type Int32"),
    ("{{Int32(x, 5)}}", {"x": ""}, HEAD + "Error validating '' to type Int32"),
    ("{{Int8(x, '')}}", {}, HEAD + "Error validating '' to type Int8"),
    ("{{Int8(x)}}", {"x": "128"}, "Error validating '128' to type Int8"),
    ("{{UInt8(x)}}", {"x": "+5"}, "Error validating '+5' to type UInt8"),
    ("{{UInt8(x)}}", {"x": "256"}, "to type UInt8"),
    ("{{UInt256(x)}}", {"x": "-1"}, "to type UInt256"),
    ("{{Int32(x)}}", {"x": "1 "}, "Error validating '1 ' to type Int32"),
    ("{{Int32(x)}}", {"x": "1.5"}, "to type Int32"),
    ("{{Int32(x)}}", {"x": "٣"}, "to type Int32"),
    ("{{Int256(x)}}", {"x": "9" * 79}, "to type Int256"),
    ("{{Float64(x)}}", {"x": "1_000"}, "Error validating '1_000' to type Float64"),
    ("{{Date(x)}}", {"x": "20200101"}, "Error validating '20200101' to type Date"),
    ("{{DateTime(x)}}", {"x": "2020-01-01"}, "to type DateTime"),
    ("{{DateTime64(x)}}", {"x": "2020-01-01 00:00:00"}, "to type DateTime64"),
    ("{{Array(x, 'Int32')}}", {"x": "1, 2"}, HEAD + "Error validating [1, 2][1] ( 2) to type Int32"),
    ("{{Array(x, 'Int32')}}", {"x": ""}, HEAD + "Error validating [][0] (empty string) to type Int32"),
    ("{{Array(x)}}", {}, "Required parameter is not defined"),
    ("{{String()}}", {}, "one of the transform type functions is missing an argument"),
    ("{{column(x)}}", {}, "Missing column() default value, use "),
    ("{{columns(x)}}", {"x": ["a"]}, "The 'columns' function expects a String not an Array"),
    ("{{symbol(x)}}", {}, "'NoneType' object has no attribute 'translate'"),
    ("{{Symbol(x)}}", {}, HEAD + "Invalid function name: Symbol"),
    ("{{eval('1')}}", {}, "Invalid function name: eval"),
    ("{{open('/etc/passwd')}}", {}, "Invalid function name: open"),
    ("{{x.__class__}}", {"x": "a"}, "Invalid expression type: "),
    ("{{x.upper()}}", {"x": "a"}, "Invalid method name: upper"),
    ("{{__import__('os')}}", {}, "Invalid function name: __import__"),
    ("{{__name__}}", {}, "Invalid name: __name__"),
    ("{{[y for y in x]}}", {}, "Invalid expression type: "),
    ("{{lambda: 1}}", {}, "Invalid expression type: "),
    ("{{x > 1}}", {"x": "1"}, "Invalid expression type: "),
    ("{{4 / 2}}", {}, HEAD + "Invalid BinOp: Div()"),
    ("{{2 ** 9}}", {}, HEAD + "Invalid BinOp: Pow()"),
    ("{{'x' * 10000000}}", {}, "longer than"),
    ("{{x + 1}}", {}, "unsupported operand type(s) for +: 'NoneType' and 'int'"),
    ("{{q}}", {"q": "x"}, '"q" can not be used as a variable name, line 1'),
    ("\n{{format}}", {}, '"format" can not be used as a variable name, line 2'),
    ("{{String(*x)}}", {}, "not allowed"),
    ("{{String(x, foo=1)}}", {"x": "a"}, "unexpected keyword argument 'foo'"),
    ("{{x", {}, "Missing end expression }}"),
    ("{{ }}", {}, "Empty expression"),
    ("{% %}", {}, "Empty block tag ({% %})"),
    ("{% if x", {}, "Missing end block %}"),
    ("{% if defined(x) %}a", {}, "Missing {% end %} block for if at line 1"),
    ("{% end %}", {}, "Extra {% end %} block"),
    ("{% else %}", {}, "else outside {...} block"),
    ("{% endif %}", {}, "unknown operator: 'endif'"),
    ("{% import os %}", {}, "import is forbidden"),
    ("{% for a in b %}{% end %}", {}, "{% for %} is not supported yet"),
    ("{% if x > 3 %}a{% end %}", {"x": "5"}, "'>' not supported between instances of 'str' and 'int'"),
    ("{{" + "-" * 500 + "1}}", {}, "nested too deeply"),
    ("{{x y}}", {}, "invalid syntax"),
]


@pytest.mark.parametrize(("source", "parameters", "text"), REFUSED)
def test_refuses(source, parameters, text):
    """The error is the service's and has a documentation link."""
    with pytest.raises(TemplateError) as caught:
        render(source, **parameters)
    assert text in caught.value.message
    assert caught.value.message.startswith(HEAD)
    assert caught.value.documentation.startswith("/cli/advanced-templates.html")


def test_text_that_is_joined_is_escaped_again():
    """SQL that a helper wrote is not trusted once it was joined with a value."""
    assert render("{{column('a') + x}}", x="'; DROP") == "'\\`a\\`\\'; DROP'"


@given(st.text())
def test_any_text_stays_inside_its_quotes(value):
    """However a value looks, no unescaped quote or backslash is left in what is written."""
    written = render("{{String(x)}}", x=value)
    inside = written[1:-1]
    assert written[0] == written[-1] == "'"
    position = 0
    while position < len(inside):
        assert inside[position] != "'"
        position += 2 if inside[position] == "\\" else 1
    assert position == len(inside)


@given(st.text(alphabet="{}%#! \n'x()iIfendelse,+-*[]._0123456789"))
def test_any_source_gives_text_or_a_template_error(source):
    """No source makes the parser fail in another way."""
    try:
        assert isinstance(render(source, x="1"), str)
    except TemplateError:
        pass
