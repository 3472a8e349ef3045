"""All widgets that there are: ipywidgets 7 and 8 keep them in different places."""

from __future__ import annotations

from typing import Any


def all_widgets() -> list[Any]:
    """Return every widget that is not closed."""
    from ipywidgets.widgets import widget

    instances = getattr(widget, "_instances", None)
    return list((widget.Widget.widgets if instances is None else instances).values())
