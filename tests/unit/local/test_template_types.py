"""The type functions: what they accept, defaults, missing parameters, arrays.

Rows are: template (without its ``%``), parameters, what comes out. They follow ``templating.md`` and agree with the
vendor's own package, except where a comment says so.
"""

# ruff: noqa: E501 - a row is a row, however long its text

from __future__ import annotations

import pytest

from tinymagic.local.template import TemplateError, render

#: Section 4.
TYPES = [
    ("{{String(x)}}", {"x": ""}, "''"),
    ("{{String(x)}}", {"x": "a'b\\c%d\"e`f\n\r\t\x08\x00\x1ag_h"}, "'a\\'b\\\\c\\%d\\\"e\\`f\\n\\r\\t\\b\\0\\zg_h'"),
    ("{{String(x)}}", {"x": 5}, "'5'"),
    ("{{String(x)}}", {"x": [1]}, "'[1]'"),
    ("{{Int8(x)}}", {"x": "127"}, "toInt8('127')"),
    ("{{Int8(x)}}", {"x": "-128"}, "toInt8('-128')"),
    ("{{Int8(x)}}", {"x": "+5"}, "toInt8('5')"),
    ("{{Int8(x)}}", {"x": "0005"}, "toInt8('5')"),
    ("{{Int8(x)}}", {"x": "5\n"}, "toInt8('5')"),
    ("{{Int8(x)}}", {"x": "٣"}, "toInt8('3')"),
    ("{{UInt8(x)}}", {"x": "255"}, "toUInt8('255')"),
    ("{{Int16(x)}}", {"x": "32767"}, "toInt16('32767')"),
    ("{{Int32(x)}}", {"x": "2147483647"}, "toInt32('2147483647')"),
    ("{{Int64(x)}}", {"x": "9223372036854775807"}, "toInt64('9223372036854775807')"),
    (
        "{{Int128(x)}}",
        {"x": "170141183460469231731687303715884105727"},
        "toInt128('170141183460469231731687303715884105727')",
    ),
    (
        "{{Int256(x)}}",
        {"x": "9999999999999999999999999999999999999999999999999999999999999999999999999999"},
        "toInt256('9999999999999999999999999999999999999999999999999999999999999999999999999999')",
    ),
    ("{{UInt16(x)}}", {"x": "65535"}, "toUInt16('65535')"),
    ("{{UInt32(x)}}", {"x": "4294967295"}, "toUInt32('4294967295')"),
    ("{{UInt64(x)}}", {"x": "18446744073709551615"}, "toUInt64('18446744073709551615')"),
    ("{{UInt128(x)}}", {"x": "+5"}, "toUInt128('5')"),
    ("{{UInt256(x)}}", {"x": "+5"}, "toUInt256('5')"),
    ("{{Int(x)}}", {"x": "5"}, "5"),
    ("{{Integer(x)}}", {"x": "-5"}, "-5"),
    ("{{Float32(x)}}", {"x": "0.1"}, "toFloat32('0.1')"),
    ("{{Float32(x)}}", {"x": "1e3"}, "toFloat32('1000.0')"),
    ("{{Float32(x)}}", {"x": "nan"}, "toFloat32('nan')"),
    ("{{Float32(x)}}", {"x": "inf"}, "toFloat32('inf')"),
    ("{{Float64(x)}}", {"x": "1000"}, "toFloat64('1000.0')"),
    ("{{Float64(x)}}", {"x": "-inf"}, "toFloat64('-inf')"),
    ("{{Float64(x)}}", {"x": " 1 "}, "toFloat64('1.0')"),
    ("{{Float64(x)}}", {"x": "1e400"}, "toFloat64('inf')"),
    ("{{Boolean(x)}}", {"x": ""}, "0"),
    ("{{Boolean(x)}}", {"x": "0"}, "0"),
    ("{{Boolean(x)}}", {"x": "1"}, "1"),
    ("{{Boolean(x)}}", {"x": "no"}, "1"),
    ("{{Boolean(x)}}", {"x": "FALSE"}, "0"),
    ("{{Boolean(x)}}", {"x": "true"}, "1"),
    ("{{Boolean(x)}}", {"x": " "}, "1"),
    ("{{Date(x)}}", {"x": "2020-01-01"}, "'2020-01-01'"),
    ("{{Date(x)}}", {"x": "2020-13-45"}, "'2020-13-45'"),
    ("{{DateTime(x)}}", {"x": "2020-01-01 00:00:00"}, "'2020-01-01 00:00:00'"),
    ("{{DateTime(x)}}", {"x": "2020-01-01T00:00:00Z"}, "'2020-01-01T00:00:00Z'"),
    ("{{DateTime(x)}}", {"x": "2020/01/01 00:00:00 and more"}, "'2020/01/01 00:00:00 and more'"),
    ("{{DateTime(x)}}", {"x": "01-02-2020 1:2:3"}, "'01-02-2020 1:2:3'"),
    ("{{DateTime64(x)}}", {"x": "2020-01-01 00:00:00.123"}, "'2020-01-01 00:00:00.123'"),
    ("{{DateTime64(x)}}", {"x": "01/02/2020 11:22:33.123456"}, "'01/02/2020 11:22:33.123456'"),
    ("{{JSON(x)}}", {"x": '{"a": [1, null, "b"]}'}, "{'a': [1, None, 'b']}"),
    ("{{JSON(x)}}", {"x": "[1]"}, "[1]"),
]

#: Section 4. What is refused.
TYPES_REFUSED = [
    ("{{Int8(x)}}", {"x": "128"}, "Template Syntax Error: Error validating '128' to type Int8"),
    ("{{Int8(x)}}", {"x": "-129"}, "Template Syntax Error: Error validating '-129' to type Int8"),
    ("{{Int8(x)}}", {"x": " 5"}, "Template Syntax Error: Error validating ' 5' to type Int8"),
    ("{{Int8(x)}}", {"x": "5.0"}, "Template Syntax Error: Error validating '5.0' to type Int8"),
    ("{{Int8(x)}}", {"x": ""}, "Template Syntax Error: Error validating '' to type Int8"),
    ("{{UInt8(x)}}", {"x": "256"}, "Template Syntax Error: Error validating '256' to type UInt8"),
    ("{{UInt8(x)}}", {"x": "+5"}, "Template Syntax Error: Error validating '+5' to type UInt8"),
    ("{{UInt8(x)}}", {"x": "-0"}, "Template Syntax Error: Error validating '-0' to type UInt8"),
    ("{{Int16(x)}}", {"x": "32768"}, "Template Syntax Error: Error validating '32768' to type Int16"),
    ("{{Int32(x)}}", {"x": "2147483648"}, "Template Syntax Error: Error validating '2147483648' to type Int32"),
    ("{{Int32(x)}}", {"x": "1e3"}, "Template Syntax Error: Error validating '1e3' to type Int32"),
    (
        "{{Int64(x)}}",
        {"x": "9223372036854775808"},
        "Template Syntax Error: Error validating '9223372036854775808' to type Int64",
    ),
    (
        "{{Int128(x)}}",
        {"x": "170141183460469231731687303715884105728"},
        "Template Syntax Error: Error validating '170141183460469231731687303715884105728' to type Int128",
    ),
    (
        "{{Int256(x)}}",
        {"x": "999999999999999999999999999999999999999999999999999999999999999999999999999999"},
        "Template Syntax Error: Error validating '999999999999999999999999999999999999999999999999999999999999999999999999999999' to type Int256",
    ),
    (
        "{{Int256(x)}}",
        {"x": "9999999999999999999999999999999999999999999999999999999999999999999999999999999"},
        "Template Syntax Error: Error validating '9999999999999999999999999999999999999999999999999999999999999999999999999999999' to type Int256",
    ),
    ("{{UInt16(x)}}", {"x": "65536"}, "Template Syntax Error: Error validating '65536' to type UInt16"),
    ("{{UInt32(x)}}", {"x": "4294967296"}, "Template Syntax Error: Error validating '4294967296' to type UInt32"),
    (
        "{{UInt64(x)}}",
        {"x": "18446744073709551616"},
        "Template Syntax Error: Error validating '18446744073709551616' to type UInt64",
    ),
    ("{{UInt128(x)}}", {"x": "-1"}, "Template Syntax Error: Error validating '-1' to type UInt128"),
    ("{{UInt256(x)}}", {"x": "-1"}, "Template Syntax Error: Error validating '-1' to type UInt256"),
    (
        "{{UInt256(x)}}",
        {"x": "1111111111111111111111111111111111111111111111111111111111111111111111111111111"},
        "Template Syntax Error: Error validating '1111111111111111111111111111111111111111111111111111111111111111111111111111111' to type UInt256",
    ),
    ("{{Int(x)}}", {"x": "x"}, "Template Syntax Error: Error validating 'x' to type Int32"),
    ("{{Int(x)}}", {"x": "3000000000"}, "Template Syntax Error: Error validating '3000000000' to type Int32"),
    ("{{Float32(x)}}", {"x": "1_0"}, "Template Syntax Error: Error validating '1_0' to type Float32"),
    ("{{Float32(x)}}", {"x": "x"}, "Template Syntax Error: Error validating 'x' to type Float32"),
    ("{{Float32(x)}}", {"x": ""}, "Template Syntax Error: Error validating '' to type Float32"),
    ("{{Date(x)}}", {"x": "20200101"}, "Template Syntax Error: Error validating '20200101' to type Date"),
    ("{{Date(x)}}", {"x": "2020-01-01 "}, "Template Syntax Error: Error validating '2020-01-01 ' to type Date"),
    ("{{Date(x)}}", {"x": "2020-1-1"}, "Template Syntax Error: Error validating '2020-1-1' to type Date"),
    ("{{Date(x)}}", {"x": ""}, "Template Syntax Error: Error validating '' to type Date"),
    ("{{DateTime(x)}}", {"x": "2020-01-01"}, "Template Syntax Error: Error validating '2020-01-01' to type DateTime"),
    (
        "{{DateTime(x)}}",
        {"x": "1-2-2020 1:2:3"},
        "Template Syntax Error: Error validating '1-2-2020 1:2:3' to type DateTime",
    ),
    ("{{DateTime(x)}}", {"x": ""}, "Template Syntax Error: Error validating '' to type DateTime"),
    (
        "{{DateTime64(x)}}",
        {"x": "2020-01-01 00:00:00"},
        "Template Syntax Error: Error validating '2020-01-01 00:00:00' to type DateTime64",
    ),
    (
        "{{DateTime64(x)}}",
        {"x": "2020-01-01 00:00:00.12"},
        "Template Syntax Error: Error validating '2020-01-01 00:00:00.12' to type DateTime64",
    ),
    (
        "{{JSON(x)}}",
        {"x": ""},
        "Template Syntax Error: Error parsing JSON: '' - Expecting value: line 1 column 1 (char 0)",
    ),
    (
        "{{JSON(x)}}",
        {"x": "nope nope nope nope"},
        "Template Syntax Error: Error parsing JSON: 'nope nope nope n...' - Expecting value: line 1 column 1 (char 0)",
    ),
    ("{{Symbol(x)}}", {}, "Template Syntax Error: Invalid function name: Symbol"),
    ("{{Column(x)}}", {}, "Template Syntax Error: Invalid function name: Column"),
    ("{{Bool(x)}}", {}, "Template Syntax Error: Invalid function name: Bool"),
    ("{{Enum8(x)}}", {}, "Template Syntax Error: Invalid function name: Enum8"),
    ("{{UUID(x)}}", {}, "Template Syntax Error: Invalid function name: UUID"),
    ("{{Decimal(x)}}", {}, "Template Syntax Error: Invalid function name: Decimal"),
]

#: Section 4.1.
DEFAULTS = [
    (
        "{{Int32(x, 5)}} {{Int32(x, default='7')}} {{String(x, 'd')}} {{Boolean(x)}} {{Boolean(x, 1)}} {{Date(x, '2020-01-01')}} {{JSON(x)}} {{JSON(x, '[1]')}}",
        {},
        "toInt32('5') toInt32('7') 'd' 0 1 '2020-01-01' {} [1]",
    ),
    ("{{String(x, 'd')}}", {"x": ""}, "''"),
    ("{{Int8(x, enum=[1, 2], required=True, description='d', example=1, format='f')}}", {"x": "3"}, "toInt8('3')"),
    (
        "{{Int32(5)}} {{Int32('5')}} {{String(5)}} {{Float32(1.5)}}",
        {},
        "toInt32('5') toInt32('5') '5' toFloat32('1.5')",
    ),
]

#: Section 4.1. What is refused.
DEFAULTS_REFUSED = [
    ("{{Int32(x, 5)}}", {"x": ""}, "Template Syntax Error: Error validating '' to type Int32"),
    ("{{Date(x, '2020-01-01')}}", {"x": ""}, "Template Syntax Error: Error validating '' to type Date"),
    ("{{Int8(x, '')}}", {}, "Template Syntax Error: Error validating '' to type Int8"),
    ("{{Int8(x, 300)}}", {}, "Template Syntax Error: Error validating '300' to type Int8"),
    ("{{Date(x, 'bad')}}", {}, "Template Syntax Error: Error validating 'bad' to type Date"),
    (
        "{{Int32(x, required=False)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters x. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{{Int32(x, None)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters x. Please provide a value or set a default value in the pipe code.",
    ),
    ("{{Boolean(x, defined=False)}}", {}, "boolean() got an unexpected keyword argument 'defined'"),
    ("{{String()}}", {}, "Template Syntax Error: one of the transform type functions is missing an argument"),
    ("{{Array()}}", {}, "Template Syntax Error: one of the transform type functions is missing an argument"),
    (
        "{{Int32(a)}}{{Int8(b)}}{{String(c)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters a, b and c. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{{Int32(a)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters a. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{{Int32(a)}}{{String(b)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters a and b. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{{Int32(z)}}{{Int32(a)}}{{Int32(z)}}{{Int32(m, 1)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters z and a. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{{Int32(a)}}{{defined(b)}}{{column(c, 'd')}}{{e}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters a. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{{Int32(a)}}{% if k > 3 %}{% end %}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters a and k. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{% if Int32(a) %}{{Int32(b)}}{% end %}{{Int32(c)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters b, a and c. Please provide a value or set a default value in the pipe code.",
    ),
    ("{{Int32(a)}}{{Int32(5)}}", {}, "Template Syntax Error: Required parameter is not defined"),
    (
        "{% for v in Array(a) %}{{Int32(b)}}{% end %}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters b, v and a. Please provide a value or set a default value in the pipe code.",
    ),
    ("{{String(None)}}", {}, "Template Syntax Error: Required parameter is not defined"),
]

#: Section 5.
ARRAYS = [
    ("{{Array(x)}}", {"x": "a,b"}, "['a','b']"),
    ("{{Array(x)}}", {"x": "a, b"}, "['a',' b']"),
    ("{{Array(x)}}", {"x": ""}, "['']"),
    ("{{Array(x)}}", {"x": ","}, "['','']"),
    ("{{Array(x)}}", {"x": "it's,50%"}, "['it\\'s','50\\\\\\%']"),
    ("{{Array(x)}}", {"x": ["a", "b"]}, "['a','b']"),
    ("{{Array(x)}}", {"x": ["x,y"]}, "['x,y']"),
    ("{{Array(x)}}", {"x": []}, "[]"),
    ("{{Array(x, 'Int32')}}", {"x": "1,2"}, "[1,2]"),
    ("{{Array(x, 'Int32')}}", {"x": [1, 2]}, "[1,2]"),
    ("{{Array(x, 'Boolean')}}", {"x": "true,false,0"}, "[1,0,0]"),
    ("{{Array(x, 'Foo')}}", {"x": "a,b"}, "['a','b']"),
    ("{{Array(x, 'Float64')}}", {"x": "1.5,2"}, "[1.5,2.0]"),
    ("{{Array(x, 'Float64')}}", {"x": "nan,1e3"}, "[nan,1000.0]"),
    ("{{Array(x, 'Date')}}", {"x": "2020-01-01"}, "['2020-01-01']"),
    ("{{Array(x, 'UInt256')}}", {"x": "1,2"}, "[1,2]"),
    ("{{Array(x, 'Int32', '1,2')}}", {}, "[1,2]"),
    ("{{Array(x, 'Int32', default='1,2')}}", {}, "[1,2]"),
    ("{{Array(x, default='a')}}", {}, "['a']"),
    ("{{Array(x, 'Int32', [1, 2])}}", {}, "[1,2]"),
    ("{{Array(x)}} {{','.join(x)}}", {"x": "a,b"}, "['a','b'] 'a,b'"),
    ("{{x}} {{Array(x, 'Int32')}}", {"x": "1,2"}, "[1, 2] [1,2]"),
    ("{{x}} {% if False %}{{Array(x, 'Int32')}}{% end %}", {"x": "1,a"}, "'1,a' "),
    ("{{String(x)}} {{Array(x)}} {{x}}", {"x": "1,2"}, "'1,2' ['1','2'] '1,2'"),
    ("{{Array(x, 'Int32')}}{% if 1 in x %} one{% end %}", {"x": "1,2"}, "[1,2] one"),
    ("{% for a in Array(x, 'Int32') %}{{a}} {% end %}", {"x": "1,2"}, "'[' '1' ',' '2' ']' "),
    ("{{sql_and(a__in=Array(x, 'Int32'))}}", {"x": "1,2"}, "a in [1,2]"),
]

#: Section 5. What is refused.
ARRAYS_REFUSED = [
    ("{{Array(x, 'Int32')}}", {"x": "1, 2"}, "Template Syntax Error: Error validating [1, 2][1] ( 2) to type Int32"),
    ("{{Array(x, 'Int32')}}", {"x": ""}, "Template Syntax Error: Error validating [][0] (empty string) to type Int32"),
    (
        "{{Array(x, 'Int32')}}",
        {"x": "1,"},
        "Template Syntax Error: Error validating [1,][1] (empty string) to type Int32",
    ),
    ("{{Array(x, 'Int32')}}", {"x": "[1,2]"}, "Template Syntax Error: Error validating [[1,2]][0] ([1) to type Int32"),
    ("{{Array(x, 'Int32')}}", {"x": "1\n2"}, "Template Syntax Error: Error validating [1\n2][0] (1\n2) to type Int32"),
    (
        "{{Array(x, 'Int32')}}",
        {"x": ["a", "1"]},
        "Template Syntax Error: Error validating [['a', '1']][0] (a) to type Int32",
    ),
    ("{{Array(x, 'Int32')}}", {"x": 5}, "Template Syntax Error: transform type function Array is not well defined"),
    ("{{Array(x, 'Int8')}}", {"x": "300"}, "Template Syntax Error: Error validating [300][0] (300) to type Int8"),
    (
        "{{Array(x, 'Date')}}",
        {"x": "2020-01-01,bad"},
        "Template Syntax Error: Error validating [2020-01-01,bad][1] (bad) to type Date",
    ),
    ("{{Array(x, 'Int32', '')}}", {}, "Template Syntax Error: Error validating [][0] (empty string) to type Int32"),
    (
        "{{Array(x)}}",
        {},
        "Template Syntax Error: Required parameter is not defined. Check the parameters x. Please provide a value or set a default value in the pipe code.",
    ),
    (
        "{{Array(x, 'Int32', defined=False)}}",
        {},
        "Template Syntax Error: expression \"Array(x, 'Int32', de...\" evaluated to null",
    ),
    ("{{Array([1, 2], 'Int32')}}", {}, '"[1, 2]" can not be used as a variable name'),
]


@pytest.mark.parametrize(("template", "parameters", "expected"), TYPES)
def test_types(template, parameters, expected):
    """A text of the type is written as its SQL."""
    assert render("%" + template, parameters).sql == expected


@pytest.mark.parametrize(("template", "parameters", "text"), TYPES_REFUSED)
def test_types_refused(template, parameters, text):
    """The error has the service's text."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, parameters)
    assert str(caught.value) == text


@pytest.mark.parametrize(("template", "parameters", "expected"), DEFAULTS)
def test_defaults(template, parameters, expected):
    """A default stands in for a missing parameter, not for an empty one."""
    assert render("%" + template, parameters).sql == expected


@pytest.mark.parametrize(("template", "parameters", "text"), DEFAULTS_REFUSED)
def test_defaults_refused(template, parameters, text):
    """The error has the service's text."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, parameters)
    assert str(caught.value) == text


@pytest.mark.parametrize(("template", "parameters", "expected"), ARRAYS)
def test_arrays(template, parameters, expected):
    """Text with commas and lists become arrays."""
    assert render("%" + template, parameters).sql == expected


@pytest.mark.parametrize(("template", "parameters", "text"), ARRAYS_REFUSED)
def test_arrays_refused(template, parameters, text):
    """The error has the service's text."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, parameters)
    assert str(caught.value) == text
