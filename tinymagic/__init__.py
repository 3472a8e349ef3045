"""Tinybird in a notebook cell: SQL magics, DataFrames, and an embedded Tinybird that needs no account.

In a notebook::

    %load_ext tinymagic
    %tinybird local start

    %%tbsql
    SELECT 1

In Python::

    import tinymagic

    ws = tinymagic.connect()
    frame = ws.sql("SELECT 1")

Importing this costs next to nothing: pandas, requests and the widgets are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.version import __version__

if TYPE_CHECKING:
    from tinymagic import errors
    from tinymagic.api.workspace import Workspace
    from tinymagic.client import connect

__all__ = [
    "Workspace",
    "__version__",
    "connect",
    "errors",
    "load_ipython_extension",
    "unload_ipython_extension",
]

#: Public name -> the module that has it, or is it; imported when the name is first asked for.
_HOMES = {"Workspace": "tinymagic.api.workspace", "connect": "tinymagic.client", "errors": "tinymagic.errors"}


def load_ipython_extension(ipython: Any) -> None:
    """Add the magics to IPython; ``%load_ext tinymagic`` calls this."""
    from tinymagic.notebook import extension

    extension.load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics away again; ``%unload_ext tinymagic`` calls this."""
    from tinymagic.notebook import extension

    extension.unload(ipython)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(home)
    value = module if home == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
