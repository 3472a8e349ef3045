"""The commands without a noun: who am I talking to, login, and what concerns everything. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import Command, Noun

CONNECTION = Noun(
    "",
    "what you are connected to",
    (
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
    ),
)
