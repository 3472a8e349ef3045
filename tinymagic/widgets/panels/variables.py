"""The panel of Environment Variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.api.http.redaction import Secret
from tinymagic.widgets import look, units
from tinymagic.widgets.models.variables import VariablesModel
from tinymagic.widgets.panel import Confirmation, Panel, button, field, html, row
from tinymagic.widgets.row_list import RowList

if TYPE_CHECKING:
    from tinymagic.api.workspace import Workspace

_LIMITS = "A Workspace has up to 100 variables, a value up to 8 KB. Values go in only: nobody can read them here again."


class Variables(Panel):
    """List, add, change and delete the Environment Variables of a Workspace.

    Args:
        workspace: whose they are.
        model: instead of one of its own, for tests.
    """

    def __init__(self, workspace: Workspace | None = None, *, model: VariablesModel | None = None) -> None:
        self.model: VariablesModel = model or VariablesModel(workspace)
        self._list = RowList(
            ["Name", "Type", "Created", "Changed", "By", "Used by"], self._choose, what="Environment Variables"
        )
        self._name = field("Name", ipywidgets.Text(placeholder="password_of_s3"))
        self._value = field("Value", ipywidgets.Password(placeholder="goes in only"))
        self._save = button("Save", self._on_save, icon="check", kind="primary", tip="Add it, or give it this value")
        self._delete = button("Delete ...", self._on_delete, icon="trash", kind="danger", tip="Delete this variable")
        self._snippet = html()
        self._confirmation = Confirmation()
        reload_ = button("Reload", self.model.load, icon="refresh", tip="Fetch the list again")
        super().__init__(
            self.model,
            "Environment Variables",
            [
                self._list,
                html(look.section("Add or change")),
                row(self._name, self._value),
                row(self._save, self._delete, reload_),
                self._confirmation,
                self._snippet,
                html(f'<div class="tm-quiet">{look.text(_LIMITS)}</div>'),
            ],
        )
        self._name.observe(lambda _: self._on_name(), "value")
        self.model.observe(lambda _: self._draw(), "variables")
        self._draw()
        self._on_name()
        self.model.load()

    def static(self) -> tuple[str, str]:
        """Return the table of variables."""
        lines = [
            [look.text(each.name), look.badge(each.type), look.text(units.ago(each.updated_at))] for each in self._all
        ]
        words = "\n".join(each.name for each in self._all)
        return look.table(["Name", "Type", "Changed"], lines, label="Environment Variables"), words

    @property
    def _all(self) -> list:  # type: ignore[type-arg]
        return list(self.model.variables)

    def _draw(self) -> None:
        self._list.show(
            [
                (
                    each.name,
                    [
                        look.badge(each.type),
                        look.text(units.ago(each.created_at)),
                        look.text(units.ago(each.updated_at)),
                        look.text(each.edited_by),
                        look.text(", ".join(each.used_by or ())),
                    ],
                )
                for each in self._all
            ]
        )
        self._on_name()
        self.changed()

    def _choose(self, name: str) -> None:
        self._name.value = name

    def _on_name(self) -> None:
        name = self._name.value.strip()
        known = name in {each.name for each in self._all}
        self._save.description = "Change value" if known else "Add"
        self._delete.layout.display = None if known else "none"
        self._list.choose(name)
        self._snippet.value = look.code("{{tb_secret('" + name + "')}}", "In SQL templates:") if known else ""

    def _on_save(self) -> None:
        value = Secret(self._value.value)
        # The value leaves the widget's state at once, whatever becomes of it.
        self._value.value = ""
        self.model.set(self._name.value, value)

    def _on_delete(self) -> None:
        name = self._name.value.strip()
        users = next((each.used_by for each in self._all if each.name == name), None)
        used = f" It is used by {', '.join(users)}, which will fail without it." if users else ""
        self._confirmation.ask(
            f"Delete the variable {name}? Its value is lost.{used}", "Delete it", lambda: self.model.delete(name)
        )
