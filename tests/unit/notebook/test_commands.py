"""The table of commands: what it names exists, and help is made from it."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest

from tinymagic.notebook.cells.options import TBSQL_OPTIONS
from tinymagic.notebook.completion import KINDS, offers
from tinymagic.notebook.extension import Notebook
from tinymagic.notebook.finding import find_command, help_wanted
from tinymagic.notebook.help import help_text
from tinymagic.notebook.problems import CellProblem
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
        noun, verb = command.words[0], command.words[-1]
        told = re.compile(rf"  {noun} |.*also alone:.*%tinybird {verb}\b" if len(command.words) == 1 else rf"  {noun} ")
        (line,) = [each for each in unfolded(help_text()) if told.match(f"{each} ")]
        assert verb in line.replace(",", " ").replace(";", " ").split()
        assert command.usage() in help_text(command.words)
        if noun in NOUNS:
            assert command.usage() in help_text((noun,)) or command.words == (noun,)
        for option in command.options:
            assert option.usage() in help_text(command.words)
            assert option.help in help_text(command.words)

    def test_says_what_tab_offers_for_its_arguments(self, command):
        """Kinds of names that exist, for arguments and options that exist."""
        assert set(command.completes) <= {argument.strip("[].") for argument in command.arguments}
        asked = []
        kinds = [*command.completes.values(), *(option.completes for option in command.options if option.completes)]
        offers(f"{' '.join(command.words)} ", lambda kind, before: asked.append(kind) or ())
        assert {each for kind in kinds for each in kind.split("|")} | set(asked) <= KINDS

    def test_belongs_to_a_noun(self, command):
        assert len(command.words) == 1 or command.words[0] in NOUNS


def unfolded(text):
    """Return the lines of help with their continuations."""
    lines = []
    for line in text.splitlines():
        if line.startswith("   ") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def test_help_reads_well():
    """It fits on a page, no line is wider than what a notebook shows, and every noun has one entry."""
    lines = help_text().splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 70
    for noun in NOUNS:
        assert sum(line.split()[:1] == [noun] for line in unfolded(help_text())) == 1
        assert max(len(line) for line in help_text((noun,)).splitlines()) <= 130


def test_no_two_commands_share_their_words():
    words = [command.words for command in COMMANDS]
    assert len(set(words)) == len(words)


def test_every_noun_has_commands():
    assert all(commands_of(noun) for noun in NOUNS)


@pytest.mark.parametrize(
    ("line", "words", "near"),
    [
        ("datasorce ls", "no 'datasorce'", ("datasource",)),
        ("datasource lst", "no 'lst'", ("ls",)),
        ("datasource list", "no 'list'", ("ls",)),
        ("datasource remove x", "no 'remove'", ("rm",)),
        ("logn", "no 'logn'", ("login", "logout")),
        ("ls datasource", "no 'ls'", ("datasource ls",)),
        ("reset", "no 'reset'", ("local reset",)),
        ("qqqq ls", "no 'qqqq'", ()),
        ("local", "needs a verb: start, stop", ()),
    ],
)
def test_misspelt_words_are_answered_with_near_ones(line, words, near):
    with pytest.raises(CellProblem) as caught:
        find_command(words_of(line))
    assert words in str(caught.value)
    assert caught.value.suggestions[:2] == near


@pytest.mark.parametrize(
    ("line", "about"),
    [
        ("--help", ()),
        ("help", ()),
        ("datasource", ("datasource",)),
        ("datasource --help", ("datasource",)),
        ("help datasource", ("datasource",)),
        ("datasource help", ("datasource",)),
        ("datasource append --help", ("datasource", "append")),
        ("datasource append trips x.csv -h", ("datasource", "append")),
        ("help datasource append", ("datasource", "append")),
        ("login --help", ("login",)),
        ("login", None),
        ("datasource ls", None),
    ],
)
def test_help_is_wanted_at_every_level(line, about):
    assert help_wanted(words_of(line)) == about


def test_docstring_of_tbsql_tells_every_option():
    lines = inspect.getdoc(Notebook.tbsql).splitlines()
    for option in TBSQL_OPTIONS:
        assert any(name in line for line in lines for name in option.names)
        told = [line for line in lines if option.usage().split(" ")[0].rstrip(",") in line]
        assert told, option.usage()


def test_docstring_of_tinybird_names_commands_that_exist():
    lines = [line.strip() for line in inspect.getdoc(Notebook.tinybird).splitlines()]
    calls = [line.partition("%tinybird")[2].split("  ")[0] for line in lines if line.startswith(("%", "df ="))]
    assert len(calls) > 5
    for call in calls:
        words = [word for word in words_of(call) if not word.text.startswith("--")]
        if words:
            assert find_command(words)[0] is not None


def test_docstring_of_tinybird_names_all_nouns():
    text = inspect.getdoc(Notebook.tinybird)
    named = set(re.findall(r"``([a-z]+)``", text))
    single = {command.words[0] for command in commands_of(None)}
    aliases = {alias for noun in NOUNS.values() for alias in noun.aliases}
    assert set(NOUNS) | single <= named
    assert named <= set(NOUNS) | single | aliases
