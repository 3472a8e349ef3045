"""``%tinybird browse`` and others: open a panel of the widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinymagic.notebook.tinybird import Call


def ui(call: Call) -> None:
    """Open the panel that holds all others; where nothing is configured, at its login."""
    from tinymagic.errors import ConfigurationError

    session = call.notebook.session
    options: dict[str, Any] = {"notebook_session": session}
    try:
        options["workspace"] = session.workspace()
    except ConfigurationError as error:
        options["reason"] = str(error)
    open_panel(call, "Workspace", **options)


def browse(call: Call) -> None:
    """Open the panel of Data Sources."""
    open_panel(call, "DataSources")


def variables(call: Call) -> None:
    """Open the panel of Environment Variables."""
    open_panel(call, "Variables")


def pipes(call: Call) -> None:
    """Open the panel of Pipes."""
    open_panel(call, "Pipes")


def jobs(call: Call) -> None:
    """Open the panel of jobs."""
    open_panel(call, "Jobs")


def tokens(call: Call) -> None:
    """Open the panel of tokens."""
    open_panel(call, "Tokens")


def open_panel(call: Call, name: str, *, otherwise: str = "", **options: Any) -> None:
    """Show a panel below the cell, for the Workspace of the session.

    Args:
        call: the command.
        name: of the panel, as in `tinymagic.widgets`.
        otherwise: what is printed where no panel can be shown; without it, what to do there.
        **options: for the panel; without any it gets the Workspace of the session.
    """
    shell = call.notebook.shell
    if not has_notebook(call):
        words = " ".join(call.command.words)
        print(otherwise or f"%tinybird {words} opens a panel in a notebook; this is a terminal. See %tinybird --help.")
        return
    from IPython.display import display

    from tinymagic import widgets

    kind = getattr(widgets, name)
    options = options or {"workspace": call.workspace}
    if name == "Tokens":
        # Whoever refreshes the token in use goes on with the new one.
        options["on_connect"] = call.notebook.session.choose
    if name in _WITH_NEW_CELLS:
        options["on_new_cell"] = lambda text: shell.set_next_input(text, replace=False)
    show: Any = display
    show(kind(**options))


def has_notebook(call: Call) -> bool:
    """Say whether the session is one of a notebook, which can show panels."""
    return getattr(call.notebook.shell, "kernel", None) is not None


#: Panels that put text into new cells.
_WITH_NEW_CELLS = ("DataSources", "Pipes", "Workspace")
