"""Types of ClickHouse and of templates in the words of JSON Schema."""

from __future__ import annotations

import pytest

from tinymagic.local.endpoints.types import column_schema, parameter_schema

TEXT = {"type": "string"}
INT32 = {"type": "integer", "format": "int32"}


class TestColumns:
    @pytest.mark.parametrize(
        ("type_name", "schema"),
        [
            ("String", TEXT),
            ("FixedString(3)", TEXT),
            ("LowCardinality(String)", TEXT),
            ("LowCardinality(Nullable(String))", {**TEXT, "nullable": True}),
            ("Int8", INT32),
            ("Int64", {"type": "integer", "format": "int64"}),
            ("Int256", {"type": "integer"}),
            ("UInt16", {"type": "integer", "minimum": 0, "format": "int32"}),
            ("UInt32", {"type": "integer", "minimum": 0, "format": "int64"}),
            ("UInt64", {"type": "integer", "minimum": 0}),
            ("Float64", {"type": "number", "format": "double"}),
            ("Decimal(18, 4)", {"type": "number"}),
            ("Bool", {"type": "boolean"}),
            ("Date", {**TEXT, "format": "date"}),
            ("DateTime('Europe/Madrid')", TEXT),
            ("DateTime64(3, 'UTC')", TEXT),
            ("UUID", {**TEXT, "format": "uuid"}),
            ("Enum8('a' = 1, 'b,)' = 2)", TEXT),
            ("Array(Array(Int8))", {"type": "array", "items": {"type": "array", "items": INT32}}),
            ("Map(String, Array(Int8))", {"type": "object", "additionalProperties": {"type": "array", "items": INT32}}),
            ("Tuple(a Int8, `b c` String)", {"type": "object", "properties": {"a": INT32, "b c": TEXT}}),
            ("Tuple(Int8, String)", {"type": "array", "items": {}}),
            ("Nested(a Int8)", {"type": "array", "items": {"type": "object", "properties": {"a": INT32}}}),
            ("SimpleAggregateFunction(sum, Int8)", INT32),
            ("JSON(max_dynamic_paths=8)", {"type": "object"}),
            ("Tuple(a Enum8('x, (' = 1), b Int8)", {"type": "object", "properties": {"a": TEXT, "b": INT32}}),
            ("Something(Else)", TEXT),
        ],
    )
    def test_schema(self, type_name, schema):
        """What FORMAT JSON writes for the type."""
        assert column_schema(type_name) == schema


class TestParameters:
    @pytest.mark.parametrize(
        ("type_name", "schema"),
        [
            ("Int32", INT32),
            ("Integer", INT32),
            ("Boolean", {"type": "boolean"}),
            ("JSON", TEXT),
            ("DateTime", {**TEXT, "format": "date-time"}),
            ("DateTime64", TEXT),
            ("Array(Float32)", {"type": "array", "items": {"type": "number", "format": "float"}}),
            ("Foo", TEXT),
        ],
    )
    def test_schema(self, type_name, schema):
        """Parameters come as text in the URL."""
        assert parameter_schema(type_name) == schema

    def test_schemas_are_not_shared(self):
        """Changing one does not change the next."""
        parameter_schema("Float64")["default"] = 1
        assert parameter_schema("Float64") == {"type": "number", "format": "double"}
