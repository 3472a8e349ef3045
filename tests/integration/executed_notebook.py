"""A notebook of the repository, executed as a user would, and what must hold for each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
import requests
from nbclient import NotebookClient

from tinymagic import local

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"

_WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class ExecutedNotebook:
    """A notebook after a run.

    Attributes:
        ran: the notebook with the outputs of this run.
        kept: the same with the outputs that the repository keeps.
        tokens: of the server that the notebook started.
        home: folder of the run; the kernel worked in ``work`` below it, and IPython wrote into ``ipython``.
    """

    ran: Any = field(repr=False)
    kept: Any = field(repr=False)
    tokens: tuple[str, ...] = field(repr=False)
    home: Path

    def text_of(self, part: str) -> str:
        """Return what the first cell with this part in its source printed and showed, as text."""
        return next(_text(cell) for cell in self.ran.cells if cell.cell_type == "code" and part in cell.source)

    def failed(self) -> list[str]:
        """Return the sources of the cells that ended with an error."""
        return [
            cell.source
            for cell in self.ran.cells
            for output in cell.get("outputs", [])
            if output.output_type == "error"
        ]

    def left_of_tokens(self) -> list[str]:
        """Return the first signs of each piece of a token's signature that the run or the repository kept."""
        texts = [nbformat.writes(self.ran), nbformat.writes(self.kept)]
        texts += [path.read_bytes().decode("latin-1") for path in (self.home / "ipython").rglob("*") if path.is_file()]
        assert len(self.tokens) >= 2
        signatures = [token.split(".")[2] for token in self.tokens]
        pieces = {each[start : start + 8] for each in signatures for start in range(len(each) - 7)}
        return [piece[:3] for piece in pieces for text in texts if piece in text]

    def check_kept(self) -> None:
        """Assert that the kept outputs are of the kinds that a run gives, without a path of the machine they are of.

        Widgets are not kept: they need their kernel, panels leave a page beside theirs, and bars show up in slow runs.
        """
        assert _WIDGET not in nbformat.writes(self.kept)
        for cell, again in zip(self.kept.cells, self.ran.cells, strict=True):
            if cell.cell_type == "code":
                # What is printed comes in as many pieces as the kernel likes.
                assert _kinds(cell) == _kinds(again), cell.source
        assert not re.search(r"/(?:home|root|Users|tmp|work)/", nbformat.writes(self.kept))


def execute(name: str, home: Path) -> ExecutedNotebook:
    """Run a notebook of the repository in a fresh kernel and an empty folder.

    Args:
        name: of the file in ``notebooks``.
        home: an empty folder, for everything that the run writes.

    Raises:
        CellExecutionError: a cell failed that is not marked as one that does.
    """
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL"):
            patch.delenv(variable, raising=False)
        for kind in ("DATA", "STATE", "CONFIG", "CACHE"):
            patch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        (home / "work").mkdir()
        ran = nbformat.read(FOLDER / name, as_version=4)
        try:
            NotebookClient(ran, timeout=240).execute(cwd=str(home / "work"))
            tokens = tuple(token for server in local.running() for token in _tokens(server))
        finally:
            for server in local.running():
                local.stop(port=server.port)
    return ExecutedNotebook(ran, nbformat.read(FOLDER / name, as_version=4), tokens, home)


def _tokens(server: local.LocalServer) -> list[str]:
    return list(requests.get(f"{server.host}/tokens", timeout=10).json().values())


def _kinds(cell: Any) -> set[str]:
    return {output.output_type for output in cell.outputs if _WIDGET not in output.get("data", {})}


def _text(cell: Any) -> str:
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain") or "\n".join(output.get("traceback", []))
        for output in cell.outputs
    )
