"""The helper functions, secrets and settings.

Rows are: template (without its ``%``), parameters, what comes out. They follow ``templating.md`` and agree with the
vendor's own package, except where a comment says so.
"""

# ruff: noqa: E501 - a row is a row, however long its text

from __future__ import annotations

import pytest

from tinymagic.local.template import TemplateError, render

#: Sections 6 and 7.
HELPERS = [
    ("{{defined(x)}} {{defined(y)}}", {"x": ""}, "True False"),
    ("{{column(x)}}", {"x": "json.a"}, "`json`.`a`"),
    ("{{column(x)}}", {"x": "a'b\\c%d\"e`f\n\r\t\x08\x00\x1ag_h"}, "`a\\'b\\\\c\\%de\\`f\\n\\r\\t\\b\\0\\zg_h`"),
    ("{{column(x, 'd')}}", {}, "`d`"),
    ("{{columns(x)}}", {"x": " a , b.c"}, "`a`,`b`.`c`"),
    (
        "{{columns(x, 'a,b', fn='sum')}} {{columns(x, 'a,b', 'max')}} {{columns(x, 'a', fn='quantile(0.5)')}}",
        {},
        "sum(`a`) as a,sum(`b`) as b max(`a`) as a,max(`b`) as b quantile(0.5)(`a`) as a",
    ),
    (
        "{{columns(x, fn='sum')}}",
        {"x": "a) as b, (select 1"},
        "sum(`a) as b`) as `a) as b`,sum(`(select 1`) as `(select 1`",
    ),
    ("{{symbol(x)}} {{symbol(x, '')}} {{symbol(x, '\"')}}", {"x": "a.b"}, '`a.b` a.b "a.b"'),
    ("{{symbol(x)}}", {"x": 'a`b"c'}, "`a\\`bc`"),
    ("{{table(x)}} {{TABLE(x)}}", {"x": "a; drop"}, "a; drop a; drop"),
    (
        "{{sql_and(a=x, b__gt=y, c__in=Array(z, 'Int32'), d__not_in=[1, 'a'], e__lt=1, f__gte=1.5, g__lte=True)}}",
        {"x": "it's", "z": "3"},
        "a = 'it\\'s' and c in [3] and d not in [1, 'a'] and e < 1 and f >= 1.5 and g <= True",
    ),
    ("{{sql_and(a=x)}}|", {}, "|"),
    ("{{sql_and(a=String(x, defined=False), b=1)}}", {}, "b = 1"),
    ("{{sql_and(a__foo=x)}}|", {}, "|"),
    ("{{sql_and(a__b__gt=1)}}", {}, "a__b > 1"),
    ("{{split_to_array(x)}} {{split_to_array(x, separator='b')}}", {"x": "a, b ,c"}, "['a', 'b', 'c'] ['a,', ',c']"),
    ("{{split_to_array(x)}} {{split_to_array(x, 'd,e')}}", {}, "[''] ['d', 'e']"),
    ("{{split_to_array(x)}}", {"x": "it's,a\\b"}, "['it''s', 'a\\\\b']"),
    ("{% for last, v in enumerate_with_last(['a', 'b']) %}{{v}}{% if not last %},{% end %}{% end %}", {}, "'a','b'"),
    ("{{sql_unescape(String(x), '%')}}", {"x": "50%_'\\%"}, "'50%_\\'\\\\%'"),
    ('{{sql_unescape(x, "\'")}}', {"x": "a'b"}, "'a\\'b'"),
    ("{{sql_unescape(x, '\\\\')}}", {"x": "a\\b"}, "'a\\\\b'"),
    ('{{sql_unescape(x, "n\'")}}', {"x": "\\n'"}, "'\\\\n\\''"),
    ("{{day_diff('2020-01-01', '2020-01-05')}} {{day_diff('2020-01-05', '2020-01-01')}}", {}, "4 4"),
    ("{{date_diff_in_days('2020-01-01', '2020-03-01')}}", {}, "60"),
    (
        "{{date_diff_in_hours('2020-01-01 00:00:00', '2020-01-01 05:59:59')}} {{date_diff_in_minutes('2020-01-01 00:00:00', '2020-01-01 05:59:59')}} {{date_diff_in_seconds('2020-01-01 00:00:00', '2020-01-01 05:59:59')}}",
        {},
        "5 359 21599",
    ),
    (
        "{{date_diff_in_days('2020-01-01', '2020-01-05 00:00:00', date_format='%Y-%m-%d %H:%M:%S', backup_date_format='%Y-%m-%d')}}",
        {},
        "4",
    ),
    ("{% if date_diff_in_days('x', 'y', none_if_error=True) is None %}none{% end %}", {}, "none"),
    ("{{date_diff_in_days('20200101', '20200105', '%Y%m%d')}}", {}, "4"),
    ("{{date_diff_in_hours('2020-01-01T00:00:00+0100', '2020-01-01T05:59:59+0000', '%Y-%m-%dT%H:%M:%S%z')}}", {}, "6"),
    (
        "{{tb_secret('known')}} {{tb_var('known')}} {{tb_secret('known', 'd')}} {{tb_secret('other', 'd')}} {{tb_secret('other', '')}}",
        {},
        "{known: String} {known: String} {known: String} 'd' ''",
    ),
    (
        "{{max_threads(3)}}x {{max_threads('5')}}x {{max_threads('a')}}x",
        {},
        "-- max_threads 3\nx -- max_threads 5\nx -- max_threads: wrong argument\nx",
    ),
    ("{{backend_hint('a')}}x {{backend_hint(None)}}x", {}, "-- backend_hint a\nx -- backend_hint None\nx"),
    ("{{backend_hint('a\\nselect 1')}}", {}, "-- backend_hint a select 1\n"),
    ("{{cache_ttl('5s')}}x", {}, "-- cache_ttl 5s\nx"),
    ("{{activate('analyzer')}}x", {}, "-- activate analyzer\nx"),
    ("{{disable('analyzer')}}x", {}, "-- disable analyzer\nx"),
]

#: Sections 6 and 7. What is refused.
HELPERS_REFUSED = [
    (
        "{{column(x)}}",
        {},
        "Template Syntax Error: Missing column() default value, use `column(column_name, 'default_column_name')`",
    ),
    ("{{column(x)}}", {"x": ["a"]}, "Template Syntax Error: 'list' object has no attribute 'translate'"),
    (
        "{{columns(x)}}",
        {},
        "Template Syntax Error: Missing columns() default value, use `columns(column_names, 'default_column_name')`",
    ),
    ("{{columns(x)}}", {"x": ["a"]}, "Template Syntax Error: The 'columns' function expects a String not an Array"),
    (
        "{{columns('a', fn='s) from t --')}}",
        {},
        "Template Syntax Error: The 'fn' of the 'columns' function has to be the name of a function",
    ),
    (
        "{{symbol('a', x)}}",
        {"x": "` from t --"},
        "Template Syntax Error: The 'quote' of the 'symbol' function has to be a quote or empty",
    ),
    ("{{symbol(x)}}", {}, "Template Syntax Error: 'NoneType' object has no attribute 'translate'"),
    ("{{table(x)}}", {}, "Template Syntax Error: 'NoneType' object has no attribute 'translate'"),
    ("{{error('message')}}", {}, "message"),
    ("{{error(x)}}", {}, "None"),
    ("{{custom_error({'a': 1}, 403)}}", {}, "{'a': 1}"),
    ("{{custom_error('m')}}", {}, "m"),
    ("{{sql_and(a__foo=x)}}", {"x": "1"}, "Template Syntax Error: operand foo not supported"),
    (
        "{% set c = sql_and(**JSON(x)) %}{{c}}",
        {"x": '{"1=1 or a": "b"}'},
        "Template Syntax Error: '1=1 or a' is not a valid name",
    ),
    (
        "{{split_to_array(x)}}",
        {"x": ["a"]},
        "Template Syntax Error: First argument of split_to_array has to be a value that can be split to a list of elements, but found a PlaceHolder with no value instead",
    ),
    ("{{enumerate_with_last(x)}}", {}, "object of type 'NoneType' has no len()"),
    ("{{sql_unescape(x)}}", {}, "Template Syntax Error: 'NoneType' object has no attribute 'translate'"),
    (
        "{{day_diff('a', 'b')}}",
        {},
        "Template Syntax Error: invalid date format in function `day_diff`, it must be ISO format date YYYY-MM-DD, e.g. 2018-09-26. For other fotmats, try `date_diff_in_days`",
    ),
    (
        "{{date_diff_in_days('a', 'b')}}",
        {},
        "Template Syntax Error: invalid date format in function `date_diff_in_days`, it must be ISO format date YYYY-MM-DD, e.g. 2018-09-26",
    ),
    (
        "{{date_diff_in_hours('a', 'b')}}",
        {},
        "Template Syntax Error: invalid date_format in function `date_diff_in_hours`, defaults to YYYY-MM-DD hh:mm:ss. Or %Y-%m-%d %H:%M:%S [.ssssss]Z, e.g. ms: 2022-12-19T18:42:22.591Z s:2022-12-19T18:42:22Z",
    ),
    (
        "{{date_diff_in_minutes('a', 'b')}}",
        {},
        "Template Syntax Error: invalid date_format in function `date_diff_in_seconds`, defaults to YYYY-MM-DD hh:mm:ss. Or %Y-%m-%d %H:%M:%S [.ssssss]Z, e.g. ms: 2022-12-19T18:42:22.591Z s:2022-12-19T18:42:22Z",
    ),
    (
        "{{date_diff_in_seconds('a', 'b')}}",
        {},
        "Template Syntax Error: invalid date_format in function `date_diff_in_seconds`, defaults to YYYY-MM-DD hh:mm:ss. Or %Y-%m-%d %H:%M:%S [.ssssss]Z, e.g. ms: 2022-12-19T18:42:22.591Z s:2022-12-19T18:42:22Z",
    ),
    (
        "{{tb_secret('other')}}",
        {},
        "Template Syntax Error: Cannot access secret 'other'. Check the secret exists in the Workspace and the token has the required scope.",
    ),
    (
        "{{tb_var('other')}}",
        {},
        "Template Syntax Error: Cannot access secret 'other'. Check the secret exists in the Workspace and the token has the required scope.",
    ),
    (
        "{{tb_secret('a b')}}",
        {},
        "Template Syntax Error: Cannot access secret 'a b'. Check the secret exists in the Workspace and the token has the required scope.",
    ),
    (
        "{{cache_ttl('2s')}}",
        {},
        "Template Syntax Error: Invalid TTL cache expression, valid expressions are ('5s', '1m', '5m', '30m', '1h')",
    ),
    ("{{activate('other')}}", {}, "Template Syntax Error: 'other' is not a valid 'activate' argument"),
    ("{{disable('other')}}", {}, "Template Syntax Error: 'other' is not a valid 'disable' argument"),
]


@pytest.mark.parametrize(("template", "parameters", "expected"), HELPERS)
def test_helpers(template, parameters, expected):
    """The helper writes what the service's writes."""
    assert render("%" + template, parameters, secrets="known".__eq__).sql == expected


@pytest.mark.parametrize(("template", "parameters", "text"), HELPERS_REFUSED)
def test_helpers_refused(template, parameters, text):
    """The error has the service's text."""
    with pytest.raises(TemplateError) as caught:
        render("%" + template, parameters, secrets="known".__eq__)
    assert str(caught.value) == text
