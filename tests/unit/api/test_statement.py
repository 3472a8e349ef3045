"""The text that is sent, and the way back to the user's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.api.statement import TYPES_COLUMN, compose, find_name

TYPES = f"SELECT *, toTypeName(tuple(*)) AS {TYPES_COLUMN} FROM (\n"


class TestCompose:
    @pytest.mark.parametrize(
        ("given_", "options", "text"),
        [
            ("SELECT 1", {}, "(\nSELECT 1\n)\nFORMAT JSONCompact"),
            ("SELECT 1; -- note", {}, "(\nSELECT 1\n)\nFORMAT JSONCompact"),
            ("SELECT 1 FORMAT CSV;", {}, "(\nSELECT 1\n)\nFORMAT JSONCompact"),
            ("SELECT ';' -- x\n", {"limit": 5}, "SELECT * FROM (\nSELECT ';'\n) LIMIT 6\nFORMAT JSONCompact"),
            (
                "with a as (select 1) select * from a",
                {"limit": 0},
                "SELECT * FROM (\nwith a as (select 1) select * from a\n) LIMIT 1\nFORMAT JSONCompact",
            ),
            ("(SELECT 1)", {"limit": 1}, "SELECT * FROM (\n(SELECT 1)\n) LIMIT 2\nFORMAT JSONCompact"),
            ("SELECT 1", {"wire_format": "Parquet"}, f"{TYPES}SELECT 1\n)\nFORMAT Parquet"),
            ("SELECT 1", {"wire_format": "Parquet", "limit": 2}, f"{TYPES}SELECT 1\n) LIMIT 3\nFORMAT Parquet"),
            ("SELECT 1", {"only_types": True}, "SELECT * FROM (\nSELECT 1\n) LIMIT 0\nFORMAT JSONCompact"),
            ("DESCRIBE t", {"limit": 2}, "DESCRIBE t\nFORMAT JSONCompact"),
            ("desc t;", {"wire_format": "Parquet"}, "desc t\nFORMAT JSONCompact"),
            ("SHOW TABLES", {"limit": 2}, "SHOW TABLES\nFORMAT JSONCompact"),
            ("EXISTS t", {"limit": 2}, "EXISTS t\nFORMAT JSONCompact"),
            ("INSERT INTO t VALUES (1)", {"limit": 2}, "INSERT INTO t VALUES (1)\nFORMAT JSONCompact"),
            (
                "%\nSELECT {{Int32(n)}}",
                {"limit": 9},
                "%\nSELECT * FROM (\n\nSELECT {{Int32(n)}}\n) LIMIT 10\nFORMAT JSONCompact",
            ),
            ("  % SELECT 1 FORMAT JSON", {}, "%\n(\n SELECT 1\n)\nFORMAT JSONCompact"),
            (
                "%{% if defined(x) %} SELECT 1 {% end %}",
                {"limit": 1},
                "%\nSELECT * FROM (\n{% if defined(x) %} SELECT 1 {% end %}\n) LIMIT 2\nFORMAT JSONCompact",
            ),
            ("% SELECT 1 {# note #}", {}, "%\n(\n SELECT 1 {# note #}\n)\nFORMAT JSONCompact"),
            ("", {"limit": 2}, ""),
            (" -- nothing", {"limit": 2}, " -- nothing"),
        ],
    )
    def test_text(self, given_, options, text):
        assert compose(given_, **options).text == text

    def test_what_cannot_be_wrapped_comes_as_json(self):
        assert compose("DESCRIBE t", wire_format="Parquet").wire_format == "JSONCompact"


class TestPositions:
    @pytest.mark.parametrize(
        "options", [{}, {"limit": 3}, {"wire_format": "Parquet"}, {"wire_format": "Parquet", "limit": 3}]
    )
    @given(before=st.text(max_size=20), after=st.text(max_size=5))
    def test_a_place_is_found_again_whatever_stands_around_it(self, options, before, after):
        given_ = f"SELECT /*{before.replace('*', '')}*/ wrong {after.replace(';', '')} , 1"
        statement = compose(given_, **options)
        byte = len(statement.text[: statement.text.index(" wrong") + 1].encode())
        assert statement.position_in_given(byte) == given_.index(" wrong") + 1

    @pytest.mark.parametrize("options", [{}, {"limit": 3}])
    def test_a_template_before_its_first_tag(self, options):
        given_ = " %\nSELECT 'é', wrong wrong2, {{Int32(n)}}"
        statement = compose(given_, **options)
        rendered = statement.text.partition("%")[2]
        byte = len(rendered[: rendered.index("wrong2")].encode())
        assert statement.position_in_given(byte) == given_.index("wrong2")

    def test_a_template_behind_a_tag_by_the_words_that_are_quoted(self):
        given_ = "% SELECT {{Int32(n)}} AS a, x y z FROM t"
        statement = compose(given_, limit=1)
        message = "failed at position 55 (z) (line 3, col 9): z FROM t\n) LIMIT 2. Expected one of: x"
        assert statement.position_in_given(200, message) == given_.index("z FROM")

    def test_a_templates_last_word(self):
        given_ = "% SELECT {{Int32(n)}} AS a, z z z"
        message = "failed at position 30 (z) (line 2, col 9): z\n) LIMIT 2\nFORMAT JSONCompact. Expected one of: x"
        statement = compose(given_, limit=1)
        assert statement.position_in_given(200, message) == len(given_) - 1
        said = statement.message_of_given(message.replace("position 30", "position 201"))
        assert said.startswith(f"failed at position {len(given_)} (z) (line 1, col {len(given_)}): z. Expected")

    def test_what_is_not_known_is_none(self):
        assert compose("%{{a}} SELECT 1").position_in_given(200, "Syntax error") is None


class TestMessages:
    def test_positions_and_lines_become_the_users(self):
        given_ = "SELECT 'é',\n x y z"
        statement = compose(given_, limit=1)
        byte = len(statement.text[: statement.text.index("z\n)")].encode())
        quoted = "z\n) LIMIT 2\nFORMAT JSONCompact"
        said = f"Syntax error: failed at position {byte + 1} (z) (line 3, col 6): {quoted}. Expected one of: AS"
        assert statement.message_of_given(said) == (
            f"Syntax error: failed at position {given_.index('z') + 1} (z) (line 2, col 6): z. Expected one of: AS"
        )

    def test_the_wrapper_is_not_spoken_of(self):
        statement = compose("SELECT (1", limit=1)
        said = (
            "Syntax error: failed at position 27 (LIMIT) (line 3, col 3): LIMIT 2. "
            "Unmatched parentheses: '(' at position 15 (line 1, col 15) is never closed."
        )
        assert statement.message_of_given(said) == (
            "Syntax error: failed at position 10 (end of query). Unmatched parentheses."
        )

    def test_other_messages_stay(self):
        said = "[Error] Unknown expression identifier `x`. In scope SELECT x. (UNKNOWN_IDENTIFIER)"
        assert compose("SELECT x", limit=1).message_of_given(said) == said


@pytest.mark.parametrize(
    ("sql", "name", "kind", "place"),
    [
        ("SELECT 1", "x", None, None),
        ("SELECT 'x' /* x */, `x`", "x", None, 20),
        ("SELECT a.x FROM a", "a.x", None, 9),
        ("SELECT ghost FROM ghost", "ghost", "table", 18),
        ("SELECT ghost FROM other", "ghost", "table", 7),
        ("SELECT f, f(1)", "f", "function", 10),
    ],
)
def test_names_are_found(sql, name, kind, place):
    assert find_name(sql, name, kind=kind) == place
