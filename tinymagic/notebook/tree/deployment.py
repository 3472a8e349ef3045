"""``%tinybird deployment``: what ``%tinybird deploy`` has made. Pure."""

from __future__ import annotations

from tinymagic.notebook.tree.command import YES, Command, Noun

DEPLOYMENT = Noun(
    "deployment",
    "versions of a deployed project: the live one, and one that waits",
    (
        Command(("deployment", "ls"), "all deployments, as a DataFrame", "deployment:ls"),
        Command(
            ("deployment", "show"),
            "how one stands, and what it changes; without ID the newest",
            "deployment:show",
            ("[ID]",),
        ),
        Command(
            ("deployment", "promote"),
            "make one live; without ID the one that waits",
            "deployment:promote",
            ("[ID]",),
        ),
        Command(
            ("deployment", "discard"),
            "throw one away that is not live; without ID the one that waits",
            "deployment:discard",
            ("[ID]",),
            (YES,),
        ),
    ),
    aliases=("deployments",),
)
