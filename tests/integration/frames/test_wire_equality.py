# ruff: noqa: DTZ001 - times without a zone are what is tested
"""Random values of every type go into a real ClickHouse (chDB, in process) and must come back equal by both wires."""

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

from tinymagic.frames.decode import decode_json_compact, decode_parquet
from tinymagic.frames.families.text import string_dtype
from tinymagic.frames.types import parse_type, registered_names

TYPES_COLUMN = "__types"


class Engine:
    """Asks chDB and decodes."""

    def __init__(self, session):
        self.session = session

    def query(self, sql, form="JSONCompact"):
        return bytes(self.session.query(sql, form).bytes())

    def parquet(self, sql):
        return self.query(f"SELECT *, toTypeName(tuple(*)) AS {TYPES_COLUMN} FROM ({sql})", "Parquet")

    def both(self, sql):
        """Decode the reply to *sql* by JSON and by Parquet."""
        by_json = decode_json_compact(self.query(sql))
        try:
            body = self.parquet(sql)
        except RuntimeError as error:
            # Engines before 26 cannot write a UUID to Parquet; the client then asks in JSON.
            if "Internal type 'UUID'" in str(error):
                return by_json, by_json
            raise
        return by_json, decode_parquet(body, types_column=TYPES_COLUMN)


@pytest.fixture(scope="module")
def engine(session):
    return Engine(session)


def bounded(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# --- values of each type: (SQL literal, Python cell) -----------------------------------------------------------------


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def pairs(strategy, literal, cell=lambda value: value):
    return strategy.map(lambda value: (literal(value), cell(value)))


def integers(bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    name = f"{'' if signed else 'U'}Int{bits}"
    edges = st.sampled_from([low, high, 0, 1])
    return pairs(edges | st.integers(low, high), lambda value: f"to{name}('{value}')")


def floats(bits):
    strategy = st.floats(width=bits) | st.sampled_from([0.0, -0.0, 0.1, 1e20, 1e22, math.nan, math.inf, -math.inf])
    rounded = strategy.map(lambda value: float(np.float32(value))) if bits == 32 else strategy
    # The bits themselves: no text in between could round.
    kind = ("<u4", "<f4") if bits == 32 else ("<u8", "<f8")
    return pairs(
        rounded,
        lambda value: f"reinterpretAsFloat{bits}(toUInt{bits}({int(np.array(value, kind[1]).view(kind[0]))}))",
    )


def decimals(precision, scale):
    bits = next(bits for bits, most in ((32, 9), (64, 18), (128, 38), (256, 76)) if precision <= most)
    most = 10**precision - 1
    return pairs(
        st.sampled_from([0, 1, -1, most, -most]) | st.integers(-most, most),
        lambda number: f"toDecimal{bits}('{exact(number, scale)}', {scale})",
        lambda number: exact(number, scale),
    )


def exact(number, scale):
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))


EPOCH = datetime(1970, 1, 1)


def ticks(precision, zone, first, last):
    """Counts of ticks since 1970; in a zone, hours that its clock shows twice have a test of their own."""
    low, high = (int((edge - EPOCH).total_seconds()) * 10**precision for edge in (first, last))

    def shown_once(number):
        if zone is None:
            return True
        utc = (EPOCH + timedelta(seconds=number // 10**precision)).replace(tzinfo=timezone.utc)
        local = utc.astimezone(ZoneInfo(zone))
        return local.fold == 0 and local.replace(fold=1).utcoffset() == local.utcoffset()

    return (st.integers(low, high) | st.sampled_from([low, high])).filter(shown_once)


def stamp(number, precision, zone):
    unit = ("s", "ms", "us", "ns")[-(-precision // 3)]
    naive = pd.Timestamp(np.datetime64(number * 10 ** (-precision % 3), unit))
    return naive if zone is None else naive.tz_localize("UTC").tz_convert(zone)


def datetimes64(precision, zone=None):
    # Long ago zones had offsets of odd minutes, which ClickHouse rounds; from 1972 to 2037 all tables agree.
    first, last = (
        (datetime(1972, 1, 1), datetime(2037, 1, 1)) if zone else (datetime(1901, 1, 1), datetime(2261, 12, 31))
    )

    def literal(number):
        whole, fraction = divmod(number, 10**precision)
        text = f"{EPOCH + timedelta(seconds=whole)}" + (f".{fraction:0{precision}}" if precision else "")
        moment = f"toDateTime64('{text}', {precision}, 'UTC')"
        return f"toTimeZone({moment}, '{zone}')" if zone else f"toDateTime64('{text}', {precision})"

    return pairs(ticks(precision, zone, first, last), literal, lambda number: stamp(number, precision, zone))


def datetimes(zone=None):
    last = datetime(2037, 1, 1) if zone else datetime(2106, 2, 7, 6, 28, 15)
    name = f"DateTime('{zone}')" if zone else "DateTime"
    return pairs(
        ticks(0, zone, EPOCH, last),
        lambda number: f"CAST(toUInt32({number}), {quoted(name)})",
        lambda number: stamp(number, 0, zone),
    )


def days(name, first, last):
    strategy = st.dates(first, last) | st.sampled_from([first, last])
    return pairs(strategy, lambda value: f"to{name}('{value}')")


def hex_bytes(data):
    return f"unhex('{data.hex()}')"


WORDS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
ENUM = "Enum8('it\\'s, (x)' = -3, 'b' = -1, '' = 0, 'a' = 5, 'tab\\t\\\\' = 7)"
ENUM_LABELS = ("it's, (x)", "b", "", "a", "tab\t\\")
ENUM16 = "Enum16('zero' = 0, 'b' = -20000, 'z' = 30000)"
INT_NAMES = tuple(f"{sign}Int{bits}" for bits in (8, 16, 32, 64, 128, 256) for sign in ("", "U"))
ZONES = ("UTC", "America/New_York", "Europe/Madrid", "Asia/Kolkata", "Australia/Lord_Howe")

SCALARS = {
    **{name: integers(int(name.split("Int")[1]), name[0] == "I") for name in INT_NAMES},
    "Float32": floats(32),
    "Float64": floats(64),
    "Bool": pairs(st.booleans(), lambda value: str(value).lower()),
    "String": pairs(WORDS, lambda value: hex_bytes(value.encode())),
    "FixedString(6)": pairs(
        st.text(st.characters(max_codepoint=127), max_size=6),
        lambda value: f"toFixedString({hex_bytes(value.encode())}, 6)",
        lambda value: value.ljust(6, "\0"),
    ),
    **{
        f"Decimal({p}, {s})": decimals(p, s) for p, s in ((9, 2), (9, 9), (18, 0), (18, 5), (38, 10), (76, 0), (76, 30))
    },
    "Date": days("Date", date(1970, 1, 1), date(2149, 6, 6)),
    "Date32": days("Date32", date(1900, 1, 1), date(2299, 12, 31)),
    "DateTime": datetimes(),
    **{f"DateTime('{zone}')": datetimes(zone) for zone in ZONES},
    **{f"DateTime64({precision})": datetimes64(precision) for precision in range(10)},
    **{f"DateTime64({p}, '{zone}')": datetimes64(p, zone) for p, zone in zip((0, 1, 3, 6, 9), ZONES, strict=False)},
    "UUID": pairs(st.uuids(), lambda value: f"toUUID('{value}')"),
    "IPv4": pairs(st.ip_addresses(v=4), lambda value: f"toIPv4('{value}')"),
    "IPv6": pairs(st.ip_addresses(v=6), lambda value: f"toIPv6('{value.exploded}')"),
    ENUM: pairs(st.sampled_from(ENUM_LABELS), lambda value: quoted(value).replace("\t", "\\t")),
    ENUM16: pairs(st.sampled_from(("b", "zero", "z")), quoted),
}

# Types that have no JSON-and-Parquet pair of their own here, each with where it is tested.
ELSEWHERE = {
    "Nullable LowCardinality Array Map Tuple": "composed(), below",
    "Nested Point Ring LineString MultiLineString Polygon MultiPolygon": "TestParticularTypes",
    "JSON SimpleAggregateFunction": "TestParticularTypes",
    "Enum Decimal32 Decimal64 Decimal128 Decimal256 DateTime32": "spellings that toTypeName does not use",
    "Time Time64 BFloat16 Dynamic Variant Nothing AggregateFunction QBit Object Geometry": "JSON only, and unit tests",
}


def expected_dtype(kind, nullable):
    name = kind.split("(")[0]
    if name in INT_NAMES:
        wide = name.endswith(("128", "256"))
        return object if wide else (getattr(pd, f"{name}Dtype")() if nullable else np.dtype(name.lower()))
    if name.startswith("Float"):
        return getattr(pd, f"{name}Dtype")() if nullable else np.dtype(name.lower())
    if name == "Bool":
        return pd.BooleanDtype() if nullable else np.dtype(bool)
    if name in ("String", "FixedString"):
        return string_dtype()
    if name == "Enum8":
        return pd.CategoricalDtype(ENUM_LABELS, ordered=True)
    if name == "Enum16":
        return pd.CategoricalDtype(["b", "zero", "z"], ordered=True)
    if name.startswith("Date"):
        unit = parse_type(kind).unit if name.startswith("DateTime") else "s"
        zone = getattr(parse_type(kind), "zone", None)
        return pd.DatetimeTZDtype(unit, zone) if zone else np.dtype(f"M8[{unit}]")
    return object


def same(left, right):
    """Equal to the last bit: types too, NaN equals NaN, -0.0 is not 0.0, decimals with their zeros."""
    if left is None or right is None or left is pd.NaT or left is pd.NA:
        return left is right
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return np.float64(left).tobytes() == np.float64(right).tobytes() or (left != left and right != right)
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left), list(right)) and same(list(left.values()), list(right.values()))
    if isinstance(left, pd.Timestamp):
        return left == right and left.unit == right.unit and str(left.tz) == str(right.tz)
    return bool(left == right)


def natural(series):
    """The column's values as natural Python values, ``None`` for missing ones."""
    cells = []
    for value, missing in zip(series.array, masked(series), strict=False):
        cells.append(None if missing else value.item() if isinstance(value, np.generic) else value)
    return cells


def masked(series):
    mask = getattr(series.array, "_mask", None)  # NaN in a masked float column is a value, and isna() would hide it
    if mask is not None:
        return mask
    if series.dtype.kind == "f":
        return np.zeros(len(series), dtype=bool)
    if series.dtype != object:
        return series.isna().to_numpy()
    return [value is None for value in series]


def assert_same_column(series, expected):
    found = [day_of(value, want) for value, want in zip(natural(series), expected, strict=False)]
    assert len(found) == len(expected)
    for value, want in zip(found, expected, strict=False):
        assert same(value, want), (value, want, series.dtype)


def day_of(value, want):
    # A column of days is datetime64[s]; inside containers a day is a datetime.date.
    return value.date() if isinstance(value, pd.Timestamp) and type(want) is date else value


def assert_same_frames(by_json, by_parquet):
    assert by_json.types == by_parquet.types
    pd.testing.assert_index_equal(by_json.frame.columns, by_parquet.frame.columns)
    for place in range(by_json.frame.shape[1]):
        left, right = by_json.frame.iloc[:, place], by_parquet.frame.iloc[:, place]
        if left.dtype != object:
            pd.testing.assert_series_equal(left, right, check_exact=True)
        # pandas takes NaN inside a tuple for a difference, and -0.0 for 0.0; this does neither.
        assert left.dtype == right.dtype
        assert all(map(same, natural(left), natural(right))), (left, right)


def source(kind, literals):
    """A subquery of one column of *kind*; INSERT-free, so that one example costs one or two queries."""
    rows = " UNION ALL ".join(
        f"SELECT {place} AS i, CAST({text}, {quoted(kind)}) AS v" for place, text in enumerate(literals)
    )
    return f"SELECT v FROM ({rows}) ORDER BY i"


class TestEveryScalar:
    @pytest.mark.parametrize("kind", SCALARS, ids=lambda kind: kind.split("'")[0])
    def test_values_come_back(self, engine, kind):
        """A column of random values, and the same with NULLs, comes back equal, with the exact dtype."""

        @bounded(4)
        @given(
            values=st.lists(SCALARS[kind], min_size=1, max_size=12),
            gaps=st.lists(st.booleans(), min_size=12, max_size=12),
        )
        def check(values, gaps):
            by_json, by_parquet = engine.both(source(kind, [literal for literal, _ in values]))
            assert_same_frames(by_json, by_parquet)
            assert by_json.frame["v"].dtype == expected_dtype(kind, False)
            assert_same_column(by_json.frame["v"], [cell for _, cell in values])
            assert by_json.warnings == by_parquet.warnings == ()

            holes = [(("NULL", None) if gap else pair) for pair, gap in zip(values, gaps, strict=False)]
            by_json, by_parquet = engine.both(source(f"Nullable({kind})", [literal for literal, _ in holes]))
            assert_same_frames(by_json, by_parquet)
            assert by_json.frame["v"].dtype == expected_dtype(kind, True)
            assert_same_column(by_json.frame["v"], [cell for _, cell in holes])

        check()

    @pytest.mark.parametrize("kind", ["String", "UInt64", "Date", "DateTime", "FixedString(6)", "Float64"])
    @pytest.mark.parametrize("nullable", [False, True])
    def test_low_cardinality_changes_nothing(self, engine, kind, nullable):
        inner = f"Nullable({kind})" if nullable else kind

        @bounded(4)
        @given(values=st.lists(SCALARS[kind], min_size=1, max_size=6))
        def check(values):
            rows = [*values, ("NULL", None)] if nullable else values
            by_json, by_parquet = engine.both(source(f"LowCardinality({inner})", [literal for literal, _ in rows]))
            assert_same_frames(by_json, by_parquet)
            assert by_json.frame["v"].dtype == expected_dtype(kind, nullable)
            assert_same_column(by_json.frame["v"], [cell for _, cell in rows])

        check()

    @pytest.mark.parametrize("kind", SCALARS, ids=lambda kind: kind.split("'")[0])
    def test_no_rows_keep_the_dtype(self, engine, kind):
        """An empty reply has the dtypes of a full one; Parquet says that it cannot tell."""
        for nullable in (False, True):
            name = f"Nullable({kind})" if nullable else kind
            by_json, by_parquet = engine.both(f"SELECT defaultValueOfTypeName({quoted(name)}) AS v WHERE 0")
            assert by_parquet is None or by_parquet is by_json
            assert by_json.frame["v"].dtype == expected_dtype(kind, nullable)
            assert len(by_json.frame) == 0

    def test_no_type_is_forgotten(self):
        """Every registered type is drawn here or named with the place where it is tested."""
        drawn = {kind.split("(")[0] for kind in SCALARS}
        others = {name for names in ELSEWHERE for name in names.split()}
        left = {name for name in registered_names() if name not in drawn | others and not name.startswith("Interval")}
        assert left == set()


# --- types inside types ----------------------------------------------------------------------------------------------

KEYS = (
    "String",
    "UInt64",
    "Int128",
    "Date",
    "UUID",
    "IPv4",
    "DateTime",
    "Bool",
    "FixedString(6)",
    ENUM,
    "Decimal(9, 2)",
)


@st.composite
def composed(draw, depth=3):
    """Draw a type and a strategy for pairs of its values: scalars, nullables, arrays, maps and tuples, nested."""
    shape = draw(
        st.sampled_from(["scalar", "nullable", "array", "map", "tuple", "named"] if depth else ["scalar", "nullable"])
    )
    if shape == "scalar" or shape == "nullable":
        kind = draw(st.sampled_from(sorted(SCALARS)))
        if shape == "scalar":
            return kind, SCALARS[kind]
        return f"Nullable({kind})", SCALARS[kind] | st.just(("NULL", None))
    inner, values = draw(composed(depth=depth - 1))
    cast = lambda pair: f"CAST({pair[0]}, {quoted(inner)})"  # noqa: E731 - NULL and [] have no type of their own
    if shape == "array":
        return f"Array({inner})", st.lists(values, max_size=3).map(
            lambda found: ("[" + ", ".join(map(cast, found)) + "]", [cell for _, cell in found])
        )
    if shape == "map":
        key = draw(st.sampled_from(KEYS))
        entries = st.lists(st.tuples(SCALARS[key], values), max_size=3, unique_by=lambda entry: repr(entry[0][1]))
        return f"Map({key}, {inner})", entries.map(
            lambda found: (
                "map(" + ", ".join(f"CAST({k[0]}, {quoted(key)}), {cast(v)}" for k, v in found) + ")",
                {k[1]: v[1] for k, v in found},
            )
        )
    other, more = draw(composed(depth=0))
    literal = lambda a, b: f"tuple({cast(a)}, CAST({b[0]}, {quoted(other)}))"  # noqa: E731
    if shape == "tuple":
        return f"Tuple({inner}, {other})", st.tuples(values, more).map(
            lambda pair: (literal(*pair), (pair[0][1], pair[1][1]))
        )
    return f"Tuple(a {inner}, `b c` {other})", st.tuples(values, more).map(
        lambda pair: (literal(*pair), {"a": pair[0][1], "b c": pair[1][1]})
    )


class TestTypesInsideTypes:
    @pytest.mark.slow
    def test_nested_values_come_back(self, engine):
        """Whatever the nesting, both wires give the same Python values, which are those that went in."""

        @bounded(300)
        @given(data=st.data())
        def check(data):
            kind, values = data.draw(composed())
            rows = data.draw(st.lists(values, min_size=1, max_size=4))
            by_json, by_parquet = engine.both(source(kind, [literal for literal, _ in rows]))
            assert_same_frames(by_json, by_parquet)
            assert_same_column(by_json.frame["v"], [cell for _, cell in rows])

        check()


class TestParticularTypes:
    @pytest.mark.parametrize(
        ("sql", "cell"),
        [
            ("(1.5, -2.)::Point", (1.5, -2.0)),
            ("[(1., 2.), (3., 4.)]::Ring", [(1.0, 2.0), (3.0, 4.0)]),
            ("[(1., 2.), (3., 4.)]::LineString", [(1.0, 2.0), (3.0, 4.0)]),
            ("[[(1., 2.)], [(3., 4.), (5., 6.)]]::MultiLineString", [[(1.0, 2.0)], [(3.0, 4.0), (5.0, 6.0)]]),
            ("[[(1., 2.), (3., 4.)], [(5., 6.)]]::Polygon", [[(1.0, 2.0), (3.0, 4.0)], [(5.0, 6.0)]]),
            ("[[[(1., 2.)]], [[(3., 4.)], [(5., 6.)]]]::MultiPolygon", [[[(1.0, 2.0)]], [[(3.0, 4.0)], [(5.0, 6.0)]]]),
            ("[(1., 2.)::Point]", [(1.0, 2.0)]),
            ("CAST([(1, 'a')], 'Nested(a UInt8, b String)')", [{"a": 1, "b": "a"}]),
            ("CAST(7, 'SimpleAggregateFunction(sum, UInt64)')", 7),
            ("map('a', 1, 'a', 2)", {"a": 2}),
        ],
    )
    def test_one_cell(self, engine, sql, cell):
        by_json, by_parquet = engine.both(f"SELECT {sql} AS v")
        assert_same_frames(by_json, by_parquet)
        assert_same_column(by_json.frame["v"], [cell])

    def test_json_documents(self, engine):
        """A JSON column is a dict on both wires, big numbers and all."""
        document = '{"a": 1.5, "b": {"c": [1, 2]}, "n": 18446744073709551615}'
        by_json, by_parquet = engine.both(f"SELECT CAST('{document}', 'JSON') AS v, toDecimal32(1, 2) AS d")
        assert_same_frames(by_json, by_parquet)
        assert by_json.frame["v"][0] == {"a": 1.5, "b": {"c": [1, 2]}, "n": 18446744073709551615}
        assert type(by_json.frame["v"][0]["a"]) is float

    def test_same_name_twice(self, engine):
        """A name may stand twice in the header of a reply."""
        by_json, by_parquet = engine.both("SELECT * FROM (SELECT 1 AS `a.b`, 'x' AS `b c`, 2 AS a)")
        assert_same_frames(by_json, by_parquet)
        assert list(by_json.frame.columns) == ["a.b", "b c", "a"]

    def test_many_columns_and_rows(self, engine):
        """Several row groups and hundreds of columns come back alike."""
        columns = ", ".join(f"number % {place + 2} AS c{place}" for place in range(200))
        by_json, by_parquet = engine.both(f"SELECT {columns} FROM numbers(1000)")
        assert_same_frames(by_json, by_parquet)
        by_json, by_parquet = engine.both("SELECT number, toString(number) AS s FROM numbers(150000) ORDER BY number")
        assert_same_frames(by_json, by_parquet)


class TestDamagedText:
    def test_bytes_that_are_no_text(self, engine):
        """One U+FFFD for each run of damaged bytes, on both wires; Parquet, which has the bytes, notes it."""

        @bounded(150)
        @given(
            rows=st.lists(
                st.binary(max_size=10) | st.from_regex(rb"[a\xc3\xa9\xf0\x9f\x98\x80]{0,8}", fullmatch=True),
                min_size=1,
                max_size=8,
            )
        )
        def check(rows):
            by_json, by_parquet = engine.both(source("String", [hex_bytes(row) for row in rows]))
            pd.testing.assert_frame_equal(by_json.frame, by_parquet.frame)

        check()
        _, by_parquet = engine.both("SELECT unhex('61ff') AS v, unhex('61') AS w")
        assert by_parquet.warnings == (
            (
                "Column 'v' holds bytes that are not UTF-8; each run of them is shown as U+FFFD. "
                "Select hex() or base64Encode() of the column to get the bytes."
            ),
        )


class TestHourShownTwice:
    def test_the_first_is_taken_and_noted(self, engine):
        """Parquet knows which of the two hours is meant; JSON takes the first and says so."""
        sql = (
            "SELECT toDateTime('2024-11-03 05:30:00', 'UTC') + number * 3600 AS utc, "
            "toTimeZone(utc, 'America/New_York') AS v FROM numbers(3)"
        )
        by_json, by_parquet = engine.both(sql)
        utc = by_parquet.frame["utc"]
        assert (by_parquet.frame["v"] == utc).all()
        assert (by_json.frame["v"] == utc).tolist() == [True, False, True]
        assert by_parquet.warnings == ()
        (warning,) = by_json.warnings
        assert warning.startswith("Column 'v': 2024-11-03 01:30:00 occurs twice on the clock of America/New_York")


class TestJsonOnly:
    @pytest.mark.parametrize(
        ("sql", "cell", "dtype"),
        [
            ("CAST('-12:34:56', 'Time')", -pd.Timedelta(hours=12, minutes=34, seconds=56), "timedelta64[s]"),
            ("CAST('999:59:59.123456', 'Time64(6)')", pd.Timedelta("999:59:59.123456"), "timedelta64[us]"),
            ("toBFloat16(1.5)", 1.5, "float32"),
            ("CAST(1, 'Variant(UInt8, String)')", 1, "object"),
            ("CAST('x', 'Dynamic')", "x", "object"),
            ("NULL", None, "object"),
            ("tuple()", (), "object"),
            ("CAST([], 'Array(Nothing)')", [], "object"),
            ("INTERVAL 3 DAY", 3, "int64"),
        ],
    )
    def test_one_cell(self, engine, sql, cell, dtype):
        decoded = decode_json_compact(engine.query(f"SELECT {sql} AS v"))
        assert decoded.frame["v"].dtype == dtype
        found = decoded.frame["v"].iloc[0]
        assert found == cell or (found is None and cell is None)

    def test_statistics_and_limit(self, engine):
        decoded = decode_json_compact(engine.query("SELECT number FROM numbers(100) ORDER BY number LIMIT 5"))
        assert decoded.rows_before_limit == 100
        assert set(decoded.statistics) == {"elapsed", "rows_read", "bytes_read"}
        assert len(decoded.frame) == 5

    def test_map_with_list_keys_is_refused(self, engine):
        with pytest.raises(ValueError, match=r"Column 'v' of type Map\(Array.* mapKeys"):
            engine.both("SELECT map([1, 2], 1) AS v")
