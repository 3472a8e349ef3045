"""What stands at the head of the panel that holds all others: which Workspace it is, and what was used today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traitlets import Any as Anything
from traitlets import Unicode

from tinymagic.errors import TinybirdError
from tinymagic.notebook.commands.usage import used_today
from tinymagic.widgets.models.login_facts import facts_of
from tinymagic.widgets.models.panel_model import PanelModel

if TYPE_CHECKING:
    from tinymagic.api.workspace import Workspace
    from tinymagic.widgets.models.login_facts import LoginFacts


class WorkspaceModel(PanelModel):
    """Asks which Workspace a token belongs to, and what was used of it today.

    Attributes:
        facts: a `LoginFacts`; ``None`` before the service has answered.
        usage: what was used today, in a sentence.
    """

    facts = Anything(None, allow_none=True)
    usage = Unicode("")

    def load(self) -> None:
        """Ask anew; four or five requests."""
        self.run(lambda workspace, _: _asked(workspace), then=self._show)

    def connect(self, workspace: Workspace) -> None:
        """Go on with another Workspace."""
        self.workspace = workspace
        self.facts, self.usage = None, ""
        self.load()

    def _show(self, seen: tuple[LoginFacts, str]) -> None:
        facts, usage = seen
        self.usage, self.facts = usage, facts
        self.say("")


def _asked(workspace: Workspace) -> tuple[LoginFacts, str]:
    facts = facts_of(workspace, given=False)
    try:
        usage = used_today(workspace)
    except TinybirdError:
        usage = "What was used today cannot be told: this token does not read tinybird.pipe_stats_rt."
    return facts, usage
