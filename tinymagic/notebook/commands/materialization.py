"""``%tinybird materialization``: materialized views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.pipe_lookup import get_pipe, near_node
from tinymagic.notebook.commands.running import say_started
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.api.pipes import Pipe
    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return all materialized views: one row each."""
    import pandas as pd

    views = sorted(call.workspace.materializations.list(), key=lambda each: (each.pipe, each.node))
    rows = [(each.pipe, each.node, ", ".join(each.reads), each.datasource) for each in views]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["pipe", "node", "reads", "fills"])
    return frame


def analyze(call: Call) -> None:
    """Print how a node would be materialized."""
    pipe, node = call.words
    get_pipe(call, pipe)
    with near_node(call, pipe, node):
        advice = call.workspace.materializations.analysis(pipe, node, datasource=call.options.get("datasource"))
    for warning in advice.warnings:
        print(f"Warning: {visible(warning)}")
    for title, text in (("The Pipe", advice.pipe_datafile), ("The Data Source", advice.datasource_datafile)):
        if text:
            print(f"{title}:\n")
            print("\n".join(f"    {visible(line)}" for line in text.strip().splitlines()) + "\n")


def create(call: Call) -> None:
    """Make a node a materialized view."""
    (pipe, node, target), options = call.words, call.options
    get_pipe(call, pipe)
    if "override" in options and not confirm(
        f"Give the Data Source {visible(target)} the columns of {visible(node)}? It loses its rows.",
        yes="yes" in options,
        otherwise="Nothing was changed.",
    ):
        return
    with near_node(call, pipe, node):
        made = call.workspace.materializations.create(
            pipe,
            node,
            target,
            engine=options.get("engine"),
            sorting_key=options.get("sorting_key"),
            partition_key=options.get("partition_key"),
            ttl=options.get("ttl"),
            override_datasource=True if "override" in options else None,
            populate="populate" in options,
        )
    new = "new " if made.created_datasource else ""
    print(f"{visible(node)} of {visible(pipe)} now fills the {new}Data Source {visible(made.datasource)}.")
    if made.job is not None:
        say_started(call, made.job, f"populate {made.datasource}")


def populate(call: Call) -> None:
    """Put rows that are there through a view."""
    name, options = call.words[0], call.options
    pipe = get_pipe(call, name)
    node = _view(pipe, call.word(1))
    subset = _fraction(options.get("subset"))
    if "truncate" in options and not confirm(
        f"Delete all rows of the Data Source that {visible(node)} fills, and fill it anew?",
        yes="yes" in options,
    ):
        return
    with near_node(call, name, node):
        job = call.workspace.materializations.populate(
            name,
            node,
            subset=subset,
            condition=options.get("condition"),
            truncate=True if "truncate" in options else None,
            unlink_on_populate_error=True if "unlink_on_error" in options else None,
        )
    say_started(call, job, f"populate {name}")


def _fraction(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise CellProblem(f"--subset is a fraction over 0 and up to 1, for instance 0.1; not {text!r}.") from None


def unlink(call: Call) -> None:
    """Let a Data Source get no more rows from a view."""
    name = call.words[0]
    node = _view(get_pipe(call, name), call.word(1))
    if not confirm(
        f"Unlink {visible(node)} of {visible(name)}? Its Data Source gets no more rows then.",
        yes="yes" in call.options,
        otherwise="Nothing was changed.",
    ):
        return
    with near_node(call, name, node):
        call.workspace.materializations.unlink(name, node)
    print(f"{visible(node)} of {visible(name)} fills no Data Source any more; nothing was deleted.")


def _view(pipe: Pipe, node: str | None) -> str:
    """Return the node that is meant: the one that is named, or the only view."""
    if node is not None:
        return node
    views = [each.name for each in pipe.nodes if each.node_type == "materialized" or each.materialized]
    if len(views) == 1:
        return views[0]
    if not views:
        raise CellProblem(f"None of the nodes of the Pipe {pipe.name!r} is a materialized view.")
    raise CellProblem(f"The Pipe {pipe.name!r} has {len(views)} views, so NODE is needed: {', '.join(views)}.")
