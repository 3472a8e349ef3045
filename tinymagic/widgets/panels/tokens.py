"""The panel of tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.api.scopes import JWT_SCOPES, RESOURCE_SCOPES, SCOPES, Scope
from tinymagic.widgets import look
from tinymagic.widgets.models.tokens import TokensModel
from tinymagic.widgets.panel import Confirmation, Panel, button, field, html, row, toggles
from tinymagic.widgets.row_list import RowList
from tinymagic.widgets.scope_words import all_words, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.tokens import Token
    from tinymagic.api.workspace import Workspace

_HEADS = ["It may", "Description", ""]
_KINDS = (("Static token", "static"), ("JWT", "jwt"))
_TIMES = (("minutes", "m"), ("hours", "h"), ("days", "d"))

_ABOUT = {
    "static": "A static token works until somebody refreshes or deletes it.",
    "jwt": "A JWT ends by itself and is stored nowhere: right for a web page or an app that calls your endpoints.",
}

_FILTERED = ("DATASOURCES:READ", "PIPES:READ")


class Tokens(Panel):
    """See who may do what; make, refresh and delete tokens.

    Args:
        workspace: whose tokens they are.
        on_connect: gets the Workspace with the new token when the token in use was refreshed.
        model: instead of one of its own, for tests.
    """

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        on_connect: Callable[[Workspace], object] | None = None,
        model: TokensModel | None = None,
    ) -> None:
        self.model: TokensModel = model or TokensModel(workspace, on_connect=on_connect)
        self._chosen = ""
        self._list = RowList(["Name", *_HEADS], self._on_choose, what="tokens")
        self._details = html()
        self._show = button("Show once", self._on_show, icon="eye", tip="Show the chosen token for a short time")
        self._refresh = button(
            "Refresh ...", self._on_refresh, icon="refresh", kind="warning", tip="Give it a new text"
        )
        self._delete = button("Delete ...", self._on_delete, icon="trash", kind="danger", tip="End the chosen token")
        self._confirmation = Confirmation()
        self._value = html()
        self._show_made = button("Show once", self._on_show_made, icon="eye", tip="Show the new token for a short time")
        self._hide = button("Hide it now", self.model.hide, icon="eye-slash", tip="Take the token out of the panel")
        kinds, self._kind = toggles("Kind", _KINDS)
        self._about = html()
        self._name = field("Name", ipywidgets.Text(placeholder="reader_of_the_dashboard"))
        self._description = field("Description", ipywidgets.Text(placeholder="who uses it, what for"), width="480px")
        self._lasts = field("Ends after", ipywidgets.BoundedIntText(value=1, min=1, max=10_000), width="200px")
        self._unit = ipywidgets.Dropdown(options=_TIMES, value="h")
        self._unit.layout.width = "110px"
        self._unit.tooltip = "Unit of the time after which it ends"
        self._rps = field("Requests / s", ipywidgets.BoundedIntText(value=0, min=0, max=1_000_000), width="200px")
        self._fixed = field("Fixed params", ipywidgets.Textarea(placeholder='{"country": "ES"}', rows=2), width="480px")
        self._scope = field("Scope", ipywidgets.Dropdown(options=SCOPES, value="PIPES:READ"), width="320px")
        self._resource = field("of", ipywidgets.Combobox(placeholder="name", ensure_option=False), width="320px")
        self._resource.style.description_width = "24px"
        self._filter = field("only rows where", ipywidgets.Text(placeholder="country = 'ES'"), width="480px")
        self._add = button("Add scope", self._on_add, icon="plus", tip="Add this scope to the token")
        self._meaning = html()
        self._scopes = ipywidgets.VBox()
        self._create = button("Create", self._on_create, icon="check", kind="primary", tip="Make the token")
        self._of_static = row(self._description)
        self._of_jwt = ipywidgets.VBox(
            [row(self._lasts, self._unit, self._rps, _quiet("0: no limit")), row(self._fixed, _quiet(_FIXED))]
        )
        reload_ = button("Reload", self.model.load, icon="refresh", tip="Fetch the list again")
        super().__init__(
            self.model,
            "Tokens",
            [
                row(reload_),
                self._list,
                self._details,
                row(self._show, self._refresh, self._delete),
                self._confirmation,
                self._value,
                row(self._show_made, self._hide),
                html(look.section("New token")),
                kinds,
                self._about,
                self._name,
                self._of_static,
                self._of_jwt,
                row(self._scope, self._resource),
                row(self._filter, self._add),
                self._meaning,
                self._scopes,
                row(self._create),
                _quiet(_EXPLAINED.format(seconds=f"{self.model.shown_s:g}")),
            ],
        )
        self._kind.observe(lambda _: self._draw_kind(), "value")
        self._scope.observe(lambda _: self._draw_builder(), "value")
        for made in (self._resource, self._filter):
            made.observe(lambda _: self._draw_meaning(), "value")
        self.model.observe(lambda _: self._draw(), ["tokens", "in_use"])
        self.model.observe(lambda _: self._draw_builder(), ["datasources", "pipes"])
        self.model.observe(lambda _: self._draw_scopes(), "scopes")
        self.model.observe(lambda _: self._draw_value(), ["showing", "made"])
        self._draw()
        self._draw_kind()
        self._draw_scopes()
        self._draw_value()
        self.model.load()

    def static(self) -> tuple[str, str]:
        """Return the table of tokens; no token itself is in it, whatever the panel shows."""
        lines = [[look.text(each.name), *self._cells(each, most=20)] for each in self._all]
        words = "\n".join(f"{each.name}: {', '.join(map(str, each.scopes)) or 'no scopes'}" for each in self._all)
        return look.table(["Name", *_HEADS], lines, label="Tokens"), words

    # What is to be seen

    @property
    def _all(self) -> list[Token]:
        return list(self.model.tokens)

    def _cells(self, token: Token, *, most: int = 2) -> list[str]:
        here = look.badge("in use here", "done") if token.id and token.id == self.model.in_use else ""
        admin = look.badge("admin", "warning") if token.is_admin else ""
        return [
            look.text(all_words(token.scopes, most=most), most=40 * most),
            look.text(token.description, most=20 * most),
            f"{admin} {here}".strip(),
        ]

    def _draw(self) -> None:
        self._list.show([(each.name, self._cells(each)) for each in self._all])
        self._draw_chosen()
        self.changed()

    def _draw_chosen(self) -> None:
        token = self.model.find(self._chosen)
        self._details.value = "" if token is None else _details(token)
        for made in (self._show, self._refresh, self._delete):
            made.layout.display = None if token is not None else "none"
        self._list.choose("" if token is None else token.name)

    def _draw_value(self) -> None:
        model = self.model
        shown, value = model.showing, model.value
        self._value.value = _shown(shown, value.reveal(), model.shown_s) if shown and value else ""
        self._hide.layout.display = None if shown else "none"
        self._show_made.description = f"Show {model.made[:40]} once" if model.made else ""
        self._show_made.layout.display = None if model.made and not shown else "none"

    def _draw_kind(self) -> None:
        kind = self._kind.value
        self._about.value = f'<div class="tm-quiet">{look.text(_ABOUT[kind])}</div>'
        self._of_static.layout.display = None if kind == "static" else "none"
        self._of_jwt.layout.display = None if kind == "jwt" else "none"
        allowed = SCOPES if kind == "static" else JWT_SCOPES
        kept = self._scope.value
        self._scope.options = allowed
        self._scope.value = kept if kept in allowed else "PIPES:READ"
        self._create.description = "Create token" if kind == "static" else "Create JWT"
        self._draw_builder()

    def _draw_builder(self) -> None:
        kind = self._scope.value
        self._resource.layout.display = None if kind in RESOURCE_SCOPES else "none"
        self._filter.layout.display = None if kind in _FILTERED else "none"
        names = self.model.pipes if (kind or "").startswith("PIPES") else self.model.datasources
        self._resource.options = tuple(names)
        self._draw_meaning()

    def _draw_meaning(self) -> None:
        scope = self._built()
        words = words_of(Scope(scope.type, scope.resource or "NAME", scope.filter))
        self._meaning.value = f'<div class="tm-quiet">It may then {look.text(words)}.</div>'

    def _draw_scopes(self) -> None:
        for line in self._scopes.children:
            for made in (*getattr(line, "children", ()), line):
                made.close()
        rows = []
        for place, scope in enumerate(self.model.scopes):
            away = button("", partial(self.model.remove_scope, place), icon="times", tip=f"Take {scope} away")
            rows.append(row(away, html(f"{look.badge(scope)} {look.text(words_of(scope))}")))
        self._scopes.children = rows or [html(look.empty("No scope yet: choose one above, then Add scope."))]

    # What is done

    def _on_choose(self, name: str) -> None:
        self.model.hide()
        self._confirmation.hide()
        self._chosen = name
        self._draw_chosen()

    def _built(self) -> Scope:
        kind = self._scope.value or ""
        resource = self._resource.value.strip() if kind in RESOURCE_SCOPES else ""
        return Scope(kind, resource, self._filter.value.strip() if kind in _FILTERED else "")

    def _on_add(self) -> None:
        scope = self._built()
        self.model.add_scope(scope.type, scope.resource, scope.filter)
        if self.model.message_kind != "error":
            self._resource.value = self._filter.value = ""

    def _on_create(self) -> None:
        self._confirmation.hide()
        if self._kind.value == "static":
            self.model.create(self._name.value, self._description.value)
        else:
            self.model.create_jwt(
                self._name.value,
                lasts=self._lasts.value,
                unit=self._unit.value,
                fixed=self._fixed.value,
                rps=self._rps.value,
            )

    def _on_show(self) -> None:
        self._confirmation.hide()
        self.model.show(self._chosen)

    def _on_show_made(self) -> None:
        self._confirmation.hide()
        self.model.show_made()

    def _on_refresh(self) -> None:
        self._ask(
            "Refresh", "It gets a new text, and whoever has the old one has no access any more", self.model.refresh
        )

    def _on_delete(self) -> None:
        self._ask("Delete", "Whoever uses it has no access any more", self.model.delete)

    def _ask(self, verb: str, lost: str, then: Callable[[str], object]) -> None:
        self.model.hide()
        name, token = self._chosen, self.model.find(self._chosen)
        here = ""
        if token is not None and token.id == self.model.in_use:
            here = " This notebook uses it." if verb == "Refresh" else " This notebook uses it, and is cut off then."
        self._confirmation.ask(f"{verb} the token {name}? {lost}.{here}", f"{verb} it", lambda: then(name))


_FIXED = "Values of parameters that callers of the Pipes cannot change, as JSON."

_EXPLAINED = (
    "Tokens stay hidden until Show once. Then one stands in the panel for {seconds} seconds, or until the next action. "
    "What a saved notebook shows of the panel is without it, but the state of widgets, which Jupyter can save too, has "
    "it while it is there. %tinybird token create ... --to VARIABLE_NAME keeps a token hidden in a variable."
)


def _quiet(sentence: str) -> ipywidgets.HTML:
    return html(f'<div class="tm-quiet">{look.text(sentence, most=600)}</div>')


def _shown(name: str, token: str, seconds: float) -> str:
    hint = f"One click selects all of it, then Ctrl+C or Cmd+C copies. It goes after {seconds:g} seconds."
    # A token that is cut would be of no use.
    code = f'<div><span class="tm-code">{look.text(token, most=len(token))}</span></div>'
    return f'<div>{look.text(name)}:</div>{code}<div class="tm-quiet">{look.text(hint)}</div>'


def _details(token: Token) -> str:
    lines = [[look.badge(scope), look.text(words_of(scope))] for scope in token.scopes]
    table = look.table(["Scope", "It may"], lines, label="Scopes") if lines else look.empty("It may do nothing.")
    about = f"<div>{look.text(token.description)}</div>" if token.description else ""
    return look.section(f"The token {token.name}") + about + table
