"""``{% %}``: conditions, loops, assignments, exceptions, comments.

Rows are: template (without its ``%``), parameters, what comes out. They follow ``templating.md`` and agree with the
vendor's own package, except where a comment says so.
"""

# ruff: noqa: E501 - a row is a row, however long its text

from __future__ import annotations

import pytest

from tinymagic.local.template import TemplateError, render

#: Section 11.
STATEMENTS = [
    ("{% if True %}a{% end %}{%if False%}b{%else%}c{%end%}", {}, "ac"),
    ("{% if x == 'a' %}A{% elif x == 'b' %}B{% else %}C{% end %}", {"x": "a"}, "A"),
    ("{% if x == 'a' %}A{% elif x == 'b' %}B{% else %}C{% end %}", {"x": "b"}, "B"),
    ("{% if x == 'a' %}A{% elif x == 'b' %}B{% else %}C{% end %}", {"x": "c"}, "C"),
    ("{% if Int32(x, 0) > 3 and not defined(y) %}big{% end %}", {"x": "5"}, "big"),
    ("{% if x in ['a'] and x.startswith('a') and len(x) == 1 and x[-1] == 'a' %}yes{% end %}", {"x": "a"}, "yes"),
    ("{% if any(v == '1' for v in x) and [v for v in x if v > '1'] %}yes{% end %}", {"x": "123"}, "yes"),
    ("{% if '%s-%d' % (x, 3) == 'a-3' and f'{x}' == 'a' and (lambda v: v)(x) == 'a' %}yes{% end %}", {"x": "a"}, "yes"),
    (
        "{% if 1 < 2 < 3 and 10 / 4 > 2 and 7 // 2 == 3 and 7 % 4 == 3 and 2 ** 3 == 8 and (1 | 2) == 3 and ~1 == -2 %}yes{% end %}",
        {},
        "yes",
    ),
    (
        "{% if isinstance('a', str) and sum([1, 2]) == 3 and sorted([2, 1]) == [1, 2] and list(map(str, [1])) == ['1'] %}yes{% end %}",
        {},
        "yes",
    ),
    ("{% for a in [1, 2, 3] %}{{a}},{% end %}", {}, "1,2,3,"),
    ("{% for i, a in enumerate(['x', 'y']) %}{{i}}{{a}}{% end %}", {}, "0'x'1'y'"),
    ("{% for i, (b, c) in [(1, (2, 3))] %}{{i}}{{b}}{{c}}{% end %}", {}, "123"),
    ("{% for a in x %}{{a}}{% end %}", {"x": "ab"}, "'a''b'"),
    (
        "{% for a in range(4) %}{% if a == 1 %}{% continue %}{% end %}{% if a == 3 %}{% break %}{% end %}{{a}}{% end %}",
        {},
        "02",
    ),
    ("{% for a in [] %}1{% else %}none{% end %}", {}, "none"),
    ("{% for a in [1] %}{% end %}{{a}}", {}, "1"),
    ("{% for k, v in JSON(x).items() %}{{k}}={{v}} {% end %}", {"x": '{"a": 1, "b": "c"}'}, "'a'=1 'b'='c' "),
    ("{% for r in JSON(x) %}{{r['a']}} {{r.get('b', 'none')}}{% end %}", {"x": '[{"a": 1}]'}, "1 'none'"),
    ("{% set i = 0 %}{% while i < 3 %}{{i}}{% set i += 1 %}{% end %}", {}, "012"),
    ("{% set a = 3 %}{{a}} {% set b = 'x' %}{{b}}", {}, "3 'x'"),
    ("{% set a, b = 1, 2 %}{{a}}{{b}}{% set c = d = 4 %}{{d}}", {}, "124"),
    (
        "{% set a = [1] %}{% set a.append(2) %}{{a}}{% set a[0] = 9 %}{{a}}{% set a, *b = [1, 2, 3] %}{{b}}",
        {},
        "[1, 2][9, 2][2, 3]",
    ),
    ("{% set a = {'x': 1} %}{% set a['y'] = 2 %}{{a}}", {}, "{'x': 1, 'y': 2}"),
    ("{% set a = Int32(x, 3) %}{{a}} {{a + 1}}", {}, "toInt32('3') 4"),
    ("{% set a = sorted(['bb', 'a'], key=len) %}{{a}}", {}, "['a', 'bb']"),
    ("{% set a = [v * 2 for v in range(3) if v] %}{{a}}", {}, "[2, 4]"),
    ("{% set a = x or 'd' %}{{a}}", {}, "'d'"),
    ("{% set x = 4 %}{{x}}", {"x": "7"}, "4"),
    ("{% try %}{{Int32(x)}}{% except Exception %}0{% end %}", {"x": "a"}, "0"),
    (
        "{% try %}A{{Int32(x)}}{% except KeyError %}K{% except (TypeError, ValueError) %}V{% else %}E{% finally %}F{% end %}",
        {"x": "a"},
        "AVF",
    ),
    ("{% try %}A{{Int32(x)}}{% except ValueError %}V{% else %}E{% finally %}F{% end %}", {"x": "1"}, "AtoInt32('1')EF"),
    ("{% try %}{{x[5]}}{% except IndexError %}I{% except TypeError %}T{% end %}", {}, "T"),
    (
        "{% try %}{{Int32(x)}}{% except ValueError as e %}{{e}}{% end %}",
        {"x": "it's"},
        "'Template Syntax Error: Error validating \\'it\\'s\\' to type Int32'",
    ),
    ("{% try %}{{error('a')}}{% except Exception %}caught{% end %}", {}, "caught"),
    ("{% comment anything %}a{# {{x}} #}b", {}, "ab"),
    ("{{!x}} {%!y%} {#!z#}", {}, "{{x}} {%y%} {#z#}"),
    ("{ {x} } }} %} #}", {}, "{ {x} } }} %} #}"),
    ("{{{'a'}}}", {}, "{'a'}"),
    ("{% whitespace single %}a  b \n\n c", {}, "a b\nc"),
    ("{% whitespace oneline %}a  b \n\n c", {}, "a b c"),
    ("a  b \n\n c", {}, "a  b \n\n c"),
]

#: Section 11. What is refused.
STATEMENTS_REFUSED = [
    ("{% if x > 3 %}a{% end %}", {"x": "5"}, "'>' not supported between instances of 'str' and 'int'"),
    ("{% if x > 3 %}a{% end %}", {}, "'>' not supported between instances of 'NoneType' and 'int'"),
    (
        "{% if nope(x) %}1{% end %}",
        {},
        "Template Syntax Error: wrong syntax, you might be using a not valid function inside a control block",
    ),
    (
        "{% if open('/etc/passwd') %}1{% end %}",
        {},
        "Template Syntax Error: wrong syntax, you might be using a not valid function inside a control block",
    ),
    ("{% for a in x %}{{a}}{% end %}", {}, "'NoneType' object is not iterable"),
    ("{% for a, b in [1] %}{% end %}", {}, "cannot unpack non-iterable int object"),
    ("{% for a, b in [(1, 2, 3)] %}{% end %}", {}, "too many values to unpack (expected 2)"),
    (
        "{{x}}{% set x = 4 %}",
        {"x": "7"},
        "Template Syntax Error: cannot access local variable 'x' where it is not associated with a value",
    ),
    (
        "{% if False %}{% set a = 1 %}{% end %}{{a}}",
        {},
        "Template Syntax Error: cannot access local variable 'a' where it is not associated with a value",
    ),
    ("{% set a = 1; b = 2 %}", {}, "Template Syntax Error: Invalid set statement: a = 1; b = 2"),
    ("{% set del a %}", {}, "Template Syntax Error: Invalid set statement: del a"),
    ("{% set a: int = 1 %}", {}, "Template Syntax Error: Invalid set statement: a: int = 1"),
    ("{% set %}", {}, "set missing statement at <string>:1"),
    (
        "{% try %}{{Int32(x)}}{% except KeyError %}K{% end %}",
        {"x": "a"},
        "Template Syntax Error: Error validating 'a' to type Int32",
    ),
    (
        "{% try %}{{error('a')}}{% except Foo %}caught{% end %}",
        {},
        "catching classes that do not inherit from BaseException is not allowed",
    ),
]


@pytest.mark.parametrize(("template", "parameters", "expected"), STATEMENTS)
def test_statements(template, parameters, expected):
    """The statement does what Python's does."""
    assert render("%" + template, parameters).sql == expected


@pytest.mark.parametrize(("template", "parameters", "text"), STATEMENTS_REFUSED)
def test_statements_refused(template, parameters, text):
    """The error has the service's text."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, parameters)
    assert str(caught.value) == text
