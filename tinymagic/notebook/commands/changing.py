"""Working in another Workspace or branch of the same host, for the rest of the session."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from tinymagic.api.http.redaction import Secret
from tinymagic.errors import TinybirdError
from tinymagic.notebook.commands.asking import ask_secret
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from tinymagic.notebook.tinybird import Call


def work_in(call: Call, kind: str, name: str, token: Secret) -> None:
    """Connect the session to another Workspace or branch, and say so.

    Args:
        call: of the command.
        kind: ``Workspace`` or ``branch``.
        name: of it.
        token: an administrator's of it.

    Raises:
        CellProblem: the token in use was not told that one.
    """
    if not token:
        raise CellProblem(
            f"The service does not tell the token of the {kind} {name!r} to the token in use. "
            "%tinybird login connects with its own."
        )
    call.notebook.session.choose(call.workspace.with_token(token.reveal(), source=f"%tinybird {kind.lower()} use"))
    print(f"This notebook works in the {kind} {visible(name)} from here on, until its session ends.")


def known_user_token(call: Call) -> Secret | None:
    """Return the token of the person where nobody has to be asked.

    A server on this machine hands its own out. ``TB_USER_TOKEN`` is for the cloud: such a server never gets to see it.
    """
    from tinymagic.api.http.hosts import is_local_host
    from tinymagic.api.workspace import local_user_token

    if is_local_host(call.workspace.host):
        with contextlib.suppress(TinybirdError):
            return Secret(local_user_token(call.workspace.host))
        return None
    given = os.environ.get("TB_USER_TOKEN", "").strip()
    return Secret(given) if given else None


def user_token(call: Call) -> Secret:
    """Return the token of the person; it is asked for when it is not known.

    Raises:
        CellProblem: nobody can be asked, or nothing is answered.
    """
    known = known_user_token(call)
    if known is not None:
        return known
    return Secret(ask_secret("Your user token: ", what="your user token", instead="Set TB_USER_TOKEN."))
