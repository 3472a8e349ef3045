"""Which command do these words mean, or which help? Near words for those that mean nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.names import near_names
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.tree import COMMANDS, NOUNS, Command, noun_named, words_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.notebook.words import Word

_HELP_WORDS = ("--help", "-h")

#: What people call a verb elsewhere -> its names here, the first one that the noun has counts.
_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "list": ("ls",),
    "delete": ("rm",),
    "remove": ("rm",),
    "drop": ("rm",),
    "get": ("show", "data"),
    "describe": ("show",),
    "info": ("show", "current"),
    "new": ("create",),
    "add": ("create", "append", "set"),
    "insert": ("append", "send"),
    "upload": ("append",),
    "head": ("data",),
    "query": ("data",),
    "execute": ("run",),
    "start": ("run",),
    "clear": ("truncate",),
    "kill": ("cancel",),
}


def find_command(words: Sequence[Word]) -> tuple[Command | None, list[Word]]:
    """Return the command that the first words name, and the words behind it; ``None`` for an empty line.

    Raises:
        CellProblem: there is no such command; near names are in it.
    """
    if not words:
        return None, []
    command = _longest(_texts(words))
    if command is not None:
        return command, list(words[len(command.words) :])
    noun = noun_named(words[0].text)
    if noun is not None and len(words) == 1:
        raise CellProblem(f"%tinybird {noun.name} needs a verb: {', '.join(words_at(noun.name))}.")
    raise _unknown(words, 0 if noun is None else 1, noun.name if noun else None)


def _texts(words: Sequence[Word]) -> list[str]:
    """Return the texts, with the noun's own name in the place of an alias."""
    texts = [word.text for word in words]
    noun = noun_named(texts[0]) if texts else None
    if noun is None:
        return texts
    is_command = texts[0] != noun.name and any(command.words == (texts[0],) for command in COMMANDS)
    if is_command and (len(texts) == 1 or texts[1] not in words_at(noun.name)):
        # "variables" opens a panel, "variables ls" is "variable ls".
        return texts
    return [noun.name, *texts[1:]]


def _longest(texts: list[str]) -> Command | None:
    """Return the command with the most words that the texts begin with."""
    found = [command for command in COMMANDS if list(command.words) == texts[: len(command.words)]]
    return max(found, key=lambda command: len(command.words), default=None)


def help_wanted(words: Sequence[Word]) -> tuple[str, ...] | None:
    """Return what help is wanted about, or ``None``.

    ``--help`` stands anywhere, ``help`` in front or behind the noun; a noun alone that does nothing by itself, too.

    Raises:
        CellProblem: help about something that there is not; near names are in it.
    """
    texts = _texts(words)
    if len(texts) == 1 and texts[0] in NOUNS and _longest(texts) is None:
        return (texts[0],)
    if not any(text in _HELP_WORDS for text in texts) and "help" not in texts[:2]:
        return None
    kept = [
        word for word in words if word.text not in _HELP_WORDS and word.text != "help" and not word.text.startswith("-")
    ]
    about = _texts(kept)
    command = _longest(about)
    if command is not None:
        return command.words
    if about and about[0] not in NOUNS:
        raise _unknown(kept, 0, None)
    if len(about) > 1:
        raise _unknown(kept, 1, about[0])
    return tuple(about)


def _unknown(words: Sequence[Word], place: int, noun: str | None) -> CellProblem:
    word, known = words[place], words_at(noun)
    near = _near(words, place, noun)
    owner = f"%tinybird {noun}" if noun else "%tinybird"
    more = "" if near else f" There are {', '.join(known)}." if noun else " %tinybird --help lists what there is."
    return CellProblem(
        f"{owner} has no {word.text!r}.{more}",
        position=word.start,
        length=word.end - word.start,
        in_line=True,
        suggestions=near,
    )


def _near(words: Sequence[Word], place: int, noun: str | None) -> tuple[str, ...]:
    """Return what may have been meant by the word at *place*, best first."""
    text, known = words[place].text, words_at(noun)
    other = [each for each in _OTHER_WORDS.get(text, ()) if noun is not None and each in known]
    if other:
        return tuple(other[:1])
    if noun is None:
        behind = noun_named(words[1].text) if len(words) > 1 else None
        if behind is not None and text in words_at(behind.name):
            # "ls datasource" means "datasource ls".
            return (f"{behind.name} {text}",)
        known = [*known, *(alias for each in NOUNS.values() for alias in each.aliases)]
    near = tuple(near_names(text, known))
    if near:
        return near
    # A verb alone, or behind another noun: "%tinybird ls" means a noun's.
    return tuple(" ".join(command.words) for command in COMMANDS if command.words[-1] == text)
