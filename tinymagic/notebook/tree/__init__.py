"""Every command of ``%tinybird``, as data: dispatch, help, completion and documentation come from these tables. Pure.

A command that is not here does not exist; nothing is listed that cannot be done. One module per noun.
"""

from __future__ import annotations

from tinymagic.notebook.tree.analyze import ANALYZE
from tinymagic.notebook.tree.branch import BRANCH
from tinymagic.notebook.tree.command import Command, Noun
from tinymagic.notebook.tree.connection import CONNECTION
from tinymagic.notebook.tree.copy import COPY
from tinymagic.notebook.tree.datasource import DATASOURCE
from tinymagic.notebook.tree.deployment import DEPLOYMENT
from tinymagic.notebook.tree.events import EVENTS
from tinymagic.notebook.tree.job import JOB
from tinymagic.notebook.tree.local import LOCAL
from tinymagic.notebook.tree.materialization import MATERIALIZATION
from tinymagic.notebook.tree.outside import OUTSIDE
from tinymagic.notebook.tree.panels import PANELS
from tinymagic.notebook.tree.pipe import PIPE
from tinymagic.notebook.tree.project import PROJECT
from tinymagic.notebook.tree.sink import SINK
from tinymagic.notebook.tree.tag import TAG
from tinymagic.notebook.tree.token import TOKEN
from tinymagic.notebook.tree.variable import VARIABLE
from tinymagic.notebook.tree.workspace import WORKSPACE

__all__ = ["COMMANDS", "NOUNS", "Command", "Noun", "commands_of", "noun_named", "words_at"]

#: In the order of help; the first ones hold the commands without a noun.
_ALL = (
    CONNECTION,
    PANELS,
    PROJECT,
    LOCAL,
    DATASOURCE,
    EVENTS,
    ANALYZE,
    PIPE,
    MATERIALIZATION,
    COPY,
    SINK,
    OUTSIDE,
    JOB,
    TOKEN,
    VARIABLE,
    WORKSPACE,
    BRANCH,
    TAG,
    DEPLOYMENT,
)

#: Nouns by name.
NOUNS: dict[str, Noun] = {noun.name: noun for noun in _ALL if noun.name}

COMMANDS: tuple[Command, ...] = tuple(command for noun in _ALL for command in noun.commands)


def noun_named(word: str) -> Noun | None:
    """Return the noun of this name or alias."""
    return next((noun for noun in NOUNS.values() if word == noun.name or word in noun.aliases), None)


def commands_of(noun: str | None) -> list[Command]:
    """Return the commands of a noun; those without a noun for ``None``."""
    return [command for each in _ALL if each.name == (noun or "") for command in each.commands]


def words_at(noun: str | None) -> list[str]:
    """Return the words that may follow: verbs of a noun, or everything at the beginning."""
    if noun is None:
        single = [command.words[0] for command in COMMANDS if len(command.words) == 1]
        return list(dict.fromkeys([*single, *NOUNS]))
    verbs = (command.words[1] for command in NOUNS[noun].commands if len(command.words) > 1)
    return list(dict.fromkeys(verbs))
