"""``%tinybird tag``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

TAG = Noun(
    "tag",
    "names under which Data Sources, Pipes and connections are found",
    (
        Command(("tag", "ls"), "all tags and what has them, as a DataFrame", "tag:ls"),
        Command(
            ("tag", "create"),
            "make one",
            "tag:create",
            ("NAME",),
            (Option(("--add",), "what has it; may be repeated", "RESOURCE", many=True, completes="datasource"),),
        ),
        Command(
            ("tag", "set"),
            "change its name, or what has it",
            "tag:set_tag",
            ("NAME",),
            (
                Option(("--name",), "its new name", "NEW_NAME"),
                Option(("--add",), "give it to this; may be repeated", "RESOURCE", many=True, completes="datasource"),
                Option(("--remove",), "take it from this; may be repeated", "RESOURCE", many=True),
            ),
        ),
        Command(("tag", "rm"), "delete one; what has it stays", "tag:rm", ("NAME",), (YES,)),
    ),
    aliases=("tags",),
)
