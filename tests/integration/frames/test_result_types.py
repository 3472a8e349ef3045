"""Every result type and dtype policy: the three wire formats give one value, and nothing in it is rounded."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.frames.test_three_formats import NULL, SCALARS, fetch, kinds, select
from tinymagic.frames.decode import decode, result_of, with_types

__all__ = ["fetch"]

FORMS = [
    ("pandas", "exact"),
    ("pandas", "numpy"),
    ("pandas", "arrow"),
    ("polars", "exact"),
    ("arrow", "exact"),
    ("dicts", "exact"),
]
BOUNDED = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def tables(draw):
    """Draw the types of one to four columns, and one to four rows of (literal, value) pairs."""
    columns = draw(st.lists(kinds(), min_size=1, max_size=4))
    return [kind for kind, _ in columns], draw(
        st.lists(st.tuples(*(values for _, values in columns)), min_size=1, max_size=4)
    )


@pytest.fixture(scope="module")
def bodies(session):
    """Run a query; return the bodies of its replies by format."""

    def bodies(sql):
        found = {form: bytes(session.query(sql, form).bytes()) for form in ("JSON", "JSONCompact")}
        found["Parquet"] = bytes(session.query(with_types(sql), "Parquet").bytes())
        return found

    return bodies


def columns_of(value):
    """The columns of a value as (dtype, cells) pairs."""
    if isinstance(value, list):
        return [("", [row[name] for row in value]) for name in (value[0] if value else {})]
    if isinstance(value, pd.DataFrame):
        return [(value.dtypes.iloc[place], list(value.iloc[:, place])) for place in range(value.shape[1])]
    if hasattr(value, "num_rows"):
        return [(column.type, column.to_pylist()) for column in value.columns]
    return [(series.dtype, series.to_list()) for series in value.get_columns()]


def exactly(cell):
    """A text that tells every bit of a cell: types, zeros of decimals, the sign of zero, nanoseconds."""
    return f"{type(cell).__name__} {cell!r}"


def assert_one_value(replies, form, types=None):
    result = result_of(*form)
    decoded = {wire: decode(body, wire, result, types=types) for wire, body in replies.items()}
    first = decoded["JSON"]
    for other in decoded.values():
        assert type(other.value) is type(first.value)
        assert (other.columns, other.notices) == (first.columns, first.notices)
        assert len(other.value) == len(first.value)
        for (left_type, left), (right_type, right) in zip(
            columns_of(first.value), columns_of(other.value), strict=True
        ):
            assert left_type == right_type
            assert list(map(exactly, left)) == list(map(exactly, right))
    return first


@pytest.mark.parametrize("form", FORMS, ids="-".join)
@BOUNDED
@given(table=tables())
def test_random_tables(bodies, form, table):
    """JSON, JSONCompact and Parquet give the same; without rows too, and with the same types as with rows."""
    types, rows = table
    sql = select([f"c{place}" for place in range(len(types))], types, rows)
    full = assert_one_value(bodies(sql), form)
    empty = assert_one_value(bodies(f"SELECT * FROM ({sql}) LIMIT 0"), form, types=full.columns)
    if form not in [("pandas", "numpy"), ("dicts", "exact")]:
        assert [kind for kind, _ in columns_of(empty.value)] == [kind for kind, _ in columns_of(full.value)]


def back(cell):
    """What a cell of any library says, as the plain value that was written."""
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, pd.Timestamp):
        # In whole numbers: nanoseconds of a year far away do not fit into a Timestamp.
        nanoseconds = {"s": 10**9, "ms": 10**6, "us": 1_000, "ns": 1}[cell.unit]
        return int(cell.asm8.astype("int64")) * nanoseconds
    if isinstance(cell, datetime):
        moment = cell if cell.tzinfo else cell.replace(tzinfo=timezone.utc)
        return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1) * 1000
    if isinstance(cell, np.generic):
        return cell.item()
    return cell


def is_same(found, wanted, number_as_text):
    """Equal to the last digit, whatever the type that carries it."""
    found, plain = back(found), back(wanted)
    if plain is None or isinstance(plain, float):
        return found is plain or (
            isinstance(found, float)
            and (
                plain is None
                or plain != plain
                or (found == plain and math.copysign(1, found) == math.copysign(1, plain))
            )
            and (plain == plain or found != found)
        )
    if isinstance(wanted, date) and not isinstance(wanted, datetime) and isinstance(found, int):
        return found == (wanted - date(1970, 1, 1)).days * 86_400 * 10**9
    if isinstance(plain, (UUID, IPv4Address, IPv6Address)) or (number_as_text and isinstance(found, str)):
        return str(found) == (f"{plain:f}" if isinstance(plain, Decimal) else str(plain))
    if isinstance(found, float):
        # Only whole numbers that a float holds may have become one.
        return isinstance(plain, int) and abs(plain) <= 2**53 and int(found) == plain
    return found == plain and isinstance(found, bool) == isinstance(plain, bool)


@pytest.mark.parametrize("form", FORMS, ids="-".join)
@pytest.mark.parametrize("nullable", [False, True], ids=["", "with NULL"])
@settings(BOUNDED, max_examples=4)
@given(data=st.data())
def test_nothing_is_rounded(bodies, form, nullable, data):
    """The values that were written come back, of every scalar type at once."""
    pairs = {
        kind: data.draw(st.lists(values | NULL if nullable else values, min_size=3, max_size=3))
        for kind, values in SCALARS.items()
    }
    types = [f"Nullable({kind})" if nullable else kind for kind in pairs]
    sql = select([f"c{place}" for place in range(len(types))], types, list(zip(*pairs.values(), strict=True)))
    value = assert_one_value(bodies(sql), form).value
    for (dtype, cells), kind in zip(columns_of(value), pairs, strict=True):
        for cell, (_, wanted) in zip(cells, pairs[kind], strict=True):
            assert is_same(cell, wanted, form[0] != "dicts"), (kind, dtype, cell, wanted)


def test_nanoseconds_in_polars(bodies):
    """Python's datetime cannot say them, but the column has them."""
    replies = bodies("SELECT toDateTime64('2024-01-01 00:00:00.123456789', 9, 'Europe/Madrid') AS t")
    for wire, body in replies.items():
        series = decode(body, wire, result_of("polars")).value["t"]
        assert series.dt.timestamp("ns").to_list() == [1_704_063_600_123_456_789]


def test_numpy_keeps_what_it_can_and_says_what_it_cannot(bodies):
    """NULL makes a float only of numbers that a float holds."""
    sql = """SELECT CAST(if(number = 0, NULL, 5), 'Nullable(UInt64)') AS small,
    CAST(if(number = 0, NULL, 9007199254740993), 'Nullable(Int64)') AS large,
    CAST(number, 'Nullable(UInt64)') AS whole, CAST(if(number = 0, NULL, nan), 'Nullable(Float64)') AS both,
    CAST(if(number = 0, NULL, 1.5), 'Nullable(Float32)') AS gap, CAST(number = 1, 'Nullable(Bool)') AS yes,
    toTimeZone(toDateTime('2024-01-01 00:00:00', 'UTC'), 'Europe/Madrid') AS zoned, toDecimal32('1.5', 2) AS money
    FROM numbers(2)"""
    decoded = assert_one_value(bodies(sql), ("pandas", "numpy"))
    dtypes = dict(decoded.frame.dtypes.astype(str))
    assert dtypes == {
        "small": "float64",
        "large": "Int64",
        "whole": "uint64",
        "both": "Float64",
        "gap": "float32",
        "yes": "bool",
        "zoned": "datetime64[s, Europe/Madrid]",
        "money": "object",
    }
    assert decoded.frame["large"][1] == 9007199254740993
    assert [notice.split("'")[1] for notice in decoded.notices] == ["large", "both", "zoned", "money"]


@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_same_name_twice(bodies, form):
    """Both columns stay; where a name can stand only once the second is renamed, and a notice says so."""
    decoded = assert_one_value(bodies("SELECT a, * FROM (SELECT 1 AS a, 'x' AS b)"), form)
    value = decoded.value
    if form[0] in ("polars", "dicts"):
        names = list(value[0]) if form[0] == "dicts" else value.columns
        assert names == ["a", "a_2", "b"]
        assert "the second 'a' is called 'a_2'" in decoded.notices[0]
    else:
        assert list(value.columns if form[0] == "pandas" else value.column_names) == ["a", "a", "b"]
        assert decoded.notices == ()


def test_dictionaries_do_without_pandas(bodies, tmp_path):
    """Reading them imports neither pandas nor pyarrow."""
    sql = (
        "SELECT toInt256(5) AS n, toDateTime64('2024-01-01 00:00:00.5', 3, 'Asia/Kolkata') AS t, ['x'] AS s, true AS b"
    )
    (tmp_path / "body").write_bytes(bodies(sql)["JSONCompact"])
    program = (
        "import sys; from tinymagic.frames.decode import decode, result_of\n"
        "print(decode(open(sys.argv[1], 'rb').read(), 'JSONCompact', result_of('dicts')).value[0]['t'].isoformat())\n"
        "print(sorted({'pandas', 'pyarrow', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "body")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2024-01-01T00:00:00.500000+05:30", "[]"]
