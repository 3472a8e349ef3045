"""A real IPython with the extension loaded, connected to the embedded server of the tests."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from tinymagic.notebook import extension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tinymagic.local import LocalServer


@dataclass(frozen=True)
class Ran:
    """What running a cell gave.

    Attributes:
        value: of the cell.
        error: that it ended with, or ``None``.
        printed: on stdout, with what was displayed as text and the card of an error.
        stderr: on stderr.
        displays: MIME bundles, in order.
    """

    value: Any
    error: BaseException | None
    printed: str
    stderr: str
    displays: list[dict[str, str]]

    @property
    def card(self) -> list[str]:
        """The lines that IPython shows for the error."""
        assert self.error is not None
        return self.error._render_traceback_()


@dataclass(frozen=True)
class Cells:
    """Runs cells as a user does."""

    shell: InteractiveShell

    def run(self, cell: str) -> Ran:
        """Run a cell that may fail."""
        with capture_output() as captured:
            result = self.shell.run_cell(cell, store_history=True)
        error = result.error_in_exec or result.error_before_exec
        bundles = [output.data for output in captured.outputs]
        return Ran(result.result, error, captured.stdout, captured.stderr, bundles)

    def ok(self, cell: str) -> Ran:
        """Run a cell that must not fail."""
        ran = self.run(cell)
        if ran.error is not None:
            raise ran.error
        return ran

    def __getitem__(self, name: str) -> Any:
        """Return a variable of the notebook."""
        return self.shell.user_ns[name]


@pytest.fixture(scope="session")
def bare_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """One IPython for all tests, with a history of its own on disk."""
    folder = tmp_path_factory.mktemp("ipython")
    config = Config()
    config.HistoryManager.hist_file = str(folder / "history.sqlite")
    config.HistoryManager.enabled = True
    shell = InteractiveShell.instance(config=config, ipython_dir=str(folder))
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    if hasattr(shell.history_manager, "close"):
        shell.history_manager.close()
    InteractiveShell.clear_instance()


@pytest.fixture
def clean_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings but those that a test makes: no variables, an empty folder, an empty home for logins."""
    for name in ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL", "TINYBIRD_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TINYMAGIC_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cells(bare_shell: InteractiveShell, clean_settings: Path) -> Iterator[Cells]:
    """The extension, loaded and not connected to anything that was chosen."""
    before = set(bare_shell.user_ns)
    extension.load(bare_shell)
    yield Cells(bare_shell)
    extension.unload(bare_shell)
    for name in set(bare_shell.user_ns) - before:
        del bare_shell.user_ns[name]


@pytest.fixture
def connected(cells: Cells, server: LocalServer, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Cells:
    """The same, connected to the embedded server of the tests through the environment."""
    monkeypatch.setenv("TB_TOKEN", tokens["workspace_admin_token"])
    monkeypatch.setenv("TB_HOST", server.host)
    return cells
