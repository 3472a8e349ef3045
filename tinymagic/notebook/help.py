"""The help of ``%tinybird``, at every level, made from the table of commands. Pure."""

from __future__ import annotations

import textwrap

from tinymagic.notebook.tree import COMMANDS, NOUNS, Command, commands_of, words_at

#: Columns of text; what a notebook shows without scrolling.
_WIDTH = 100


def help_text(about: tuple[str, ...] = ()) -> str:
    """Return the help for everything, for a noun, or for a command.

    Args:
        about: words of a command, the name of a noun, or nothing.
    """
    command = next((each for each in COMMANDS if each.words == about), None)
    if command is not None:
        return _of_command(command)
    return _of_noun(about[0]) if about else _of_everything()


def _of_everything() -> str:
    single = [(command.usage(), command.summary) for command in commands_of(None)]
    nouns = [(name, _verbs(name)) for name in NOUNS]
    return "\n".join(
        [
            "%tinybird shows what you are connected to. With words behind it, it does everything that is not SQL:",
            "",
            *_columns(single),
            "",
            "%tinybird NOUN VERB ...",
            "",
            *_columns(nouns),
            "",
            "%tinybird NOUN tells what its verbs do, %tinybird NOUN VERB --help shows arguments and options.",
            "Lists are DataFrames: df = %tinybird datasource ls. What deletes asks first, or takes --yes.",
            "Tab completes words, options and names. SQL: %%tbsql?",
        ]
    )


def _verbs(noun: str) -> str:
    """Return the verbs of a noun; for one that is a command itself, its arguments."""
    own = [command for command in commands_of(noun) if command.words == (noun,)]
    alone = [command.words[0] for command in commands_of(noun) if len(command.words) == 1 and command not in own]
    arguments = " ".join(own[0].arguments) if own else ""
    direct = f"also alone: %tinybird {', %tinybird '.join(alone)}" if alone else ""
    return "; ".join(part for part in (arguments, ", ".join(words_at(noun)), direct) if part)


def _of_noun(noun: str) -> str:
    aliases = NOUNS[noun].aliases
    also = f" (also %tinybird {', '.join(aliases)})" if aliases else ""
    listed = _columns([(command.usage(), command.summary) for command in commands_of(noun)])
    return "\n".join(
        [
            f"%tinybird {noun}: {NOUNS[noun].meaning}{also}",
            "",
            *listed,
            "",
            f"%tinybird {noun} VERB --help shows the options of one.",
        ]
    )


def _of_command(command: Command) -> str:
    options = " [options]" if command.options else ""
    lines = [f"%tinybird {command.usage()}{options}: {command.summary}"]
    if command.options:
        lines += ["", *_columns([(option.usage(), option.help) for option in command.options], cut=False)]
    if command.details:
        lines += ["", command.details]
    return "\n".join(lines)


def _columns(rows: list[tuple[str, str]], *, cut: bool = True) -> list[str]:
    """Return rows of two columns, the second one folded where it is long.

    Args:
        rows: left and right text.
        cut: fold the right column; options are told on one line, to be found whole.
    """
    width = min(max(14, *(len(left) + 2 for left, _ in rows)), 44)
    lines = []
    for left, right in rows:
        parts = textwrap.wrap(right, max(_WIDTH - width - 2, 40), break_on_hyphens=False) if cut else [right]
        head = f"  {left:<{width}}"
        if len(left) + 2 > width:
            # Too long for the column: the text begins on the next line.
            lines.append(f"  {left}")
            head = " " * (width + 2)
        lines.append((head + (parts[0] if parts else "")).rstrip())
        lines += [" " * (width + 2) + part for part in parts[1:]]
    return lines
