"""``%tinybird``: finds the command that a line means, runs it, and shows help at every level."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinymagic.api.redaction import HIDDEN, PIECE, Secret
from tinymagic.names import near_names
from tinymagic.notebook.failures import shown_as_card
from tinymagic.notebook.history import scrub
from tinymagic.notebook.options import parse_command
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Source
from tinymagic.notebook.tree import COMMANDS, NOUNS, Command, commands_of, noun_named, words_at
from tinymagic.notebook.words import Word, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.notebook.extension import Notebook

_HELP_WORDS = ("--help", "-h")


@dataclass(frozen=True)
class Call:
    """A command and what it was called with.

    Attributes:
        notebook: session, options and display.
        command: from the table.
        words: behind the command's name.
        options: name -> value, ``""`` for one without a value.
    """

    notebook: Notebook
    command: Command
    words: tuple[str, ...]
    options: Mapping[str, str]

    def word(self, place: int) -> str | None:
        """Return the word at *place* behind the command's name, or ``None``."""
        return self.words[place] if place < len(self.words) else None

    def number(self, option: str) -> int | None:
        """Return the value of an option that is a whole number, or ``None``."""
        return int(self.options[option]) if option in self.options else None


def run(notebook: Notebook, line: str) -> Any:
    """Run a line of ``%tinybird``.

    Returns:
        A DataFrame for lists, else ``None``: then it has said in words what was done.

    Raises:
        CellProblem: the line cannot be understood; nothing was done.
        TinybirdError: the command failed.
    """
    hidden = _hide_tokens(notebook, line)
    interrupted = "interrupted. What was sent before that may have been done: look before you repeat it."
    with shown_as_card(Source(hidden, 1, "%tinybird "), interrupted=interrupted), _without_tokens(line, hidden):
        words = words_of(line)
        wanted = _help_wanted(words)
        if wanted is not None:
            print(help_text(wanted))
            return None
        command, rest = find_command(words)
        if command is None:
            from tinymagic.notebook.commands import connection

            connection.status(notebook)
            return None
        return _run(notebook, command, rest, line)


def _hide_tokens(notebook: Notebook, line: str) -> str:
    """Take tokens in *line* out of IPython's history, before anything can go wrong; return the line without them."""
    words = _split(line)
    is_login = words[:1] == ["login"]
    for place, word in enumerate(words):
        named = words[place - 1] in _LOGIN_VALUES if place else False
        typed = is_login and place > 0 and len(word) >= PIECE and not named and not word.startswith("-")
        if typed or Secret("").redact(word) != word:
            scrub(notebook.shell, word)
            line = line.replace(word, HIDDEN)
    return line


#: Options of login whose values are no secrets.
_LOGIN_VALUES = ("--host", "--region", "--profile")


def _split(line: str) -> list[str]:
    """Cut a line at blanks and quotes; unlike `words_of` this takes any line."""
    return [part for part in re.split(r"""[\s'"=]+""", line) if part]


@contextlib.contextmanager
def _without_tokens(line: str, hidden: str) -> Iterator[None]:
    """Keep what was hidden from *line* out of the words of a problem."""
    try:
        yield
    except CellProblem as problem:
        if line == hidden:
            raise
        secrets = [part for part in _split(line) if part not in hidden]
        text = str(problem)
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        # The position counts in the line as typed, which is not shown.
        raise CellProblem(text) from None


def _run(notebook: Notebook, command: Command, rest: list[Word], line: str) -> Any:
    found = parse_command(rest, command.options, line)
    _check_count(command, found.words, line)
    call = Call(notebook, command, tuple(word.text for word in found.words), found.options)
    module, _, function = command.run.partition(":")
    result = getattr(import_module(f"tinymagic.notebook.commands.{module}"), function)(call)
    if result is not None and not result.attrs.get("tinybird"):
        # Names and descriptions come from others: they are shown through the same sieve as rows.
        notebook.presenter.expect(result, None)
    return result


def _check_count(command: Command, words: tuple[Word, ...], line: str) -> None:
    if len(words) < command.least:
        missing = [argument for argument in command.arguments if not argument.startswith("[")][len(words)]
        raise CellProblem(f"{missing} is missing: %tinybird {command.usage()}.", position=len(line), in_line=True)
    if len(words) > len(command.arguments):
        extra = words[len(command.arguments)]
        raise CellProblem(
            f"{extra.text!r} is one word too many: %tinybird {command.usage()}",
            position=extra.start,
            length=extra.end - extra.start,
            in_line=True,
        )


def find_command(words: list[Word]) -> tuple[Command | None, list[Word]]:
    """Return the command that the first words name, and the words behind it; ``None`` for an empty line.

    Raises:
        CellProblem: there is no such command; near names are in it.
    """
    if not words:
        return None, []
    found = noun_named(words[0].text)
    noun = found.name if found else None
    verb = words[1] if noun and len(words) > 1 else None if noun else words[0]
    if verb is None:
        raise CellProblem(f"%tinybird {noun} needs a verb: {', '.join(words_at(noun))}.")
    for command in commands_of(noun):
        if command.words[-1] == verb.text:
            return command, words[len(command.words) :]
    raise _unknown_word(verb, noun)


def _unknown_word(word: Word, noun: str | None) -> CellProblem:
    known = words_at(noun)
    near = tuple(near_names(word.text, known))
    if not near and noun is None:
        # A verb alone: "%tinybird ls" means a noun's.
        near = tuple(" ".join(command.words) for command in COMMANDS if command.words[-1] == word.text)
    owner = f"%tinybird {noun}" if noun else "%tinybird"
    return CellProblem(
        f"{owner} has no {word.text!r}." + ("" if near else f" There are {', '.join(known)}."),
        position=word.start,
        length=word.end - word.start,
        in_line=True,
        suggestions=near,
    )


# --- help -------------------------------------------------------------------------------------------------------------


def _help_wanted(words: list[Word]) -> tuple[str, ...] | None:
    """Return what help is wanted about, or ``None``: ``--help`` stands anywhere, ``help`` in front."""
    texts = [word.text for word in words]
    if not any(text in _HELP_WORDS for text in texts) and "help" not in texts[:2]:
        return None
    about = [text for text in texts if text not in _HELP_WORDS and text != "help" and not text.startswith("-")]
    noun = noun_named(about[0]) if about else None
    if noun is not None:
        about[0] = noun.name
    command = next((each for each in COMMANDS if list(each.words) == about[: len(each.words)]), None)
    if command is not None:
        return command.words
    if about and noun is None:
        raise _unknown_word(words[texts.index(about[0])], None)
    if len(about) > 1:
        raise _unknown_word(words[texts.index(about[1])], about[0])
    return tuple(about)


def help_text(about: tuple[str, ...] = ()) -> str:
    """Return the help for everything, for a noun, or for a command."""
    command = next((each for each in COMMANDS if each.words == about), None)
    if command is not None:
        return _help_of_command(command)
    if about:
        lines = [f"%tinybird {about[0]}: {_meaning(about[0])}", "", *_listed(commands_of(about[0]))]
        return "\n".join([*lines, "", f"%tinybird {about[0]} VERB --help shows the options of one."])
    lines = ["%tinybird: what you are connected to, and everything that is not SQL", "", *_listed(commands_of(None))]
    for noun in NOUNS:
        lines += ["", f"{noun}: {_meaning(noun)}", *_listed(commands_of(noun))]
    return "\n".join([*lines, "", "%tinybird COMMAND --help shows the options of one. %%tbsql? is about SQL."])


def _meaning(noun: str) -> str:
    aliases = NOUNS[noun].aliases
    return NOUNS[noun].meaning + (f" (also {', '.join(aliases)})" if aliases else "")


def _listed(commands: list[Command]) -> list[str]:
    return _columns([(command.usage(), command.summary) for command in commands])


def _help_of_command(command: Command) -> str:
    options = " [options]" if command.options else ""
    lines = [f"%tinybird {command.usage()}{options}: {command.summary}"]
    if command.options:
        lines += ["", *_columns([(option.usage(), option.help) for option in command.options])]
    if command.details:
        lines += ["", command.details]
    return "\n".join(lines)


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max(30, *(len(left) + 2 for left, _ in rows))
    return [f"  {left:<{width}}{right}" for left, right in rows]
