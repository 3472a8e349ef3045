"""What one command of ``%tinybird`` is, and a noun that holds some; options that several commands share. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinymagic.notebook.options import Option

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        words: how it is called, for instance ``("datasource", "append")``.
        summary: one line for lists.
        run: ``module:function`` in `tinymagic.notebook.commands`.
        arguments: its words behind the name, for help; those in brackets may be left out. A last one that ends in
            ``...`` takes the rest of the line as it stands.
        options: its options.
        details: further lines for its own help.
        completes: argument as written in *arguments*, without brackets -> what Tab offers for it; the kinds are in
            `tinymagic.notebook.completion`. Not needed where the argument's word says it.
    """

    words: tuple[str, ...]
    summary: str
    run: str
    arguments: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    details: str = ""
    completes: Mapping[str, str] = field(default_factory=dict)

    @property
    def least(self) -> int:
        """Return how many words it needs behind its name."""
        return sum(not argument.startswith("[") for argument in self.arguments)

    @property
    def rest_from(self) -> int | None:
        """Return the place of the argument that takes the rest of the line, or ``None``."""
        return len(self.arguments) - 1 if self.arguments and self.arguments[-1].strip("[]").endswith("...") else None

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
PARAM = Option(("--param", "-p"), "a parameter; may be repeated; $NAME takes a variable", "NAME=VALUE", many=True)
PARAMS = Option(("--params",), "several parameters: a JSON object, or $NAME of a dictionary", "JSON|$NAME", many=True)
