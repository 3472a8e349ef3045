"""Files that come through the browser: what ipywidgets 7 and 8 make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Bytes of one message from the browser to the kernel that Jupyter lets through by default.
MESSAGE_BYTES = 10_000_000

#: To stand beside the button: what is over the limit never arrives, so that afterwards nobody can say why.
LIMIT = (
    f"Upload up to {MESSAGE_BYTES // 1_000_000} MB at once: more does not get through from the browser to the kernel, "
    "and may break their connection."
)


def taken(upload: Any) -> list[tuple[str, bytes]]:
    """Return the names and contents of the files of a ``FileUpload``, and empty it.

    Emptied it leaves no file in the state of the widget, which a notebook may save.
    """
    value = upload.value
    if isinstance(value, Mapping):  # ipywidgets 7: name -> content and metadata.
        found = [(str(name), bytes(each["content"])) for name, each in value.items()]
        upload.set_trait("value", {})
    else:
        found = [(str(each["name"]), bytes(each["content"])) for each in value]
        upload.value = ()
    # The number on the button counts what was chosen since.
    if hasattr(upload, "_counter"):
        upload._counter = 0
    return found
