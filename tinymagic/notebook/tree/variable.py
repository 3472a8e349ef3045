"""``%tinybird variable``: Environment Variables, which are secrets. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import YES, Command, Noun

VARIABLE = Noun(
    "variable",
    "Environment Variables: secrets that Pipes use by name",
    (
        Command(("variable", "ls"), "all of them without their values, as a DataFrame", "variable:ls"),
        Command(
            ("variable", "set"),
            "give one a value, which is asked for and not shown",
            "variable:set_variable",
            ("NAME", "[VALUE]"),
            (
                Option(
                    ("--from-env",),
                    "take the value from this variable of the environment",
                    "ENV",
                    excludes=("--from-file",),
                ),
                Option(("--from-file",), "take the value from a file; a line break at its end is left out", "FILE"),
            ),
            "$NAME as VALUE takes a notebook variable. A value that is typed is taken out of IPython's history, but\n"
            "stays in the cell. In SQL: {{tb_secret('NAME')}}",
        ),
        Command(("variable", "get"), "when one was set, by whom; nobody gets its value", "variable:get", ("NAME",)),
        Command(("variable", "used-by"), "what uses one, as a DataFrame", "variable:used_by", ("NAME",)),
        Command(("variable", "rm"), "delete one", "variable:rm", ("NAME",), (YES,)),
    ),
    aliases=("variables", "secret", "secrets", "env"),
)
