"""Tables of several columns of random types: FORMAT JSON, JSONCompact and Parquet give one and the same frame.

`test_wire_equality` looks at each type by itself and to the last bit; here whole tables go through the front door,
`decode`, and are compared with pandas' own testing function and with the values that were written.
"""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinymagic.frames.decode import TypesUnknown, decode, with_types
from tinymagic.frames.families.text import string_dtype

FORMATS = ("JSON", "JSONCompact", "Parquet")


@pytest.fixture(scope="module")
def fetch(session):
    """Run a query and decode its reply in each of the three formats."""

    def fetch(sql, types=None):
        bodies = {form: bytes(session.query(sql, form).bytes()) for form in FORMATS[:2]}
        try:
            bodies["Parquet"] = bytes(session.query(with_types(sql), "Parquet").bytes())
        except RuntimeError as error:
            # Engines before 26 cannot write a UUID to Parquet; the client then asks in JSON.
            if "Internal type 'UUID'" not in str(error):
                raise
        return {form: decode(body, form, types=types) for form, body in bodies.items()}

    return fetch


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def with_literal(strategy, literal):
    """Pairs of an SQL literal and the Python value that is expected for it."""
    return strategy.map(lambda value: (literal(value), value))


def integers(name):
    bits, signed = int(name.split("Int")[1]), name[0] == "I"
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return with_literal(st.integers(low, high) | st.sampled_from([low, high]), lambda value: f"to{name}('{value}')")


def decimals(precision, scale):
    most = 10**precision - 1
    numbers = st.integers(-most, most).map(lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale)))
    return with_literal(numbers, lambda value: f"toDecimal256('{value:f}', {scale})")


FIRST, LAST = datetime(1972, 1, 1, tzinfo=timezone.utc), datetime(2037, 1, 1, tzinfo=timezone.utc)


def shown_once(moment, zone):
    local = moment.astimezone(ZoneInfo(zone))
    return local.utcoffset() == local.replace(fold=1).utcoffset() == local.replace(fold=0).utcoffset()


def moments(unit, digits, zone):
    """Times that the zone's clock shows once; the other hours have a test of their own."""
    step = timedelta(microseconds=10 ** (6 - digits)) if digits <= 6 else timedelta(microseconds=1)
    counts = st.integers(0, (LAST - FIRST) // step)
    times = counts.map(lambda count: FIRST + count * step).filter(lambda moment: shown_once(moment, zone or "UTC"))

    def pair(moment):
        text = moment.strftime("%Y-%m-%d %H:%M:%S.%f")[: 20 + digits].rstrip(".")
        # The session's zone is UTC; a zone that is named would stay in the type.
        utc = ", 'UTC'" if zone else ""
        sql = f"toDateTime64('{text}', {digits}{utc})" if digits else f"toDateTime('{text[:19]}'{utc})"
        stamp = pd.Timestamp(moment).as_unit(unit)
        return sql, stamp.tz_convert(zone) if zone else stamp.tz_localize(None)

    return times.map(pair)


ENUM = "Enum8('z' = -3, 'it\\'s, (x)' = 1, 'a' = 2)"
TEXTS = with_literal(
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=8), lambda value: f"unhex('{value.encode().hex()}')"
)
FLOATS = st.floats() | st.sampled_from([-0.0, math.nan, math.inf, -math.inf, 0.1, 1e22])
DAYS = st.dates(date(1970, 1, 1), date(2149, 6, 6))
ZONES = ("America/New_York", "Australia/Lord_Howe")

SCALARS = {
    **{f"{sign}Int{bits}": integers(f"{sign}Int{bits}") for bits in (8, 16, 32, 64, 128, 256) for sign in ("", "U")},
    "Float64": with_literal(
        FLOATS, lambda value: f"reinterpretAsFloat64(toUInt64({int(np.float64(value).view(np.uint64))}))"
    ),
    "Float32": with_literal(
        # The bits themselves: no text in between could round.
        st.floats(width=32, allow_nan=False),
        lambda value: f"reinterpretAsFloat32(toUInt32({int(np.float32(value).view(np.uint32))}))",
    ),
    "Bool": with_literal(st.booleans(), lambda value: str(value).lower()),
    "String": TEXTS,
    "FixedString(3)": with_literal(st.text("abc'\\", min_size=3, max_size=3), quoted),
    "Decimal(9, 3)": decimals(9, 3),
    "Decimal(38, 20)": decimals(38, 20),
    "Decimal(76, 10)": decimals(76, 10),
    "Date": with_literal(DAYS, lambda value: f"toDate('{value}')"),
    "Date32": with_literal(st.dates(date(1900, 1, 1), date(2299, 12, 31)), lambda value: f"toDate32('{value}')"),
    "DateTime": moments("s", 0, None),
    **{f"DateTime('{zone}')": moments("s", 0, zone) for zone in ZONES},
    "DateTime64(2)": moments("ms", 2, None),
    "DateTime64(3, 'Europe/Madrid')": moments("ms", 3, "Europe/Madrid"),
    "DateTime64(6, 'Asia/Kolkata')": moments("us", 6, "Asia/Kolkata"),
    "UUID": with_literal(st.uuids(), lambda value: f"toUUID('{value}')"),
    "IPv4": with_literal(st.ip_addresses(v=4), lambda value: f"toIPv4('{value}')"),
    "IPv6": with_literal(st.ip_addresses(v=6), lambda value: f"toIPv6('{value.exploded}')"),
    ENUM: with_literal(st.sampled_from(["z", "it's, (x)", "a"]), quoted),
}
KEYS = ("String", "UInt64", "Int256", "Date", "UUID", "DateTime", ENUM)
NULL = st.just(("NULL", None))


@st.composite
def kinds(draw, depth=2):
    """Draw a type and the strategy of its (literal, value) pairs."""
    scalar = draw(st.sampled_from(sorted(SCALARS)))
    shapes = ["scalar", "nullable", "low"] + (["array", "map", "tuple", "named"] if depth else [])
    shape = draw(st.sampled_from(shapes))
    if shape == "scalar":
        return scalar, SCALARS[scalar]
    if shape == "low":
        return "LowCardinality(Nullable(String))", TEXTS | NULL
    if shape == "nullable":
        return f"Nullable({scalar})", SCALARS[scalar] | NULL
    inner, values = draw(kinds(depth=depth - 1))
    if shape == "array":
        return f"Array({inner})", st.lists(values, max_size=3).map(
            lambda pairs: (f"[{', '.join(typed(pair, inner) for pair in pairs)}]", [value for _, value in pairs])
        )
    if shape == "map":
        key = draw(st.sampled_from(KEYS))
        entries = st.lists(st.tuples(SCALARS[key], values), max_size=3, unique_by=lambda entry: entry[0][1])
        return f"Map({key}, {inner})", entries.map(
            lambda found: (
                f"map({', '.join(f'{typed(k, key)}, {typed(v, inner)}' for k, v in found)})",
                {k[1]: v[1] for k, v in found},
            )
        )
    pairs = st.tuples(values, SCALARS[scalar])
    literal = lambda found: f"tuple({typed(found[0], inner)}, {typed(found[1], scalar)})"  # noqa: E731
    if shape == "tuple":
        return f"Tuple({inner}, {scalar})", pairs.map(lambda found: (literal(found), tuple(v for _, v in found)))
    return f"Tuple(`a b` {inner}, c {scalar})", pairs.map(
        lambda found: (literal(found), dict(zip(("a b", "c"), (v for _, v in found), strict=True)))
    )


def typed(pair, kind):
    return f"CAST({pair[0]}, {quoted(kind)})"


@st.composite
def tables(draw):
    """Draw types of one to four columns and up to four rows of (literal, value) pairs."""
    columns = draw(st.lists(kinds(), min_size=1, max_size=4))
    rows = draw(st.lists(st.tuples(*(values for _, values in columns)), min_size=1, max_size=4))
    return [kind for kind, _ in columns], rows


def select(names, types, rows):
    selects = [
        f"SELECT {place} AS row_number, "
        + ", ".join(f"{typed(pair, kind)} AS {name}" for pair, kind, name in zip(row, types, names, strict=True))
        for place, row in enumerate(rows)
    ]
    return f"SELECT * EXCEPT row_number FROM ({' UNION ALL '.join(selects)}) ORDER BY row_number"


def same(found, wanted):
    """Equal in value and type; NaN is equal to itself, a missing value to ``None``."""
    if wanted is None:
        return found is None or found is pd.NA or found is pd.NaT or found != found
    if isinstance(wanted, float):
        if wanted != wanted:
            return isinstance(found, float) and found != found
        return isinstance(found, float) and found == wanted and math.copysign(1, found) == math.copysign(1, wanted)
    if isinstance(wanted, (list, tuple)):
        return type(found) is type(wanted) and len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, dict):
        return list(found) == list(wanted) and same(list(found.values()), list(wanted.values()))
    if isinstance(wanted, pd.Timestamp):
        return found == wanted and found.unit == wanted.unit and str(found.tz) == str(wanted.tz)
    return type(found) is type(wanted) and found == wanted


def cells(series):
    """The cells as Python values, None for the missing ones of a masked column; its NaN is a value."""
    mask = getattr(series.array, "_mask", np.zeros(len(series), dtype=bool))
    data = series.array._data if hasattr(series.array, "_mask") else series
    return [
        None if gone else value.item() if isinstance(value, np.generic) else value
        for value, gone in zip(data, mask, strict=True)
    ]


def assert_one_frame(decoded):
    first = decoded["JSON"]
    for other in decoded.values():
        assert other.columns == first.columns
        assert other.notices == ()
        # Tuples with NaN inside are unequal to pandas, so object columns are compared cell by cell.
        plain = [
            place for place, dtype in enumerate(first.frame.dtypes) if dtype.kind != "O" or dtype == string_dtype()
        ]
        pd.testing.assert_frame_equal(other.frame.iloc[:, plain], first.frame.iloc[:, plain], check_exact=True)
        pd.testing.assert_series_equal(other.frame.dtypes, first.frame.dtypes)
        for place in set(range(first.frame.shape[1])) - set(plain):
            assert all(map(same, other.frame.iloc[:, place], first.frame.iloc[:, place]))


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(table=tables())
def test_random_tables(fetch, table):
    """Three formats, one frame, and in it the values that were written; without rows, the same dtypes."""
    types, rows = table
    names = [f"c{place}" for place in range(len(types))]
    sql = select(names, types, rows)
    decoded = fetch(sql)
    assert decoded["JSON"].columns == tuple(zip(names, types, strict=True))
    assert_one_frame(decoded)
    frame = decoded["JSON"].frame
    for place, kind in enumerate(types):
        for found, (_, wanted) in zip(cells(frame.iloc[:, place]), [row[place] for row in rows], strict=True):
            is_day = isinstance(found, pd.Timestamp) and type(wanted) is date
            assert same(found.date() if is_day else found, wanted), (kind, found, wanted)

    empty = fetch(f"SELECT * FROM ({sql}) LIMIT 0", types=decoded["JSON"].columns)
    assert_one_frame(empty)
    pd.testing.assert_series_equal(empty["JSON"].frame.dtypes, frame.dtypes)


def test_nothing_but_missing_values(fetch):
    """Columns of NULL only keep the dtype of their type."""
    columns = ", ".join(f"CAST(NULL, {quoted(f'Nullable({kind})')}) AS c{place}" for place, kind in enumerate(SCALARS))
    decoded = fetch(f"SELECT {columns} FROM numbers(3)")
    assert_one_frame(decoded)
    assert decoded["JSON"].frame.isna().to_numpy().all()


def test_empty_parquet_asks_for_types(fetch):
    with pytest.raises(TypesUnknown, match="LIMIT 0"):
        fetch("SELECT 1 AS n WHERE 0")


def test_same_name_twice(fetch):
    """The engine lets a name stand twice when the types agree; both columns come back, in all three formats."""
    decoded = fetch("SELECT a, * FROM (SELECT number AS a, toString(number) AS b FROM numbers(3)) ORDER BY a")
    assert_one_frame(decoded)
    assert list(decoded["JSON"].frame.columns) == ["a", "a", "b"]


def test_odd_column_names(fetch):
    decoded = fetch(
        "SELECT 1 AS `a``b'\"`, 2 AS `é x`, 3 AS `data`, 4 AS `a.b`, 5 AS a, toDecimal64('0.1', 9) AS `meta\\n`"
    )
    assert_one_frame(decoded)
    assert list(decoded["Parquet"].frame.columns) == ["a`b'\"", "é x", "data", "a.b", "a", "meta\n"]
    assert decoded["JSON"].frame.iloc[0, 5] == Decimal("0.100000000")


WAYS_TO_WRITE = [
    "output_format_parquet_string_as_string = 0",
    "output_format_parquet_fixed_string_as_fixed_byte_array = 0",
    "output_format_parquet_datetime_as_uint32 = 1",
    "output_format_parquet_date_as_uint16 = 1",
    "output_format_parquet_enum_as_byte_array = 0",
    "output_format_parquet_row_group_size = 2",
    "output_format_parquet_use_custom_encoder = 0",
    "output_format_parquet_compression_method = 'none'",
]
WAYS_TO_WRITE_JSON = [
    "output_format_json_quote_64bit_integers = 1",
    "output_format_json_quote_64bit_floats = 1",
    "output_format_json_quote_decimals = 1",
    "output_format_json_named_tuples_as_objects = 0",
]


@pytest.mark.parametrize("setting", WAYS_TO_WRITE + WAYS_TO_WRITE_JSON, ids=lambda text: text.split("_", 2)[2])
def test_settings_of_the_service(fetch, session, setting):
    """How the service is told to write the values does not change the frame."""
    sql = (
        f"SELECT toString(number) AS s, CAST(if(number = 1, NULL, toString(number)), 'Nullable(String)') AS ns, "
        "toFixedString('ab', 3) AS fs, toDateTime('2024-01-01 00:00:00') + number AS t, "
        "toTimeZone(t, 'Europe/Madrid') AS tz, CAST([t], 'Array(Nullable(DateTime))') AS ts, "
        f"toDate('2024-01-01') AS d, [d] AS ds, CAST(number + 1, {quoted(ENUM)}) AS e, map(e, e) AS es, "
        "toInt64(number) AS i, number / 3 AS f, "
        "toDecimal64(number, 3) / 4 AS x, CAST((1, toUInt64(2)), 'Tuple(a UInt8, b UInt64)') AS tu FROM numbers(2)"
    )
    usual = fetch(sql)
    name = setting.split(" = ")[0]
    before = session.query(f"SELECT value FROM system.settings WHERE name = '{name}'", "TSV").bytes()
    if not before:
        pytest.skip("this engine has no such setting")
    session.query(f"SET {setting}")
    try:
        unusual = fetch(sql)
    finally:
        session.query(f"SET {name} = '{bytes(before).decode().strip()}'")
    assert_one_frame(usual)
    assert_one_frame({"JSON": usual["JSON"], **{f"{form}, {setting}": decoded for form, decoded in unusual.items()}})


def test_many_rows_and_row_groups(fetch):
    decoded = fetch(
        "SELECT number AS n, if(number % 3 = 0, NULL, number / 7) AS f, concat('é', toString(number)) AS s, "
        "toDateTime('2024-01-01 00:00:00') + number AS t, if(number % 2 = 0, NULL, toInt32(number)) AS i "
        "FROM numbers(200000) ORDER BY number"
    )
    assert_one_frame(decoded)
    assert len(decoded["Parquet"].frame) == 200_000
