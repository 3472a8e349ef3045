"""What one command of ``%tinybird`` is, and a noun that holds some; options that several commands share. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tinymagic.notebook.options import Option


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        words: how it is called, for instance ``("datasource", "append")``.
        summary: one line for lists.
        run: ``module:function`` in `tinymagic.notebook.commands`.
        arguments: its words behind the name, for help; those in brackets may be left out.
        options: its options.
        details: further lines for its own help.
    """

    words: tuple[str, ...]
    summary: str
    run: str
    arguments: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    details: str = ""

    @property
    def least(self) -> int:
        """Return how many words it needs behind its name."""
        return sum(not argument.startswith("[") for argument in self.arguments)

    def usage(self) -> str:
        """Return how it is called, without options."""
        return " ".join([*self.words, *self.arguments])


@dataclass(frozen=True)
class Noun:
    """A noun with its commands, in the order of help.

    Attributes:
        name: for instance ``datasource``; ``""`` for the commands without a noun.
        meaning: what it is about, for help.
        commands: all of them.
        aliases: other spellings of the noun.
    """

    name: str
    meaning: str
    commands: tuple[Command, ...]
    aliases: tuple[str, ...] = ()


YES = Option(("--yes", "-y"), "do not ask")
WAIT = Option(("--wait",), "wait until it is done, and say what became of it")
