"""The commands without a noun: who am I talking to, login, and what concerns everything. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

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
            "Alone, in a notebook, it opens the panel. Otherwise TOKEN is asked for and not shown, which keeps it out "
            "of the notebook.\n"
            "A server on this machine (--host http://localhost:7181) needs no token: it hands one out.",
        ),
        Command(("logout",), "forget the saved login in use, or the one named", "connection:logout", ("[PROFILE]",)),
        Command(("info",), "the Workspace, its region, and which setting chose it", "connection:info"),
        Command(("profiles",), "the saved logins", "connection:profiles"),
        Command(("use",), "use a saved login", "connection:use", ("PROFILE",)),
        Command(("regions",), "the regions and their hosts", "connection:regions"),
        Command(
            ("doctor",),
            "check everything between you and your rows, or look for tokens in files",
            "doctor:doctor",
            (),
            (
                Option(("--scan",), "look for tokens in a notebook, or in all files of a folder", "NOTEBOOK|FOLDER"),
                Option(("--fix",), "with --scan: take them out, and keep the files as they were beside"),
                YES,
            ),
            "It changes nothing, here or at the service; --fix asks first. What is found is never shown, only where.",
        ),
        Command(
            ("usage",),
            "requests, rows and bytes read by day, Pipe and token",
            "usage:usage",
            (),
            (Option(("--days",), "so many days, today included; default 7", "N", "count"),),
            "Read from tinybird.pipe_stats_rt, which the service fills some seconds later.",
        ),
        Command(("why",), "the last failure with the service's whole reply, without tokens", "usage:why"),
        Command(
            ("fmt",),
            "print SQL in good order",
            "usage:fmt",
            ("SQL|NAME...",),
            (
                Option(("--tables",), "the Data Sources and Pipes that it reads, instead"),
                Option(("--replace",), "read another table in the place of one", "OLD=NEW", many=True),
            ),
            "Options stand before the SQL. NAME is a notebook variable that holds SQL. The service does the work.",
            {"SQL|NAME": "name"},
        ),
        Command(("version",), "the version of tinymagic", "connection:version"),
    ),
)
