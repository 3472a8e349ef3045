"""``%tinybird local``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

_FORCE = Option(("--force",), "replace what is there")
_PATH = Option(("--path",), "data folder; default is the user's data folder for tinymagic", "FOLDER")
_PORT = Option(("--port",), "port on 127.0.0.1; default 7181, or the next free one", "N", "count")
LOCAL = Noun(
    "local",
    "the embedded Tinybird on this machine",
    (
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
        Command(("local", "reset"), "delete all its Data Sources and Pipes", "local:reset", (), (YES,)),
        Command(
            ("local", "sample"),
            "load a sample data set; without NAME, list them",
            "local:sample",
            ("[NAME]",),
            (_FORCE,),
            completes={"NAME": "sample"},
        ),
    ),
)
