"""A Jupyter server of the tests: a process of its own on loopback, with folders of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_START_S = 60


@dataclass(frozen=True)
class Jupyter:
    """A running server.

    Attributes:
        url: with a slash at its end.
        token: what lets a browser in.
        folder: of the notebooks.
        settings: folder of what was chosen in menus.
    """

    url: str
    token: str
    folder: Path
    settings: Path

    def write_notebook(self, cells: Sequence[tuple[str, str]]) -> str:
        """Write a notebook of *cells*, pairs of ``code``, ``markdown`` or ``raw`` and a text; return its file name."""
        make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
        written = nbformat.v4.new_notebook(
            cells=[make.get(kind, nbformat.v4.new_raw_cell)(text) for kind, text in cells]
        )
        written.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        name = f"notebook-{secrets.token_hex(4)}.ipynb"
        nbformat.write(written, self.folder / name)
        return name

    def address(self, kind: str, name: str) -> str:
        """Return where *kind*, ``lab`` or ``notebook``, shows a notebook."""
        path = f"lab/workspaces/{name.removesuffix('.ipynb')}/tree/{name}?" if kind == "lab" else f"notebooks/{name}?"
        return f"{self.url}{path}token={self.token}"

    def use_theme(self, name: str) -> None:
        """Let pages that are opened from now on have a theme, as if it had been chosen in the menu."""
        _set(self.settings, "@jupyterlab/apputils-extension/themes", theme=name)

    def end_kernels(self) -> None:
        """End all kernels."""
        headers = {"Authorization": f"token {self.token}"}
        for kernel in requests.get(f"{self.url}api/kernels", headers=headers, timeout=10).json():
            requests.delete(f"{self.url}api/kernels/{kernel['id']}", headers=headers, timeout=30)


@contextlib.contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[Jupyter]:
    """Start a server that keeps all its files under *folder*, and end it.

    Args:
        folder: a new one.
        environ: what its kernels find in their environment besides.
    """
    places = {name: folder / name.lower() for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    places |= {"JUPYTER_RUNTIME_DIR": folder / "runtime", "JUPYTERLAB_SETTINGS_DIR": folder / "settings"}
    places |= {"JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces", "TINYMAGIC_CONFIG_HOME": folder / "logins"}
    # Before all others.
    environ = {**environ, "JUPYTER_PATH": str(folder / "share")}
    notebooks = folder / "notebooks"
    for place in (*places.values(), notebooks):
        place.mkdir(parents=True)
    _settle(folder / "settings")
    _show_extension(folder / "share")
    # A peer that `make bench` installs: it fails in newer versions of JupyterLab.
    page_config = places["JUPYTER_CONFIG_DIR"] / "labconfig" / "page_config.json"
    page_config.parent.mkdir()
    page_config.write_text(json.dumps({"disabledExtensions": {"jupysql-plugin": True}}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={notebooks}", "--ServerApp.jpserver_extensions={'notebook': True}"]
    command += ["--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"]
    # Should the tests be killed, the server ends by itself.
    command += ["--MappingKernelManager.cull_idle_timeout=300", "--MappingKernelManager.cull_connected=True"]
    command += ["--ServerApp.shutdown_no_activity_timeout=300"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environ, **{name: str(at) for name, at in places.items()}},
            stdout=log,
            stderr=log,
        )
        try:
            found = Jupyter(f"http://127.0.0.1:{port}/", token, notebooks, folder / "settings")
            _wait(found, process, folder / "log")
            yield found
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _settle(settings: Path) -> None:
    """No news, no questions, nothing that asks the network."""
    _set(settings, "@jupyterlab/apputils-extension/notification", fetchNews="false", checkForUpdates=False)
    _set(settings, "@jupyterlab/extensionmanager-extension/plugin", enabled=False)


def _set(settings: Path, plugin: str, **values: Any) -> None:
    path = settings / f"{plugin}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def _show_extension(share: Path) -> None:
    """Show JupyterLab the extension of this working tree, whatever an installation has of it."""
    place = share / "labextensions" / "tinymagic"
    place.parent.mkdir(parents=True)
    place.symlink_to(Path(__file__).parents[2] / "labextension" / "built", target_is_directory=True)


def _wait(jupyter: Jupyter, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{jupyter.url}api/status?token={jupyter.token}", timeout=5).ok:
                return
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
