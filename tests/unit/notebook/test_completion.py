"""What Tab offers in a line of ``%tinybird``."""

from __future__ import annotations

import pytest

from tinymagic.notebook.completion import offers

NAMES = {
    "datasource": ["trips", "trips_raw", "users"],
    "column trips": ["day", "amount"],
    "rows": ["df"],
    "file": ["a.csv", "my file.csv"],
    "folder": ["data/"],
    "profile": ["work"],
    "region": ["aws/us-east-1"],
    "token": ["workspace admin token"],
    "sample": ["flights"],
}


def offered(line):
    """Return all texts."""
    found = offers(line, lambda kind, before: NAMES.get(f"{kind} {before}", NAMES.get(kind, [])))
    return [text for each in found for text in each.texts]


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("datas", ["datasource"]),
        ("lo", ["local", "login", "logout"]),
        ("help datas", ["datasource"]),
        ("secr", ["secret", "secrets"]),
        ("datasource sho", ["show"]),
        ("datasource show tr", ["trips", "trips_raw"]),
        ("datasource show u", ["users"]),
        ("datasource show x", []),
        ("datasource append trips ", ["a.csv", "'my file.csv'", "df"]),
        ("datasource append trips 'my ", ["my file.csv"]),
        ("datasource append trips d", ["df"]),
        ("datasource create new --from-df ", ["df"]),
        ("datasource create new --from-df d", ["df"]),
        ("datasource create new --from-", ["--from-df"]),
        ("datasource append trips --format p", ["parquet"]),
        ("datasource append trips --format=p", ["parquet"]),
        ("datasource rm trips --y", ["--yes"]),
        ("datasource rm --yes tr", ["trips", "trips_raw"]),
        ("local start --pa", ["--path"]),
        ("local start --path ", ["data/"]),
        # Given already, or contradicted.
        ("local start --path x --", ["--port", "--help"]),
        ("local sample f", ["flights"]),
        ("use w", ["work"]),
        ("logout ", ["work"]),
        ("login --region aws", ["aws/us-east-1"]),
        # Nothing is offered for what is secret, or new.
        ("login ", ["--host", "--region", "--profile", "--keyring", "--help"]),
        ("nonsense ", []),
        ("nonsense and ", []),
    ],
)
def test_offers(line, texts):
    assert offered(line) == texts


def test_everything_at_the_beginning():
    assert {"local", "datasource", "login", "doctor", "help"} <= set(offered(""))


def test_help_is_offered_where_no_name_is_known():
    """Then no proposals for Python come up."""
    found = offers("datasource show ", lambda kind, before: ())
    assert [each.texts for each in found] == [("--help",)]


def test_fragment_is_what_is_replaced():
    (found,) = offers("datasource append trips --format=p", lambda kind, before: ())
    assert found.fragment == "p"


def test_every_line_is_answered():
    """Nothing that can stand in a line makes it fail."""
    whole = """datasource create x --schema 'a Int8' --from-df "df" --file=x ' " = -- -y --y="""
    for end in range(len(whole)):
        assert isinstance(offered(whole[:end]), list)
