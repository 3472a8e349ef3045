"""``%tinybird pipe``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import PARAM, PARAMS, YES, Command, Noun

_FORMATS = ("json", "csv", "csvwithnames", "ndjson", "parquet", "prometheus")
_SQL = Option(("--sql",), "SQL or a template in quotes, or $NAME of a variable that holds it", "SQL|$NAME")
_Q = Option(("--sql", "--q"), "SQL over the rows, which _ stands for; or $NAME", "SQL|$NAME")
_DESCRIPTION = Option(("--description",), "in words", "TEXT")
_NODE_NAME = Option(("--name",), "name of the node", "NODE_NAME")
_IGNORE = Option(("--ignore-sql-errors",), "take SQL that cannot be run, too")

PIPE = Noun(
    "pipe",
    "queries with a name: nodes, and the endpoint that gives their rows to others",
    (
        Command(("pipe", "ls"), "all Pipes, as a DataFrame", "pipe:ls"),
        Command(("pipe", "show"), "what one is for, and its nodes with their SQL", "pipe:show", ("NAME",)),
        Command(
            ("pipe", "create"),
            "make one from SQL, from saved cells, from a node of another, or from a .pipe file",
            "pipe:create",
            ("NAME", "[FILE]"),
            (
                _SQL,
                Option(("--from-node",), "take the SQL of a node of another Pipe", "PIPE.NODE"),
                Option(("--from-cells",), "take cells that %%tbsql --save has kept, and those that they read", "A,B"),
                Option(("--node",), "name of the node, for --sql and --from-node", "NODE_NAME"),
                _DESCRIPTION,
                Option(("--publish",), "make its last node an endpoint at once"),
                Option(("--force",), "put it in the place of a Pipe of that name; asks unless --yes"),
                _IGNORE,
                Option(("--to",), "only write its datafile, into this project folder", "FOLDER"),
                YES,
            ),
            "One of FILE, --sql, --from-node and --from-cells is needed.",
        ),
        Command(("pipe", "rename"), "give one another name", "pipe:rename", ("NAME", "NEW_NAME")),
        Command(("pipe", "describe"), "say in words what one is for", "pipe:describe", ("NAME", "TEXT")),
        Command(
            ("pipe", "append-node"),
            "add a node at its end",
            "pipe_nodes:append_node",
            ("NAME",),
            (_SQL, _NODE_NAME, _DESCRIPTION, _IGNORE),
        ),
        Command(
            ("pipe", "set-node"),
            "change SQL, name, description or place of a node",
            "pipe_nodes:set_node",
            ("NAME", "NODE"),
            (
                _SQL,
                _NODE_NAME,
                _DESCRIPTION,
                Option(("--position",), "place among the nodes; the first is 0", "N", "count"),
                _IGNORE,
            ),
        ),
        Command(("pipe", "rm-node"), "delete a node", "pipe_nodes:rm_node", ("NAME", "NODE"), (YES,)),
        Command(
            ("pipe", "publish"),
            "make a node its endpoint; without NODE the last one",
            "pipe_nodes:publish",
            ("NAME", "[NODE]"),
        ),
        Command(("pipe", "unpublish"), "take its endpoint back", "pipe_nodes:unpublish", ("NAME",), (YES,)),
        Command(
            ("pipe", "data"),
            "the rows of an endpoint, as a DataFrame, as text or into a file",
            "pipe_calls:data",
            ("NAME",),
            (
                PARAM,
                PARAMS,
                _Q,
                Option(("--limit",), "at most so many rows", "N", "count"),
                Option(
                    ("--format",),
                    "json and parquet give a DataFrame, the others text; with --to-file: of the file",
                    "|".join(_FORMATS),
                    "choice",
                    _FORMATS,
                ),
                Option(("--to-file",), "write the rows into this file, however many they are", "FILE"),
            ),
            "A value of --param may be $NAME of a notebook variable.",
            {"NAME": "endpoint"},
        ),
        Command(
            ("pipe", "link"),
            "the address of an endpoint with your token in it",
            "pipe_calls:link",
            ("NAME",),
            (
                PARAM,
                PARAMS,
                _Q,
                Option(("--format",), "of the reply; default json", "|".join(_FORMATS), "choice", _FORMATS),
                YES,
            ),
            "Whoever sees the link can do what your token may do: use a token that may only read this Pipe.",
            {"NAME": "endpoint"},
        ),
        Command(
            ("pipe", "stats"),
            "calls, errors and times of all endpoints, or of one",
            "pipe_calls:stats",
            ("[NAME]",),
            (
                Option(("--by",), "one row for each day", "day", "choice", ("day",)),
                Option(("--days",), "so many days back; default 7", "N", "count"),
            ),
            completes={"NAME": "endpoint"},
        ),
        Command(
            ("pipe", "explain"),
            "the plan by which a node would be run",
            "pipe_calls:explain",
            ("NAME", "[NODE]"),
            (PARAM, PARAMS),
        ),
        Command(
            ("pipe", "openapi"),
            "the OpenAPI document of an endpoint, or of all",
            "pipe_calls:openapi",
            ("[NAME]",),
            (Option(("--to-file",), "write it into this file", "FILE"),),
            completes={"NAME": "endpoint"},
        ),
        Command(
            ("pipe", "export"),
            "its datafile, printed or written into a project folder",
            "project:export",
            ("NAME",),
            (Option(("--to",), "write it into this project folder", "FOLDER"), YES),
        ),
        Command(
            ("pipe", "cells"),
            "its nodes as cells of a notebook",
            "cells:cells",
            ("NAME",),
            (Option(("--to",), "write a notebook", "FILE.ipynb"), YES),
            "Without --to the first node becomes the next cell, and further ones are printed.",
        ),
        Command(("pipe", "rm"), "delete one; Data Sources stay", "pipe:rm", ("NAME",), (YES,)),
    ),
    aliases=("pipes", "endpoint"),
)
