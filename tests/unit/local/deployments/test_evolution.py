"""How a Data Source with rows gets its new shape."""

from __future__ import annotations

import pytest

from tinymagic.local.deployments.evolution import Evolution, EvolutionError, Shape, evolve
from tinymagic.local.tables.schema import parse_schema

PLAIN = "a Int32, b String"


def shape(schema: str = PLAIN, **engine: str) -> Shape:
    """Return the shape of a MergeTree."""
    return Shape(tuple(parse_schema(schema)), {"engine": "MergeTree", "engine_sorting_key": "a", **engine}, ())


def way(old: Shape, new: Shape, *, query: bool = False, empty: bool = False) -> Evolution | None:
    """Find the way from one shape to another."""
    ttl = new.engine.get("engine_ttl", "")
    return evolve(old, new, definitions=[], ttl=ttl, has_query=query, is_empty=empty)


def test_the_same() -> None:
    """Nothing to do, also with a FORWARD_QUERY that is left over."""
    assert way(shape(), shape()) is None
    assert way(shape(), shape(), query=True) is None


@pytest.mark.parametrize(
    "schema",
    [
        "a Int32, b String, c Int8",
        "a Int32, c Int8 DEFAULT 3, b String",
        "a Int32 DEFAULT 4, b String",
        "a Int32, b String CODEC(ZSTD(3))",
        "a Int32 `json:$.other`, b String",
    ],
)
def test_in_place(schema: str) -> None:
    """No value changes."""
    found = way(shape(), shape(schema))
    assert found is not None
    assert found.alteration is not None


def test_time_to_live() -> None:
    """It comes, changes and goes in place."""
    with_ttl = shape(engine_ttl="b + 1")
    for old, new, action in ((shape(), with_ttl, "MODIFY TTL b + 1"), (with_ttl, shape(), "REMOVE TTL")):
        found = way(old, new)
        assert found is not None
        assert found.alteration is not None
        assert found.alteration.late_actions == [action]


@pytest.mark.parametrize(
    ("schema", "columns"),
    [
        ("a Int64, b String", ("a", "b")),
        ("b String, a Int32", ("b", "a")),
        ("a Nullable(Int32), b String", ("a", "b")),
        ("a Int32, b LowCardinality(String)", ("a", "b")),
        ("a Int32, b LowCardinality(Nullable(String)), c Int8", ("a", "b")),
    ],
)
def test_all_values_fit(schema: str, columns: tuple[str, ...]) -> None:
    """A new table takes the columns over."""
    found = way(shape(), shape(schema))
    assert found == Evolution(columns=columns)


def test_another_key() -> None:
    """A new table, all columns."""
    assert way(shape(), shape(engine_sorting_key="b")) == Evolution(columns=("a", "b"))
    assert way(shape(), shape(engine="ReplacingMergeTree")) == Evolution(columns=("a", "b"))


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ("a Int32", "'b'"),
        ("a Int16, b String", "from Int32 to Int16"),
        ("a UInt32, b String", "from Int32 to UInt32"),
        ("a String, b String", "from Int32 to String"),
        ("a Int32, c String", "'b'"),
    ],
)
def test_values_would_change(schema: str, named: str) -> None:
    """The author has to say how; nobody has to when there are no rows."""
    with pytest.raises(EvolutionError) as caught:
        way(shape(), shape(schema))
    assert named in str(caught.value)
    assert "FORWARD_QUERY" in str(caught.value)
    assert way(shape(), shape(schema), query=True) == Evolution()
    assert way(shape(), shape(schema), empty=True) == Evolution()


def test_null_values_are_not_thrown_away() -> None:
    """A column that is Nullable may hold NULLs."""
    with pytest.raises(EvolutionError, match="Nullable"):
        way(shape("a Nullable(Int32), b String"), shape())


def test_a_query_fills_a_new_column() -> None:
    """With a FORWARD_QUERY a new column gets values, not the default."""
    assert way(shape(), shape("a Int32, b String, c String"), query=True) == Evolution()


def test_an_engine_without_rows() -> None:
    """The engine Null keeps nothing."""
    assert way(shape(engine="Null"), shape("x String")) == Evolution()
