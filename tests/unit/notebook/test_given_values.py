"""Parameters and variables that a line names."""

from __future__ import annotations

import pytest

from tinymagic.notebook.given_values import parameters, variable
from tinymagic.notebook.options import parse_command
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.tree.command import PARAM, PARAMS
from tinymagic.notebook.words import words_of

NAMES = {"limit": 5, "settings": {"a": 1, "b": None}, "number": 7}


def test_options_that_repeat_are_read_in_order():
    line = "top --param a=1 -p b=$limit --params $settings --param=c=x=y"
    found = parse_command(words_of(line), (PARAM, PARAMS), line)
    assert [word.text for word in found.words] == ["top"]
    assert found.given["param"] == ("a=1", "b=$limit", "c=x=y")
    assert parameters(found.given["param"], found.given["params"], NAMES) == {"a": "1", "b": 5, "c": "x=y"}


def test_single_ones_win_whatever_the_order():
    assert parameters(["a=2"], ['{"a": 1, "b": [1, null]}'], {}) == {"a": "2", "b": [1, None]}


def test_later_sets_win():
    assert parameters([], ['{"a": 1}', "$settings", '{"b": 3}'], NAMES) == {"a": 1, "b": 3}


def test_an_empty_value_is_a_text():
    assert parameters(["a="], [], {}) == {"a": ""}


@pytest.mark.parametrize(
    ("single", "sets", "words"),
    [
        (["a"], [], "NAME=VALUE"),
        (["=1"], [], "NAME=VALUE"),
        (["a=$limt"], [], "no variable 'limt'"),
        ([], ["$settngs"], "no variable 'settngs'"),
        ([], ["{"], "JSON object in quotes"),
        ([], ["[1]"], "is list"),
        ([], ["$number"], "is int"),
        ([], ["[" * 100_000], "JSON object in quotes"),
    ],
)
def test_mistakes(single, sets, words):
    with pytest.raises(CellProblem, match=words.replace("$", "[$]")):
        parameters(single, sets, NAMES)


def test_near_variables_are_named_as_they_are_written():
    with pytest.raises(CellProblem) as caught:
        variable("$limt", {"limit": 1, "_limit": 2})
    assert caught.value.suggestions == ("$limit",)
    with pytest.raises(CellProblem) as caught:
        variable("limt", {"limit": 1})
    assert caught.value.suggestions == ("limit",)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("SELECT 1, 'a b' FROM t -- x", ["SELECT 1, 'a b' FROM t -- x"]),
        ("'SELECT 1'", ["SELECT 1"]),
        ("query  ", ["query"]),
        ("--param a=1 SELECT --param", ["SELECT --param"]),
    ],
)
def test_an_argument_may_take_the_rest_of_the_line(line, texts):
    found = parse_command(words_of(line), (PARAM,), line, rest_from=0)
    assert [word.text for word in found.words] == texts
