"""``%tinybird branch``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

_DATA = Option(
    ("--data",),
    "which rows it gets",
    "last_partition|all_partitions",
    "choice",
    ("last_partition", "all_partitions"),
)
_WITHOUT = Option(("--without",), "Data Source that gets no rows; may be repeated", "DATASOURCE", many=True)

BRANCH = Noun(
    "branch",
    "copies of the Workspace to try things in",
    (
        Command(("branch", "ls"), "all branches, as a DataFrame", "branch:ls"),
        Command(("branch", "show"), "what is known of one", "branch:show", ("NAME",)),
        Command(
            ("branch", "create"),
            "make one with the Workspace's Data Sources and Pipes, and wait for it",
            "branch:create",
            ("NAME",),
            (_DATA, _WITHOUT, Option(("--use",), "and work in it from here on")),
            "Without --data it has no rows.",
        ),
        Command(
            ("branch", "data"),
            "copy rows of the Workspace into one, in the place of those there",
            "branch:data",
            ("NAME",),
            (_DATA, _WITHOUT, YES),
            "Without --data it is the last partition.",
        ),
        Command(("branch", "rm"), "delete one with everything in it", "branch:rm", ("NAME",), (YES,)),
        Command(("branch", "use"), "work in one from here on, in this session", "branch:use", ("NAME",)),
    ),
    aliases=("branches", "environment"),
)
