"""The call of an endpoint written down."""

from __future__ import annotations

import ast
import json
import shlex

import pytest

from tinymagic.notebook.given_values import parameters
from tinymagic.notebook.words import words_of
from tinymagic.widgets.models import pipe_calls

ODD = ["a b", "it's", 'say "x"', "'\"", "$HOME", "$(id)", "a\nb", "\\", "x=y", "ä", "{z}", ""]


@pytest.mark.parametrize("value", [*ODD, 5, 1.5, True, ["a", "b"], [1, 2]])
def test_line_gives_the_values_back(value):
    """The line is one line, and the notebook's own parser reads from it what was meant."""
    line = pipe_calls.line("top", {"p": value, "n": 7}, limit=20)
    assert "\n" not in line
    words = [each.text for each in words_of(line)]
    assert words[:6] == ["%tinybird", "pipe", "data", "top", "--limit", "20"]
    pairs = list(zip(words[6::2], words[7::2], strict=True))
    found = parameters(
        [text for option, text in pairs if option == "--param"],
        [text for option, text in pairs if option == "--params"],
        {},
    )
    known = value if not isinstance(found["p"], str) or isinstance(value, str) else json.dumps(value)
    assert found["p"] == known
    assert str(found["n"]) == "7"


@pytest.mark.parametrize("value", ODD)
def test_python_and_shell(value):
    python = pipe_calls.python("http://localhost:1", "top", {"p": value})
    assert f"params={{'p': {value!r}}}" in python
    ast.parse(python)
    assert 'os.environ["TB_TOKEN"]' in python
    words = shlex.split(pipe_calls.curl(f"http://x/?p={value}"))
    assert words == ["curl", "-H", "Authorization: Bearer $TB_TOKEN", f"http://x/?p={value}"]
