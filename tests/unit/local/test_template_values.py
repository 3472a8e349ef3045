"""What ``{{ }}`` writes: values, escaping, arithmetic, indexing.

Rows are: template (without its ``%``), parameters, what comes out. They follow ``templating.md`` and agree with the
vendor's own package, except where a comment says so.
"""

# ruff: noqa: E501 - a row is a row, however long its text

from __future__ import annotations

import pytest

from tinymagic.local.template import TemplateError, render

#: Sections 2, 3 and 10. Lists are written with doubled quotes and backslashes, which the service does behind a switch.
VALUES = [
    ("{{x}}", {"x": "a"}, "'a'"),
    ("{{x}}", {"x": "a'b\\c%d\"e`f\n\r\t\x08\x00\x1ag_h"}, "'a\\'b\\\\c\\%d\\\"e\\`f\\n\\r\\t\\b\\0\\zg_h'"),
    ("{{x}}", {"x": ""}, "''"),
    ("{{x}}", {"x": 5}, "5"),
    ("{{x}}", {"x": 1.5}, "1.5"),
    ("{{x}}", {"x": True}, "True"),
    ("{{x}}", {"x": [1, "a'b", "c\\d"]}, "[1, 'a''b', 'c\\\\d']"),
    ("{{x}}", {"x": {"k": "it's"}}, "{'k': 'it''s'}"),
    ("{{5}} {{1.0}} {{1e30}} {{True}} {{'a'}} {{-1}}", {}, "5 1.0 1e+30 True 'a' -1"),
    ("{{(1, 2)}} {{[1, 'a']}} {{ {'k': 1} }} {{ {1} }} {{(1,)}} {{[]}}", {}, "(1, 2) [1, 'a'] {'k': 1} {1} (1,) []"),
    ("{{Int32(x)}} {{Int32(x) * 10}} {{-Int32(x)}} {{Int32(x) + 1.5}}", {"x": "2"}, "toInt32('2') 20 -2 3.5"),
    ("{{Float64(x)}} {{Float64(x) * 2}}", {"x": "1000"}, "toFloat64('1000.0') 2000.0"),
    ("{{[Int32(x), Float32(x), String(x)]}}", {"x": "3"}, "[3, 3.0, '3']"),
    ("{{f'{x} {Int32(y)} {1:>3} {x!r}'}}", {"x": "it's", "y": "4"}, "'it\\'s toInt32(\\'4\\')   1 \\\"it\\'s\\\"'"),
    ("{{String(x) + 'b'}} {{'%' + String(x)}}", {"x": "q'"}, "'q\\'b' '\\%q\\''"),
    ("{{x * 3}}", {"x": "ab"}, "'ababab'"),
    ("'{{x}}'", {"x": "a"}, "''a''"),
    ("{{x[0]}} {{x[0:2]}} {{x[::2]}}", {"x": "abc"}, "'a' 'ab' 'ac'"),
    ("{{x['a'][0]}} {{x.get('b', 'none')}}", {"x": {"a": [1]}}, "1 'none'"),
    (
        "{{x.split(',')}} {{x.split(',')[1]}} {{x.replace('a', 'z')}} {{'-'.join(x.split(','))}}",
        {"x": "a,b"},
        "['a', 'b'] 'b' 'z,b' 'a-b'",
    ),
    (
        "{{len('abc')}} {{list('ab')}} {{min(1, 2)}} {{max([1, 2])}} {{int('5')}} {{float('5')}}",
        {},
        "3 ['a', 'b'] 1 2 5 5.0",
    ),
    ("{{1 if defined(x) else 2}}", {}, "2"),
    ("{{not x}}", {}, "True"),
]

#: Sections 2, 3 and 10. Lists are written with doubled quotes and backslashes, which the service does behind a switch. What is refused.
VALUES_REFUSED = [
    ("{{x}}", {}, 'Template Syntax Error: expression "x" evaluated to null'),
    ("{{None}}", {}, 'Template Syntax Error: expression "None" evaluated to null'),
    ("{{x + y + 'twenty characters'}}", {}, "unsupported operand type(s) for +: 'NoneType' and 'NoneType'"),
    (
        "{{String(x, defined=False)}}",
        {},
        'Template Syntax Error: expression "String(x, defined=Fa..." evaluated to null',
    ),
    ("{{column(x) + 'a'}}", {"x": "c"}, "unsupported operand type(s) for +: 'Symbol' and 'str'"),
    ("{{x + 1}}", {"x": "a"}, 'can only concatenate str (not "int") to str'),
    ("{{x + 1}}", {}, "unsupported operand type(s) for +: 'NoneType' and 'int'"),
    ("{{-x}}", {"x": "a"}, "bad operand type for unary -: 'str'"),
    ("{{x * x}}", {"x": "a"}, "can't multiply sequence by non-int of type 'str'"),
    (
        "{{x[9]}}",
        {"x": "abc"},
        "Template Syntax Error: String index out of range. Check that string parameters have values before accessing specific characters (e.g., param[0]). Provide default values or add length checks in your template.",
    ),
    (
        "{{x['z']}}",
        {"x": {}},
        "Template Syntax Error: Missing key 'z' while rendering the template. Ensure every object accessed in the template has this key.",
    ),
    (
        "{{x.get('a')}}",
        {"x": "a"},
        "Template Syntax Error: 'str' object has no attribute 'get'. Make sure you're using an object/dictionary where trying to use .get()",
    ),
    ("{{x.split(',')}}", {}, "Template Syntax Error: 'NoneType' object has no attribute 'split'"),
    ("{{[1][5]}}", {}, "Template Syntax Error: list index out of range"),
    ("{{x[0]}}", {}, "'NoneType' object is not subscriptable"),
    ("{{int('a')}}", {}, "invalid literal for int() with base 10: 'a'"),
]


@pytest.mark.parametrize(("template", "parameters", "expected"), VALUES)
def test_values(template, parameters, expected):
    """Each Python type is written in its own way."""
    assert render("%" + template, parameters).sql == expected


@pytest.mark.parametrize(("template", "parameters", "text"), VALUES_REFUSED)
def test_values_refused(template, parameters, text):
    """The error has the service's text."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, parameters)
    assert str(caught.value) == text
