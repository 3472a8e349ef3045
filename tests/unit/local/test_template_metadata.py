"""Parameter metadata (``templating.md`` section 9): which parameters a template has, without rendering it."""

from __future__ import annotations

import pytest

from tinymagic.local.template import TemplateError, parameter_metadata


def text(name, **more):
    """Return the entry of a parameter without a type of its own."""
    return {"name": name, "type": "String", "default": None, **more}


def helper(name):
    """Return the entry of a parameter that only a helper uses."""
    return text(name, used_in="function_call")


METADATA = [
    (
        "{{String(a,'x',description='d',required=True,enum=['x','y'],format='email',example='z')}}",
        [
            {
                "name": "a",
                "type": "String",
                "default": "x",
                "description": "d",
                "required": True,
                "enum": ["x", "y"],
                "format": "email",
                "example": "z",
            }
        ],
    ),
    ("{{Array(b,'Int32','1,2')}}", [{"name": "b", "type": "Array(Int32)", "default": "1,2"}]),
    ("{{Array(b)}}", [{"name": "b", "type": "Array(String)", "default": None}]),
    ("{{Array(b, 'Int32', default=[1, 2])}}", [{"name": "b", "type": "Array(Int32)", "default": [1, 2]}]),
    ("{{JSON(a, '{}')}}{{Boolean(b, True)}}", [
        {"name": "a", "type": "JSON", "default": "{}"},
        {"name": "b", "type": "Boolean", "default": True},
    ]),
    ("{% if defined(c) %}{% end %}", [helper("c")]),
    ("{{column(a)}}{{columns(b, 'x')}}{{split_to_array(c)}}", [helper("a"), helper("b"), helper("c")]),
    ("{{f}}", [text("f")]),
    ("{{Int64(e, 9007199254740993)}}", [{"name": "e", "type": "Int64", "default": "9007199254740993"}]),
    ("{{Int64(e, 9007199254740991)}}", [{"name": "e", "type": "Int64", "default": 9007199254740991}]),
    ("{{Float32(x, -0.1)}}", [{"name": "x", "type": "Float32", "default": -0.1}]),
    ("{{Int(x)}}{{Integer(y)}}", []),
    ("{{Int32(x)}}{% if x > 0 %}{% end %}{{String(x, 'a')}}", [
        {"name": "x", "type": "Int32", "default": None},
        {"name": "x", "type": "String", "default": "a"},
    ]),
    ("{{String(a)}}{{b}}{{String(a)}}", [text("a"), text("b"), text("a")]),
    ("{% if defined(x) and Int32(x) > 1 %}{{Int32(x)}}{% end %}", [{"name": "x", "type": "Int32", "default": None}]),
    ("{% for v in items %}{{v}}{% end %}", [text("v"), text("items")]),
    ("{% set a = Int32(b, 5) %}", [text("a"), {"name": "b", "type": "Int32", "default": 5}]),
    ("{% if a %}{{b}}{% else %}{{c}}{% end %}{{d}}", [text("b"), text("c"), text("a"), text("d")]),
    ("{% if a and b or not c %}{% elif d %}{% end %}", [text("d"), text("a"), text("b"), text("c")]),
    ("{% while a > b %}{% end %}", [text("a"), text("b")]),
    ("{% try %}{{Int32(a)}}{% except Exception as e %}{{f}}{% end %}", [
        {"name": "a", "type": "Int32", "default": None},
        text("f"),
    ]),
    ("{{x if y else z}}", [text("y"), text("x"), text("z")]),
    ("{{sql_and(a=String(b), c=d)}}", [text("b"), text("d")]),
    ("{{String(a, description=x)}}", [text("a", description="x"), text("x")]),
    ("{{len(x)}}{{symbol(x)}}{{max_threads(x)}}", []),
    ("{{String(a, defined=False)}}", [text("a", defined=False)]),
    ("{{Int32(5)}}", [{"name": 5, "type": "Int32", "default": None}]),
    ("{{Int32(Int8(x))}}", [{"name": "x", "type": "Int8", "default": None}]),
    ("{{f'{x}'}}{{ {'k': y} }}{{-z}}", [text("x"), text("y"), text("z")]),
]  # fmt: skip


@pytest.mark.parametrize(("template", "expected"), METADATA)
def test_metadata(template, expected):
    """Each use of a parameter has an entry, in the service's order."""
    assert parameter_metadata("%" + template) == expected


def test_text_without_percent_has_none():
    """Braces mean nothing in ordinary SQL."""
    assert parameter_metadata("SELECT '{{String(a)}}'") == []


def test_a_list_is_no_name():
    """What is used as a parameter has to be a name."""
    with pytest.raises(TemplateError, match=r'^"\[1\]" can not be used as a variable name$'):
        parameter_metadata("% {{Int32([1])}}")


def test_a_template_that_cannot_be_read_has_none():
    """The error is that of rendering."""
    with pytest.raises(TemplateError, match="Missing end expression"):
        parameter_metadata("% {{Int32(a)")
