"""Environment Variables, ``/v0/variables``: secrets for templates, which nobody gets back (``variables.md``)."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from tinymagic.api.errors import ApiError, InvalidInput, NotFound
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.failures import failure_of
from tinymagic.api.http.limits import check_variable
from tinymagic.api.http.redaction import Secret
from tinymagic.api.http.request import FORM_TYPE, Request
from tinymagic.api.parameters import checked_unicode
from tinymagic.api.reading import frozen, mappings, moment, names, text
from tinymagic.api.resource import Resource, path
from tinymagic.names import NAME_RE, valid_name

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tinymagic.api.http.retries import Effect
    from tinymagic.api.http.transport import Transport

#: Requests that the service takes in a second. The window is a little longer than a second: requests that leave in
#: order need not arrive as far from each other.
_REQUESTS, _WINDOW_S = 5, 1.05

#: A shorter wait for a turn is told to nobody.
_WORTH_TELLING_S = 0.1

#: Shorter values are no secrets: taking "a" out of a sentence would leave a riddle.
_SHORTEST_SECRET = 4


@dataclass(frozen=True)
class Variable:
    """An Environment Variable, without its value: the service gives that to nobody.

    Attributes:
        name: in templates ``{{tb_secret('name')}}``.
        type: ``secret``.
        created_at: aware, UTC.
        updated_at: of its last value.
        edited_by: who did that, for instance ``token: 'admin token'``.
        used_by: names of the Pipes, Data Sources and connections that use it; ``None`` when the service does not tell.
        raw: the whole description.
    """

    name: str
    type: str = "secret"
    created_at: datetime | None = None
    updated_at: datetime | None = None
    edited_by: str = ""
    used_by: tuple[str, ...] | None = None
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Variable:
        """Read a variable of a reply.

        Example:
            >>> Variable.of({"name": "password", "created_at": "2024-06-21T10:27:57"}).created_at.year
            2024
        """
        used = reply.get("used_by")
        return cls(
            name=text(reply.get("name")),
            type=text(reply.get("type")) or "secret",
            created_at=moment(reply.get("created_at")),
            updated_at=moment(reply.get("updated_at")),
            edited_by=text(reply.get("edited_by")),
            used_by=names(used) if isinstance(used, list) else None,
            raw=frozen({key: value for key, value in reply.items() if key != "value"}),
        )


class Variables(Resource):
    """``workspace.variables``: set and delete secrets. Needs an administrator's token.

    The service takes 5 requests in a second: further ones wait for their turn, which ``on_wait`` is told. A
    *cancellation* that is given to a call ends its wait, and its request, from another thread.

    Args:
        transport: sends what is asked.
        requests_per_s: how many requests the service takes in a second.
    """

    def __init__(self, transport: Transport, *, requests_per_s: int = _REQUESTS) -> None:
        super().__init__(transport)
        self._most = requests_per_s
        self._sent: deque[float] = deque(maxlen=requests_per_s)
        self._turn = threading.Lock()

    def list(self, *, cancellation: Cancellation | None = None) -> builtins.list[Variable]:
        """Return the variables of the Workspace."""
        reply = self._asked("GET", "/v0/variables", cancellation=cancellation)
        return [Variable.of(each) for each in mappings(reply.get("variables"))]

    def get(self, name: str, *, cancellation: Cancellation | None = None) -> Variable:
        """Return what is known of one; not its value.

        Raises:
            NotFound: there is none.
        """
        return Variable.of(self._asked("GET", _path(name), cancellation=cancellation))

    def set(self, name: str, value: str | Secret, *, cancellation: Cancellation | None = None) -> Variable:
        """Give a variable a value, whether there is one of this name or not.

        Raises:
            InvalidInput: the name or the value cannot be used; nothing was sent.
            Forbidden: the token is no administrator's, or the Workspace has as many as it may (100).
        """
        value = _hidden(value)
        value = _checked(name, value)
        try:
            self.get(name, cancellation=cancellation)
        except NotFound:
            return self.create(name, value, cancellation=cancellation)
        return self.update(name, value, cancellation=cancellation)

    def create(self, name: str, value: str | Secret, *, cancellation: Cancellation | None = None) -> Variable:
        """Add a variable.

        Args:
            name: letters, digits and underscores, not beginning with a digit.
            value: text of at most 8 KB.
            cancellation: ends the call from another thread.

        Raises:
            InvalidInput: the name or the value cannot be used; nothing was sent.
            BadRequest: the name is taken.
            Forbidden: the token is no administrator's, or the Workspace has as many as it may (100).
        """
        value = _hidden(value)
        value = _checked(name, value)
        return Variable.of(self._asked("POST", "/v0/variables", {"name": name}, value, cancellation=cancellation))

    def update(self, name: str, value: str | Secret, *, cancellation: Cancellation | None = None) -> Variable:
        """Give a variable another value.

        Raises:
            InvalidInput: the value cannot be used; nothing was sent.
            NotFound: there is none.
        """
        value = _hidden(value)
        value = _checked(name, value)
        return Variable.of(self._asked("PUT", _path(name), {}, value, effect="idempotent", cancellation=cancellation))

    def delete(self, name: str, *, cancellation: Cancellation | None = None) -> None:
        """Delete one; what uses it fails from now on.

        Raises:
            NotFound: there is none.
        """
        self._asked("DELETE", _path(name), effect="idempotent", cancellation=cancellation)

    def used_by(self, name: str) -> builtins.list[str]:
        """Return the names of what uses a variable.

        The embedded server says it. Other services do not: then it is what has ``tb_secret('name')`` or
        ``tb_var('name')`` in the SQL of its nodes (Pipes) or in what the service tells about it (Data Sources);
        connections that use it are not found.

        Raises:
            NotFound: there is none.
        """
        found = self.get(name)
        if found.used_by is not None:
            return [*found.used_by]
        use = re.compile(rf"""\btb_(?:secret|var)\s*\(\s*(["']){re.escape(name)}\1""")
        pipes = mappings(self._get("/v0/pipes", {"attrs": "name,nodes", "node_attrs": "name,sql"}).get("pipes"))
        users = [
            text(pipe.get("name"))
            for pipe in pipes
            if any(use.search(text(node.get("sql"))) for node in mappings(pipe.get("nodes")))
        ]
        for source in mappings(self._get("/v0/datasources").get("datasources")):
            if any(map(use.search, _texts_in(source))):
                users.append(text(source.get("name")))
        return users

    def _asked(
        self,
        method: str,
        address: str,
        form: Mapping[str, str] | None = None,
        value: Secret | None = None,
        *,
        effect: Effect = "write",
        cancellation: Cancellation | None = None,
    ) -> Mapping[str, Any]:
        body = None if form is None or value is None else _Body(form, value)
        content_type = None if body is None else FORM_TYPE
        effect = "read" if method == "GET" else effect
        request = Request(method, address, body=body, content_type=content_type, effect=effect)
        redact = _hiding(self._transport, value)
        self._wait_for_turn(cancellation)
        try:
            return self._ask(
                request, failure=lambda reply: failure_of(reply, redact=redact), cancellation=cancellation
            ).json_object()
        except ApiError as error:
            # The service, or a proxy on the way, may have repeated what was sent.
            if error.answer is not None:
                headers = {name: redact(said) for name, said in error.answer.headers.items()}
                error.answer = replace(error.answer, headers=headers, body=redact(error.answer.body))
            raise

    def _wait_for_turn(self, cancellation: Cancellation | None) -> None:
        with self._turn:
            now = time.monotonic()
            turn = max(now, self._sent[0] + _WINDOW_S) if len(self._sent) == self._most else now
            self._sent.append(turn)
        wait = turn - now
        if self._transport.on_wait is not None and wait >= _WORTH_TELLING_S:
            self._transport.on_wait(wait, f"variables take {self._most} requests in a second")
        (cancellation or Cancellation()).wait(wait)


class _Body:
    """A form with a secret value, which is put together when it is sent."""

    def __init__(self, form: Mapping[str, str], value: Secret) -> None:
        self._form = form
        self._value = value

    def __call__(self) -> bytes:
        return urlencode({**self._form, "value": self._value.reveal()}).encode()


def _hiding(transport: Transport, value: Secret | None) -> Callable[[str], str]:
    """Return what takes the token out of a text, and the value, as it is and as it was in the form."""
    if value is None or len(value.reveal()) < _SHORTEST_SECRET:
        return transport.redact
    in_forms = Secret(quote_plus(value.reveal()))
    return lambda said: in_forms.redact(value.redact(transport.redact(said)))


def _texts_in(value: Any) -> Iterator[str]:
    """Give all texts in a reply, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(each)


def _path(name: str) -> str:
    return path("/v0/variables/", name)


def _hidden(value: str | Secret) -> Secret:
    """Return the value as a secret: from then on no frame of a traceback of ours holds it in clear."""
    return Secret(value) if isinstance(value, str) else value


def _checked(name: str, value: Secret) -> Secret:
    """Return the value when both can be used."""
    if not NAME_RE.fullmatch(name):
        hint = f", for instance {valid_name(name)!r}" if name else ""
        raise InvalidInput(
            f"{name[:100]!r} is no name for a variable: use letters, digits and underscores, not beginning with a "
            f"digit{hint}. Nothing was sent."
        )
    if not isinstance(value, Secret):
        raise InvalidInput(f"The value of the variable {name!r} must be a text. Nothing was sent.")
    if not value:
        raise InvalidInput(f"The value of the variable {name!r} is empty, which no service takes. Nothing was sent.")
    check_variable(name, value.reveal())
    checked_unicode(value.reveal(), f"The value of the variable {name!r}")
    return value
