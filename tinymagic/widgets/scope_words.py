"""What a token may do, in words that somebody understands who knows no scopes. Pure (``tokens.md`` section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tinymagic.api.scopes import Scope

_WORDS = {
    "ADMIN": "everything in the Workspace",
    "ADMIN_USER": "everything in the Workspace, as a person",
    "TOKENS": "list, make and end tokens",
    "DATASOURCES:CREATE": "create Data Sources and append to them",
    "DATASOURCES:READ": "read {}",
    "DATASOURCES:APPEND": "append rows to {}",
    "DATASOURCES:DROP": "delete the Data Source {}",
    "PIPES:CREATE": "create and change Pipes",
    "PIPES:READ": "call and read the Pipe {}",
    "PIPES:DROP": "delete the Pipe {}",
    "ORG_DATASOURCES:READ": "read the organization's service Data Sources",
    "WORKSPACE:READ_ALL": "read all Data Sources and Pipes",
    "WORKSPACE:DEPLOY": "deploy",
}


def words_of(scope: Scope) -> str:
    """Return one scope in words; one that nobody knows as it is written.

    Example:
        >>> from tinymagic.api.scopes import Scope
        >>> words_of(Scope("DATASOURCES:READ", "events", "country = 'ES'"))
        "read events, only rows where country = 'ES'"
        >>> words_of(Scope("PIPES:READ", "top", fixed_params={"country": "ES"}))
        'call and read the Pipe top with country = ES'
    """
    form = _WORDS.get(scope.type)
    if form is None:
        return str(scope)
    words = form.format(scope.resource or "all") if "{}" in form else form
    if scope.filter:
        words += f", only rows where {scope.filter}"
    if scope.fixed_params:
        words += " with " + ", ".join(f"{name} = {value}" for name, value in scope.fixed_params.items())
    return words


def all_words(scopes: Iterable[Scope], *, most: int = 4) -> str:
    """Return several in words; what is over *most* is counted.

    Example:
        >>> from tinymagic.api.scopes import Scope
        >>> all_words([]), all_words([Scope("TOKENS"), Scope("PIPES:CREATE")], most=1)
        ('nothing', 'list, make and end tokens; 1 more')
    """
    found = [words_of(scope) for scope in scopes]
    more = [f"{len(found) - most} more"] * (len(found) > most)
    return "; ".join([*found[:most], *more]) or "nothing"
