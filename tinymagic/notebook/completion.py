"""What Tab offers in a line of ``%tinybird``: words of the table of commands, and names that the caller looks up. Pure.

What an argument names is told by the word in the table: ``PROFILE``, ``FILE|DF``, ``NAME`` of the noun ``datasource``.
Where the word does not say it, ``Command.completes`` and ``Option.completes`` do. Kinds of names:

=============  ======================================================
``datasource``  Data Sources
``pipe``        Pipes
``endpoint``    Pipes that are published
``node``        nodes of the Pipe named before
``column``      columns of the Data Source named before
``output``      columns that the SQL of a cell gives
``saved``       cells that were saved as nodes
``token``       tokens, by name
``variable``    Tinybird's variables
``job``         ids of jobs
``connection``  connections
``workspace``   Workspaces
``branch``      branches
``deployment``  deployments
``tag``         tags
``profile``     saved logins
``region``      regions
``sample``      sample data sets
``rows``        notebook variables that hold rows
``name``        all notebook variables
``reference``   the same with ``$`` in front
``file``        files and folders
``folder``      folders
=============  ======================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tinymagic.notebook.tree import COMMANDS, NOUNS, Command, noun_named, words_at

if TYPE_CHECKING:
    from tinymagic.notebook.options import Option

#: Looks names up: kind, and the word before (the Pipe of a node) or ``""`` -> names. May not wait.
Names: TypeAlias = Callable[[str, str], Iterable[str]]

#: Word of an argument or of an option's value -> kinds.
_KIND_OF_WORD: dict[str, tuple[str, ...]] = {
    "DATASOURCE": ("datasource",),
    "SOURCE": ("datasource",),
    "TARGET": ("datasource",),
    "OTHER": ("datasource",),
    "PIPE": ("pipe",),
    "NODE": ("node",),
    "COLUMNS": ("column",),
    "COLUMN": ("column",),
    "TOKEN": ("token",),
    "VARIABLE": ("variable",),
    "JOB": ("job",),
    "CONNECTION": ("connection",),
    "WORKSPACE": ("workspace",),
    "BRANCH": ("branch",),
    "DEPLOYMENT": ("deployment",),
    "RESOURCE": ("datasource", "pipe", "connection"),
    "PIPE.NODE": ("pipe",),
    "PROFILE": ("profile",),
    "REGION": ("region",),
    "DF": ("rows",),
    "GENERATOR": ("name",),
    "$NAME": ("reference",),
    "FILE": ("file",),
    "PATH": ("file",),
    "NOTEBOOK": ("file",),
    "FILE.ipynb": ("file",),
    "FOLDER": ("folder",),
}

#: Noun -> kind of what ``NAME`` or ``ID`` means there.
_KIND_OF_NOUN = {
    "datasource": "datasource",
    "events": "datasource",
    "pipe": "pipe",
    "materialization": "pipe",
    "copy": "pipe",
    "sink": "pipe",
    "connection": "connection",
    "job": "job",
    "token": "token",
    "variable": "variable",
    "workspace": "workspace",
    "branch": "branch",
    "deployment": "deployment",
    "tag": "tag",
}

#: Verbs whose ``NAME`` is a new one.
_MAKING = ("create",)

#: All kinds of names.
KINDS = frozenset(
    """
    datasource pipe endpoint node column output saved token variable job connection workspace branch deployment tag
    profile region sample rows name reference file folder
    """.split()
)

#: Kinds of names that are no resources of the service.
LOCAL_KINDS = ("profile", "region", "sample", "rows", "name", "reference", "file", "folder")


@dataclass(frozen=True)
class Offer:
    """What Tab offers.

    Attributes:
        fragment: the part of the line before the cursor that is replaced.
        texts: that may stand there; all of them begin with *fragment*, or with a quote and *fragment*.
        kind: of these: ``noun``, ``verb``, ``option``, ``choice``, or a kind of names.
    """

    fragment: str
    texts: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class _Tail:
    """A line before the cursor: whole words, and the one that is being written."""

    words: tuple[str, ...]
    fragment: str
    quoted: bool


_TAIL_RE = re.compile(r"""\s*(?P<word>(?:[^\s'"]|'[^']*'|"[^"]*")+)(?=\s)|\s*(?P<last>\S.*)?$""", re.DOTALL)


def _tail(line: str) -> _Tail:
    """Cut a line into words; unlike `words_of` this takes any line."""
    words: list[str] = []
    at = 0
    while (found := _TAIL_RE.match(line, at)) is not None:
        if found["word"] is None:
            last = found["last"] or ""
            if last[:1] in "'\"" and last:
                return _Tail(tuple(words), last[1:], quoted=True)
            return _Tail(tuple(words), last, quoted=False)
        words.append(found["word"].replace("'", "").replace('"', ""))
        at = found.end()
    return _Tail(tuple(words), "", quoted=False)


def offers(line: str, names: Names) -> list[Offer]:
    """Return what may stand at the end of *line*; nothing when nothing is known.

    Args:
        line: what stands between ``%tinybird`` and the cursor.
        names: looks names up.

    Example:
        >>> offers("datas", lambda kind, before: ())
        [Offer(fragment='datas', texts=('datasource',), kind='noun')]
    """
    tail = _tail(line)
    noun = noun_named(tail.words[0]) if tail.words else None
    words = [noun.name, *tail.words[1:]] if noun is not None else list(tail.words)
    command = _command(words)
    found: list[Offer] = []
    if command is None or len(words) == len(command.words):
        found += _of_tree(words, tail.fragment)
    if command is not None:
        found += _of_command(command, words[len(command.words) :], tail, names)
    found = [each for each in found if each.texts]
    if not found and command is not None and not tail.fragment:
        # Something has to be said, or IPython offers Python's words.
        found = [Offer("", tuple(_options_left(command, _sorted_out(command, list(tail.words))[2])), "option")]
    return [each if tail.quoted else _with_quotes(each) for each in found]


def offers_of(command: Command, line: str, names: Names) -> list[Offer]:
    """Return the arguments and options of one command that may stand at the end of *line*, which stands behind it."""
    tail = _tail(line)
    found = [each for each in _of_command(command, list(tail.words), tail, names) if each.texts]
    return [each if tail.quoted else _with_quotes(each) for each in found]


def _with_quotes(offer: Offer) -> Offer:
    """Put names with blanks into quotes, as the line needs them."""
    return Offer(offer.fragment, tuple(f"'{text}'" if " " in text else text for text in offer.texts), offer.kind)


def _command(words: list[str]) -> Command | None:
    found = [command for command in COMMANDS if list(command.words) == words[: len(command.words)]]
    return max(found, key=lambda command: len(command.words), default=None)


def _of_tree(words: list[str], fragment: str) -> list[Offer]:
    """Return the nouns or verbs that may follow *words*."""
    if not words:
        single = [word for word in words_at(None) if word not in NOUNS]
        found = [_offer(fragment, [*NOUNS], "noun"), _offer(fragment, [*single, "help"], "verb")]
        if not any(each.texts for each in found):
            aliases = [alias for noun in NOUNS.values() for alias in noun.aliases]
            found = [_offer(fragment, aliases, "noun")]
        return [*found, _offer(fragment, ["--help"], "option")] if fragment.startswith("-") else found
    if words[0] == "help":
        return _of_tree(words[1:], fragment)
    following = {
        command.words[len(words)]
        for command in COMMANDS
        if len(command.words) > len(words) and list(command.words[: len(words)]) == words
    }
    ordered = [word for word in (words_at(words[0]) if words[0] in NOUNS else []) if word in following]
    return [_offer(fragment, [*ordered, *sorted(following - set(ordered))], "verb")]


def _of_command(command: Command, behind: list[str], tail: _Tail, names: Names) -> list[Offer]:
    """Return arguments and options that may stand behind *behind*."""
    fragment = tail.fragment
    arguments, waiting, given = _sorted_out(command, behind)
    if waiting is not None:
        return _values(waiting, command, arguments, fragment, names)
    if fragment.startswith("-") and not tail.quoted:
        name, equals, value = fragment.partition("=")
        option = _option(command, name)
        if equals:
            return _values(option, command, arguments, value, names) if option is not None else []
        return [_offer(fragment, _options_left(command, given), "option")]
    if len(arguments) >= len(command.arguments):
        return [_offer(fragment, _options_left(command, given), "option")] if not fragment else []
    found = []
    for kind in _kinds_of_argument(command, len(arguments)):
        found.append(_offer(fragment, names(kind, _before(kind, arguments, fragment)), kind))
    word = command.arguments[len(arguments)].strip("[].")
    if word.islower() or (word.replace("|", "").islower()):
        # Words that stand for themselves: "static|jwt".
        found.append(_offer(fragment, word.split("|"), "choice"))
    return found


def _sorted_out(command: Command, behind: list[str]) -> tuple[list[str], Option | None, set[str]]:
    """Return the arguments given, the option that waits for its value, and the keys of the options given."""
    arguments: list[str] = []
    waiting: Option | None = None
    given: set[str] = set()
    for word in behind:
        if waiting is not None:
            waiting = None
            continue
        if not word.startswith("-"):
            arguments.append(word)
            continue
        name, equals, _ = word.partition("=")
        option = _option(command, name)
        if option is not None:
            given.add(option.key)
            waiting = option if option.value and not equals else None
    return arguments, waiting, given


def _option(command: Command, name: str) -> Option | None:
    return next((option for option in command.options if name in option.names), None)


def _options_left(command: Command, given: set[str]) -> list[str]:
    there = [option for option in command.options if option.key in given]
    excluded = {name for option in there for name in option.excludes}
    present = {name for option in there for name in option.names}
    left = [
        next((name for name in option.names if name.startswith("--")), option.names[0])
        for option in command.options
        if (option.many or option.key not in given)
        and not excluded & set(option.names)
        and not present & set(option.excludes)
    ]
    return [*left, "--help"]


def _values(option: Option | None, command: Command, arguments: list[str], fragment: str, names: Names) -> list[Offer]:
    """Return values of an option."""
    if option is None:
        return []
    if option.choices:
        return [_offer(fragment, option.choices, "choice")]
    kinds = (option.completes,) if option.completes else _kinds_of_word(option.value, command)
    if option.kind == "variable" and not kinds:
        kinds = ("name",)
    return [_offer(fragment, names(kind, _before(kind, arguments, fragment)), kind) for kind in kinds]


def _kinds_of_argument(command: Command, place: int) -> tuple[str, ...]:
    word = command.arguments[place].strip("[].")
    if word in command.completes:
        return tuple(command.completes[word].split("|"))
    if place == 0 and word in ("NAME", "ID", "NAME|ID", "ID|NAME", "WORKSPACE"):
        making = command.words[-1] in _MAKING
        return () if making else tuple(filter(None, [_KIND_OF_NOUN.get(command.words[0], "")]))
    return _kinds_of_word(word, command)


def _kinds_of_word(word: str, command: Command) -> tuple[str, ...]:
    """Return what ``FILE|DF`` stands for; nothing for words that name nothing."""
    if command.words == ("login",) and word == "TOKEN":
        return ()
    return tuple(kind for part in word.split("|") for kind in _KIND_OF_WORD.get(part, ()))


def _before(kind: str, arguments: list[str], fragment: str) -> str:
    """Return what a kind of names depends on: of files the part that is written, else the resource named first."""
    if kind in ("file", "folder"):
        return fragment
    return arguments[0] if arguments else ""


def _offer(fragment: str, texts: Iterable[str], kind: str) -> Offer:
    if kind in ("column", "output", "saved"):
        # Several stand with commas: the last one is being written.
        fragment = fragment.rpartition(",")[2].lstrip()
    return Offer(fragment, tuple(text for text in dict.fromkeys(texts) if text.startswith(fragment)), kind)
