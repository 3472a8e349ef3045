"""``%tbsql --persist df``: JupySQL's spelling of ``%tinybird datasource create|replace|append df``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.names import name_problem
from tinymagic.notebook import tinybird
from tinymagic.notebook.given_values import variable
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.notebook.cells.arguments import PersistArguments
    from tinymagic.notebook.extension import Notebook


def persist(notebook: Notebook, asked: PersistArguments, names: Mapping[str, Any], *, yes: bool = False) -> Any:
    """Send the rows of a DataFrame to the Data Source of the variable's name.

    An index without a name is left out, as by the command; one with a name becomes a column unless ``--no-index`` says
    otherwise.

    Args:
        notebook: session and display.
        asked: which variable, and what happens to the Data Source.
        names: the notebook's variables.
        yes: whether questions are answered with yes.

    Returns:
        Why rows are in the quarantine, as a DataFrame, if any are.

    Raises:
        CellProblem: there is no such variable, it is no DataFrame, or its name cannot be a Data Source's.
        TinybirdError: the service refused it.
    """
    value = variable(asked.variable, names)
    if not hasattr(value, "columns"):
        raise CellProblem(f"The variable {asked.variable!r} is {type(value).__name__}, and no DataFrame.")
    problem = name_problem(asked.variable, kind="Data Source")
    if problem:
        raise CellProblem(f"{problem} With another name: %tinybird datasource create NAME --from-df {asked.variable}")
    place = "--from-df " if asked.mode == "create" else ""
    options = ("" if asked.index else " --no-index") + (" --yes" if yes and asked.mode == "replace" else "")
    return tinybird.run(notebook, f"datasource {asked.mode} {asked.variable} {place}{asked.variable}{options}")
