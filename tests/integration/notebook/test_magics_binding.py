"""A value that is bound comes back equal from ``SELECT {{ x }}``."""

# ruff: noqa: DTZ001 - times without a zone are among what is tested

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinymagic.notebook.parameters import prepare

MANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def asked(workspace, value, *, form="json"):
    """Return what the server answers, and the type it says."""
    bound = prepare("SELECT {{ x }} AS v, toTypeName({{ x }}) AS t", {"x": value}, {})
    frame = workspace.sql(bound.text, params=bound.parameters, format=form)
    return frame.v.iloc[0], frame.t.iloc[0]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NASTY = st.text(st.sampled_from(list("'\"`\\%{}#!-/*;,$:?()[]\n\r\t\0\x1a\x08\x7f zn\u202e日🎉")))
INTEGERS = st.integers(-(2**255), 2**256 - 1) | st.integers(-10, 10) | st.integers(2**63 - 2, 2**64 + 2)


class TestScalars:
    @MANY
    @given(ANY_TEXT | NASTY)
    def test_text(self, workspace, value):
        assert asked(workspace, value) == (value, "String")

    @MANY
    @given(INTEGERS)
    def test_integer(self, workspace, value):
        found, _ = asked(workspace, value)
        assert int(found) == value

    @MANY
    @given(st.floats())
    def test_float(self, workspace, value):
        found, kind = asked(workspace, value)
        assert kind == "Float64"
        assert found == value or (math.isnan(found) and math.isnan(value))

    @MANY
    @given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=20))
    def test_decimal(self, workspace, value):
        assert asked(workspace, value)[0] == value

    @MANY
    @given(st.dates(dt.date(1900, 1, 1), dt.date(2299, 12, 31)))
    def test_date(self, workspace, value):
        found, kind = asked(workspace, value)
        assert pd.Timestamp(found).date() == value
        assert kind in ("Date", "Date32")

    @MANY
    @given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2299, 12, 31)))
    def test_time_without_zone(self, workspace, value):
        assert asked(workspace, value)[0] == value

    @MANY
    @given(
        st.datetimes(
            dt.datetime(1901, 1, 1),
            dt.datetime(2299, 1, 1),
            timezones=st.sampled_from([dt.timezone.utc, dt.timezone(dt.timedelta(hours=-9, minutes=-30))]),
        )
    )
    def test_time_with_zone(self, workspace, value):
        assert asked(workspace, value)[0] == value

    @pytest.mark.parametrize("form", ["json", "parquet"])
    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (True, "Bool"),
            (False, "Bool"),
            (np.bool_(True), "Bool"),
            (np.uint64(2**64 - 1), "UInt64"),
            (np.float32(0.1), "Float64"),
            (Decimal("1.50"), "Decimal(9, 2)"),
            (pd.Timestamp("2024-02-29 01:02:03.123456789"), "DateTime64(9)"),
            (pd.Timestamp("2024-02-29 01:02:03", tz="Europe/Madrid"), "DateTime('UTC')"),
            (np.datetime64("2024-02-29T01:02:03.000000001"), "DateTime64(9)"),
            (uuid.UUID(int=2**127 + 5), "UUID"),
            (ipaddress.ip_address("10.0.0.1"), "IPv4"),
            (ipaddress.ip_address("2001:db8::1"), "IPv6"),
        ],
    )
    def test_others(self, workspace, value, kind, form):
        found, type_name = asked(workspace, value, form=form)
        assert found == value
        assert type_name == kind

    @pytest.mark.parametrize("value", [None, pd.NA, pd.NaT])
    def test_missing(self, workspace, value):
        assert pd.isna(asked(workspace, value)[0])


class TestLists:
    @MANY
    @given(st.lists(NASTY | ANY_TEXT, max_size=5))
    def test_of_texts(self, workspace, value):
        assert list(asked(workspace, value)[0]) == value

    @MANY
    @given(st.lists(st.none() | INTEGERS.filter(lambda n: n < 2**255), max_size=5))
    def test_of_integers(self, workspace, value):
        found = asked(workspace, value)[0]
        assert [None if each is None else int(each) for each in found] == value

    @MANY
    @given(st.lists(st.none() | st.floats(), max_size=5))
    def test_of_floats(self, workspace, value):
        found = list(asked(workspace, value)[0])
        assert [repr(each if each is None else float(each) + 0.0) for each in found] == [
            repr(each if each is None else each + 0.0) for each in value
        ]

    @pytest.mark.parametrize(
        ("value", "expected", "kind"),
        [
            ([], [], "Array(Nothing)"),
            ([None], [None], "Array(Nullable(String))"),
            ((1, 2), [1, 2], "Array(Int64)"),
            ({3}, [3], "Array(Int64)"),
            (range(2), [0, 1], "Array(Int64)"),
            ([True, False], [True, False], "Array(Bool)"),
            ([1, 2.5], [1.0, 2.5], "Array(Float64)"),
            ([Decimal("0.5"), 2], [Decimal("0.5"), Decimal(2)], "Array(Decimal(9, 1))"),
            ([dt.date(2024, 1, 2)], [dt.date(2024, 1, 2)], "Array(Date)"),
            ([dt.datetime(2024, 1, 2), None], [dt.datetime(2024, 1, 2), None], "Array(Nullable(DateTime))"),
            ([uuid.UUID(int=1)], [uuid.UUID(int=1)], "Array(UUID)"),
            ([[1, 2], []], [[1, 2], []], "Array(Array(Int64))"),
            ([["a,b"], ["'"]], [["a,b"], ["'"]], "Array(Array(String))"),
            (np.array([1, 2], dtype="int8"), [1, 2], "Array(Int64)"),
            (np.array([[1.5], [2.0]]), [[1.5], [2.0]], "Array(Array(Float64))"),
            (pd.Series([1, 2]), [1, 2], "Array(Int64)"),
            (pd.Series([], dtype="float64"), [], "Array(Float64)"),
            (pd.Series(["a", None]), ["a", None], "Array(Nullable(String))"),
            (pd.Series([1, None], dtype="Int64"), [1, None], "Array(Nullable(Int64))"),
            (pd.Categorical(["x", "y"]), ["x", "y"], "Array(String)"),
            (
                pd.date_range("2024-01-01", periods=1, tz="UTC"),
                [pd.Timestamp("2024-01-01", tz="UTC")],
                "Array(DateTime('UTC'))",
            ),
        ],
    )
    def test_others(self, workspace, value, expected, kind):
        found, type_name = asked(workspace, value)
        assert list(found) == expected
        assert type_name == kind


class TestInjection:
    @MANY
    @given(NASTY)
    def test_tables_of_the_query_stay(self, workspace, value):
        bound = prepare("SELECT {{ x }} AS v, count() AS n FROM numbers(3)", {"x": value}, {})
        frame = workspace.sql(bound.text, params=bound.parameters)
        assert (frame.v[0], int(frame.n[0]), len(frame.columns)) == (value, 3, 2)

    def test_identifiers(self, workspace):
        sql = "SELECT {{ c | ident }} FROM (SELECT 1 AS `a b`, 2 AS c)"
        bound = prepare(sql, {"c": "a b"}, {})
        assert workspace.sql(bound.text, params=bound.parameters)["a b"].tolist() == [1]
        bound = prepare(sql, {"c": ["c", "a b"]}, {})
        assert workspace.sql(bound.text, params=bound.parameters).columns.tolist() == ["c", "a b"]

    def test_literals_that_look_like_tags_arrive(self, workspace):
        sql = "SELECT '{%' AS a, '{#' AS b, '{{\"k\": 1}}' AS c, '{{! x }}' AS d, {{ n }} AS e, map('k', 1) AS f -- {{"
        bound = prepare(sql, {"n": 1}, {})
        row = workspace.sql(bound.text, params=bound.parameters).iloc[0]
        assert row.tolist()[:5] == ["{%", "{#", '{{"k": 1}}', "{{ x }}", 1]
