"""The panel that holds the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.widgets import look
from tinymagic.widgets.models.login import LoginModel
from tinymagic.widgets.models.workspace import WorkspaceModel
from tinymagic.widgets.panel import Panel, button, html, row
from tinymagic.widgets.panels.analyze import Analyze
from tinymagic.widgets.panels.datasources import DataSources
from tinymagic.widgets.panels.jobs import Jobs
from tinymagic.widgets.panels.login import Login
from tinymagic.widgets.panels.pipes import Pipes
from tinymagic.widgets.panels.tokens import Tokens
from tinymagic.widgets.panels.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.workspace import Workspace as Connected
    from tinymagic.notebook.session import Session

_TABS = ("Data Sources", "Pipes", "Analyze", "Variables", "Jobs", "Tokens", "Log in")
_LOGIN = len(_TABS) - 1


class Workspace(Panel):
    """All panels as tabs, below a head that tells the Workspace, its region, the backend and today's usage.

    A tab asks the service when it is opened for the first time. Whoever logs in goes on with the new Workspace in all.

    Args:
        workspace: to begin with; without one the panel opens at its login.
        notebook_session: which takes what is logged in to here.
        on_new_cell: puts a text into a new cell.
        reason: why there is no Workspace to begin with; the panel says it.
        model: instead of one of its own, for tests.

    Example:
        >>> import tinymagic.widgets
        >>> panel = tinymagic.widgets.Workspace()
        >>> panel.close()
    """

    def __init__(
        self,
        workspace: Connected | None = None,
        *,
        notebook_session: Session | None = None,
        on_new_cell: Callable[[str], object] | None = None,
        reason: str = "",
        model: WorkspaceModel | None = None,
    ) -> None:
        self.model: WorkspaceModel = model or WorkspaceModel(workspace)
        self._session = notebook_session
        self._on_new_cell = on_new_cell
        self._facts = html()
        self._usage = html()
        self._places = [ipywidgets.VBox() for _ in _TABS]
        self._tabs = ipywidgets.Tab(children=self._places)
        for number, name in enumerate(_TABS):
            self._tabs.set_title(number, name)
        self._tabs.selected_index = 0 if self.model.workspace is not None else _LOGIN
        reload_ = button("Reload", self.model.load, icon="refresh", tip="Ask for name and usage again")
        top = row(self._facts, reload_)
        top.layout.justify_content = "space-between"
        super().__init__(self.model, "Workspace", [top, self._usage, self._tabs])
        self._tabs.observe(lambda _: self._open(), "selected_index")
        self.model.observe(lambda _: self._draw(), ["facts", "usage"])
        self._draw()
        self._open()
        if self.model.workspace is not None:
            self.model.load()
        elif reason:
            self.model.say(reason, "warning")

    @property
    def opened(self) -> Panel | None:
        """The panel of the tab that is open."""
        place = self._places[self._tabs.selected_index or 0]
        return place.children[0] if place.children else None

    def go_to(self, title: str) -> Panel | None:
        """Open a tab by its title, for instance ``Pipes``, and return the panel in it."""
        self._tabs.selected_index = _TABS.index(title)
        return self.opened

    def static(self) -> tuple[str, str]:
        """Return the head, and the saved form of the tab that is open."""
        opened = self.opened
        content, words = opened.static() if opened is not None else ("", "")
        title = _TABS[self._tabs.selected_index or 0]
        facts = " | ".join([*self._words(), self.model.usage] if self.model.facts else self._words())
        return self._facts.value + self._usage.value + look.section(title) + content, f"{facts}\n{title}\n{words}"

    def settle(self) -> None:
        """Wait a moment for the head, and for the tab that is open."""
        super().settle()
        if self.opened is not None:
            self.opened.settle()

    def _open(self) -> None:
        number = self._tabs.selected_index
        if number is None:
            return
        place = self._places[number]
        if not place.children:
            made = self._made(_TABS[number])
            place.children = (made,)
            made.stand_in(self)
        self.changed()

    def _made(self, title: str) -> Panel:
        if title == "Log in":
            return Login(model=self._login_model())
        workspace = self.model.workspace
        if title == "Data Sources":
            return DataSources(workspace, on_new_cell=self._on_new_cell)
        if title == "Pipes":
            return Pipes(workspace, on_new_cell=self._on_new_cell)
        if title == "Tokens":
            return Tokens(workspace, on_connect=self._connect)
        others: dict[str, Callable[..., Panel]] = {"Analyze": Analyze, "Variables": Variables, "Jobs": Jobs}
        return others[title](workspace)

    def _login_model(self) -> LoginModel:
        session = self._session
        return LoginModel(
            self.model.workspace,
            connections=session,
            on_connect=self._connect,
            on_disconnect=session.forget if session is not None else None,
        )

    def _connect(self, workspace: Connected) -> None:
        """Go on with another Workspace: the tabs are made anew, except that of the login and the one that is open."""
        if self._session is not None:
            self._session.choose(workspace)
        for number, place in enumerate(self._places):
            if number != self._tabs.selected_index:
                for panel in place.children:
                    panel.close()
                place.children = ()
        self.model.connect(workspace)

    def _words(self) -> list[str]:
        facts = self.model.facts
        if facts is None:
            return ["not connected" if self.model.workspace is None else "asking ..."]
        return [each for each in (facts.name, facts.place, facts.backend, facts.token) if each]

    def _draw(self) -> None:
        words = self._words()
        kind = "" if self.model.facts is None else "done"
        self._facts.value = " ".join(look.badge(each, kind if each == words[0] else "") for each in words)
        self._usage.value = f'<div class="tm-quiet">{look.text(self.model.usage)}</div>' if self.model.usage else ""
        self.changed()
