"""Checking mode: what is written, and refused, when a pipe is saved."""

# ruff: noqa: E501 - a row is a row, however long its text

from __future__ import annotations

import pytest

from tinymagic.local.template import TemplateError, check

#: Section 9: placeholders instead of values.
CHECKED = [
    ("{{String(x)}}", "'__no_value__'"),
    ("{{Boolean(x)}}", "0"),
    ("{{Int8(x)}}", "toInt8('0')"),
    ("{{UInt256(x)}}", "toUInt256('0')"),
    ("{{Int(x)}}", "0"),
    ("{{Float64(x)}}", "toFloat64('0.0')"),
    ("{{Date(x)}}", "'2019-01-01'"),
    ("{{DateTime(x)}}", "'2019-01-01 00:00:00'"),
    ("{{DateTime64(x)}}", "'2019-01-01 00:00:00.000'"),
    ("{{Array(x)}}", "['']"),
    ("{{symbol(x)}}", "`placeholder`"),
    ("{{table(x)}}", "placeholder"),
    ("{{defined(x)}}", "False"),
    ("{{split_to_array(x)}}", "['']"),
    ("{{JSON(x)}}", "'__no_value__'"),
    (
        "{{Array(x, 'Int32')}} {{Array(x, 'Float32')}} {{Array(x, 'Date')}} {{Array(x, 'Int32', '1,2')}}",
        "[0,0] [0.0,0.0] ['2019-01-01','2019-01-01'] [1,2]",
    ),
    ("{{x}} {{x[0]}} {{x.split(',')[0]}}", "'__no_value__' '__no_value__' '__no_value__'"),
    ("{{String(x, 'd')}} {{Int32(x, 5)}} {{Int32(x, '')}}", "'d' toInt32('5') toInt32('0')"),
    ("{{column(x, 'd')}}", "`d`"),
    ("{{error('a')}}{{custom_error({'a': 1}, 400)}}b", "-- {x} \n-- {x} \nb"),
    ("{% if defined(x) %}A{% else %}B{% end %}", "B"),
    ("{% if x %}A{% end %}", "A"),
    ("{% for a in x %}{{a}},{% end %}", "'__no_value__','__no_value__','__no_value__',"),
    (
        "{% for a in JSON(x) %}{{a['k']}}{{a.get('b')}},{% end %}",
        "'__no_value__''__no_value__','__no_value__''__no_value__','__no_value__''__no_value__',",
    ),
    ("{% if Int32(x) > 3 %}A{% else %}B{% end %}", "B"),
    ("{% set a = list(map(str, [1])) %}{{a}}", "['1']"),
    ("{{sql_and(a=String(b), c__in=Array(d, 'Int32'))}}", "a = '__no_value__' and c in [0,0]"),
    ("{{day_diff(x, y)}} {{date_diff_in_hours(DateTime(x), y)}}", "0 0"),
    ("{{tb_secret('any')}} {{tb_secret('any', 'd')}}", "{any: String} 'd'"),
]

#: Section 9: placeholders instead of values. What is refused.
CHECKED_REFUSED = [
    (
        "{{column(x)}}",
        "Template Syntax Error: Missing column() default value, use `column(column_name, 'default_column_name')`",
    ),
    (
        "{{columns(x)}}",
        "Template Syntax Error: Missing columns() default value, use `columns(column_names, 'default_column_name')`",
    ),
    ("{{Int32(x, 'bad')}}", "Template Syntax Error: Error validating 'bad' to type Int32"),
    (
        "{% if x > 3 %}{% end %}",
        "'>' not supported between instances of 'Placeholder' and 'int'. If you are using a dynamic parameter, you need to wrap it around a valid Data Type (e.g. Int8(placeholder))",
    ),
    ("\n{% if nope(x) %}{% end %}", "Template Syntax Error: 'nope' is not a valid function, line 2"),
    ("{{nope(x)}}", "Template Syntax Error: Invalid function name: nope"),
    ("{{q}}", '"q" can not be used as a variable name, line 1'),
    ("{{Int32(5)}}", '"5" can not be used as a variable name'),
    ("{{len(x)}}", "object of type 'Placeholder' has no len()"),
    ("{{x", "Missing end expression }} at <string>:1"),
    ("{{1/2}}", "Template Syntax Error: Invalid BinOp: Div()"),
]


@pytest.mark.parametrize(("template", "expected"), CHECKED)
def test_checked(template, expected):
    """Parameters are placeholders of their type."""
    assert check("%" + template).sql == expected


@pytest.mark.parametrize(("template", "text"), CHECKED_REFUSED)
def test_checked_refused(template, text):
    """A template that is wrong for every request is refused."""
    with pytest.raises(TemplateError) as caught:
        check("%" + template)
    assert str(caught.value) == text
