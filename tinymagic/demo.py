"""``tinymagic demo``: the quickstart notebook, executed for real, printed in the terminal.

The notebook starts an embedded server of its own, loads the flights and asks its questions exactly as it would in
JupyterLab. Its server keeps its data below the output folder, away from the user's own, and is stopped at the end.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOTEBOOK = "01-quickstart.ipynb"

#: Seconds for one cell; the longest loads 336,776 flights.
_CELL_TIMEOUT_S = 240


class DemoError(RuntimeError):
    """The demo could not be run. The message says what failed and where to look."""


def run_demo(output: Path) -> None:
    """Execute the quickstart, print each cell with what it returned, and leave the notebook and an HTML page.

    Args:
        output: folder for ``01-quickstart.ipynb`` and ``01-quickstart.html``, and for the server's data.

    Raises:
        DemoError: a package is missing, there is no notebook, or a cell failed.
    """
    started = time.perf_counter()
    source = _find_notebook()
    output.mkdir(parents=True, exist_ok=True)
    notebook = _execute(source, output.resolve())
    html = output / NOTEBOOK.replace(".ipynb", ".html")
    _export(notebook, output / NOTEBOOK, html)
    print(f"\nExecuted {NOTEBOOK} in {time.perf_counter() - started:.0f} s.")
    print(f"The notebook with its outputs: {output / NOTEBOOK}")
    print(f"The same as a page:            {html}")


def _find_notebook() -> Path:
    for folder in (Path.cwd() / "notebooks", Path(__file__).resolve().parents[1] / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder / NOTEBOOK
    raise DemoError(f"There is no notebooks/{NOTEBOOK} here: run the demo in the folder of the project.")


def _execute(source: Path, output: Path) -> Any:
    try:
        import nbformat
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise DemoError(f'The demo needs {error.name}. Run: pip install "tinymagic[demo]"') from error

    notebook = nbformat.read(source, as_version=4)
    with _private_server(output / "demo-data"), tempfile.TemporaryDirectory() as sockets:
        # Sockets in a private folder and not TCP: nobody else on the machine can listen to the kernel.
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(Path(sockets) / "kernel"))
        client = NotebookClient(notebook, km=kernel, timeout=_CELL_TIMEOUT_S, on_cell_executed=_print_cell)
        client.owns_km = True  # So that it also ends the kernel, which it leaves to others when they gave it.
        try:
            client.execute(cwd=str(source.parent))
        except CellExecutionError as error:
            raise DemoError("The cell above failed; the demo ends here.") from error
    return notebook


@contextmanager
def _private_server(data: Path) -> Iterator[None]:
    """Give the notebook's kernel data and state folders of its own, and stop the server that it started there."""
    from . import local

    own = {
        "XDG_DATA_HOME": str(data / "data"),
        "XDG_STATE_HOME": str(data / "state"),
        "TINYMAGIC_CONFIG_HOME": str(data / "config"),
    }
    hidden = ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL", "TINYBIRD_HOST")
    before = {name: os.environ.get(name) for name in (*own, *hidden)}
    os.environ.update(own)
    for name in hidden:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for server in local.running():
            local.stop(port=server.port)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _print_cell(*, cell: Any, cell_index: int, execute_reply: Any) -> None:  # noqa: ARG001 - nbclient names them
    if cell.cell_type != "code":
        return
    print("\n" + "\n".join(f"| {line}" for line in cell.source.splitlines()))
    for output in cell.outputs:
        print(_text_of(output).rstrip("\n"))
    sys.stdout.flush()


def _text_of(output: Mapping[str, Any]) -> str:
    kind = output["output_type"]
    if kind == "stream":
        # Progress bars redraw their line: what counts is what they left.
        return "\n".join(line.rsplit("\r", 1)[-1] for line in str(output["text"]).split("\n"))
    if kind == "error":
        return "\n".join(output.get("traceback") or [f"{output['ename']}: {output['evalue']}"])
    return str(output.get("data", {}).get("text/plain", ""))


def _export(notebook: Any, path: Path, html: Path) -> None:
    import nbformat
    from nbconvert import HTMLExporter

    nbformat.write(notebook, path)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    html.write_text(page, encoding="utf-8")
