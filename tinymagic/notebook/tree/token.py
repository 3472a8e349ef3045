"""``%tinybird token``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

_SHOW = Option(("--show",), "print the token itself, which then stands in the notebook's output")
_TO = Option(("--to",), "keep the token, hidden, in this notebook variable; .reveal() gives it", "VARIABLE_NAME")
_SCOPE = Option(
    ("--scope",),
    "for instance PIPES:READ:top or \"DATASOURCES:READ:events:country = 'ES'\"; may be repeated",
    "SCOPE",
    many=True,
)

TOKEN = Noun(
    "token",
    "who may do what",
    (
        Command(("token", "ls"), "all static tokens with their scopes, as a DataFrame", "token:ls"),
        Command(
            ("token", "show"),
            "what one is and may do; the token itself stays hidden",
            "token:show",
            ("NAME",),
            (_SHOW,),
        ),
        Command(
            ("token", "create"),
            "make a static token, or a JWT that ends by itself",
            "token:create",
            ("static|jwt", "NAME"),
            (
                _SCOPE,
                Option(("--description",), "in words (static)", "TEXT"),
                Option(("--ttl",), "how long a JWT lives: 30m, 12h, 7d; default 1h", "TIME"),
                Option(("--rps",), "most requests a second (JWT)", "N", "count"),
                Option(
                    ("--fixed",),
                    "a parameter that callers cannot change (JWT with PIPES:READ); may be repeated; $NAME: a variable",
                    "NAME=VALUE",
                    many=True,
                ),
                Option(("--local",), "sign the JWT on this machine, with the administrator's token"),
                _TO,
                _SHOW,
            ),
            "A JWT is stored nowhere: --to or --show is needed to have it.",
        ),
        Command(
            ("token", "set"),
            "give one another name, description or scopes",
            "token:set_token",
            ("NAME",),
            (
                Option(("--name",), "its new name", "NEW_NAME"),
                Option(("--description",), "in words", "TEXT"),
                _SCOPE,
            ),
            "Scopes that are given take the place of all that it has.",
        ),
        Command(("token", "scopes"), "what one may do, as a DataFrame", "token:scopes", ("NAME",)),
        Command(
            ("token", "refresh"),
            "give one a new text; the old one stops working at once",
            "token:refresh",
            ("NAME",),
            (YES, _TO, _SHOW),
        ),
        Command(("token", "rm"), "end one: it stops working at once", "token:rm", ("NAME",), (YES,)),
    ),
    aliases=("tokens",),
)
