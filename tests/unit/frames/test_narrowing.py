"""What a narrower column does not keep is told, value by value."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tinymagic.frames.narrowing import narrowings
from tinymagic.frames.outgoing import outgoing_columns

FINE = pd.Series(np.array(["2024-01-01T00:00:00.001", "2024-01-01", "NaT"], "M8[ns]"))


def losses(values, wanted):
    return narrowings(outgoing_columns(pd.DataFrame({"c": values})), {"c": wanted})


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (FINE, "DateTime"),
        (FINE.dt.tz_localize("UTC"), "Nullable(DateTime('UTC'))"),
        (FINE, "DateTime64(2)"),
        (FINE, "Date"),
        ([[FINE[0]], []], "Array(DateTime)"),
        ([1, 300], "UInt8"),
        ([-1, 3], "UInt64"),
        ([2**63], "Int64"),
        ([2**24 + 1], "Float32"),
        ([0.1, 0.5], "Float32"),
        ([0.5, 1.0], "Int32"),
        ([Decimal("1.05")], "Decimal(9, 1)"),
    ],
)
def test_one_value_is_told(values, wanted):
    (said,) = losses(values, wanted)
    assert said.startswith("Column 'c': 1 value is ")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (FINE, "DateTime64(3, 'UTC')"),
        (FINE, "String"),
        ([1, 255], "UInt8"),
        ([1, None], "Int8"),
        ([2**24], "Float32"),
        ([0.5, np.nan, np.inf], "Float32"),
        ([1.0, None], "Int32"),
        ([Decimal("1.50")], "Decimal(9, 1)"),
        ([1], ""),
    ],
)
def test_what_fits_is_not(values, wanted):
    assert losses(values, wanted) == []
