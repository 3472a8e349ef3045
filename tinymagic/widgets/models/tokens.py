"""The tokens of a Workspace. A token itself is a `Secret` outside of all traits, and only while it is asked for."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from traitlets import List, Unicode

from tinymagic.api.http.redaction import Secret
from tinymagic.api.scopes import JWT_SCOPES, RESOURCE_SCOPES, Scope
from tinymagic.errors import ApiError, InvalidInput
from tinymagic.widgets.models.panel_model import PanelModel, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.jwt import Jwt
    from tinymagic.api.tokens import Token
    from tinymagic.api.workspace import Workspace
    from tinymagic.widgets.work import Work

#: Seconds for which a token can be seen.
SHOWN_S = 30.0

#: Seconds of each unit of ``--ttl``.
UNITS = {"m": 60, "h": 3_600, "d": 86_400}

_NO_NAME = "Give the token a name: people know it by that."


class TokensModel(PanelModel):
    """Lists, makes, refreshes, deletes tokens, and shows one for a short time.

    Args:
        workspace: whose they are.
        on_connect: gets the Workspace with the new token when the token in use was refreshed.
        work: does what takes time.
        shown_s: seconds for which a token can be seen.

    Attributes:
        tokens: the static ones, sorted by name, **without** the tokens themselves.
        in_use: id of the one that this notebook uses; empty for another kind.
        datasources: names, for scopes.
        pipes: names, for scopes.
        scopes: those that the next token gets.
        showing: name of the token that can be seen now; empty when none can.
        made: name of the token that was made or refreshed last, which `show_made` shows; empty when there is none.
    """

    tokens: List[Any] = List()
    in_use = Unicode("")
    datasources: List[Any] = List()
    pipes: List[Any] = List()
    scopes: List[Any] = List()
    showing = Unicode("")
    made = Unicode("")

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        on_connect: Callable[[Workspace], object] | None = None,
        work: Work | None = None,
        shown_s: float = SHOWN_S,
    ) -> None:
        super().__init__(workspace, work=work)
        self.shown_s = shown_s
        self._on_connect = on_connect
        self._fresh = Secret("")
        self._fresh_id = ""
        self._shown = Secret("")
        self._clock: threading.Timer | None = None

    def load(self) -> None:
        """Fetch the list, and the names that scopes can be about."""
        self._leave()
        self.run(_seen, then=self._show_list, line="%tinybird token ls")

    def close(self) -> None:
        """End everything, and let all tokens go."""
        self.hide()
        self._fresh = Secret("")
        super().close()

    def find(self, name: str) -> Token | None:
        """Return one of the list."""
        return next((each for each in self.tokens if each.name == name), None)

    # Scopes of the next token

    def add_scope(self, kind: str, resource: str = "", condition: str = "") -> None:
        """Add a scope to those of the next token; one that cannot be is told, and not added.

        Args:
            kind: for instance ``PIPES:READ``.
            resource: name of a Data Source or Pipe, for the kinds that are about one.
            condition: SQL that rows must meet.
        """
        self._leave()
        about = kind in RESOURCE_SCOPES
        scope = Scope(kind, resource.strip() if about else "", condition.strip() if about else "")
        try:
            scope.check()
        except InvalidInput as error:
            self.say(str(error), "error")
            return
        if scope not in self.scopes:
            self.scopes = [*self.scopes, scope]
        self.say("")

    def remove_scope(self, place: int) -> None:
        """Take a scope away, the first is 0."""
        self.scopes = [each for number, each in enumerate(self.scopes) if number != place]

    # Making

    def create(self, name: str, description: str = "") -> None:
        """Make a static token with the scopes."""
        self._leave()
        name = name.strip()
        if not name:
            self.say(_NO_NAME, "error")
            return
        if not self.scopes:
            self.say("Add a scope first: without one the token may do nothing.", "error")
            return
        scopes = tuple(self.scopes)

        def task(workspace: Workspace, cancellation: Cancellation) -> Any:
            made = workspace.tokens.create(name, scopes, description=description.strip() or None)
            return made, _seen(workspace, cancellation)

        def then(found: Any) -> None:
            made, seen = found
            self._show_list(seen)
            self._keep(made.name, made.token, made.id)
            self.scopes = []
            self.say(f"The token {made.name} was made. It is hidden: Show once shows it.", "done")

        words = [f"%tinybird token create static {quoted(name)}", *_flags(scopes)]
        if description.strip():
            words.append(f"--description {quoted(description.strip())}")
        self.run(task, then=then, line=" ".join(words))

    def create_jwt(self, name: str, *, lasts: int, unit: str, fixed: str = "", rps: int = 0) -> None:
        """Make a JWT with the scopes; it is stored nowhere, so it is kept here until the panel goes or makes another.

        Args:
            name: label, need not be unique.
            lasts: how many *unit*.
            unit: ``m``, ``h`` or ``d``.
            fixed: JSON object of parameters that callers cannot change, for all scopes ``PIPES:READ``; or empty.
            rps: requests a second; 0 for no limit.
        """
        self._leave()
        name = name.strip()
        try:
            if not name:
                raise InvalidInput(_NO_NAME)
            scopes = _jwt_scopes(self.scopes, _fixed(fixed))
        except InvalidInput as error:
            self.say(str(error), "error")
            return

        def task(workspace: Workspace, _: Cancellation) -> Jwt:
            return workspace.tokens.create_jwt(name, scopes, lifetime=lasts * UNITS[unit], rps=rps or None)

        def then(made: Jwt) -> None:
            self._keep(made.name, made.token)
            self.scopes = []
            self.say(
                f"The JWT {made.name} was made; it ends {made.expires_at:%Y-%m-%d %H:%M} UTC. It is stored nowhere: "
                "Show once shows it, as long as this panel makes no other token.",
                "done",
            )

        self.line = _jwt_line(name, scopes, f"{lasts}{unit}", rps)
        self.run(task, then=then)

    # Changing

    def refresh(self, name: str) -> None:
        """Give a token a new text; when it is the one in use, go on with the new one."""
        self._leave()
        token = self.find(name)
        if token is None:
            self.say(f"There is no token {name}. Reload the list.", "error")
            return

        def task(workspace: Workspace, cancellation: Cancellation) -> Any:
            in_use = workspace.tokens.in_use(token)
            fresh = workspace.tokens.refresh(token)
            if in_use:
                workspace = workspace.with_token(fresh.token.reveal(), source="the panel of tokens")
                self.workspace = workspace
                if self._on_connect is not None:
                    self._on_connect(workspace)
            return fresh, in_use, _seen(workspace, cancellation)

        def then(found: Any) -> None:
            fresh, in_use, seen = found
            self._show_list(seen)
            self._keep(fresh.name, fresh.token, fresh.id)
            more = ""
            if in_use:
                here = "This panel" if self._on_connect is None else "This notebook"
                more = f" {here} goes on with it; saved logins and other programs that have the old one do not."
            self.say(f"The token {fresh.name} has a new text, and the old one has stopped working.{more}", "done")

        self.run(task, then=then, line=f"%tinybird token refresh {quoted(name)} --yes")

    def delete(self, name: str) -> None:
        """End a token."""
        self._leave()
        token = self.find(name)
        if token is None:
            self.say(f"There is no token {name}. Reload the list.", "error")
            return

        def task(workspace: Workspace, cancellation: Cancellation) -> Any:
            in_use = workspace.tokens.in_use(token)
            workspace.tokens.delete(token)
            return None if in_use else _seen(workspace, cancellation)

        def then(seen: Any) -> None:
            if self._fresh_id and self._fresh_id == token.id:
                self._keep("", Secret(""))
            if seen is None:
                self.tokens = [each for each in self.tokens if each.name != name]
                self.say(f"The token {name} was deleted, and this notebook with it cut off: log in again.", "warning")
                return
            self._show_list(seen)
            self.say(f"The token {name} was deleted.", "done")

        self.run(task, then=then, line=f"%tinybird token rm {quoted(name)} --yes")

    # Showing

    @property
    def value(self) -> Secret:
        """The token that can be seen now; empty when none can."""
        return self._shown

    @property
    def fresh(self) -> Secret:
        """The token that was made or refreshed last, hidden; ``.reveal()`` gives it."""
        return self._fresh

    def show(self, name: str) -> None:
        """Let a token be seen for `shown_s` seconds, or until the next action."""
        self._leave()
        token = self.find(name)
        if token is None:
            self.say("Choose a token in the list first.", "error")
            return
        self.run(
            lambda workspace, _: workspace.tokens.get(token).token,
            then=lambda value: self._begin_showing(name, value),
            line=f"%tinybird token show {quoted(name)} --show",
        )

    def show_made(self) -> None:
        """Let the token be seen that was made or refreshed last; the only way to see a JWT."""
        self._leave()
        if self._fresh:
            self._begin_showing(self.made, self._fresh)

    def hide(self) -> None:
        """Let nothing be seen any more."""
        clock, self._clock = self._clock, None
        if clock is not None:
            clock.cancel()
        self._shown = Secret("")
        self.showing = ""

    def _begin_showing(self, name: str, value: Secret) -> None:
        if not value:
            self.say(f"The token in use may not see the token {name}.", "error")
            return
        self._shown = value
        self.showing = name
        clock = threading.Timer(self.shown_s, lambda: self._time_is_over(clock))
        clock.name, clock.daemon = "tinymagic panel", True
        self._clock = clock
        clock.start()

    def _time_is_over(self, clock: threading.Timer) -> None:
        # One that was stopped too late must not end what another one has begun.
        if self._clock is clock:
            self.hide()

    def _leave(self) -> None:
        """Begin another action: what can be seen goes."""
        self.hide()
        self.say("")

    def _keep(self, name: str, token: Secret, token_id: str = "") -> None:
        self._fresh, self._fresh_id = token, token_id
        self.made = name if token else ""

    def _show_list(self, seen: tuple[Sequence[Token], str, list[str], list[str]]) -> None:
        tokens, self.in_use, self.datasources, self.pipes = seen
        self.tokens = sorted(tokens, key=lambda each: each.name.lower())


def _seen(workspace: Workspace, _: Cancellation) -> tuple[list[Token], str, list[str], list[str]]:
    """Ask for the tokens, which of them is in use, and the names for scopes. The tokens themselves stay here."""
    found = workspace.tokens.list()
    in_use = next((each.id for each in found if workspace.tokens.in_use(each)), "")
    bare = [replace(each, token=Secret("")) for each in found]
    sources = _names(lambda: [each.name for each in workspace.datasources.list()])
    return bare, in_use, sources, _names(lambda: [each.name for each in workspace.pipes.list()])


def _names(ask: Callable[[], list[str]]) -> list[str]:
    # Who may make tokens may not see everything; a name can be written too.
    try:
        return sorted(ask(), key=str.lower)
    except ApiError:
        return []


def _fixed(text: str) -> Mapping[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f'The fixed parameters are not JSON ({error}). Write for instance {{"country": "ES"}}.'
        ) from None
    if not isinstance(found, dict):
        raise InvalidInput('The fixed parameters are an object of names and values, for instance {"country": "ES"}.')
    return found


def _jwt_scopes(scopes: Sequence[Scope], fixed: Mapping[str, Any]) -> tuple[Scope, ...]:
    if not scopes:
        raise InvalidInput("Add a scope first, for instance PIPES:READ of a Pipe.")
    if fixed and not any(each.type == "PIPES:READ" for each in scopes):
        raise InvalidInput("Fixed parameters are those of Pipes: add the scope PIPES:READ.")
    made = tuple(replace(each, fixed_params=fixed) if each.type == "PIPES:READ" else each for each in scopes)
    for each in made:
        each.check()
        if each.type not in JWT_SCOPES:
            raise InvalidInput(f"A JWT cannot have the scope {each.type}; it can have {', '.join(JWT_SCOPES)}.")
    return made


def _flags(scopes: Sequence[Scope]) -> list[str]:
    return [f"--scope {quoted(scope)}" for scope in scopes]


def _jwt_line(name: str, scopes: Sequence[Scope], lasts: str, rps: int) -> str:
    """Return the command; empty for a fixed parameter that a line would take for a variable."""
    fixed = next((scope.fixed_params for scope in scopes if scope.fixed_params), {})
    # A line knows texts only; parameters of an endpoint travel as texts anyway.
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fixed.items()}
    if any(text.startswith("$") for text in texts.values()):
        return ""
    words = [f"%tinybird token create jwt {quoted(name)}", *_flags(scopes)]
    words += [f"--fixed {quoted(f'{key}={text}')}" for key, text in texts.items()]
    return " ".join([*words, f"--ttl {lasts}", *[f"--rps {rps}"] * bool(rps), "--to my_token"])
