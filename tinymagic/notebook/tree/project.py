"""``%tinybird deploy``, ``build``, ``pull``: the commands about a project folder, without a noun. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

_DESTRUCTIVE = Option(("--allow-destructive",), "also delete Data Sources, with their rows, that have no file any more")
_CHECK = Option(("--check",), "only say what would be done")

PROJECT = Noun(
    "",
    "a project folder of datafiles",
    (
        Command(
            ("deploy",),
            "make the Workspace what the datafiles of a folder say",
            "project:deploy",
            ("[FOLDER]",),
            (
                _CHECK,
                YES,
                _DESTRUCTIVE,
                Option(("--no-promote",), "let it wait until %tinybird deployment promote", excludes=("--check",)),
                Option(("--wait",), "wait until it is live (the default unless --no-promote)", excludes=("--check",)),
            ),
            "It is checked first: a mistake in a file is shown with its line, and nothing is changed.\n"
            "Without FOLDER the notebook's own folder is meant. What is deleted is asked about.",
        ),
        Command(
            ("build",),
            "the same for a Tinybird on this machine: at once, and no deployment is kept",
            "project:build",
            ("[FOLDER]",),
            (_CHECK, YES),
        ),
        Command(
            ("pull",),
            "write the definitions of the Workspace into a folder, as datafiles",
            "project:pull",
            ("[FOLDER]",),
            (
                Option(("--force", "--yes", "-y"), "overwrite files that differ without asking"),
                Option(("--diff",), "show what differs, and write nothing"),
            ),
            "A file that defines a resource is found wherever it stands in the folder. No file is deleted.\n"
            "Secrets of connections are not told: their files name variables in their places.",
        ),
    ),
)
