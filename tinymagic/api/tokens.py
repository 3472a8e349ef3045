"""Tokens, ``/v0/tokens``: who may do what in the Workspace (``tokens.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import BadReply, InvalidInput
from tinymagic.api.http.redaction import Secret
from tinymagic.api.jwt import Jwt, check_jwt, ends_at, moment_of, sign_jwt
from tinymagic.api.own_token import OwnToken
from tinymagic.api.reading import frozen, mapping, mappings, text
from tinymagic.api.resource import Resource, path
from tinymagic.api.scopes import Scope, read_jwt_scopes, read_scopes

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from tinymagic.api.http.retries import Effect

__all__ = ["Jwt", "Scope", "Token", "Tokens", "without_tokens"]

#: Name of the token that signs JWTs, in every Workspace.
_SIGNER = "workspace admin token"


@dataclass(frozen=True)
class Token:
    """A static token as the service described it. What it does not say is empty.

    Attributes:
        id: uuid.
        name: by which people call it.
        description: Markdown.
        scopes: what it may do.
        token: the token, which does not show itself; ``.reveal()`` gives it. Empty when the token that asked may not
            see it.
        origin: ``C`` for one that somebody made, ``P`` for one out of a Pipe's datafile, or what the service says.
        raw: the whole description but the token.
    """

    id: str
    name: str
    description: str = ""
    scopes: tuple[Scope, ...] = ()
    token: Secret = field(default_factory=lambda: Secret(""), compare=False)
    origin: str = ""
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Token:
        """Read a token of a reply.

        Example:
            >>> Token.of({"name": "reader", "token": "p.a.b"})
            Token(id='', name='reader', description='', scopes=(), token=[hidden], origin='')
        """
        origin = reply.get("origin")
        return cls(
            id=text(reply.get("id")),
            name=text(reply.get("name")),
            description=text(reply.get("description")),
            scopes=tuple(Scope.of(each) for each in mappings(reply.get("scopes"))),
            token=Secret(text(reply.get("token"))),
            origin=text(mapping(origin).get("type") if isinstance(origin, Mapping) else origin),
            raw=frozen(without_tokens(reply)),
        )

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything in the Workspace."""
        return any(scope.type in ("ADMIN", "ADMIN_USER") for scope in self.scopes)


class Tokens(Resource):
    """``workspace.tokens``: make, change and end tokens. The Workspace's own token needs ``TOKENS`` or ``ADMIN``.

    A token is named by its name, its id, the token itself, or a `Token`.
    """

    def list(self) -> builtins.list[Token]:
        """Return the static tokens of the Workspace; JWTs are stored nowhere."""
        return [Token.of(each) for each in mappings(self._get("/v0/tokens").get("tokens"))]

    def get(self, token: str | Token | Secret) -> Token:
        """Return one.

        Raises:
            NotFound: there is none.
        """
        return Token.of(self._get(_path(token)))

    def datafile(self, token: str | Token | Secret) -> str:
        """Return one as the text of a file, without the token itself.

        Raises:
            NotFound: there is none.
        """
        return self._get_text(path("/v0/tokens/", f"{_key(token)}.token"))

    def create(
        self,
        name: str,
        scopes: Iterable[str | Scope | Mapping[str, Any]] | str,
        *,
        description: str | None = None,
    ) -> Token:
        """Make a static token.

        Args:
            name: of it; no other may have it.
            scopes: what it may do, for instance ``["DATASOURCES:READ:events:country = 'ES'", "PIPES:READ:top"]``.
            description: Markdown.

        Raises:
            InvalidInput: a scope cannot be; nothing was sent.
            BadRequest: a Data Source, Pipe or filter in a scope is not right.
            Conflict: the name is taken; some services say `BadRequest`.
            Forbidden: a scope is more than the token in use may give.
        """
        form = {"name": _checked_name(name), "description": description, "scope": _static(read_scopes(scopes))}
        return Token.of(self._change("POST", "/v0/tokens", form=form))

    def create_jwt(
        self,
        name: str,
        scopes: Iterable[str | Scope | Mapping[str, Any]] | str,
        *,
        expires_at: datetime | float | None = None,
        lifetime: timedelta | float | None = None,
        rps: float | None = None,
    ) -> Jwt:
        """Let the service make a JWT, which it does not store.

        Args:
            name: label for the service's logs, need not be unique.
            scopes: what it may do. A `Scope` can have ``fixed_params``, which callers cannot change.
            expires_at: when it ends: a point in time (without a zone: UTC), or Unix seconds.
            lifetime: from now: seconds or a `datetime.timedelta`, instead of *expires_at*.
            rps: requests a second that are allowed.

        Raises:
            InvalidInput: something is missing or cannot be; nothing was sent.
            BadRequest: a Data Source or Pipe does not exist.
            Forbidden: a scope is more than the token in use may give.

        Example:
            >>> ws.tokens.create_jwt("page", ["PIPES:READ:top"], lifetime=3600).reveal()  # doctest: +SKIP
        """
        made = read_jwt_scopes(scopes)
        end = ends_at(expires_at, lifetime)
        check_jwt(name, rps)
        document: dict[str, Any] = {"name": name, "scopes": [scope.document() for scope in made]}
        if rps is not None:
            document["limits"] = {"rps": rps}
        query = {"name": name, "expiration_time": end}
        reply = self._change("POST", "/v0/tokens", query=query, document=document)
        token = text(reply.get("token"))
        if not token:
            raise BadReply("The service has answered without a JWT.")
        return Jwt(Secret(token), name, moment_of(end), made, rps)

    def sign_jwt(
        self,
        name: str,
        scopes: Iterable[str | Scope | Mapping[str, Any]] | str,
        *,
        expires_at: datetime | float | None = None,
        lifetime: timedelta | float | None = None,
        rps: float | None = None,
    ) -> Jwt:
        """Make a JWT on this machine. The service is asked for the Workspace's id and administrator token only.

        `tinymagic.api.jwt.sign_jwt` does the same when both are known, and asks nobody. Whether the Pipes and Data
        Sources exist is not checked.

        Args:
            name: as for `create_jwt`.
            scopes: likewise.
            expires_at: likewise.
            lifetime: likewise.
            rps: likewise.

        Raises:
            InvalidInput: something is missing or cannot be, or the token in use may not see the administrator's.
        """
        made = read_jwt_scopes(scopes)
        end = ends_at(expires_at, lifetime)
        check_jwt(name, rps)
        signer = next((each for each in self.list() if each.name == _SIGNER and each.token), None)
        if signer is None:
            raise InvalidInput(
                f"The {_SIGNER!r}, which signs JWTs, cannot be seen with the token in use. "
                "Let the service make the JWT, or use an administrator's token."
            )
        workspace_id = text(self._get("/v0/workspace").get("id"))
        return sign_jwt(signer.token, workspace_id=workspace_id, name=name, scopes=made, expires_at=end, rps=rps)

    def update(
        self,
        token: str | Token | Secret,
        *,
        name: str | None = None,
        description: str | None = None,
        scopes: Iterable[str | Scope | Mapping[str, Any]] | str | None = None,
    ) -> Token:
        """Change a static token; what is ``None`` stays.

        Args:
            token: which one.
            name: its new name.
            description: its new description.
            scopes: all that it may do from now on: they take the place of the old ones.

        Raises:
            InvalidInput: nothing is to be changed, or a scope cannot be; nothing was sent.
            NotFound: there is none.
            BadRequest: a Data Source, Pipe or filter in a scope is not right.
            Conflict: the name is taken, or this token has to stay as it is.
        """
        form: dict[str, object] = {}
        if name is not None:
            form["name"] = _checked_name(name)
        if description is not None:
            form["description"] = description
        if scopes is not None:
            # Without a scope there would be nothing to send: an empty one says that there are none.
            form["scope"] = _static(read_scopes(scopes)) or [""]
        if not form:
            raise InvalidInput("There is nothing to change: give a name, a description or scopes.")
        # By its old name, a token that has been renamed is not found a second time.
        effect: Effect = "write" if "name" in form else "idempotent"
        return Token.of(self._change("PUT", _path(token), form=form, effect=effect))

    def refresh(self, token: str | Token | Secret) -> Token:
        """Give a token a new text; the old one stops working at once, and so do JWTs that it has signed.

        When it is the token of this Workspace object, every later call fails: connect anew with the new one.

        Raises:
            NotFound: there is none.
        """
        return Token.of(self._change("POST", path("/v0/tokens/", _key(token), "/refresh")))

    def delete(self, token: str | Token | Secret) -> None:
        """End a token; it stops working at once.

        Raises:
            NotFound: there is none.
            Conflict: it is one that the Workspace always has.
        """
        self._change("DELETE", _path(token), effect="idempotent")

    def in_use(self, token: Token) -> bool:
        """Say whether *token* is the one that this Workspace object works with; nobody is asked."""
        own = self._transport.own_token
        return self._transport.carries(token.token) or (own.kind == "static" and bool(token.id) and own.id == token.id)


def without_tokens(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a reply without the tokens in it, at any depth.

    Example:
        >>> without_tokens({"name": "a", "token": "p.a.b", "workspaces": [{"id": "1", "token": "p.c.d"}]})
        {'name': 'a', 'workspaces': [{'id': '1'}]}
    """
    return {key: _without(value) for key, value in reply.items() if key not in ("token", "user_token")}


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_tokens(value)
    return [_without(each) for each in value] if isinstance(value, list) else value


def _key(token: str | Token | Secret) -> str:
    """Return what names a token in a path: for a token itself the id that is written in it, so that it is in no URL."""
    if isinstance(token, Token):
        return token.id or token.name
    written = token.reveal() if isinstance(token, Secret) else token
    return OwnToken.of(written).id or written


def _path(token: str | Token | Secret) -> str:
    return path("/v0/tokens/", _key(token))


def _checked_name(name: str) -> str:
    if not name.strip():
        raise InvalidInput("A token needs a name.")
    return name


def _static(scopes: tuple[Scope, ...]) -> builtins.list[str]:
    for scope in scopes:
        if scope.fixed_params:
            raise InvalidInput("Fixed parameters are for JWTs only: a static token has no room for them.")
    return [str(scope) for scope in scopes]
