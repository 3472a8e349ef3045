"""A failed query fails the cell, in at most eight lines, with the user's own line and a caret under the mistake."""

from __future__ import annotations

import unicodedata

import pytest

from tinymagic import errors


@pytest.fixture
def events(connected, workspace):
    """A Data Source to misspell."""
    workspace.datasources.create("card_events", "day Date, amount Float64")
    yield connected
    workspace.datasources.delete("card_events", force=True)


def marked(card):
    """Return number of the line, and what the carets point at."""
    at = next(place for place, line in enumerate(card) if line.strip(" |^") == "" and "^" in line)
    # In columns of the screen: a wide sign takes two.
    line = "".join(sign + "_" * (unicodedata.east_asian_width(sign) == "W") for sign in card[at - 1])
    carets = card[at]
    return line.split(" | ")[0].strip(), line[carets.index("^") : carets.rindex("^") + 1]


@pytest.mark.parametrize(
    ("cell", "kind", "number", "pointed"),
    [
        ("%%tbsql\nSELECT day,\n  amuont\nFROM card_events", "QueryError", "3", "amuont"),
        ("%%tbsql df\n\nSELECT day FROM card_evnts", "UnknownTable", "3", "card_evnts"),
        ("%%tbsql SELECT day,\n  amuont FROM card_events", "QueryError", "2", "amuont"),
        ("%%tbsql SELECT amuont\nFROM card_events", "QueryError", "1", "amuont"),
        ("n = 1\ndf = %tbsql SELECT amuont FROM card_events", "QueryError", "2", "amuont"),
        ("%tbsql --limit 3 SELECT amuont FROM card_events", "QueryError", "1", "amuont"),
        ("%%tbsql\nSELECT day FRM card_events WHERE x", "QueryError", "2", "card_events"),
        ("%%tbsql\nSELECT nofunction(day) FROM card_events", "QueryError", "2", "nofunction"),
        ("%%tbsql\nSELECT '日本', amuont FROM card_events", "QueryError", "2", "amuont"),
        # Behind a bound value, and on the line of one.
        ("n = 1\n%tbsql SELECT {{ n }} AS a, amuont FROM card_events", "QueryError", "2", "amuont"),
        ("%%tbsql -p n=1\nSELECT {{ n }} AS a,\n  amuont FROM card_events", "QueryError", "3", "amuont"),
        ("%%tbsql -p n=1\nSELECT {{ n }} AS a b c\nFROM card_events", "QueryError", "2", "b"),
        ("%%tbsql\n%\nSELECT {{String(x, 'd')}},\n amuont FROM card_events", "QueryError", "4", "amuont"),
        ("%%tbsql\n%\nSELECT {{String(xyz)}}", "QueryError", "3", "xyz"),
        ("%%tbsql\n\nSELECT 1,\n  {{ nope }}", "CellProblem", "4", "{{ nope }}"),
        ("%%tbsql --limt 4\nSELECT 1", "CellProblem", "1", "--limt"),
    ],
)
def test_points_at_the_mistake(events, cell, kind, number, pointed):
    ran = events.run(cell)
    assert type(ran.error).__name__ == kind
    assert marked(ran.card) == (number, pointed)
    assert len(ran.card) <= 8


def test_is_shown_in_the_place_of_a_traceback(events):
    ran = events.run("%%tbsql\nSELECT amuont FROM card_events")
    text = ran.printed + ran.stderr
    assert "Traceback" not in text
    assert "2 | SELECT amuont FROM card_events" in text
    assert "Did you mean amount?" in text
    assert "Documentation: https://docs.tinybird.co" in text
    assert "Request id: " in text
    assert len(text.strip().splitlines()) <= 8


def test_near_tables(events):
    # The server is shared, so there may be other near names, but none is nearer.
    card = events.run("%tbsql SELECT 1 FROM card_evnts").card
    assert any(line.startswith("Did you mean card_events") for line in card)


def test_stays_an_ordinary_exception(events):
    events.ok(
        "import tinymagic\n"
        "try:\n"
        "    %tbsql SELECT amuont FROM card_events\n"
        "except tinymagic.errors.QueryError as error:\n"
        "    kept = error"
    )
    kept = events["kept"]
    assert (kept.status, kept.code_name, kept.named) == (400, "UNKNOWN_IDENTIFIER", "amuont")
    assert kept.sql[kept.position :].startswith("amuont")


def test_position_counts_in_the_users_text(events):
    error = events.run("n = 1\n%tbsql SELECT {{ n }}, amuont FROM card_events").error
    assert error.sql == "SELECT {{ n }}, amuont FROM card_events"
    assert error.sql[error.position :].startswith("amuont")


def test_in_a_file(events, clean_settings):
    (clean_settings / "q.sql").write_text("SELECT day,\n  amuont\nFROM card_events")
    assert marked(events.run("%tbsql -f q.sql").card) == ("q.sql:2", "amuont")


def test_without_a_connection(cells, monkeypatch):
    monkeypatch.setattr("tinymagic.local.find", lambda path=None: None)
    ran = cells.run("%tbsql SELECT 1")
    assert isinstance(ran.error, errors.ConfigurationError)
    assert len(ran.card) == 1
    assert "%tinybird local start" in ran.card[0]


def test_when_the_host_is_not_there(cells, monkeypatch):
    monkeypatch.setenv("TB_TOKEN", "some-token-of-mine")
    monkeypatch.setenv("TB_HOST", "http://127.0.0.1:1")
    ran = cells.run("%tbsql SELECT 1")
    assert isinstance(ran.error, errors.ConnectionFailed)
    assert len(ran.card) <= 8
    assert "token-of-mine" not in ran.printed + ran.stderr


def test_a_refused_token_is_not_shown(cells, server, monkeypatch):
    monkeypatch.setenv("TB_TOKEN", "p.eyJ1IjogIjEifQ.a-signature-nobody-knows")
    monkeypatch.setenv("TB_HOST", server.host)
    ran = cells.run("%tbsql SELECT 1")
    assert isinstance(ran.error, errors.Forbidden)
    assert not any(piece in ran.printed + ran.stderr for piece in ("eyJ1IjogI", "signature-nobody"))
