"""Which keys a pattern means."""

from __future__ import annotations

import time

import pytest

from tinymagic.local.connectors.patterns import KeyPattern


@pytest.mark.parametrize(
    ("pattern", "meant", "others"),
    [
        ("a.csv", ["a.csv"], ["a.csv.gz", "xa.csv", "A.csv", ""]),
        ("*.csv", ["a.csv", ".csv"], ["x/a.csv", "a.csv.gz"]),
        ("days/*/x.csv", ["days/1/x.csv", "days//x.csv"], ["days/x.csv", "days/1/2/x.csv"]),
        ("**/*.csv", ["a.csv", "x/a.csv", "x/y/a.csv"], ["a.csvx"]),
        ("days/**", ["days/", "days/a", "days/a/b"], ["day/a"]),
        ("days/**/x", ["days/x", "days/a/x", "days/a/b/x"], ["days/ax", "daysx", "days/a/bx"]),
        ("a**z", ["az", "a/b/z"], ["a/b/y"]),
        ("?.csv", ["a.csv", "ñ.csv"], ["ab.csv", ".csv", "/.csv"]),
        ("{a}[0-9].(b|c)+", ["{a}[0-9].(b|c)+"], ["a0.b"]),
        ("*a*a*", ["aa", "xaya"], ["a", "xa"]),
    ],
)
def test_meant_and_others(pattern, meant, others):
    found = KeyPattern(pattern)
    assert [key for key in (*meant, *others) if found.matches(key)] == meant


@pytest.mark.parametrize(
    ("pattern", "prefix"), [("a/b.csv", "a/b.csv"), ("a/b*.csv", "a/b"), ("**/*.csv", ""), ("x/?", "x/")]
)
def test_prefix(pattern, prefix):
    assert KeyPattern(pattern).prefix == prefix


def test_a_key_made_to_take_forever():
    """As a regular expression it would take years."""
    begin = time.monotonic()
    assert not KeyPattern("*a**a*a**a*a*a**a*ab").matches("a" * 1_000)
    assert time.monotonic() - begin < 5
