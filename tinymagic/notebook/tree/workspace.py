"""``%tinybird workspace``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

WORKSPACE = Noun(
    "workspace",
    "Workspaces: which there are, and which this notebook works in",
    (
        Command(
            ("workspace", "ls"),
            "all that the token may see, as a DataFrame",
            "workspace:ls",
            (),
            (Option(("--branches",), "their branches, too"),),
        ),
        Command(("workspace", "current"), "the one that this notebook works in", "workspace:current"),
        Command(("workspace", "show"), "what one is, and who may use it", "workspace:show", ("NAME",)),
        Command(
            ("workspace", "user"),
            "whose token is in use, and which Workspaces that person has",
            "workspace:user",
        ),
        Command(
            ("workspace", "organization"),
            "the organization of the Workspace in use, or of the one named",
            "workspace:organization",
            ("[NAME]",),
        ),
        Command(
            ("workspace", "releases"),
            "the releases of a Workspace (Classic), as a DataFrame",
            "workspace:releases",
            ("[NAME]",),
        ),
        Command(
            ("workspace", "use"),
            "work in another one from here on, in this session",
            "workspace:use",
            ("NAME",),
            (),
            "Its token comes from the service: with the token in use, or with your user token (TB_USER_TOKEN).",
        ),
        Command(
            ("workspace", "create"),
            "make one; your user token is asked for",
            "workspace:create",
            ("NAME",),
            (Option(("--use",), "and work in it from here on"),),
            "The user token is taken from TB_USER_TOKEN when that is set; a server on this machine hands it out.",
        ),
        Command(
            ("workspace", "rm"),
            "delete one with everything in it; your user token is asked for",
            "workspace:rm",
            ("NAME",),
            (YES,),
        ),
        Command(
            ("workspace", "members"),
            "who may use one, as a DataFrame; or let people in and out",
            "workspace:members",
            ("[NAME]",),
            (
                Option(("--add",), "let these in", "EMAIL", many=True, excludes=("--remove", "--change")),
                Option(("--remove",), "let these out", "EMAIL", many=True, excludes=("--change",)),
                Option(("--change",), "give these another role", "EMAIL", many=True),
                Option(
                    ("--role",),
                    "with --add (default guest) and --change",
                    "admin|guest|viewer",
                    "choice",
                    ("admin", "guest", "viewer"),
                ),
                YES,
            ),
            "Without NAME it is the one that this notebook works in.",
        ),
    ),
    aliases=("workspaces",),
)
