"""The panel that connects."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.widgets import look
from tinymagic.widgets.models.login import LoginModel
from tinymagic.widgets.panel import Confirmation, Panel, SecretInput, button, field, html, row, toggles
from tinymagic.widgets.scope_words import words_of

if TYPE_CHECKING:
    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.session import Session
    from tinymagic.regions import Region
    from tinymagic.widgets.models.login_facts import LoginFacts

_PLACES = (("Tinybird Cloud", "region"), ("A host", "host"), ("Embedded server", "embedded"))

_HIDDEN = (
    "Leave the field, or press Enter: the token is taken out of it at once and is in no cell, no output and no file of "
    "this notebook."
)


class Login(Panel):
    """Choose a backend, test a token, connect, save the login; start and stop the embedded server.

    Args:
        notebook_session: whose connection it becomes; without one, `workspace` has it.
        model: instead of one of its own, for tests.
    """

    def __init__(self, notebook_session: Session | None = None, *, model: LoginModel | None = None) -> None:
        if model is None and notebook_session is not None:
            model = LoginModel(
                notebook_session.chosen,
                connections=notebook_session,
                on_connect=notebook_session.choose,
                on_disconnect=notebook_session.forget,
            )
        self.model: LoginModel = model or LoginModel()
        self._filling = False
        places, self._place = toggles("Backend", _PLACES)
        self._region = field("Region", ipywidgets.Dropdown(), width="480px")
        self._host = field("Host", ipywidgets.Text(placeholder="https://api.tinybird.co"), width="480px")
        self._server = html()
        self._start = button("Start it", self._on_server, icon="play", tip="Start the embedded server on this machine")
        self._look = button("Look again", self.model.look, icon="refresh", tip="See whether it runs")
        self._embedded = row(self._server, self._start, self._look)
        self._confirmation = Confirmation()
        self._token = field("Token", SecretInput(self.model.take, placeholder="paste it here"), width="480px")
        self._forget = button("Forget it", self.model.forget_token, icon="eraser", tip="Let the token go")
        self._state = html()
        self._mismatch = html()
        self._adopt = button("Use the token's", self.model.use_region_of_token, icon="map-marker")
        self._test = button("Test", self.model.test, icon="check", tip="Ask what the token is; nothing is changed")
        self._connect = button(
            "Connect", self.model.connect, icon="plug", kind="primary", tip="Make it the connection of this session"
        )
        self._facts = html()
        self._profile = field("Profile", ipywidgets.Text(placeholder="default: the Workspace's name"))
        self._save = button(
            "Save as profile", self._on_save, icon="save", tip="Connect, and save the login: it is found by itself then"
        )
        super().__init__(
            self.model,
            "Log in",
            [
                places,
                self._region,
                self._host,
                self._embedded,
                self._confirmation,
                row(self._token, self._forget),
                self._state,
                row(self._mismatch, self._adopt),
                row(self._test, self._connect),
                self._facts,
                html(look.section("Keep it")),
                row(self._profile, self._save),
                html(f'<div class="tm-quiet">{look.text(_where_to())}</div>'),
            ],
        )
        self._place.observe(lambda change: self.model.set_trait("place", change["new"]), "value")
        self._region.observe(self._on_region, "value")
        self._host.observe(lambda change: self.model.set_trait("host", change["new"]), "value")
        self.model.observe(lambda _: self._draw_places(), ["place", "region", "regions", "host", "server"])
        self.model.observe(lambda _: self._draw_token(), ["token", "mismatch"])
        self.model.observe(lambda _: self._draw_facts(), "facts")
        self._draw_places()
        self._draw_token()
        self.model.load()

    @property
    def workspace(self) -> Workspace | None:
        """The Workspace that was connected to; ``None`` before."""
        return self.model.workspace

    def static(self) -> tuple[str, str]:
        """Return what the last test has said; the token is not in it."""
        facts = self.model.facts
        if facts is None:
            sentence = "Run the cell again to log in."
            return look.empty(sentence), sentence
        return _table(facts), "\n".join(f"{name}: {value}" for name, value in _lines(facts))

    def close(self) -> None:
        """Take the panel away, and let the token go."""
        self._token.take()
        super().close()

    def _draw_places(self) -> None:
        model = self.model
        self._place.value = model.place
        options = [("found from the token", ""), *((_label(each), each.key) for each in model.regions)]
        chosen = model.region if model.region in {key for _, key in options} else ""
        if tuple(self._region.options) != tuple(options):
            # New options choose the first of them, which nobody has asked for.
            self._filling = True
            self._region.options = options
            self._filling = False
        self._region.value = chosen
        self._host.value = model.host
        for place, made in (("region", self._region), ("host", self._host), ("embedded", self._embedded)):
            made.layout.display = None if model.place == place else "none"
        server = model.server
        self._token.placeholder = (
            "paste it here" if model.place != "embedded" else "not needed: the server hands its own out"
        )
        self._start.description = "Start it" if server is None else "Stop it ..."
        self._start.icon = "play" if server is None else "stop"
        self._start.tooltip = "Start the embedded server on this machine" if server is None else "Stop this server"
        if server is None:
            self._server.value = look.badge("not running")
        else:
            data = "data in memory" if server.path is None else f"data in {server.path}"
            words = f"{server.host}, process {server.pid}, {data}"
            self._server.value = f'{look.badge("running", "done")} <span class="tm-quiet">{look.text(words)}</span>'
        self.changed()

    def _draw_token(self) -> None:
        model = self.model
        self._state.value = look.note(model.token, "done") if model.token else _quiet(_HIDDEN)
        self._forget.layout.display = None if model.token else "none"
        self._mismatch.value = look.note(model.mismatch, "error")
        self._adopt.layout.display = None if model.mismatch else "none"
        self.changed()

    def _draw_facts(self) -> None:
        facts = self.model.facts
        self._facts.value = "" if facts is None else _table(facts)
        self.changed()

    def _on_region(self, change: dict) -> None:  # type: ignore[type-arg]
        if not self._filling:
            self.model.set_trait("region", change["new"] or "")

    def _on_server(self) -> None:
        server = self.model.server
        if server is None:
            self.model.start_server()
            return
        lost = "What it has in memory is lost." if server.path is None else f"Its data stay in {server.path}."
        self._confirmation.ask(
            f"Stop the embedded server on {server.host}? Whoever uses it has to start it again. {lost}",
            "Stop it",
            self.model.stop_server,
        )

    def _on_save(self) -> None:
        self.model.save(self._profile.value)


def _where_to() -> str:
    if find_spec("keyring") is not None:
        return "The token goes to the system's credential store where there is one, else to a file only you can read."
    return (
        "The token goes to a file that only you can read; with the package keyring, to the system's credential store."
    )


def _quiet(sentence: str) -> str:
    return f'<div class="tm-quiet">{look.text(sentence)}</div>'


def _label(region: Region) -> str:
    provider = {"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}.get(region.provider, region.provider)
    return f"{provider}: {region.name}, {region.provider_region}"


def _lines(facts: LoginFacts) -> list[tuple[str, str]]:
    if facts.scopes is None:
        may = "The service tells this only to tokens that may list tokens."
    else:
        may = "; ".join(words_of(scope) for scope in facts.scopes) or "nothing"
    place = f" ({facts.place})" if facts.place else ""
    found = [
        ("Workspace", facts.name),
        ("User", facts.user),
        ("Backend", facts.backend),
        ("Host", facts.host + place),
        ("Token", facts.token),
        ("It may", may),
    ]
    return [(name, value) for name, value in found if value]


def _table(facts: LoginFacts) -> str:
    lines = [[f'<span class="tm-quiet">{look.text(name)}</span>', look.text(value)] for name, value in _lines(facts)]
    if facts.scopes:
        badges = " ".join(look.badge(scope, "warning" if facts.is_admin else "") for scope in facts.scopes)
        lines.append(['<span class="tm-quiet">Scopes</span>', badges])
    return look.table(["", ""], lines, label="What the token is")
