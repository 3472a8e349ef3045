"""Type names, odd and hostile, are read once and exactly."""

from __future__ import annotations

import pytest

from tinymagic.frames.types import Opaque, UnknownType, parse_type


class TestParseType:
    @pytest.mark.parametrize(
        "text",
        [
            "UInt8",
            "Nullable(Nothing)",
            "LowCardinality(Nullable(String))",
            "DateTime64(3, 'America/New_York')",
            "Decimal(76, 38)",
            "Map(String, Array(Tuple(a UInt8, `b c` Nullable(Decimal(9, 2)))))",
            "AggregateFunction(quantiles(0.5, 0.9), Float64)",
            "AggregateFunction(1, sumMap, Array(UInt8), Array(UInt64))",
            "SimpleAggregateFunction(anyLast, Nullable(DateTime('Europe/Madrid')))",
            "Enum8('a' = -1, 'b' = 2)",
            r"Enum16('it\'s, (x)\\ \t' = 1, ')' = 2, '' = 3)",
            "JSON(max_dynamic_paths=10, a.b UInt32, SKIP a.c, SKIP REGEXP 'x.*')",
            "Dynamic(max_types=8)",
            "Variant(String, UInt64)",
            "Tuple()",
            "Nested(a UInt8, b Array(String))",
            "QBit(Float32, 8)",
        ],
    )
    def test_text_survives(self, text):
        """The text of a type is the text that was read, but for line breaks and spaces round an equals sign."""
        assert parse_type(text).text.replace(" = ", "=") == text.replace(" = ", "=")
        assert parse_type(text) is parse_type(text)

    def test_pretty_printed_tuple(self):
        """The engine breaks the lines of named tuples; the type is the same."""
        assert parse_type("Tuple(\n    a UInt8,\n    `b c` String)") == parse_type("Tuple(a UInt8, `b c` String)")

    def test_enum_labels(self):
        """Labels come without quotes and escapes, in order of their numbers."""
        kind = parse_type(r"Enum8('z' = 3, 'it\'s, (x)' = -5, 'it''s \\ \t' = 0)")
        assert kind.labels == ("it's, (x)", "it's \\ \t", "z")
        assert kind.numbers == (-5, 0, 3)

    def test_tuple_names(self):
        """Backticked names lose their quotes; an element may be called like a type."""
        kind = parse_type(r"Tuple(`a\`b` UInt8, `String` String, Date Date)")
        assert kind.names == ("a`b", "String", "Date")
        assert [str(element) for element in kind.elements] == ["UInt8", "String", "Date"]

    def test_wrappers_are_no_types(self):
        """Nullable and LowCardinality change the text and whether NULL can occur, nothing else."""
        kind = parse_type("LowCardinality(Nullable(FixedString(3)))")
        assert type(kind) is type(parse_type("String"))
        assert kind.nullable

    def test_unknown_name_is_opaque(self):
        assert parse_type("Spaceship(3, 'x', Array(UInt8))") == Opaque("Spaceship(3, 'x', Array(UInt8))")

    @pytest.mark.parametrize(
        "text",
        ["", " ", "Array(", "Array(UInt8", "Array(UInt8))", "Array()", "Array", "Map(String)", "Nullable(1)", "1",
         "'x'", "UInt8 UInt8", "UInt8, UInt8", "Enum8('a)", "Enum8(a = 1)", "Tuple(a UInt8, String)", "DateTime64(12)",
         "Decimal(a)", "Tuple(a b UInt8)", "`x", "Array(UInt8;)", "Array(" * 5000 + "UInt8" + ")" * 5000],
        ids=lambda text: text[:20],
    )  # fmt: skip
    def test_what_is_no_type(self, text):
        with pytest.raises(UnknownType):
            parse_type(text)
