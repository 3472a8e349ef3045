"""Values of secrets in texts and replies, and the names of secrets in templates."""

from __future__ import annotations

import json

import pytest

from tinymagic.local.secret_text import MASK, SecretText, hidden, secrets_among, shows
from tinymagic.local.template.secrets import filled_setting, secrets_used

VALUE = 'it\'s "a" \\ secret/value\n\N{SNOWMAN}'


class TestHidden:
    @pytest.mark.parametrize("value", ["hunter-22", VALUE, "a\tb\tc\td"])
    def test_whole(self, value):
        """A value goes, also as SQL and JSON write it."""
        quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t") + "'"
        for form in (value, quoted, json.dumps(value), json.dumps(value, ensure_ascii=False)):
            text = hidden(f"Cannot use {form} here", [value])
            assert text is not None
            assert MASK in text
            assert value not in text

    def test_piece(self):
        """Where a piece would stay nothing is shown."""
        assert hidden("parsed just 'hunt'", ["hunter-22"]) is None
        assert hidden("hunter-22 and hunter-2", ["hunter-22"]) is None

    def test_short(self):
        """Of a very short value nothing is masked, which would tell where it is."""
        assert hidden("code 12", ["12"]) is None
        assert hidden("code 99", ["12"]) == "code 99"

    def test_several(self):
        """A value that is part of another one does not leave the rest of that."""
        assert hidden("x secret-value-2 y", ["secret-value", "secret-value-2"]) == f"x {MASK} y"


class TestReplies:
    def test_shows(self):
        """A value is found in bytes, escaped or not; only secrets are looked for."""
        values = {"k": SecretText(VALUE), "other": "some plain text"}
        assert shows(json.dumps({"a": VALUE}).encode(), values) == "k"
        assert shows(VALUE.encode(), values) == "k"
        assert shows(b"some plain text", values) is None

    def test_short(self):
        """A short value is no reason, because it is found by chance."""
        assert shows(b"1234567", {"k": SecretText("1234567")}) is None
        assert shows(b"12345678", {"k": SecretText("12345678")}) == "k"

    def test_repr(self):
        """A secret does not show in the repr of what holds it."""
        assert repr({"k": SecretText("hunter-22")}) == f"{{'k': {MASK}}}"
        assert secrets_among({"a": SecretText("x"), "b": "y", "c": SecretText("")}) == ("x",)


class TestUsed:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("SELECT 1", ()),
            ("SELECT tb_secret('k')", ()),
            ("% SELECT {{tb_secret('k')}}", ("k",)),
            ("% SELECT {{ tb_var('k', 'd') }}, {{tb_secret('j')}}, {{tb_secret('k')}}", ("k", "j")),
            ("% {% if defined(x) %} {{tb_secret('a')}} {% else %} {{tb_secret('b')}} {% end %}", ("a", "b")),
            ("% SELECT {{tb_secret(x)}}", ()),
            ("% SELECT {{", ()),
            ('{{ tb_secret("KEY") }}', ("KEY",)),
            ('a {{tb_secret("KEY", "x")}} b', ("KEY",)),
        ],
    )
    def test_found(self, text, expected):
        """Names are literal; both branches count."""
        assert secrets_used(text) == expected

    def test_settings(self):
        """A setting of a datafile gets the values, or the defaults."""
        values = {"KEY": "v1"}
        assert filled_setting('{{ tb_secret("KEY") }}/x', values.get) == "v1/x"
        assert filled_setting("{{tb_secret('NONE', 'd')}}", values.get) == "d"
        assert filled_setting("plain {{x}}", values.get) == "plain {{x}}"
        with pytest.raises(KeyError, match="NONE"):
            filled_setting('{{ tb_secret("NONE") }}', values.get)
