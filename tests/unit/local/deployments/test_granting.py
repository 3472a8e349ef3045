"""TOKEN and TAGS lines against what there is."""

from __future__ import annotations

from typing import Any

from tinymagic.local.deployments.granting import token_changes
from tinymagic.local.records import TokenRecord

READ = ("DATASOURCES:READ", "t_1", "")
APPEND = ("DATASOURCES:APPEND", "t_1", "")
READ_SCOPE = {"type": "DATASOURCES:READ", "resource": "t_1"}
APPEND_SCOPE = {"type": "DATASOURCES:APPEND", "resource": "t_1"}
ALL_SCOPE = {"type": "WORKSPACE:READ_ALL"}
NAMES = {"t_1": "events"}


def token(*scopes: dict[str, Any]) -> dict[str, TokenRecord]:
    """Return the only token."""
    return {"t": TokenRecord("id", "w", "t", "secret", list(scopes))}


def test_a_new_token() -> None:
    """It gets what the files say."""
    [change] = token_changes({"t": [READ, APPEND]}, {}, [], {}, NAMES, {})
    assert (change.kind, change.scopes) == ("added", [READ_SCOPE, APPEND_SCOPE])
    assert change.reply()["permission_changes"]["added_permissions"][0] == {
        "resource_name": "events",
        "resource_type": "datasource",
        "permission": "READ",
    }


def test_nothing_to_do() -> None:
    """The token has it all."""
    before = {"t": [list(READ)]}
    assert token_changes({"t": [READ]}, before, ["t"], token(READ_SCOPE), NAMES, {}) == []
    assert token_changes({"t": [READ]}, {}, [], token(READ_SCOPE, ALL_SCOPE), NAMES, {}) == []
    assert token_changes({}, before, ["t"], {}, NAMES, {}) == []


def test_what_a_file_gave_is_taken_back() -> None:
    """The rest stays; a token of files goes with its last right."""
    before = {"t": [list(READ)]}
    [change] = token_changes({}, before, [], token(READ_SCOPE, ALL_SCOPE), NAMES, {})
    assert (change.kind, change.scopes) == ("changed", [ALL_SCOPE])
    [change] = token_changes({}, before, ["t"], token(READ_SCOPE), NAMES, {})
    assert (change.kind, change.scopes) == ("removed", [])
    # Made by hand: it stays without rights.
    [change] = token_changes({}, before, [], token(READ_SCOPE), NAMES, {})
    assert (change.kind, change.scopes) == ("changed", [])


def test_filters() -> None:
    """A filter is part of the right, with the SQL that it was made into."""
    grant = ("DATASOURCES:READ", "t_1", "a = 1")
    [change] = token_changes({"t": [grant]}, {"t": [list(READ)]}, ["t"], token(READ_SCOPE), NAMES, {grant: "a = 1"})
    assert change.scopes == [{**READ_SCOPE, "filter": "a = 1", "sql": "a = 1"}]
    held = token(change.scopes[0])
    assert token_changes({"t": [grant]}, {"t": [list(grant)]}, ["t"], held, NAMES, {grant: "a = 1"}) == []
