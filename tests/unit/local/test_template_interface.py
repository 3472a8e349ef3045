"""The door of the template language: what goes in and what comes out of `render` and `check`."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.local.template import (
    CustomErrorCalled,
    ErrorCalled,
    TemplateError,
    check,
    is_template,
    parameter_metadata,
    render,
)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [("% SELECT 1", True), ("\n  %\nSELECT 1", True), ("%", True), ("SELECT 5 % 2", False), ("", False), ("  ", False)],
)
def test_is_template(sql, expected):
    """The first character that is not blank decides."""
    assert is_template(sql) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT '{{x}}' % 2", "SELECT '{{x}}' % 2"),
        ("% SELECT {{x}}", " SELECT 'a'"),
        ("%\nSELECT {{x}} % 2", "\nSELECT 'a' % 2"),
        ("  %SELECT 1", "  SELECT 1"),
        ("%", ""),
    ],
)
def test_percent_is_dropped(sql, expected):
    """Only the first percent sign goes; a text without it is returned as it is."""
    assert render(sql, {"x": "a"}).sql == expected


def test_settings_are_told_beside_the_sql():
    """The server reads settings from the result."""
    sql = "%{{max_threads(1)}}{{max_threads('4')}}{{cache_ttl('5m')}}{{backend_hint('h')}}{{disable('analyzer')}}"
    rendered = render(sql + "{{activate('analyzer')}}{{activate('parallel_replicas')}}", {})
    assert dict(rendered.settings) == {
        "max_threads": 4,
        "cache_ttl": "5m",
        "backend_hint": "h",
        "disable": "analyzer",
        "activate": frozenset({"analyzer", "parallel_replicas"}),
    }
    assert dict(render("%{{backend_hint('h')}}{{backend_hint(False)}}", {}).settings) == {"backend_hint": None}
    assert dict(render("%{% if False %}{{max_threads(1)}}{% end %}", {}).settings) == {}


def test_secrets_that_exist_are_named_once():
    """A secret becomes a query parameter; its value never gets here."""
    rendered = render("%{{tb_secret('k')}}{{tb_var('k')}}{{tb_secret('z', 'd')}}", {}, secrets=lambda name: name == "k")
    assert rendered.sql == "{k: String}{k: String}'d'"
    assert rendered.secrets == ("k",)


def test_reserved_names_give_warnings():
    """A parameter may have the name of an option of the API, which is told."""
    rendered = render("%{{String(token, 'a')}}{{String(tag, 'b')}}{% if token %}{% end %}{{String(x, 'c')}}", {})
    assert rendered.warnings == ("token", "tag")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("{{DateTime(job_timestamp)}}", "'2026-01-02 03:04:05'"),
        ("{{String(job_timestamp, 'd')}} {{job_timestamp}}", "'2026-01-02 03:04:05' '2026-01-02 03:04:05'"),
    ],
)
def test_job_timestamp_is_filled(sql, expected):
    """The time of the run is there for type functions."""
    now = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    assert render("%" + sql, {}, now=now).sql == expected
    assert check("%" + sql, now=now).sql == expected


def test_job_timestamp_is_not_filled_alone():
    """Standing alone it is a parameter like any other, and a given value wins."""
    with pytest.raises(TemplateError, match="evaluated to null"):
        render("%{{job_timestamp}}", {})
    assert render("%{{DateTime(job_timestamp)}}", {"job_timestamp": "2020-01-01 00:00:00"}).sql.startswith("'2020")


def test_names_of_python_are_ordinary_parameters():
    """A parameter called like a function of Python is missing when it is missing."""
    assert render("%{{defined(filter)}} {{String(max, 'd')}}", {}).sql == "False 'd'"
    assert render("%{{filter}} {{String(max)}} {{max(1, 2)}}", {"filter": "a", "max": "b"}).sql == "'a' 'b' 2"
    with pytest.raises(TemplateError, match='expression "filter" evaluated to null'):
        render("%{{filter}}", {})


def test_parameters_are_not_changed():
    """A template works on copies of lists."""
    parameters = {"x": ["a"], "y": {"k": ["b"]}}
    sql = "%{% set a = x %}{% set a.append('c') %}{% set b = y %}{% set b['k'].append('d') %}{{a}}{{b}}"
    assert render(sql, parameters).sql == "['a', 'c']{'k': ['b', 'd']}"
    assert parameters == {"x": ["a"], "y": {"k": ["b"]}}


def test_renderings_do_not_know_of_each_other():
    """Parsed templates are kept; values are not."""
    sql = "%{% set a = [] %}{% set a.append(x) %}{{a}}"
    assert [render(sql, {"x": value}).sql for value in "ab"] == ["['a']", "['b']"]


def test_error_stops_with_its_message():
    """``error()`` carries its text alone."""
    with pytest.raises(ErrorCalled) as caught:
        render("%{{error('no')}}", {})
    assert (str(caught.value), caught.value.documentation) == ("no", None)


def test_custom_error_carries_body_and_code():
    """``custom_error()`` carries an object and the HTTP status."""
    with pytest.raises(CustomErrorCalled) as caught:
        render("%{{custom_error({'error': x, 'list': [1]}, 403)}}", {"x": "a"})
    assert (caught.value.body, caught.value.code) == ({"error": "a", "list": [1]}, 403)
    with pytest.raises(CustomErrorCalled) as caught:
        render("%{{custom_error('text')}}", {})
    assert (caught.value.body, caught.value.code) == ("text", 400)


@pytest.mark.parametrize(
    ("sql", "page"),
    [
        ("{{Int32(x)}}", "/cli/advanced-templates.html"),
        ("{{x}}", "/cli/advanced-templates.html"),
        ("{{column(x)}}", "/cli/advanced-templates.html#column"),
        ("{{columns(x)}}", "/cli/advanced-templates.html#columns"),
        ("{{sql_and(a__b=1)}}", "/cli/advanced-templates.html#sql_and"),
        ("{{split_to_array(1)}}", "/cli/advanced-templates.html#split_to_array"),
        ("{{String()}}", "/cli/advanced-templates.html#transform-types-functions"),
        ("{{date_diff_in_hours('a', 'b')}}", "/cli/advanced-templates.html#date_diff_in_hours"),
        ("{{eval('1')}}", None),
    ],
)
def test_errors_link_to_the_page(sql, page):
    """The path of the vendor's page is an attribute."""
    with pytest.raises(TemplateError) as caught:
        render("%" + sql, {})
    assert caught.value.documentation == page


def test_errors_name_the_node():
    """With a name, errors of the parser carry it."""
    with pytest.raises(TemplateError, match=r"^Empty expression at node_1:2$"):
        render("%\n{{}}", {}, name="node_1")
    with pytest.raises(TemplateError) as caught:
        check("%{% if x %}", name="n")
    assert str(caught.value) == "Missing {% end %} block for if in the node n at line 1 of the SQL: {% if x %}"


def sql_strings(sql):
    """Split SQL into what stands outside of quotes and the decoded texts inside; fails on an open quote."""
    outside, texts, position = [], [], 0
    while position < len(sql):
        if sql[position] != "'":
            outside.append(sql[position])
            position += 1
            continue
        text, position = [], position + 1
        while sql[position] != "'" or sql[position : position + 2] == "''":
            step = 2 if sql[position] in "\\'" else 1
            text.append(sql[position : position + step])
            position += step
        texts.append("".join(text))
        position += 1
    return "".join(outside), texts


#: Templates into which every value has to stay a text.
QUOTING = [
    ("{{x}}", "", 1),
    ("{{String(x)}}", "", 1),
    ("{{x + x}}", "", 1),
    ("{{f'{x}'}}", "", 1),
    ("{{[x, x]}}", "[, ]", 2),
    ("{{ {'k': x} }}", "{: }", 2),
    ("{{(x,)}}", "(,)", 1),
    ("{{sql_and(a=x, b__in=[x])}}", "a =  and b in []", 2),
    ("{{sql_unescape(x, '%')}}", "", 1),
    ("{{sql_unescape(x, x)}}", "", 1),
    ("{{JSON(y)}}", "[]", 1),
    ("{% try %}{{Int32('a' + x)}}{% except ValueError as e %}{{e}}{% end %}", "", 1),
    ("{% set a = x %}{{a}} {% for b in [a] %}{{b}}{% end %}", " ", 2),
]


@pytest.mark.parametrize(("sql", "outside", "count"), QUOTING)
@given(value=st.text(alphabet=st.one_of(st.sampled_from("'\\\"`%\n{}-/*;"), st.characters(codec="utf-8"))))
def test_no_value_leaves_its_quotes(sql, outside, count, value):
    """Whatever a value looks like, what stands outside of quotes is the template's."""
    written = render("%" + sql, {"x": value, "y": json.dumps([value])}).sql
    assert sql_strings(written)[0] == outside
    assert len(sql_strings(written)[1]) == count


@given(value=st.text(alphabet=st.one_of(st.sampled_from("'\\\"`%\n,.{}-/*;"), st.characters(codec="utf-8"))))
def test_no_value_leaves_its_array(value):
    """A member of an array stays one, whatever it looks like."""
    outside, texts = sql_strings(render("%{{Array(x)}}", {"x": value}).sql)
    assert outside == "[" + "," * value.count(",") + "]"
    assert len(texts) == value.count(",") + 1


@given(value=st.text(alphabet="ab`\\'\"%.,\n;-"))
def test_no_name_leaves_its_backticks(value):
    """Identifiers out of parameters stay between backticks."""
    for sql in ("{{column(x)}}", "{{symbol(x)}}", "{{columns(x, fn='max')}}"):
        written = render("%" + sql, {"x": value}).sql
        position, inside, outside = 0, False, []
        while position < len(written):
            if written[position] == "\\" and inside:
                position += 2
                continue
            if written[position] == "`":
                inside = not inside
            elif not inside:
                outside.append(written[position])
            position += 1
        assert not inside
        assert set("".join(outside)) <= set("max() as,.b`")


@given(st.text(alphabet="{}%#! \n'x()iIfendsetfor=<>,+-*[]._0123456789:"))
def test_any_source_gives_sql_or_a_template_error(source):
    """No source makes the parser or the interpreter fail in another way."""
    for run in (lambda text: render(text, {"x": "1"}), check, parameter_metadata):
        with contextlib.suppress(TemplateError):
            run("%" + source)
