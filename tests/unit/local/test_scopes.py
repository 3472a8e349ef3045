"""The grammar of scopes, and what an `Access` allows."""

from __future__ import annotations

import pytest

from tinymagic.local.access.permissions import Access
from tinymagic.local.access.scopes import GIVEN_SCOPES, JWT_SCOPES, ScopeError, check_scope, parse_scope, print_scope
from tinymagic.local.errors import Forbidden
from tinymagic.local.records import TokenRecord, Workspace

NAMES = {"t_1": "events", "t_2": "other", "t_3": "top", "t_4": "free"}


def access(*scopes, kind="workspace", check_filter=None):
    record = TokenRecord("id", "w", "name", "secret", list(scopes), kind=kind)
    names = {**{name: name for name in NAMES.values()}, **NAMES} if kind == "jwt" else NAMES
    return Access(Workspace("w", "ws", "w_1"), record, names, check_filter)


class TestGrammar:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ADMIN", {"type": "ADMIN"}),
            (" tokens ", {"type": "TOKENS"}),
            ("DATASOURCES:CREATE", {"type": "DATASOURCES:CREATE"}),
            ("PIPES:READ:top", {"type": "PIPES:READ", "resource": "top"}),
            ("PIPE:READ:top", {"type": "PIPES:READ", "resource": "top"}),
            ("DATASOURCES:APPEND: events ", {"type": "DATASOURCES:APPEND", "resource": "events"}),
            (
                "DATASOURCES:READ:events:at > '10:20:30' AND x = 'a:b'",
                {"type": "DATASOURCES:READ", "resource": "events", "filter": "at > '10:20:30' AND x = 'a:b'"},
            ),
            ("DATASOURCES:READ:events:", {"type": "DATASOURCES:READ", "resource": "events"}),
            ("ORG_DATASOURCES:READ", {"type": "ORG_DATASOURCES:READ"}),
            ("WORKSPACE:READ_ALL", {"type": "WORKSPACE:READ_ALL"}),
        ],
    )
    def test_texts(self, text, expected):
        """What is typed becomes an object, and back."""
        scope = parse_scope(text)
        assert scope == expected
        assert parse_scope(print_scope(scope)) == scope

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "not a scope"),
            ("READ", "not a scope"),
            ("DATASOURCES", "not a scope"),
            ("DATASOURCES:EAT:events", "not a scope"),
            ("ADMIN_USER", "not a scope"),
            ("DATASOURCES:READ", "needs a resource"),
            ("PIPES:DROP:", "needs a resource"),
            ("ADMIN:events", "takes no resource"),
            ("DATASOURCES:CREATE:events", "takes no resource"),
            ("DATASOURCES:APPEND:events:a = 1", "takes no filter"),
        ],
    )
    def test_refusals(self, text, reason):
        """A text that is no scope is refused with the reason."""
        with pytest.raises(ScopeError, match=reason):
            parse_scope(text)

    def test_an_unknown_scope_lists_the_known(self):
        """The message is a menu."""
        with pytest.raises(ScopeError) as caught:
            parse_scope("EAT")
        assert all(scope in str(caught.value) for scope in GIVEN_SCOPES)
        assert "ADMIN_USER" not in str(caught.value)

    @pytest.mark.parametrize(
        "scope",
        [
            {},
            {"type": 1},
            {"type": "ADMIN"},
            {"type": "PIPES:READ"},
            {"type": "PIPES:READ", "resource": ["a"]},
            {"type": "PIPES:READ", "resource": "a", "fixed_params": "a=1"},
            {"type": "PIPES:READ", "resource": "a", "fixed_params": {"a": [1]}},
            {"type": "DATASOURCES:READ", "resource": "a", "fixed_params": {"a": 1}},
            {"type": "DATASOURCES:READ", "resource": "a", "filter": 1},
            {"type": "DATASOURCES:APPEND", "resource": "a", "filter": "b = 1"},
        ],
    )
    def test_objects_of_jwts(self, scope):
        """The same for objects, with the scopes that a JWT may hold."""
        with pytest.raises(ScopeError):
            check_scope(scope, JWT_SCOPES)

    def test_fixed_parameters_are_kept(self):
        """Texts, numbers and booleans; unknown keys are ignored."""
        scope = {"type": "PIPES:READ", "resource": "a", "fixed_params": {"a": "1", "b": 2, "c": True}}
        assert check_scope({**scope, "x": 1}, JWT_SCOPES) == scope


class TestAccess:
    def test_resources_are_ids_and_asked_by_name(self):
        """A stored scope knows the id; the name is looked up."""
        reader = access({"type": "DATASOURCES:READ", "resource": "t_1"})
        assert reader.allows("DATASOURCES:READ", "events")
        assert reader.allows("DATASOURCES:READ")
        assert not reader.allows("DATASOURCES:READ", "other")
        assert not reader.allows("DATASOURCES:READ", "t_1")
        assert not reader.allows("DATASOURCES:APPEND", "events")
        with pytest.raises(Forbidden, match="DATASOURCES:APPEND:events"):
            reader.require("DATASOURCES:APPEND", "events")

    def test_a_scope_of_a_dropped_resource_grants_nothing(self):
        """Not even to a later one of the same name, nor "some" resource."""
        reader = access({"type": "DATASOURCES:READ", "resource": "t_9"}, {"type": "DATASOURCES:APPEND"})
        for scope in ("DATASOURCES:READ", "DATASOURCES:APPEND"):
            assert not reader.allows(scope)
            assert not reader.allows(scope, "events")
        assert reader.row_filter("events") == "0"

    def test_what_includes_what(self):
        """CREATE appends, READ_ALL reads, ADMIN does everything."""
        creator = access({"type": "DATASOURCES:CREATE"})
        assert creator.allows("DATASOURCES:APPEND", "events")
        assert not creator.allows("DATASOURCES:READ", "events")
        reader = access({"type": "WORKSPACE:READ_ALL"})
        assert reader.allows("DATASOURCES:READ", "events")
        assert reader.allows("PIPES:READ", "top")
        assert reader.row_filter("events") is None
        assert not reader.allows("DATASOURCES:APPEND", "events")
        for admin in ("ADMIN", "ADMIN_USER"):
            assert access({"type": admin}).allows("PIPES:DROP", "x")
            assert access({"type": admin}).row_filter("events") is None
        assert not access().allows("TOKENS")

    def test_quarantine(self):
        """Who reads all of a Data Source reads its quarantine; who reads some rows does not."""
        scope = {"type": "DATASOURCES:READ", "resource": "t_1"}
        assert access(scope).allows("DATASOURCES:READ", "events_quarantine")
        assert access(scope).row_filter("events_quarantine") is None
        assert not access(scope).allows("DATASOURCES:READ", "other_quarantine")
        some = access({**scope, "filter": "a = 1", "sql": "a = 1"})
        assert some.allows("DATASOURCES:READ", "events")
        assert not some.allows("DATASOURCES:READ", "events_quarantine")
        assert some.row_filter("events_quarantine") == "0"
        assert access({"type": "DATASOURCES:APPEND", "resource": "t_1"}).row_filter("events_quarantine") == "0"


class TestRowFilter:
    def test_the_checked_text_is_used(self):
        """Never what the user typed."""
        scope = {"type": "DATASOURCES:READ", "resource": "t_1", "filter": "a=1 -- x", "sql": "a = 1"}
        assert access(scope).row_filter("events") == "(a = 1)"
        assert access(scope).row_filter("other") == "0"

    def test_several_are_alternatives(self):
        """The token may read what any of its scopes lets it read."""
        first = {"type": "DATASOURCES:READ", "resource": "t_1", "filter": "a=1", "sql": "a = 1"}
        second = {**first, "filter": "b=2", "sql": "b = 2"}
        assert access(first, second, first).row_filter("events") == "(a = 1) OR (b = 2)"
        assert access(first, {"type": "DATASOURCES:READ", "resource": "t_1"}).row_filter("events") is None
        assert access(first, {"type": "WORKSPACE:READ_ALL"}).row_filter("events") is None

    def test_unchecked_text_lets_nothing_through(self):
        """A stored filter without its checked text, however that came to be, shows no row."""
        assert access({"type": "DATASOURCES:READ", "resource": "t_1", "filter": "1"}).row_filter("events") == "(0)"

    def test_filters_of_jwts_are_checked_when_used(self):
        """By the function that the access got."""
        scope = {"type": "DATASOURCES:READ", "resource": "events", "filter": "a=1"}
        jwt = access(scope, kind="jwt", check_filter=lambda text, name: f"checked {text} on {name}")
        assert jwt.row_filter("events") == "(checked a=1 on events)"

    def test_a_jwt_may_name_its_resource(self):
        """Name or id; a static token holds ids only."""
        for resource in ("events", "t_1"):
            assert access({"type": "DATASOURCES:READ", "resource": resource}, kind="jwt").allows(
                "DATASOURCES:READ", "events"
            )
        assert not access({"type": "DATASOURCES:READ", "resource": "events"}).allows("DATASOURCES:READ", "events")
        assert not access({"type": "DATASOURCES:READ", "resource": "gone"}, kind="jwt").allows("DATASOURCES:READ")


class TestFixedParameters:
    def test_of_one_pipe(self):
        """All scopes of the Pipe force theirs; the first value of a parameter holds."""
        first = {"type": "PIPES:READ", "resource": "top", "fixed_params": {"a": "1"}}
        second = {"type": "PIPES:READ", "resource": "top", "fixed_params": {"a": "2", "b": 3}}
        jwt = access(first, second, {"type": "PIPES:READ", "resource": "free"}, kind="jwt")
        assert jwt.fixed_parameters("top") == {"a": "1", "b": 3}
        assert jwt.fixed_parameters("free") is None
        assert jwt.fixed_parameters("nothing") is None
