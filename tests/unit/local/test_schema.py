"""The schema text of a Data Source."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.local.errors import BadRequest
from tinymagic.local.tables.definition import read_indexes
from tinymagic.local.tables.schema import Column, SchemaError, jsonpath_steps, parse_schema, print_schema
from tinymagic.local.tables.table_engine import TableEngineError, default_sorting_key, table_engine
from tinymagic.local.tables.type_names import split_commas, type_name


class TestParse:
    def test_everything_a_column_can_have(self) -> None:
        """Names, nullability, paths, defaults and codecs are read from one text with comments and line breaks."""
        text = """
            at DateTime64(3, 'UTC') `json:$.at`,  -- when, and where
            `odd name` Nullable(String) `json:$.a.b` default 'x, y' CODEC(ZSTD(1)),
            tags Array(String) `json:$.tags[:]` DEFAULT [1, 2],
            low LowCardinality(Nullable(String)),
            day Date MATERIALIZED toDate(at),
            untyped DEFAULT 13,
            INDEX i low TYPE minmax GRANULARITY 1
        """
        found = [(c.name, c.type, c.nullable, c.jsonpath, c.default, c.codec) for c in parse_schema(text)]
        assert found == [
            ("at", "DateTime64(3, 'UTC')", False, "$.at", None, None),
            ("odd name", "String", True, "$.a.b", "DEFAULT 'x, y'", "CODEC(ZSTD(1))"),
            ("tags", "Array(String)", False, "$.tags[:]", "DEFAULT [1, 2]", None),
            ("low", "LowCardinality(Nullable(String))", False, None, None, None),
            ("day", "Date", False, None, "MATERIALIZED toDate(at)", None),
            ("untyped", "", False, None, "DEFAULT 13", None),
        ]

    def test_nullable_default_null_is_no_default(self) -> None:
        """DEFAULT NULL of a Nullable column says nothing and is dropped."""
        assert parse_schema("a Nullable(Int8) DEFAULT NULL")[0].default is None

    @pytest.mark.parametrize(
        ("text", "reason", "position"),
        [
            ("", "no columns", 0),
            ("a", "no type", 1),
            ("a Int8,, b Int8", "no column between", 7),
            ("a Int8 CODEC(ZSTD) MATERIALIZED 1", "Unexpected MATERIALIZED after CODEC", 19),
            ("a Int8 NULL", "NULL after the type", 7),
            ("a Int8 NOT NULL", "NOT NULL is not supported", 7),
            ("a Int8 ALIAS b", "ALIAS", 7),
            ("a Date TTL a", "TTL", 7),
            ("a Nullable(LowCardinality(Nullable(String)))", "Nested type", 2),
            ("a Nullable(Array(Int8))", "Nested type", 2),
            ("a SimpleAggregateFunction(sum, Int32)", "returns Int64", 2),
            ("a Int8, a Int8", "twice", 8),
            ("a Int8 foo", "wrong value", 7),
            ("a Array(Int8", "not closed", 7),
            ("a Int8) x", "was not opened", 6),
            ("`a Int8", "backtick", 0),
            ("a Int8 `json:a`", "jsonpath", 7),
            ("c__error String", "kept for the quarantine", 0),
            ("a String DEFAULT 'x", "quote", 16),
        ],
    )
    def test_errors_say_where(self, text: str, reason: str, position: int) -> None:
        """Each mistake has a sentence, the line with a caret, and the position."""
        with pytest.raises(SchemaError) as raised:
            parse_schema(text)
        assert reason in str(raised.value)
        assert abs(raised.value.position - position) <= 1
        assert "^" in str(raised.value).splitlines()[2]

    def test_the_caret_stands_under_the_mistake(self) -> None:
        """In a text of several lines the line of the mistake is shown."""
        with pytest.raises(SchemaError) as raised:
            parse_schema("a Int8,\nb Int8 oops")
        assert str(raised.value).splitlines()[1:] == ["b Int8 oops", "       ^ found at line 2, position 15"]

    @given(st.text(max_size=60))
    def test_any_text_gives_columns_or_a_schema_error(self, text: str) -> None:
        """No text makes the parser fail in another way, or not return."""
        try:
            columns = parse_schema(text)
        except SchemaError:
            return
        assert columns

    @given(st.text(alphabet="aI8n 3t,()`'[]-jsondefultcec:$.\n", max_size=60))
    def test_what_is_printed_reads_back(self, text: str) -> None:
        """Printing columns and parsing them again gives the same text."""
        try:
            columns = parse_schema(text)
        except SchemaError:
            return
        printed = print_schema(columns)
        assert print_schema(parse_schema(printed)) == printed


def test_jsonpath_steps() -> None:
    """Paths fall into keys and positions."""
    assert jsonpath_steps("$") == []
    assert jsonpath_steps("$.a.b_c[:]") == ["a", "b_c"]
    assert jsonpath_steps("$['a.b'][2]") == ["a.b", 2]


def test_type_names() -> None:
    """Type names fall into family and arguments; quoted commas do not count."""
    assert type_name("Enum8('a,b' = 1, 'c' = 2)").arguments == ("'a,b' = 1", "'c' = 2")
    assert split_commas("a, f(b, c), 'd, e'") == ["a", "f(b, c)", "'d, e'"]


class TestEngine:
    COLUMNS = (Column("id", "Int32"), Column("at", "DateTime"), Column("v", "UInt8"), Column("s", "Int8"))

    def test_default_sorting_key(self) -> None:
        """A time goes before a number, a number before text; nullable columns are passed over."""
        assert default_sorting_key(self.COLUMNS) == "`at`"
        assert default_sorting_key([Column("t", "String"), Column("n", "Float64")]) == "`n`"
        assert default_sorting_key([Column("n", "Int8", nullable=True), Column("t", "String")]) == "`t`"
        assert default_sorting_key([Column("a", "Array(Int8)")]) == "tuple()"

    def test_clause(self) -> None:
        """The clause has the engine's own columns quoted and the checked expressions."""
        engine = table_engine(
            {"engine": "replacingmergetree", "engine_sorting_key": "id", "engine_ver": "v"}, self.COLUMNS
        )
        made = engine.clause({"sorting_key": "(id)"}, lambda name: f"<{name}>")
        assert made == "ENGINE = ReplacingMergeTree(<v>) ORDER BY (id)"

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"engine": "Join"}, "supported engines include: MergeTree, ReplacingMergeTree"),
            ({"engine": "ReplacingMergeTree"}, "Missing required option 'sorting_key'"),
            ({"engine": "CollapsingMergeTree", "engine_sorting_key": "id"}, "Missing required parameter 'sign'"),
            ({"engine_ver": "v"}, "engine_ver is not a valid option"),
            ({"engine": "SummingMergeTree", "engine_columns": "x"}, "'x' column is not present in schema"),
            ({"engine": "Null", "engine_ttl": "at"}, "engine_ttl is not a valid option"),
            ({"engine_settings": "storage_policy = 'a'"}, "not a setting"),
        ],
    )
    def test_errors(self, parameters: dict[str, str], message: str) -> None:
        """Unsupported engines and options, missing ones and unknown columns have their sentences."""
        with pytest.raises(TableEngineError, match=message.replace("(", r"\(")):
            table_engine(parameters, self.COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        "INDEX a a TYPE set(" + " " * 200_000 + "x) GRANULARITY 1",
        "INDEX a a TYPE set(" + " " * 9_900 + "x) GRANULARITY 1",
        "INDEX a a" + " TYPE x GRANULARITY 1" * 450 + "x",
    ],
)
def test_a_long_index_takes_no_time(text: str) -> None:
    """It is refused, and nobody else waits for that."""
    begin = time.perf_counter()
    with pytest.raises(BadRequest, match="is not an index"):
        read_indexes(text, None)  # type: ignore[arg-type]  # It is refused before any expression is looked at.
    assert time.perf_counter() - begin < 2
