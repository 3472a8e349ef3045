"""A notebook in a real kernel, with somebody at the keyboard: cell after cell is run, and what is asked is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.manager import start_new_kernel
from nbformat.v4 import new_code_cell, new_notebook, output_from_msg

if TYPE_CHECKING:
    from pathlib import Path

#: Types of messages that are outputs of a cell.
_OUTPUTS = ("stream", "display_data", "execute_result", "error")


class Kernel:
    """A kernel, and the notebook that grows with it.

    Args:
        folder: that it works in.
    """

    def __init__(self, folder: Path) -> None:
        self.notebook = new_notebook()
        self._manager, self._client = start_new_kernel(kernel_name="python3", cwd=str(folder))

    def run(self, code: str, *, answer: str = "", secret: str = "", told: str = "None", timeout_s: float = 120) -> str:
        """Run a cell and add it to the notebook.

        Args:
            code: of the cell.
            answer: to a question that is shown while it is typed.
            secret: to one that is not.
            told: an expression whose text is returned afterwards.
            timeout_s: for the whole cell.
        """
        cell = new_code_cell(code)
        self.notebook.cells.append(cell)
        displays: dict[str, Any] = {}

        def keep(message: dict[str, Any]) -> None:
            kind, content = message["header"]["msg_type"], message["content"]
            shown_as = (content.get("transient") or {}).get("display_id")
            if kind == "update_display_data":
                if shown_as in displays:
                    displays[shown_as]["data"] = content["data"]
            elif kind in _OUTPUTS:
                output = output_from_msg(message)
                cell.outputs.append(output)
                if shown_as is not None:
                    displays[shown_as] = output

        def type_in(message: dict[str, Any]) -> None:
            self._client.input(secret if message["content"]["password"] else answer)

        reply = self._client.execute_interactive(
            code,
            allow_stdin=bool(answer or secret),
            stdin_hook=type_in,
            output_hook=keep,
            timeout=timeout_s,
            user_expressions={"told": f"str({told})"},
        )
        cell.execution_count = reply["content"].get("execution_count")
        found = reply["content"].get("user_expressions", {}).get("told", {})
        return str(found.get("data", {}).get("text/plain", "")).strip("'\"")

    def interrupt(self) -> None:
        """Press the stop button."""
        self._manager.interrupt_kernel()

    def saved(self) -> str:
        """Return the notebook as the front end would save it."""
        nbformat.validate(self.notebook)
        return str(nbformat.writes(self.notebook))

    def close(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
