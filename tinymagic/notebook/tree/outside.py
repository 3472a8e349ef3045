"""``%tinybird connection``: connections to other services; `tree.connection` is about the one to Tinybird. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

_SETTINGS = (
    Option(("--set",), "a setting; may be repeated; $NAME takes a variable", "SETTING=VALUE", many=True),
    Option(("--secret",), "a setting that is asked for and not shown; may be repeated", "SETTING", many=True),
)

OUTSIDE = Noun(
    "connection",
    "other services: what sinks write to, and Data Sources read from",
    (
        Command(("connection", "ls"), "all connections, as a DataFrame", "outside:ls"),
        Command(("connection", "show"), "settings of one, and what uses it", "outside:show", ("NAME",)),
        Command(
            ("connection", "create"),
            "make one",
            "outside:create",
            ("NAME", "SERVICE"),
            _SETTINGS,
            "%tinybird connection create lake s3 --set s3_region=us-east-1 --set s3_access_key_id=$KEY_ID "
            "--secret s3_secret_access_key\nSERVICE is s3, s3_iamrole, gcs_hmac, kafka ...",
        ),
        Command(
            ("connection", "set"),
            "give one other settings: all of them, secrets too",
            "outside:set_settings",
            ("NAME",),
            _SETTINGS,
        ),
        Command(
            ("connection", "rm"),
            "delete one",
            "outside:rm",
            ("NAME",),
            (YES, Option(("--force",), "also when sinks use it")),
        ),
    ),
    aliases=("connector",),
)
