"""Values go through a real cell and come back: those that are bound, and those that a query makes, by each wire format.

`test_magics_binding` asks the server without IPython, type by type; here the way of the user is tested: a variable of
the notebook, a cell, the frame or the dictionaries that it leaves.
"""

# ruff: noqa: DTZ001 - times without a zone are among what is tested

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tinymagic.notebook.problems import CellProblem

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ZONES = st.sampled_from([dt.timezone.utc, dt.timezone(dt.timedelta(hours=5, minutes=45)), dt.timezone.min])
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.text(st.sampled_from(list("'\"`\\%{}#!-/*;,$:?()[]\n\r\t zn\u202e日🎉")))
    | st.sampled_from(
        ["{{ x }}", "{% end %}", "{# #}", "{x:UInt8}", "' OR 1=1 --", "\\'", "%s %(a)s", "$x :x", "NULL", " "]
    )
)
#: One strategy for each type; an Array has elements of one type.
SCALARS = {
    "bool": st.booleans(),
    "int": st.integers(-(2**255), 2**255 - 1)
    | st.integers(-10, 10)
    | st.sampled_from([2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, 2**127, -(2**255), 2**255 - 1]),
    "float": st.floats(),
    "text": TEXTS,
    "decimal": st.integers(-(10**76) + 1, 10**76 - 1).flatmap(
        lambda n: st.integers(0, 76).map(lambda scale: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale)))
    ),
    "date": st.dates(dt.date(1900, 1, 1), dt.date(2299, 12, 31)),
    "naive": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2299, 12, 31)),
    "aware": st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2299, 1, 1), timezones=ZONES),
    "uuid": st.uuids(),
    "ipv4": st.ip_addresses(v=4),
    "ipv6": st.ip_addresses(v=6),
}
SCALAR = st.none() | st.one_of(*SCALARS.values()) | st.integers(2**255, 2**256 - 1)
LISTS = st.one_of(
    *(
        st.lists(elements | st.none(), max_size=4) | st.lists(elements, max_size=4).map(tuple)
        for elements in SCALARS.values()
    ),
    st.lists(st.lists(TEXTS, max_size=3), max_size=3),
)
#: `--dtypes arrow` is left out: Arrow has no type for some of these, and says them as texts.
WAYS = st.sampled_from(["--format json", "--format parquet", "--type dicts", "--type dicts --format json"])


def is_same(found, wanted):
    """Whether a cell of a frame or a dictionary is the value that was bound."""
    if isinstance(wanted, (list, tuple)):
        return len(found) == len(wanted) and all(map(is_same, found, wanted))
    if wanted is None:
        return found is None or found is pd.NA or found is pd.NaT
    if isinstance(wanted, float):
        if isinstance(found, str) or found is None or found is pd.NA:
            return False
        # Equal as Python has it: the sign of a bound -0.0 does not come back.
        return found == wanted or (math.isnan(found) and math.isnan(wanted))
    if isinstance(wanted, bool):
        return isinstance(found, (bool, np.bool_)) and found == wanted
    if isinstance(wanted, (int, Decimal)):
        # Dictionaries and wide columns have Python's numbers, the others numpy's; none may be a float.
        return not isinstance(found, (float, np.floating, bool)) and found == wanted
    if isinstance(wanted, dt.datetime):
        return (found.tzinfo is None) == (wanted.tzinfo is None) and found == wanted
    if isinstance(wanted, dt.date):
        return (found.date() if isinstance(found, dt.datetime) else found) == wanted
    return type(found) is type(wanted) and found == wanted


def cell_of(cells, options, sql, **variables):
    """The one value of the one row of a cell that is run with these variables."""
    cells.shell.user_ns.update(variables)
    cells.ok(f"%%tbsql got {options}\n{sql}")
    got = cells["got"]
    return got[0]["v"] if isinstance(got, list) else got["v"].iloc[0]


class TestBound:
    @BOUNDED
    @given(value=SCALAR, way=WAYS)
    @example(value="", way="--format json")
    @example(value=Decimal("1E+20"), way="--format parquet")
    @example(value=2**256 - 1, way="--format parquet")
    def test_scalars(self, connected, value, way):
        assert is_same(cell_of(connected, way, "SELECT {{ x }} AS v", x=value), value)

    @BOUNDED
    @given(value=LISTS, way=WAYS)
    @example(value=[[]], way="--format json")
    @example(value=[[[]], [[], []]], way="--format parquet")
    def test_lists(self, connected, value, way):
        try:
            found = cell_of(connected, way, "SELECT {{ x }} AS v", x=value)
        except CellProblem as problem:
            # Decimals of one list get one scale, which may take more digits than there are.
            assume("digits; ClickHouse's have at most 76" not in str(problem))
            raise
        assert is_same(found, value)

    @settings(BOUNDED, max_examples=20)
    @given(value=SCALAR)
    def test_by_a_path_and_by_a_dictionary(self, connected, value):
        """A value is the same value wherever the notebook keeps it."""
        asked = {"path": {"deep": [None, value]}, "given": {"x": value}}
        by_path = cell_of(connected, "--type dicts", "SELECT {{ path.deep[1] }} AS v", **asked)
        by_dictionary = cell_of(connected, "--type dicts --params $given", "SELECT {{ x }} AS v", **asked)
        assert is_same(by_path, value)
        assert is_same(by_dictionary, value)

    @settings(BOUNDED, max_examples=20)
    @given(value=TEXTS)
    def test_a_text_cannot_change_the_query(self, connected, value):
        sql = "SELECT {{ x }} AS v, count() AS n, '{{ x' AS \"b{{\" FROM numbers(3) -- {{ x }}"
        assert cell_of(connected, "", sql, x=value) == value
        assert connected["got"].n.tolist() == [3]

    @pytest.mark.parametrize(
        ("value", "part"),
        [
            (2**256, "more than 256 bits"),
            (Decimal(1).scaleb(-77), "at most 76"),
            (Decimal("nan"), "no such value"),
            (dt.date(1899, 12, 31), "outside 1900 to 2299"),
            ({"a": 1}, "Take one value out of it"),
            ([1, "a"], "elements of one type"),
            ("\ud800", "half of a character"),
        ],
    )
    def test_what_cannot_be_exact_is_not_sent(self, connected, value, part):
        """A sentence instead of a value that is nearly right; the variable keeps what it had."""
        connected.shell.user_ns.update(x=value, got="before")
        ran = connected.run("%%tbsql got\nSELECT {{ x }} AS v")
        assert part in str(ran.error)
        assert connected["got"] == "before"


#: Type -> the ends of what it holds, as literals of SQL and as Python's values.
ENDS = {
    "UInt64": {"toUInt64('18446744073709551615')": 2**64 - 1, "toUInt64('9007199254740993')": 2**53 + 1},
    "Int256": {f"toInt256('{n}')": n for n in (2**255 - 1, -(2**255))},
    "UInt256": {f"toUInt256('{n}')": n for n in (2**256 - 1, 0)},
    "Decimal(76, 38)": {
        f"toDecimal256('{text}', 38)": Decimal(text)
        for text in ("9" * 38 + "." + "9" * 38, "-" + "9" * 38 + "." + "9" * 38, "0." + "0" * 37 + "1")
    },
    "DateTime64(9, 'UTC')": {
        f"toDateTime64('{text}', 9, 'UTC')": pd.Timestamp(text, tz="UTC")
        for text in ("2024-02-29 23:59:59.123456789", "1969-12-31 23:59:59.999999999", "2262-04-11 23:47:16.854775807")
    },
    "Float64": {"toFloat64(0.1)": 0.1, "5e-324": 5e-324, "1.7976931348623157e308": 1.7976931348623157e308},
}


@st.composite
def tables(draw):
    """Draw the types of some columns, and rows of (literal, value) pairs, some of them NULL."""
    types = draw(st.lists(st.sampled_from(list(ENDS)), min_size=1, max_size=4))
    pair = [st.sampled_from([("NULL", None), *ENDS[each].items()]) for each in types]
    return types, draw(st.lists(st.tuples(*pair), min_size=1, max_size=4))


class TestFetched:
    @settings(BOUNDED, max_examples=40)
    @given(table=tables(), policy=st.sampled_from(["exact", "arrow"]))
    @example(table=([kind := "DateTime64(9, 'UTC')"], [(each,) for each in ENDS[kind].items()]), policy="exact")
    def test_one_frame_by_every_wire_format(self, connected, table, policy):
        """Nothing is rounded, beside NULLs too, and the frames are equal to the dtype."""
        types, rows = table
        shape = ", ".join(f"c{place} Nullable({kind})" for place, kind in enumerate(types)).replace("'", "\\'")
        body = ", ".join(f"({', '.join(literal for literal, _ in row)}, {place})" for place, row in enumerate(rows))
        sql = f"SELECT * EXCEPT place FROM values('{shape}, place UInt8', {body}) ORDER BY place"
        frames = {}
        for form in ("json", "parquet", "auto"):
            connected.ok(f"%%tbsql got --format {form} --dtypes {policy}\n{sql}")
            frames[form] = connected["got"]
        for form in ("parquet", "auto"):
            pd.testing.assert_frame_equal(frames[form], frames["json"], check_exact=True)
        for place in range(len(types)):
            for found, (_, wanted) in zip(frames["json"][f"c{place}"], [row[place] for row in rows], strict=True):
                if policy == "arrow" and types[place].endswith("Int256") and wanted is not None:
                    # Arrow has no whole numbers so wide; their digits are a text.
                    found, wanted = str(found), str(wanted)
                assert is_same(found, wanted), (types[place], found, wanted)
