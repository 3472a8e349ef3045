"""``%tinybird``: finds the command that a line means, runs it, and shows help at every level."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinymagic.api.http.redaction import HIDDEN, PIECE, Secret
from tinymagic.errors import DeploymentRequired, TinybirdError
from tinymagic.notebook.display import visible
from tinymagic.notebook.failures import shown_as_card
from tinymagic.notebook.finding import find_command, help_wanted
from tinymagic.notebook.help import help_text
from tinymagic.notebook.history import scrub
from tinymagic.notebook.options import parse_command
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Source
from tinymagic.notebook.tree import noun_named
from tinymagic.notebook.typed_values import hide_value, typed_value
from tinymagic.notebook.words import Word, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.extension import Notebook
    from tinymagic.notebook.tree import Command


@dataclass(frozen=True)
class Call:
    """A command and what it was called with.

    Attributes:
        notebook: session, options and display.
        command: from the table.
        words: behind the command's name.
        options: name -> value, ``""`` for one without a value; the last one of an option that was repeated.
        given: name -> all its values, in order.
    """

    notebook: Notebook
    command: Command
    words: tuple[str, ...]
    options: Mapping[str, str]
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        """The Workspace that the session talks to.

        Raises:
            ConfigurationError: nothing is configured, or the settings cannot be used.
        """
        return self.notebook.session.workspace()

    def word(self, place: int) -> str | None:
        """Return the word at *place* behind the command's name, or ``None``."""
        return self.words[place] if place < len(self.words) else None

    def number(self, option: str) -> int | None:
        """Return the value of an option that is a whole number, or ``None``."""
        return int(self.options[option]) if option in self.options else None

    def all(self, option: str) -> tuple[str, ...]:
        """Return all values of an option that may be repeated, in order."""
        return self.given.get(option, ())

    def params(self) -> dict[str, Any]:
        """Return what ``--param NAME=VALUE`` (repeated) and ``--params JSON|$NAME`` give; the single ones win.

        A value after ``=`` is a text, or a notebook variable when it begins with ``$``.

        Raises:
            CellProblem: one of them cannot be read, or names a variable that does not exist.
        """
        from tinymagic.notebook.given_values import parameters

        return parameters(self.all("param"), self.all("params"), self.notebook.shell.user_ns)

    def value(self, name: str) -> Any:
        """Return the notebook variable *name*; a ``$`` in front is allowed.

        Raises:
            CellProblem: there is none; near names are in it.
        """
        from tinymagic.notebook.given_values import variable

        return variable(name, self.notebook.shell.user_ns)

    def text(self, word: str) -> str:
        """Return the text that *word* means: that of the notebook variable of this name, else the word itself."""
        value = self.notebook.shell.user_ns.get(word) if word.isidentifier() else None
        return value if isinstance(value, str) else word


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
        _check_signs(line)
        words = words_of(line)
        wanted = help_wanted(words)
        if wanted is not None:
            print(help_text(wanted))
            return None
        command, rest = find_command(words)
        if command is None:
            from tinymagic.notebook.commands import connection

            connection.status(notebook)
            return None
        return _run(notebook, command, rest, line)


_IN_NO_TEXT_RE = re.compile("[\x00\ud800-\udfff]")


def _check_signs(line: str) -> None:
    found = _IN_NO_TEXT_RE.search(line)
    if found is not None:
        raise CellProblem(
            "Here is a NUL or half a character, which no name, file or text can hold: take it out.",
            position=found.start(),
            in_line=True,
        )


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
    for secret in _secret_settings(line):
        scrub(notebook.shell, secret)
        line = line.replace(secret, HIDDEN)
    value = typed_value(line)
    if value is not None:
        hide_value(notebook.shell, line)
        line = line[: line.rindex(value)] + HIDDEN
    return line


_SETTING_RE = re.compile(r"""([\w.]+)=(?:'([^']+)|"([^"]+)|([^\s'"]+))""")


def _secret_settings(line: str) -> list[str]:
    """Return the values of secret settings of a connection, also in a line that cannot be run for another reason."""
    noun = noun_named(line.split(maxsplit=1)[0]) if line.strip() else None
    if noun is None or noun.name != "connection":
        return []
    from tinymagic.api.connections import is_secret

    found = [(name, "".join(values)) for name, *values in _SETTING_RE.findall(line)]
    # In short ones there is no secret, and a history in which every "a" is hidden is of no use.
    return [
        value
        for name, value in found
        if is_secret(name) and len(value) >= PIECE and not value.startswith(("$", "{{", HIDDEN))
    ]


#: Options of login whose values are no secrets.
_LOGIN_VALUES = ("--host", "--region", "--profile")


def _split(line: str) -> list[str]:
    """Cut a line at blanks and quotes; unlike `words_of` this takes any line."""
    return [part for part in re.split(r"""[\s'"=]+""", line) if part]


@contextlib.contextmanager
def _without_tokens(line: str, hidden: str) -> Iterator[None]:
    """Keep what was hidden from *line*, and pieces of it, out of the words of an error and of the service's answer."""
    try:
        yield
    except TinybirdError as error:
        if line != hidden:
            _hide_in(error, [part for part in _split(line) if part not in hidden])
        raise


#: In the words of others, shorter parts are left: in a text without any "a" nothing can be read.
_SHORTEST_HIDDEN = 4


def _hide_in(error: TinybirdError, parts: list[str]) -> None:
    is_ours = isinstance(error, CellProblem)
    secrets = [Secret(part) for part in parts if is_ours or len(part) >= _SHORTEST_HIDDEN]

    def redact(text: str) -> str:
        for secret in secrets:
            text = secret.redact(text)
        return text

    error.args = tuple(redact(each) if isinstance(each, str) else each for each in error.args)
    error.message = redact(error.message)
    error.errors = tuple(redact(each) for each in error.errors)
    if error.answer is not None:
        headers = {name: redact(value) for name, value in error.answer.headers.items()}
        error.answer = replace(error.answer, headers=headers, body=redact(error.answer.body))
    if isinstance(error, CellProblem):
        # It counts in the line as typed, which is not shown.
        error.position = None


def _run(notebook: Notebook, command: Command, rest: list[Word], line: str) -> Any:
    found = parse_command(rest, command.options, line, rest_from=command.rest_from)
    _check_count(command, found.words, line)
    call = Call(notebook, command, tuple(word.text for word in found.words), found.options, found.given)
    module, _, function = command.run.partition(":")
    try:
        result = getattr(import_module(f"tinymagic.notebook.commands.{module}"), function)(call)
    except DeploymentRequired as error:
        if error.datafile:
            # The card says what to do with it.
            print(f"# {error.file}\n{visible(error.datafile)}")
        raise
    finally:
        if command.words[-1] not in _ONLY_LOOKING:
            notebook.something_changed()
    if result is not None and not result.attrs.get("tinybird"):
        # Names and descriptions come from others: they are shown through the same sieve as rows.
        notebook.presenter.expect(result, None)
    return result


#: Last words of commands that change nothing.
_ONLY_LOOKING = frozenset(
    """
    cells current data dependencies doctor explain export fmt get info link ls members openapi policy profiles
    quarantine regions scopes settings show sql stats status usage used-by version wait why
    """.split()
)


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
