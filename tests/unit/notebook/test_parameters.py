"""Binding of variables into SQL, without a server."""

# ruff: noqa: DTZ001 - times without a zone are among what is tested

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.notebook.bindings import find_bindings
from tinymagic.notebook.parameters import GivenText, bind, prepare
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.templates import template_names, template_parameters
from tinymagic.notebook.values import Unwritable, write_identifier, write_value


def problem(sql, names=None, given_names=None):
    with pytest.raises(CellProblem) as caught:
        prepare(sql, names or {}, given_names or {})
    return caught.value


class TestUntouched:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1",
            'SELECT \'{"a": {"b": 1}}\'',
            "SELECT '{{\"a\": 1}}'",
            "SELECT {'a': {'b': 1}}",
            "SELECT {x:UInt8}, :x, $x",
            "SELECT '{% if %}', '{# note #}'",
            "SELECT 1 -- {{ n }}",
            "SELECT /* {{ n }} */ 1",
            "SELECT `{% x %}`",
            "SELECT 5 % 2",
            "SELECT 'a' || '}}'",
            "SELECT $${% x %}$$",
        ],
    )
    def test_text_without_binding_is_sent_as_it_is(self, sql):
        bound = prepare(sql, {"n": 1, "x": 2}, {})
        assert (bound.text, dict(bound.parameters)) == (sql, {})

    def test_what_looks_like_a_tag_becomes_literal_beside_a_binding(self):
        bound = bind("SELECT '{%', '{#', '{{\"', {{ n }} -- {{ n }}\n", {"n": 1})
        assert bound.text == "%\nSELECT '{%!', '{#!', '{{!\"', {{Int64(tm_n)}} -- {{! n }}\n"

    def test_literal_braces(self):
        assert bind("SELECT '{{! n }}'", {}).text == "SELECT '{{ n }}'"
        assert bind("SELECT '{{! n }}', {{ n }}", {"n": 1}).text == "%\nSELECT '{{! n }}', {{Int64(tm_n)}}"

    def test_a_brace_before_a_binding_stays_apart(self):
        assert bind("SELECT {{{ k }}: 1}", {"k": "a"}).text == "%\nSELECT { {{String(tm_k)}}: 1}"


class TestPaths:
    NAMES = {
        "n": 5,
        "cfg": {"limit": 7, "a b": {"deep": [1, 2]}, "items": 3},
        "ids": [10, 20],
        "thing": SimpleNamespace(size=8, _secret=1),
        "frame": pd.DataFrame({"x": [1, 2]}, index=["a", "b"]),
        "series": pd.Series([5, 6], index=[10, 11]),
    }

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("n", "5"),
            ("cfg.limit", "7"),
            ("cfg . limit", "7"),
            ("cfg['limit']", "7"),
            ('cfg["a b"].deep[1]', "2"),
            # Of a dictionary the keys count, not its methods.
            ("cfg.items", "3"),
            ("ids[0]", "10"),
            ("ids[-1]", "20"),
            ("thing.size", "8"),
            ("frame.x", "1,2"),
            ("frame['x']", "1,2"),
            ("series[0]", "5"),
        ],
    )
    def test_reach_a_value(self, path, text):
        bound = bind(f"SELECT {{{{ {path} }}}}", self.NAMES)
        assert list(bound.parameters.values()) == [text]

    @pytest.mark.parametrize(
        ("path", "words", "near"),
        [
            ("m", "no variable 'm'", ()),
            ("thin.size", "no variable 'thin'", ("thing",)),
            ("cfg.limt", "'cfg' (dict) has no 'limt'", ("limit",)),
            ("cfg['a b'].dep", "has no 'dep'", ("deep",)),
            ("ids[2]", "'ids' (list) has no index 2", ()),
            ("n[0]", "'n' (int) has no index 0", ()),
            ("thing._secret", "has no '_secret'", ()),
            ("thing.sizes", "has no 'sizes'", ("size",)),
        ],
    )
    def test_lead_nowhere(self, path, words, near):
        sql = f"SELECT 1,\n {{{{ {path} }}}}"
        caught = problem(sql, self.NAMES)
        assert words in str(caught)
        assert caught.suggestions == near
        assert sql[caught.position : caught.position + caught.length] == f"{{{{ {path} }}}}"

    @pytest.mark.parametrize(
        ("inside", "words"),
        [
            ("", "name of a variable"),
            ("1", "name of a variable"),
            ("n + 1", "compute the value in Python first"),
            ("n(1)", "only names are bound"),
            ("Int32(n, 5)", "make % the first line"),
            ("ids[0:1]", "not a name, a dotted name or an index"),
            ("n | upper", "no filter 'upper'"),
            ("n | idnt", "no filter 'idnt'"),
        ],
    )
    def test_that_are_none(self, inside, words):
        assert words in str(problem(f"SELECT {{{{ {inside} }}}}", self.NAMES))

    def test_not_closed(self):
        assert "no }}" in str(problem("SELECT {{ n FROM t", {"n": 1}))

    @pytest.mark.parametrize(
        "sql", ["SELECT '{{ n }}'", 'SELECT "{{ n }}"', "SELECT `{{n}}`", "SELECT 'x {{ a.b }} y'"]
    )
    def test_in_quotes_are_refused(self, sql):
        caught = problem(sql, {"n": 1})
        assert "take the quotes away" in str(caught)
        assert sql[caught.position :].startswith("{{")

    @pytest.mark.parametrize("value", [math, len, dt.datetime, lambda: 1])
    def test_to_what_is_no_value(self, value):
        assert "not a value" in str(problem("SELECT {{ v }}", {"v": value}))


class TestParameterNames:
    def test_do_not_clash_with_those_of_the_api_or_of_pipes(self):
        names = {"q": 1, "token": 2, "format": 3, "__tb__x": 4, "limit": 5}
        bound = bind(" ".join(f"{{{{ {name} }}}}" for name in names), names)
        assert set(bound.parameters) == {"tm_q", "tm_token", "tm_format", "tm_tb_x", "tm_limit"}

    def test_are_different_for_different_paths(self):
        bound = bind(
            "{{ a.b }} {{ a_b }} {{ A_B }} {{ é }} {{ ü }}", {"a": {"b": 1}, "a_b": 2, "A_B": 3, "é": 4, "ü": 5}
        )
        assert list(bound.parameters.values()) == ["1", "2", "3", "4", "5"]
        assert all(name.isascii() and "__" not in name for name in bound.parameters)

    def test_are_shared_by_equal_paths(self):
        assert bind("{{ a }} {{a}}", {"a": 1}).text == "%\n{{Int64(tm_a)}} {{Int64(tm_a)}}"


class TestValues:
    @pytest.mark.parametrize(
        ("value", "template", "text"),
        [
            (True, "toBool({{Boolean(p)}})", "true"),
            (5, "{{Int64(p)}}", "5"),
            (np.int8(5), "{{Int64(p)}}", "5"),
            (2**63, "{{UInt64(p)}}", str(2**63)),
            (-(2**63) - 1, "{{Int128(p)}}", str(-(2**63) - 1)),
            (2**127, "{{Int256(p)}}", str(2**127)),
            (2**255, "{{UInt256(p)}}", str(2**255)),
            (0.1, "({{Float64(p) * 1}})", "0.1"),
            (float("nan"), "({{Float64(p) * 1}})", "nan"),
            (np.float32(0.5), "({{Float64(p) * 1}})", "0.5"),
            ("a'b", "{{String(p)}}", "a'b"),
            ("", "{{String(p, '')}}", ""),
            ("50%", "{{sql_unescape(String(p), '%')}}", "50%"),
            (" a", "base64Decode({{String(p)}})", "IGE="),
            ("a\x1a", "base64Decode({{String(p)}})", "YRo="),
            (b"\xff", "base64Decode({{String(p)}})", "/w=="),
            (Decimal("1.50"), "toDecimal32({{String(p)}}, 2)", "1.50"),
            (Decimal("1E+3"), "toDecimal32({{String(p)}}, 0)", "1000"),
            (dt.date(2024, 1, 2), "toDate({{Date(p)}})", "2024-01-02"),
            (dt.date(1969, 1, 2), "toDate32({{Date(p)}})", "1969-01-02"),
            (dt.datetime(2024, 1, 2, 3), "toDateTime({{DateTime(p)}})", "2024-01-02 03:00:00"),
            (dt.datetime(2024, 1, 2, 3, 4, 5, 6), "toDateTime64({{DateTime64(p)}}, 6)", "2024-01-02 03:04:05.000006"),
            (
                dt.datetime(2024, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=1))),
                "toDateTime({{DateTime(p)}}, 'UTC')",
                "2024-01-02 02:00:00",
            ),
            (
                pd.Timestamp("2024-01-02 00:00:00.000000001"),
                "toDateTime64({{DateTime64(p)}}, 9)",
                "2024-01-02 00:00:00.000000001",
            ),
            (None, "NULL", None),
            (pd.NA, "NULL", None),
            (pd.NaT, "NULL", None),
            (np.datetime64("NaT", "ns"), "NULL", None),
            ([], "[]", None),
            ([1, 2], "CAST({{Array(p, 'Int64')}}, 'Array(Int64)')", "1,2"),
            (["a,b"], "JSONExtract({{String(p)}}, 'Array(String)')", '["a,b"]'),
            (
                [1, None],
                "CAST(JSONExtract({{String(p)}}, 'Array(Nullable(String))'), 'Array(Nullable(Int64))')",
                '["1",null]',
            ),
            (pd.Series([], dtype="int64"), "CAST([], 'Array(Int64)')", None),
            (pd.Series(["a", None]), "JSONExtract({{String(p)}}, 'Array(Nullable(String))')", '["a",null]'),
            ({2, 1}, "CAST({{Array(p, 'Int64')}}, 'Array(Int64)')", "1,2"),
            (np.ma.masked, "NULL", None),
        ],
    )
    def test_are_written(self, value, template, text):
        written = write_value(value, "p")
        assert (written.template, written.text) == (template, text)

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ({"a": 1}, "dict"),
            (pd.DataFrame({"a": [1]}), "a column of it"),
            (dt.timedelta(1), "its seconds"),
            (pd.Timedelta(1), "its seconds"),
            (np.timedelta64(1, "s"), "timedelta64"),
            (dt.time(1), "text or a datetime"),
            (1j, "its parts"),
            (object(), "has no form in SQL"),
            ((n for n in [1]), "Make a list"),
            (2**256, "more than 256 bits"),
            (-(2**255) - 1, "more than 256 bits"),
            (Decimal("NaN"), "no such value"),
            (Decimal(10) ** 76, "at most 76"),
            (dt.date(1899, 12, 31), "1900 to 2299"),
            (dt.datetime(2300, 1, 1), "1900 to 2299"),
            ("\ud800", "half of a character"),
            ([1, "a"], "mixes int and str"),
            ([True, 2], "mixes bool and int"),
            ([1, [2]], "mixes elements and lists"),
            ([0.5, 2**53 + 1], "no float holds"),
            ([dt.date(2024, 1, 1), dt.datetime(2024, 1, 1)], "dates and times"),
            (
                [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)],
                "with and without a time zone",
            ),
            ([{"a": 1}], "dict"),
            (np.longdouble(1), "longdouble"),
        ],
    )
    def test_without_an_exact_form_are_refused(self, value, words):
        with pytest.raises(Unwritable, match=words):
            write_value(value, "p")

    @given(st.text())
    def test_no_piece_of_a_text_reaches_the_sql(self, text):
        try:
            bound = bind("SELECT {{ x }}", {"x": text})
        except CellProblem:
            assert any("\ud800" <= sign <= "\udfff" for sign in text)
            return
        calls = (
            "{{String(tm_x)}}",
            "{{String(tm_x, '')}}",
            "{{sql_unescape(String(tm_x), '%')}}",
            "base64Decode({{String(tm_x)}})",
        )
        assert bound.text.removeprefix("%\nSELECT ") in calls


class TestIdentifiers:
    @pytest.mark.parametrize(
        ("value", "template", "text"),
        [("day", "{{column(p)}}", "day"), ("ws.t", "{{column(p)}}", "ws.t"), (["a", "b c"], "{{columns(p)}}", "a,b c")],
    )
    def test_are_written(self, value, template, text):
        written = write_identifier(value, "p")
        assert (written.template, written.text) == (template, text)

    @pytest.mark.parametrize("value", [5, "", None, "a%", 'a"b', "a`b", "a\\b", " a", "a\n", [], ["a,b"], [1]])
    def test_of_other_kinds_are_refused(self, value):
        with pytest.raises(Unwritable):
            write_identifier(value, "p")

    def test_and_value_of_one_variable_are_two_parameters(self):
        bound = bind("SELECT {{ c | ident }}, {{ c }}", {"c": "day"})
        assert bound.text == "%\nSELECT {{column(tm_c)}}, {{String(tm_c_2)}}"


class TestGivenParameters:
    def test_win_over_variables_and_are_read_as_json(self):
        bound = prepare("SELECT {{ n }}, {{ s }}", {"n": 1, "s": 2}, {"n": GivenText("5"), "s": GivenText("JFK")})
        assert bound.text == "%\nSELECT {{Int64(tm_n)}}, {{String(tm_s)}}"
        # Under their own names too, for Pipes that the query reads.
        assert bound.parameters == {"n": "5", "s": "JFK", "tm_n": "5", "tm_s": "JFK"}

    @pytest.mark.parametrize(
        ("text", "type_name"),
        [
            ("5", "Int64"),
            ("5.5", "Float64"),
            ("true", "Bool"),
            ("[1,2]", "Array(Int64)"),
            ('"5"', "String"),
            ("007", "String"),
            ("NaN", "String"),
            ("2024-01-01", "String"),
            ("", "String"),
        ],
    )
    def test_have_types(self, text, type_name):
        assert prepare("{{ x }}", {}, {"x": GivenText(text)}).values[0].written.type == type_name

    def test_reach_a_template_as_typed(self):
        bound = prepare("%\nSELECT {{String(x)}}", {"x": 1}, {"x": GivenText("1.10")})
        assert bound.parameters == {"x": "1.10"}


class TestTemplates:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("%\nSELECT {{Int32(n, 1)}}", ["n"]),
            ("% SELECT {{n}} {{ n }} {{String(m, description='text of x')}}", ["n", "m"]),
            ("%{% if defined(a) and b > 3 %}{{c}}{% else %}1{% end %}", ["a", "b", "c"]),
            ("%{% for x in items %}{{x}}{% end %}", ["items"]),
            ("%{% set y = Int8(k) %}{{y}}", ["k"]),
            ("%{{! no }} {# {{ comment }} #}{{ yes }}", ["comment", "yes"]),
            ("%{{ broken( }} {{ fine }}", ["fine"]),
            ("%{{sql_and(a=Int8(b), c__in=Array(d))}}", ["b", "d"]),
            ("% SELECT 1", []),
        ],
    )
    def test_names(self, text, names):
        assert template_names(text) == names

    def test_take_variables_that_are_values(self):
        names = {"n": 5, "f": len, "module": math, "nothing": None, "ids": [1, 2]}
        text = "% {{n}} {{f}} {{module}} {{nothing}} {{missing}} {{ids}}"
        assert template_parameters(text, names) == {"n": 5, "ids": [1, 2]}

    def test_refuse_a_frame(self):
        assert "names 'n'" in str(problem("% {{n}}", {"n": pd.DataFrame()}))

    def test_are_sent_as_they_are(self):
        text = "\n  %\nSELECT '{{! x }}' {# c #}"
        assert prepare(text, {}, {}).text == text


class TestStatements:
    @pytest.mark.parametrize("sql", ["", "  \n", ";", "-- note", "/* x */ ;", "# ! note\n-- x", "%", "%\n ;"])
    def test_without_sql(self, sql):
        if sql.startswith("#"):
            sql = sql.replace("# !", "# ")
        assert "no SQL" in str(problem(sql))

    def test_two(self):
        caught = problem("SELECT 1;\nSELECT 2")
        assert "second statement" in str(caught)
        assert caught.position == 10

    @pytest.mark.parametrize("sql", ["SELECT 1;", "SELECT 1;;", "SELECT ';' ; -- x"])
    def test_one(self, sql):
        assert prepare(sql, {}, {}).text == sql


class TestPositions:
    @given(
        st.lists(
            st.sampled_from(["SELECT ", "{{ n }}", "'{%'", "{", "'a {{! b'", " -- {# \n", "x", "日", "{{ s }}"]),
            max_size=12,
        )
    )
    def test_every_character_of_the_users_text_is_found_again(self, parts):
        sql = " ".join(parts)
        bound = bind(sql, {"n": 1, "s": "a"})
        inside = {place for each in find_bindings(sql) for place in range(each.start, each.end)}
        found = {bound.position_in_source(place) for place in range(len(bound.text))}
        for place, sign in enumerate(sql):
            # The ! of {{! is the one sign that is not sent, or is sent as ours.
            if place not in inside and sign != "!":
                assert place in found

    def test_inside_a_binding_is_its_first_brace(self):
        sql = "SELECT {{ n }} AS x, y"
        bound = bind(sql, {"n": 1})
        assert bound.position_in_source(bound.text.index("tm_n")) == sql.index("{{")
        assert bound.position_in_source(bound.text.index("y")) == sql.index("y")
        assert bound.position_in_source(0) == 0
