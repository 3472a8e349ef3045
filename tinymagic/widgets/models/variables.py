"""The Environment Variables of a Workspace. Values go in only: no trait ever holds one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import List

from tinymagic.widgets.models.panel_model import PanelModel, quoted

if TYPE_CHECKING:
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.redaction import Secret
    from tinymagic.api.variables import Variable
    from tinymagic.api.workspace import Workspace


class VariablesModel(PanelModel):
    """Lists, sets and deletes variables.

    Attributes:
        variables: those of the Workspace, sorted by name.
    """

    variables: List[Any] = List()

    def load(self) -> None:
        """Fetch the list."""
        self.run(lambda workspace, cancellation: workspace.variables.list(cancellation=cancellation), then=self._show)

    def set(self, name: str, value: Secret) -> None:
        """Add a variable, or give it another value.

        Args:
            name: letters, digits, underscores.
            value: shows itself to nobody; the panel has emptied its field before.
        """
        if not name.strip():
            self.say("Give the variable a name: letters, digits and underscores.", "error")
            return
        if not value:
            self.say(f"Give {name.strip()} a value: it goes in here and is never shown again.", "error")
            return
        known = name.strip() in {each.name for each in self.variables}

        def stored(variables: list[Variable]) -> None:
            self._show(variables)
            done = "has another value" if known else "was added"
            self.say(f"{name.strip()} {done}. In SQL templates: {{{{tb_secret('{name.strip()}')}}}}.", "done")

        def task(workspace: Workspace, cancellation: Cancellation) -> list[Variable]:
            workspace.variables.set(name.strip(), value, cancellation=cancellation)
            return workspace.variables.list(cancellation=cancellation)

        self.run(task, then=stored, line=f"%tinybird variable set {quoted(name.strip())}")

    def delete(self, name: str) -> None:
        """Delete a variable."""

        def deleted(variables: list[Variable]) -> None:
            self._show(variables)
            self.say(f"{name} was deleted.", "done")

        def task(workspace: Workspace, cancellation: Cancellation) -> list[Variable]:
            workspace.variables.delete(name, cancellation=cancellation)
            return workspace.variables.list(cancellation=cancellation)

        self.run(task, then=deleted, line=f"%tinybird variable rm {quoted(name)} --yes")

    def _show(self, variables: list[Variable]) -> None:
        self.variables = sorted(variables, key=lambda each: each.name.lower())
        if self.message_kind == "error":
            self.say("")
