"""Every command of ``%tinybird``, as data: dispatch, help and documentation are made from this one table. Pure.

A command that is not here does not exist; nothing is listed that cannot be done.
"""

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


#: Nouns with what they are about; in help in this order.
NOUNS: dict[str, str] = {
    "local": "the embedded Tinybird on this machine",
    "datasource": "tables: what there is, and getting rows in",
}

_YES = Option(("--yes", "-y"), "do not ask")
_FORCE = Option(("--force",), "replace what is there")
_PATH = Option(("--path",), "data folder; default is the user's data folder for tinymagic", "FOLDER")
_PORT = Option(("--port",), "port on 127.0.0.1; default 7181, or the next free one", "N", "count")
_ENGINE_OPTIONS = (
    Option(("--engine",), "table engine; default MergeTree", "ENGINE"),
    Option(("--sorting-key",), "columns by which rows are sorted, with commas", "COLUMNS"),
    Option(("--partition-key",), "expression by which rows are kept apart", "EXPRESSION"),
    Option(("--description",), "in words", "TEXT"),
)
_FORMAT = Option(
    ("--format",),
    "of the file, when its name does not tell",
    "csv|ndjson|parquet",
    "choice",
    ("csv", "ndjson", "parquet"),
)

COMMANDS: tuple[Command, ...] = (
    Command(
        ("login",),
        "connect to a Workspace and save the login",
        "connection:login",
        ("[TOKEN]",),
        (
            Option(("--host",), "base URL of the API; default is the region that the token names", "URL"),
            Option(("--region",), "region instead of a host, for instance aws/us-east-1", "REGION"),
            Option(("--profile",), "name to save it under; default is the Workspace's name", "NAME"),
            Option(("--keyring",), "insist on the system's credential store"),
        ),
        "Without TOKEN it is asked for and not shown, which is the way to keep it out of the notebook.\n"
        "A server on this machine (--host http://localhost:7181) needs no token: it hands one out.",
    ),
    Command(("logout",), "forget the saved login in use, or the one named", "connection:logout", ("[PROFILE]",)),
    Command(("info",), "the Workspace, its region, and which setting chose it", "connection:info"),
    Command(("profiles",), "the saved logins", "connection:profiles"),
    Command(("use",), "use a saved login", "connection:use", ("PROFILE",)),
    Command(("regions",), "the regions and their hosts", "connection:regions"),
    Command(("version",), "the version of tinymagic", "connection:version"),
    Command(
        ("local", "start"),
        "start the embedded Tinybird and connect to it",
        "local:start",
        (),
        (_PATH, _PORT, Option(("--memory",), "keep everything in memory and leave nothing", excludes=("--path",))),
        "It keeps running when the notebook ends, and its data stay. One that runs already is used.",
    ),
    Command(("local", "stop"), "stop it; its data stay", "local:stop", (), (_PATH, _PORT)),
    Command(("local", "status"), "the embedded servers that run", "local:status"),
    Command(("local", "reset"), "delete all its Data Sources", "local:reset", (), (_YES,)),
    Command(
        ("local", "sample"),
        "load a sample data set; without NAME, list them",
        "local:sample",
        ("[NAME]",),
        (_FORCE,),
    ),
    Command(("datasource", "ls"), "all Data Sources, as a DataFrame", "datasource:ls"),
    Command(("datasource", "show"), "columns, engine, size, quarantine of one", "datasource:show", ("NAME",)),
    Command(
        ("datasource", "data"),
        "its first rows",
        "datasource:data",
        ("NAME",),
        (Option(("--limit",), "so many; default 10", "N", "count"),),
    ),
    Command(
        ("datasource", "create"),
        "make one, empty or from rows",
        "datasource:create",
        ("NAME",),
        (
            Option(("--schema",), "columns, for instance 'day Date, amount Float64'", "SCHEMA"),
            Option(("--from-df",), "take columns and rows from this DataFrame", "DF", "variable"),
            Option(("--file",), "take columns and rows from a CSV, NDJSON or Parquet file", "FILE"),
            _FORMAT,
            *_ENGINE_OPTIONS,
        ),
        "One of --schema, --from-df and --file is needed; --schema may go with --file.",
    ),
    Command(
        ("datasource", "append"),
        "add rows from a file or a DataFrame",
        "datasource:append",
        ("NAME", "FILE|DF"),
        (_FORMAT,),
    ),
    Command(
        ("datasource", "rm"),
        "delete one with its rows",
        "datasource:rm",
        ("NAME",),
        (_YES, Option(("--force",), "also when something depends on it")),
    ),
)


def commands_of(noun: str | None) -> list[Command]:
    """Return the commands of a noun; those without a noun for ``None``."""
    return [
        command
        for command in COMMANDS
        if (len(command.words) == 1 if noun is None else len(command.words) == 2 and command.words[0] == noun)
    ]


def words_at(noun: str | None) -> list[str]:
    """Return the words that may follow: verbs of a noun, or everything at the beginning."""
    return [command.words[-1] for command in commands_of(noun)] + ([] if noun else list(NOUNS))
