"""Options as data: one table parses them, makes the help, and finds near names for a misspelt one. Pure."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.names import near_names
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.words import Word, next_word, skip_blanks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Option:
    """One option of a magic.

    Attributes:
        names: its spellings; the first one is its name in results, without dashes and with ``_`` for ``-``.
        help: one line.
        value: what its value is, for instance ``N``; ``""`` for an option without a value.
        kind: how the value is checked: ``text``, ``count`` (whole number from 0), ``seconds``, ``duration`` (``10m``;
            becomes seconds), ``variable`` or ``choice``.
        choices: for ``choice``.
        many: whether it may be given more than once.
        excludes: names of options that contradict it.
        more: pattern of words behind the value that are values too, for instance of ``rows=10 cols=a,b``.
        completes: what its value names, for Tab; `tinymagic.notebook.completion` has the kinds. ``""``: the choices,
            else what the word in *value* stands for.
    """

    names: tuple[str, ...]
    help: str
    value: str = ""
    kind: str = "text"
    choices: tuple[str, ...] = ()
    many: bool = False
    excludes: tuple[str, ...] = ()
    more: str = ""
    completes: str = ""

    @property
    def key(self) -> str:
        """Return the name in results."""
        longest = next((name for name in self.names if name.startswith("--")), self.names[0])
        return longest.lstrip("-").replace("-", "_")

    def usage(self) -> str:
        """Return its spellings and its value, for help."""
        return ", ".join(self.names) + (f" {self.value}" if self.value else "")


@dataclass
class OptionValues:
    """The options that were given so far.

    Attributes:
        options: that may be given.
        given: key of an option -> its values in order, ``""`` for one without a value.
    """

    options: Sequence[Option]
    given: dict[str, list[str]] = field(default_factory=dict)

    def find(self, name: str) -> Option | None:
        """Return the option of this spelling, or ``None``. Other magics write ``--max_results``: ``_`` is ``-``."""
        spelled = f"--{name[2:].replace('_', '-')}" if name.startswith("--") else name
        return next((option for option in self.options if spelled in option.names), None)

    def put(self, option: Option, value: str, word: Word) -> None:
        """Note a value.

        Raises:
            CellProblem: it contradicts another option, or was given already.
        """
        where: dict[str, Any] = {"position": word.start, "length": word.end - word.start, "in_line": True}
        for other in self.options:
            if other.key in self.given and _contradict(option, other):
                raise CellProblem(f"{word.text} and {other.names[-1]} contradict each other.", **where)
        if option.key in self.given and option.value and not option.many:
            raise CellProblem(f"{option.names[-1]} is given twice.", **where)
        self.given.setdefault(option.key, []).append(value)

    def put_target(self, name: str, at: int) -> None:
        """Note the target of a result, which stands without an option.

        Raises:
            CellProblem: there is another one.
        """
        if "out" in self.given:
            raise CellProblem(
                f"The result cannot go into both {self.given['out'][0]!r} and {name!r}.", position=at, in_line=True
            )
        self.given["out"] = [name]

    def has(self, key: str) -> bool:
        """Say whether an option was given."""
        return key in self.given

    def get(self, key: str) -> str | None:
        """Return the last value of an option, or ``None``."""
        return self.given[key][-1] if key in self.given else None

    def all(self, key: str) -> list[str]:
        """Return all values of an option, in order."""
        return self.given.get(key, [])


def _contradict(one: Option, other: Option) -> bool:
    return any(name in one.excludes for name in other.names) or any(name in other.excludes for name in one.names)


def _is_option(word: Word, line: str) -> bool:
    """Say whether a word is an option; a bare ``--`` is the beginning of a SQL comment, a quoted one is a value."""
    return line.startswith("-", word.start) and word.text not in ("-", "--")


def take_options(line: str, at: int, values: OptionValues) -> int:
    """Read options until another word comes; return the offset of that word.

    Raises:
        CellProblem: an option that is not known, or a value that cannot be.
    """
    while (word := _peek(line, at)) is not None and _is_option(word, line):
        at = _take_option(line, word, values)
    return at if word is None else word.start


def _peek(line: str, at: int) -> Word | None:
    """Return the next word; of what is no option only the place counts, and its quotes are those of SQL."""
    start = skip_blanks(line, at)
    if start == len(line):
        return None
    return next_word(line, start) if line[start] == "-" else Word(line[start:], start, len(line))


def _take_option(line: str, word: Word, values: OptionValues) -> int:
    name, equals, value = word.text.partition("=")
    option = values.find(name)
    if option is None:
        raise _unknown_option(Word(name, word.start, word.start + len(name)), values.options)
    if not option.value:
        if equals:
            raise CellProblem(f"{name} takes no value.", position=word.start, length=len(word.text), in_line=True)
        values.put(option, "", word)
        return word.end
    at = word.end
    if not equals:
        following = next_word(line, at)
        if following is None or _is_known_option(following, line, values):
            raise CellProblem(
                f"{name} needs a value: {name} {option.value}.", position=word.start, length=len(name), in_line=True
            )
        value, at = following.text, following.end
    values.put(option, _checked(option, name, value, word), word)
    while option.more and (following := _one_more(option, line, at)) is not None:
        values.put(option, _checked(option, name, following.text, following), following)
        at = following.end
    return at


def _one_more(option: Option, line: str, at: int) -> Word | None:
    """Return the next word when it is one more value of *option*."""
    rest = line[skip_blanks(line, at) :]
    return next_word(line, at) if re.match(option.more, rest.lstrip("'\"")) else None


def _is_known_option(word: Word, line: str, values: OptionValues) -> bool:
    return _is_option(word, line) and values.find(word.text.partition("=")[0]) is not None


def _unknown_option(word: Word, options: Sequence[Option]) -> CellProblem:
    known = [name for option in options for name in option.names]
    # Without the dashes, which all of them have in common.
    spelled = {name.lstrip("-"): name for name in known if name.startswith("--")}
    near = tuple(spelled[name] for name in near_names(word.text.lstrip("-"), list(spelled)))
    near = near or tuple(name for name in known if name.startswith(word.text) and len(word.text) > 2)
    return CellProblem(
        f"There is no option {word.text}." + ("" if near else f" There are {', '.join(_long_names(options))}."),
        position=word.start,
        length=word.end - word.start,
        in_line=True,
        suggestions=near[:3],
    )


def _long_names(options: Sequence[Option]) -> list[str]:
    return [next((name for name in option.names if name.startswith("--")), option.names[0]) for option in options]


def _checked(option: Option, name: str, value: str, word: Word) -> str:
    problem = ""
    if option.kind == "count" and not re.fullmatch(r"[0-9][0-9_,]*", value):
        problem = f"{name} takes a whole number of rows, not {value!r}."
    elif option.kind == "seconds" and not _is_seconds(value):
        problem = f"{name} takes a number of seconds above 0, not {value!r}."
    elif option.kind == "duration" and duration_s(value) is None:
        problem = f"{name} takes a time such as 5s, 10m, 2h or 1d, not {value!r}."
    elif option.kind == "choice" and value not in option.choices:
        problem = f"{name} is {_or(option.choices)}, not {value!r}."
    elif option.kind == "variable" and not is_variable(value):
        problem = f"{value!r} cannot be the name of a variable."
    if problem:
        near = tuple(near_names(value, list(option.choices))) if option.choices else ()
        raise CellProblem(problem, position=word.start, length=len(word.text), in_line=True, suggestions=near)
    if option.kind == "duration":
        return str(duration_s(value))
    return re.sub("[_,]", "", value) if option.kind == "count" else value


_DURATION_RE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|min|h|d|)")
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


def duration_s(text: str) -> float | None:
    """Return the seconds of a time such as ``5s`` or ``1.5h``, ``None`` for what is none; a bare number is seconds.

    Example:
        >>> duration_s("500ms"), duration_s("10m"), duration_s("0s"), duration_s("soon")
        (0.5, 600.0, None, None)
    """
    found = _DURATION_RE.fullmatch(text.strip())
    seconds = float(found["number"]) * _SECONDS[found["unit"]] if found else 0.0
    return seconds if 0 < seconds < 10 * 365 * 86_400 else None


def _is_seconds(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def is_variable(text: str) -> bool:
    """Say whether a text can be the name of a variable."""
    return text.isidentifier() and not keyword.iskeyword(text)


def _or(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]


@dataclass(frozen=True)
class CommandArguments:
    """What stands behind the name of a command.

    Attributes:
        words: the words that are no options.
        options: name -> value, ``""`` for one without a value; the last one of an option that was repeated.
        given: name -> all its values, in order.
    """

    words: tuple[Word, ...]
    options: Mapping[str, str]
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def parse_command(
    words: Sequence[Word], options: Sequence[Option], line: str, *, rest_from: int | None = None
) -> CommandArguments:
    """Tell options from other words.

    Args:
        words: behind the command's name.
        options: that it has.
        line: the whole line, in which the words stand.
        rest_from: place of the word that takes the rest of the line as it stands, for instance SQL; ``None`` for none.

    Raises:
        CellProblem: an option that it does not have, or a value that cannot be.

    Example:
        >>> from tinymagic.notebook.words import words_of
        >>> line = "trips --yes"
        >>> found = parse_command(words_of(line), (Option(("--yes",), "do not ask"),), line)
        >>> [word.text for word in found.words], dict(found.options)
        (['trips'], {'yes': ''})
    """
    values = OptionValues(options)
    rest: list[Word] = []
    at = words[0].start if words else len(line)
    while (word := next_word(line, at)) is not None:
        if _is_option(word, line):
            at = _take_option(line, word, values)
        elif len(rest) == rest_from:
            end = len(line.rstrip())
            rest.append(word if word.end == end else Word(line[word.start : end], word.start, end))
            at = len(line)
        else:
            rest.append(word)
            at = word.end
    last = {key: found[-1] for key, found in values.given.items()}
    return CommandArguments(tuple(rest), last, {key: tuple(found) for key, found in values.given.items()})
