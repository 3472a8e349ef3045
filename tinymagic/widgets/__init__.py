"""Panels for notebooks: log in, browse Data Sources, preview files, manage variables, and the rest of a Workspace.

::

    import tinymagic
    from tinymagic.widgets import Variables

    Variables(tinymagic.connect())

``%tinybird ui`` opens all of them, ``%tinybird browse|analyze|variables`` one. They use ipywidgets 7.7 or newer, which
is imported with the first panel only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinymagic.widgets.panels.analyze import Analyze
    from tinymagic.widgets.panels.datasources import DataSources
    from tinymagic.widgets.panels.jobs import Jobs
    from tinymagic.widgets.panels.login import Login
    from tinymagic.widgets.panels.pipes import Pipes
    from tinymagic.widgets.panels.tokens import Tokens
    from tinymagic.widgets.panels.variables import Variables
    from tinymagic.widgets.panels.workspace import Workspace

#: Panel -> its module.
_PANELS = {
    "Analyze": "tinymagic.widgets.panels.analyze",
    "DataSources": "tinymagic.widgets.panels.datasources",
    "Jobs": "tinymagic.widgets.panels.jobs",
    "Login": "tinymagic.widgets.panels.login",
    "Pipes": "tinymagic.widgets.panels.pipes",
    "Tokens": "tinymagic.widgets.panels.tokens",
    "Variables": "tinymagic.widgets.panels.variables",
    "Workspace": "tinymagic.widgets.panels.workspace",
}

__all__ = ["Analyze", "DataSources", "Jobs", "Login", "Pipes", "Tokens", "Variables", "Workspace"]


def __getattr__(name: str) -> Any:
    if name in _PANELS:
        return getattr(import_module(_PANELS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
