"""The commands that open panels. Pure."""

from __future__ import annotations

from tinymagic.notebook.tree.command import Command, Noun

PANELS = Noun(
    "",
    "panels to look and click",
    (
        Command(("ui",), "all panels in one, with name, region, backend and today's usage", "panels:ui"),
        Command(("browse",), "the panel of Data Sources", "panels:browse"),
        Command(("variables",), "the panel of Environment Variables", "panels:variables"),
        Command(("pipes",), "the panel of Pipes", "panels:pipes"),
        Command(("jobs",), "the panel of jobs", "panels:jobs"),
        Command(("tokens",), "the panel of tokens", "panels:tokens"),
    ),
)
