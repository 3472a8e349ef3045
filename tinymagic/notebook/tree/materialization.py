"""``%tinybird materialization``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import WAIT, YES, Command, Noun

MATERIALIZATION = Noun(
    "materialization",
    "nodes whose rows go into a Data Source as rows arrive",
    (
        Command(("materialization", "ls"), "all materialized views, as a DataFrame", "materialization:ls"),
        Command(
            ("materialization", "analyze"),
            "the datafiles by which a node would be materialized; nothing is changed",
            "materialization:analyze",
            ("PIPE", "NODE"),
            (Option(("--datasource",), "name of the Data Source that it would fill", "DATASOURCE"),),
        ),
        Command(
            ("materialization", "create"),
            "let a node fill a Data Source, which is made when it is not there",
            "materialization:create",
            ("PIPE", "NODE", "DATASOURCE"),
            (
                Option(("--engine",), "of a Data Source that is made, for instance AggregatingMergeTree", "ENGINE"),
                Option(("--sorting-key",), "of it: columns with commas", "KEY"),
                Option(("--partition-key",), "of it: expression", "EXPRESSION"),
                Option(("--ttl",), "of it: expression", "EXPRESSION"),
                Option(("--populate",), "put the rows that are there already through it, too"),
                Option(("--override",), "give a Data Source that is there the node's columns; it loses its rows"),
                WAIT,
                YES,
            ),
        ),
        Command(
            ("materialization", "populate"),
            "put rows that are there already through a view",
            "materialization:populate",
            ("PIPE", "[NODE]"),
            (
                Option(("--subset",), "fraction of the rows, for quick tests, for instance 0.1", "FRACTION"),
                Option(("--condition",), "only rows of the source that fulfil this SQL", "CONDITION"),
                Option(("--truncate",), "empty the Data Source first; asks unless --yes"),
                Option(("--unlink-on-error",), "unlink the view when this fails"),
                WAIT,
                YES,
            ),
            "Rows that the view has seen already are put through it again: think of --truncate or --condition.",
        ),
        Command(
            ("materialization", "unlink"),
            "let its Data Source get no more rows; nothing is deleted",
            "materialization:unlink",
            ("PIPE", "[NODE]"),
            (YES,),
        ),
    ),
)
