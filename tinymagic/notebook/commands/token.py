"""``%tinybird token``: who may do what. A token itself is shown only where ``--show`` asks for it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.api.http.redaction import HIDDEN, Secret
from tinymagic.errors import ConfigurationError, TinybirdError
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.display import visible
from tinymagic.notebook.given_values import parameters
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pandas as pd

    from tinymagic.api.jwt import Jwt
    from tinymagic.api.scopes import Scope
    from tinymagic.api.tokens import Token
    from tinymagic.notebook.tinybird import Call

#: How long a JWT lives when nobody says it.
_TTL = "1h"
_TTL_RE = re.compile(r"(\d+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def ls(call: Call) -> pd.DataFrame:
    """Return all static tokens: one row each, without the tokens themselves."""
    import pandas as pd

    found = sorted(call.workspace.tokens.list(), key=lambda each: each.name)
    rows = [
        (
            each.name,
            ", ".join(map(str, each.scopes)),
            each.description,
            "in use" if call.workspace.tokens.in_use(each) else "",
            each.id,
        )
        for each in found
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["name", "scopes", "description", "here", "id"])
    return frame


def show(call: Call) -> None:
    """Print what one is and may do."""
    found = _get(call, call.words[0])
    facts = {
        "Token": found.name,
        "Id": found.id,
        "Description": found.description,
        "Made by": {"C": "a person", "P": "a Pipe's datafile", "DS": "a Data Source's datafile"}.get(found.origin, ""),
        "In use": "here" if call.workspace.tokens.in_use(found) else "",
        "Scopes": ", ".join(map(str, found.scopes)) or "none",
        "Value": "" if "show" in call.options else f"{HIDDEN} (--show prints it)",
    }
    for name, value in facts.items():
        if value:
            print(f"{name + ':':<14}{visible(value)}")
    if "show" in call.options:
        _print_token(found.token)


def scopes(call: Call) -> pd.DataFrame:
    """Return what one may do: one row for each scope."""
    import pandas as pd

    rows = [(each.type, each.resource, each.filter) for each in _get(call, call.words[0]).scopes]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["scope", "resource", "filter"])
    return frame


def _near(call: Call, name: str) -> AbstractContextManager[None]:
    # What was given may be a token itself, which must not come back in a sentence.
    shown = Secret("").redact(name)
    return near("token", shown, lambda: [each.name for each in call.workspace.tokens.list()])


def _get(call: Call, name: str) -> Token:
    with _near(call, name):
        return call.workspace.tokens.get(name)


def _word(name: str) -> str:
    """Return a name as it is written in a line."""
    return f'"{visible(name)}"' if re.search(r"\s", name) else visible(name)


def _print_token(token: Secret) -> None:
    if not token:
        print("The token in use may not see it.")
        return
    print(token.reveal())
    print("It stands in this output now, and in the notebook's file when that is saved: clear it when you have it.")


# --- making -----------------------------------------------------------------------------------------------------------


def create(call: Call) -> None:
    """Make a static token or a JWT."""
    kind, name = call.words
    if kind not in ("static", "jwt"):
        raise CellProblem(
            f"{kind!r} is no kind of token: %tinybird token create static|jwt NAME --scope SCOPE.",
            suggestions=("static", "jwt"),
        )
    wrong = ("ttl", "rps", "fixed", "local") if kind == "static" else ("description",)
    for option in wrong:
        if option in call.options:
            raise CellProblem(f"--{option} is not for a {'static token' if kind == 'static' else 'JWT'}.")
    _check_target(call)
    if kind == "static":
        made = call.workspace.tokens.create(name, call.all("scope"), description=call.options.get("description"))
        print(f"Created the token {visible(made.name)} with {_listed(made.scopes)}.")
        _hand_over(call, made.token, f"%tinybird token show {_word(made.name)} --show prints it.")
        return
    _create_jwt(call, name)


def _create_jwt(call: Call, name: str) -> None:
    if not {"to", "show"} & set(call.options):
        raise CellProblem("A JWT is stored nowhere: --to VARIABLE_NAME keeps it (hidden), --show prints it.")
    if not call.all("scope"):
        raise CellProblem("A JWT needs a scope, for instance --scope PIPES:READ:name.")
    tokens = call.workspace.tokens
    make = tokens.sign_jwt if "local" in call.options else tokens.create_jwt
    made: Jwt = make(name, _jwt_scopes(call), lifetime=_lifetime(call.options.get("ttl", _TTL)), rps=call.number("rps"))
    limit = f", at most {made.rps:g} requests a second" if made.rps is not None else ""
    print(
        f"Made the JWT {visible(name)} with {_listed(made.scopes)}{limit}; it ends "
        f"{made.expires_at:%Y-%m-%d %H:%M:%S} UTC."
    )
    _hand_over(call, made.token, "")


def _jwt_scopes(call: Call) -> list[Scope]:
    from tinymagic.api.scopes import Scope

    found = [Scope.parse(each) for each in call.all("scope")]
    given = call.all("fixed")
    if any("=" not in each for each in given):
        raise CellProblem("--fixed takes NAME=VALUE, for instance --fixed country=ES.")
    fixed = parameters(given, (), call.notebook.shell.user_ns)
    if fixed and not any(each.type == "PIPES:READ" for each in found):
        raise CellProblem("--fixed is about the parameters of Pipes: it needs a scope PIPES:READ:name.")
    if odd := [name for name, value in fixed.items() if not isinstance(value, (str, int, float, bool))]:
        raise CellProblem(f"The fixed parameter {odd[0]!r} must be a text, a number or True or False.")
    return [replace(each, fixed_params=fixed) if each.type == "PIPES:READ" else each for each in found]


def _lifetime(given: str) -> float:
    found = _TTL_RE.fullmatch(given.strip())
    if found is None or int(found[1]) == 0:
        raise CellProblem(f"--ttl takes a time such as 30m, 12h or 7d, not {given!r}.")
    return float(int(found[1]) * _SECONDS[found[2]])


def _listed(scopes: tuple[Scope, ...]) -> str:
    return visible(", ".join(map(str, scopes))) or "no scopes"


def _check_target(call: Call) -> None:
    """Refuse a name that is none before anything is made."""
    name = call.options.get("to")
    if name is not None and not name.isidentifier():
        raise CellProblem(f"{name!r} is no name of a variable: --to takes one such as my_token.")


def _hand_over(call: Call, token: Secret, otherwise: str) -> None:
    name = call.options.get("to")
    if name is not None:
        call.notebook.shell.user_ns[name] = token
        print(f"It is in the variable {name}, hidden: {name}.reveal() gives it.")
    if "show" in call.options:
        _print_token(token)
    elif name is None and otherwise:
        print(otherwise)


# --- changing ---------------------------------------------------------------------------------------------------------


def set_token(call: Call) -> None:
    """Give one another name, description or scopes."""
    name = call.words[0]
    given = call.all("scope") if "scope" in call.options else None
    if given is None and not {"name", "description"} & set(call.options):
        raise CellProblem("Nothing is to be changed: give --name, --description or --scope.")
    with _near(call, name):
        changed = call.workspace.tokens.update(
            name, name=call.options.get("name"), description=call.options.get("description"), scopes=given
        )
    print(f"Changed the token {visible(changed.name)}: it has {_listed(changed.scopes)}.")


def refresh(call: Call) -> None:
    """Give one a new text, after asking; when it is the one in use, go on with the new one."""
    found = _get(call, call.words[0])
    _check_target(call)
    in_use = call.workspace.tokens.in_use(found)
    name = visible(found.name)
    question = f"Refresh the token {name}? Whoever uses it has no access any more."
    if in_use:
        print(f"{name} is the token that this notebook uses. The notebook will go on with the new one; saved logins,")
        print("variables of the environment and other programs that have the old one will not.")
    if not confirm(question, yes="yes" in call.options, otherwise="Nothing was changed."):
        return
    fresh = call.workspace.tokens.refresh(found)
    print(f"The token {name} has a new text; the old one has stopped working.")
    _hand_over(call, fresh.token, f"%tinybird token show {_word(found.name)} --show prints it.")
    if in_use:
        session = call.notebook.session
        try:
            session.choose(call.workspace.with_token(fresh.token.reveal(), source="%tinybird token refresh"))
        except (ConfigurationError, TinybirdError) as error:
            print(f"The notebook could not go on with it: {visible(str(error))} %tinybird login connects anew.")


def rm(call: Call) -> None:
    """End one, after asking."""
    found = _get(call, call.words[0])
    name = visible(found.name)
    if call.workspace.tokens.in_use(found):
        print(f"{name} is the token that this notebook uses: after this it cannot do anything until the next login.")
    if confirm(f"Delete the token {name}? Whoever uses it has no access any more.", yes="yes" in call.options):
        call.workspace.tokens.delete(found)
        print(f"Deleted the token {name}.")
