"""The table of commands: what it names exists, and help is made from it."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from tinymagic.notebook.arguments import TBSQL_OPTIONS
from tinymagic.notebook.extension import Notebook
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.tinybird import find_command, help_text
from tinymagic.notebook.tree import COMMANDS, NOUNS, commands_of
from tinymagic.notebook.words import words_of


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
class TestEachCommand:
    def test_has_a_function(self, command):
        module, _, name = command.run.partition(":")
        function = getattr(import_module(f"tinymagic.notebook.commands.{module}"), name)
        assert list(inspect.signature(function).parameters) == ["call"]

    def test_is_found_by_its_words(self, command):
        found, rest = find_command(words_of(" ".join([*command.words, "x"])))
        assert found is command
        assert [word.text for word in rest] == ["x"]

    def test_is_in_the_help_at_every_level(self, command):
        assert command.usage() in help_text()
        assert command.usage() in help_text(command.words)
        if len(command.words) == 2:
            assert command.usage() in help_text(command.words[:1])
        for option in command.options:
            assert option.usage() in help_text(command.words)
            assert option.help in help_text(command.words)

    def test_belongs_to_a_noun(self, command):
        assert len(command.words) == 1 or command.words[0] in NOUNS


def test_every_noun_has_commands():
    assert all(commands_of(noun) for noun in NOUNS)


@pytest.mark.parametrize(
    ("line", "words", "near"),
    [
        ("datasorce ls", "no 'datasorce'", ("datasource",)),
        ("datasource lst", "no 'lst'", ("ls",)),
        ("logn", "no 'logn'", ("login", "logout")),
        ("ls", "no 'ls'", ("datasource ls",)),
        ("sample", "no 'sample'", ("local sample",)),
        ("pipe ls", "no 'pipe'", ()),
        ("local", "needs a verb: start, stop", ()),
    ],
)
def test_misspelt_words_are_answered_with_near_ones(line, words, near):
    with pytest.raises(CellProblem) as caught:
        find_command(words_of(line))
    assert words in str(caught.value)
    assert caught.value.suggestions[:2] == near


def test_docstring_of_tbsql_tells_every_option():
    lines = inspect.getdoc(Notebook.tbsql).splitlines()
    for option in TBSQL_OPTIONS:
        assert any(name in line for line in lines for name in option.names)
        told = [line for line in lines if option.usage().split(" ")[0].rstrip(",") in line]
        assert told, option.usage()


def test_docstring_of_tinybird_names_commands_that_exist():
    lines = [line.strip() for line in inspect.getdoc(Notebook.tinybird).splitlines()]
    calls = [line.partition("%tinybird")[2].split("  ")[0] for line in lines if "%tinybird" in line]
    assert len(calls) > 5
    for call in calls:
        words = [word for word in words_of(call) if not word.text.startswith("--")]
        if words:
            assert find_command(words)[0] is not None
