"""The typed parameters of an endpoint as fields, and what is typed into them as values."""

from __future__ import annotations

from datetime import date

import pytest

from tinymagic.api.pipe_results import Node
from tinymagic.widgets.models.parameter_form import Unreadable, fields_of, read, read_all


def fields(*params):
    return fields_of([Node.of({"name": "n", "params": list(params)})])


def one(type_name, **more):
    return fields({"name": "p", "type": type_name, **more})[0]


class TestFields:
    def test_all_that_the_author_says(self):
        found = one("String", default="x", description="d", required=True, enum=["x", "y"], format="email", example="z")
        assert (found.name, found.type, found.kind, found.default, found.required) == ("p", "String", "text", "x", True)
        assert (found.description, found.choices, found.example) == ("d", ("x", "y"), "z")
        assert found.about() == "String, required, default x. d"
        assert found.hint == "x"

    @pytest.mark.parametrize(
        ("type_name", "kind"),
        [
            ("Int8", "number"),
            ("UInt256", "number"),
            ("Float64", "number"),
            ("Int", "number"),
            ("Boolean", "boolean"),
            ("Date", "date"),
            ("DateTime", "time"),
            ("DateTime64", "time"),
            ("Array(Int32)", "array"),
            ("JSON", "json"),
            ("String", "text"),
            ("", "text"),
            ("Something", "text"),
        ],
    )
    def test_kinds(self, type_name, kind):
        assert one(type_name).kind == kind

    def test_typed_use_counts_more(self):
        found = fields(
            {"name": "a", "type": "String", "default": None, "used_in": "function_call"},
            {"name": "b", "type": "Int32", "default": 1},
            {"name": "a", "type": "Int64", "default": 5, "description": "how many"},
            {"name": "a", "type": "Int8", "default": 7},
        )
        assert [each.name for each in found] == ["a", "b"]
        assert (found[0].type, found[0].default, found[0].description) == ("Int64", "5", "how many")

    def test_across_nodes(self):
        nodes = [Node.of({"name": "a", "params": [{"name": "x", "type": "Int8"}]}), Node.of({"name": "b"})]
        nodes.append(Node.of({"name": "c", "params": [{"name": "y", "type": "Date"}, {"name": "x", "type": "String"}]}))
        assert [(each.name, each.type) for each in fields_of(nodes)] == [("x", "Int8"), ("y", "Date")]

    @pytest.mark.parametrize(
        "name", ["q", "token", "job_timestamp", "__tb__x", "<img src=x onerror=a>", "a b", "", "ä"]
    )
    def test_names_that_are_no_parameters(self, name):
        assert fields({"name": name, "type": "String"}) == []

    @pytest.mark.parametrize("odd", [5, None, {}, {"a": 1}, "x", True, [[1]], 1.5])
    def test_odd_metadata(self, odd):
        params = [{"name": "p", "type": odd, "default": odd, "required": odd, "enum": odd, "example": odd}]
        for each in fields(*params, odd):
            assert isinstance(each.about() + each.hint, str)


class TestReading:
    @pytest.mark.parametrize(
        ("type_name", "given", "value"),
        [
            ("Int32", " 7 ", 7),
            ("UInt64", "18446744073709551615", 18446744073709551615),
            ("Float64", "0.1", 0.1),
            ("Boolean", True, True),
            ("Boolean", "false", False),
            ("Date", date(2026, 1, 31), "2026-01-31"),
            ("Date", "2026-01-31", "2026-01-31"),
            ("DateTime", "2026-01-31T10:00:00", "2026-01-31 10:00:00"),
            ("DateTime64", "2026-01-31 10:00:00.123", "2026-01-31 10:00:00.123"),
            ("Array(Int32)", "1, 2,3", [1, 2, 3]),
            ("Array(String)", ("a", "b"), ["a", "b"]),
            ("JSON", '{"a": 1}', '{"a": 1}'),
            ("String", " with blanks ", " with blanks "),
            ("String", "'; DROP TABLE x --", "'; DROP TABLE x --"),
            ("Int32", "", None),
            ("Int32", None, None),
            ("Array(String)", (), None),
            ("String", "  ", None),
        ],
    )
    def test_values(self, type_name, given, value):
        read_value = read(one(type_name), given)
        assert read_value == value
        assert type(read_value) is type(value)

    @pytest.mark.parametrize(
        ("type_name", "given"),
        [
            ("Int8", "128"),
            ("UInt8", "-1"),
            ("Int32", "1.5"),
            ("Int32", "seven"),
            ("Int32", "9" * 5000),
            ("Float64", "nan"),
            ("Float64", "1,5"),
            ("Boolean", "yes"),
            ("Date", "31.1.2026"),
            ("DateTime", "yesterday"),
            ("Array(Int32)", "1,x"),
            ("Array(Int32)", "1,,2"),
            ("JSON", "{"),
        ],
    )
    def test_what_is_none(self, type_name, given):
        with pytest.raises(Unreadable, match=r"^p is an? .*for instance|^p is a Boolean, true or false"):
            read(one(type_name), given)

    def test_choices(self):
        field = one("String", enum=["a", "b"])
        assert read(field, "a") == "a"
        with pytest.raises(Unreadable, match="one of a, b"):
            read(field, "c")

    def test_needed(self):
        with pytest.raises(Unreadable, match="p is needed: give a value of the type Int32"):
            read(one("Int32", required=True), "")
        assert read(one("Int32", required=True, default=5), "") is None

    def test_all_problems_at_once(self):
        found = fields(
            {"name": "a", "type": "Int8"},
            {"name": "b", "type": "Date", "required": True},
            {"name": "c", "type": "Int8"},
        )
        with pytest.raises(Unreadable) as caught:
            read_all(found, {"a": "x", "c": "1"})
        assert [each.split()[0] for each in str(caught.value).splitlines()] == ["a", "b"]
        assert read_all(found, {"a": "", "b": date(2026, 1, 1), "c": "1"}) == {"b": "2026-01-01", "c": 1}
