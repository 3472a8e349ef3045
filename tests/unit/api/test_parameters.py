"""How values travel."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from tinymagic.api.errors import InvalidInput
from tinymagic.api.parameters import RESERVED_NAMES, request_parameters

EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a'b,c\n{{x}}", "a'b,c\n{{x}}"),
        (7, "7"),
        (2**70, str(2**70)),
        (0.1, "0.1"),
        (float("inf"), "inf"),
        (True, "true"),
        (False, "false"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2024, 1, 31), "2024-01-31"),
        (datetime(2024, 1, 31, 10), "2024-01-31 10:00:00"),  # noqa: DTZ001 - without a zone on purpose
        (datetime(2024, 1, 31, 10, 0, 0, 5), "2024-01-31 10:00:00.000005"),  # noqa: DTZ001
        (datetime(2024, 1, 31, 1, tzinfo=EAST), "2024-01-30 23:00:00"),
        (pd.Timestamp("2024-01-31 10:00:00.123456789"), "2024-01-31 10:00:00.123456789"),
        (pd.Timestamp("2024-01-31 10:00", tz="Europe/Madrid"), "2024-01-31 09:00:00"),
        ([1, 2, 3], "1,2,3"),
        (("a", "b"), "a,b"),
        (range(3), "0,1,2"),
        ([], ""),
        ([True, date(2024, 1, 1)], "true,2024-01-01"),
        (np.int64(5), "5"),
        (np.bool_(True), "true"),
        (np.float64(0.5), "0.5"),
        (np.array([1, 2]), "1,2"),
        (pd.Series(["x", "y"]), "x,y"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
    ],
    ids=repr,
)
def test_value(value, text):
    assert request_parameters({"p": value}) == {"p": text}


def test_none_is_not_sent():
    assert request_parameters({"a": None, "b": 1}) == {"b": "1"}
    assert request_parameters(None) == {}


@pytest.mark.parametrize("value", [["a,b"], [None], [[1]], [{"a": 1}], b"bytes", "\ud800", bytearray(b"x")], ids=repr)
def test_what_cannot_travel_is_refused(value):
    with pytest.raises(InvalidInput, match="'p'"):
        request_parameters({"p": value})


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), "__tb__semver", "", 5])
def test_names_of_the_api_are_refused(name):
    with pytest.raises(InvalidInput):
        request_parameters({name: 1})
