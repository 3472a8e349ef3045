"""JSON Web Tokens signed with HS256, and nothing else of the standard. Pure.

Other algorithms do not exist here: a header that names one, ``none`` among them, is refused before anything else is
looked at. What the claims mean is the business of `jwt_claims`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

#: Longest token that is looked at, characters: URLs end at 8 KB, headers of the server at 64 KB.
MOST_CHARACTERS = 32_768

_HEADER = {"alg": "HS256", "typ": "JWT"}


class JwtError(ValueError):
    """A text that is no JWT of ours; the message is a sentence, and never holds the token."""


def sign(claims: dict[str, Any], key: str) -> str:
    """Make the JWT of *claims*, signed with the text *key*."""
    content = f"{_encoded(_json(_HEADER))}.{_encoded(_json(claims))}"
    return f"{content}.{_encoded(_signature(content, key))}"


def looks_like_jwt(text: str) -> bool:
    """Say whether *text* has three parts of which the first is a JSON object in base64; static tokens begin ``p.``."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > MOST_CHARACTERS:
        return False
    try:
        _object(parts[0], "header")
    except JwtError:
        return False
    return True


def read_claims(text: str) -> dict[str, Any]:
    """Return the claims of a JWT **without** looking at its signature: they only say which key to `verify` with.

    Raises:
        JwtError: the text is no JWT with HS256.
    """
    parts = text.split(".")
    if len(parts) != 3 or len(text) > MOST_CHARACTERS:
        raise JwtError("Not enough segments")
    if _object(parts[0], "header").get("alg") != "HS256":
        raise JwtError("The alg of a JWT must be HS256")
    return _object(parts[1], "payload")


def verify(text: str, key: str) -> bool:
    """Say whether the JWT was signed with *key*, in a time that does not depend on how much of it is right."""
    content, _, signature = text.rpartition(".")
    try:
        given = _decoded(signature)
    except ValueError:
        return False
    return hmac.compare_digest(given, _signature(content, key))


def _signature(content: str, key: str) -> bytes:
    encoded = content.encode("utf-8", "surrogateescape")
    return hmac.new(key.encode("utf-8", "surrogateescape"), encoded, hashlib.sha256).digest()


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    # Python's decoder skips what is not base64 unless it is told not to.
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(part))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise JwtError(f"Invalid {what} padding") from error
    if not isinstance(value, dict):
        raise JwtError(f"Invalid {what} string: must be a json object")
    return value
