"""``%tinybird`` without a noun: who am I talking to, and login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic import profiles as saved_logins
from tinymagic.errors import ApiError, ConfigurationError, Forbidden, TinybirdError
from tinymagic.notebook.commands.asking import ask_secret, can_ask
from tinymagic.notebook.commands.panels import has_notebook, open_panel
from tinymagic.notebook.commands.showing import print_facts
from tinymagic.notebook.commands.token_facts import check_not_expired, token_text
from tinymagic.notebook.display import count_of, visible
from tinymagic.regions import REGIONS, find_region, region_of_host, region_of_token

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.extension import Notebook
    from tinymagic.notebook.session import Session
    from tinymagic.notebook.tinybird import Call


def status(notebook: Notebook) -> None:
    """Show what the session is connected to, and what runs; what is missing is said, and is no failure."""
    from tinymagic import local

    try:
        workspace = notebook.session.workspace()
        print_facts({**_facts(workspace), "Token": token_text(workspace), "Jobs": _jobs(workspace)})
    except TinybirdError as error:
        print(visible(str(error)))
    others = [server.host for server in local.running()]
    if others:
        print(f"Embedded Tinybird running: {', '.join(others)}")
    print("%tinybird --help lists the commands.")


def info(call: Call) -> None:
    """Show everything that is known of the connection, and which settings were not used."""
    session = call.notebook.session
    workspace = session.workspace()
    described = workspace.info()
    print_facts(
        {
            **_facts(workspace, described),
            "Token": token_text(workspace),
            "Workspace id": described.id,
            "Branch of": described.main or "",
            "Scope": described.scope,
            "Profile": workspace.profile or "",
        }
    )
    for line in unused_settings(session):
        print(visible(line))


def unused_settings(session: Session) -> list[str]:
    """Say of each source of settings that does not count, what it has and why it does not count; no token is shown."""
    chosen = session.chosen
    lines = []
    for each in session.settings():
        if each.problem:
            lines.append(f"Cannot be read: {each.problem}")
        elif not each.used if chosen is None else each.source != chosen.source:
            what = " and ".join(["a token"] * each.has_token + [f"the host {each.host}"] * bool(each.host))
            why = "something above it counts" if chosen is None else "this session has chosen otherwise"
            lines.append(f"Not used:     {each.source} ({what}): {why}")
    return lines


def _jobs(workspace: Workspace) -> str:
    """Say which jobs wait or run; nothing when the token may not see them."""
    try:
        found = [each for each in workspace.jobs.list() if each.status in ("waiting", "working")]
    except ApiError:
        return ""
    kinds = ", ".join(sorted({each.kind for each in found}))
    return f"{count_of(len(found), 'job')} waiting or running ({kinds}): %tinybird job ls" if found else "none running"


def _facts(workspace: Workspace, described: Any = None) -> dict[str, str]:
    described = described or workspace.info()
    region = workspace.region
    place = f" ({region.name}, {region.provider} {region.provider_region})" if region else ""
    return {
        "Workspace": described.name,
        "User": described.user_email,
        "Backend": workspace.backend,
        "Host": f"{workspace.host}{place}",
        "Chosen by": workspace.source,
    }


# --- login ------------------------------------------------------------------------------------------------------------


def login(call: Call) -> None:
    """Check a token, save it, and use it; in a notebook, and without words, open the panel for it."""
    notebook, options = call.notebook, call.options
    typed = call.word(0)
    if typed is None and not options and has_notebook(call) and can_ask(notebook.shell):
        open_panel(call, "Login", notebook_session=notebook.session)
        return
    if typed is not None:
        print(
            "A token in a cell is saved with the notebook. It has been taken out of IPython's history; delete it from "
            "the cell too, and next time write %tinybird login alone, which asks for it."
        )
    _check_keyring("keyring" in options)
    host, region = options.get("host"), options.get("region")
    token = typed.strip() if typed is not None else _asked_token(host)
    if token is None:
        _login_local(notebook, str(host))
        return
    _check_region(token, host, region)
    workspace = notebook.session.connect(token=token, host=host, region=region)
    check_not_expired(workspace.own_token)
    described = _described(workspace, token)
    name = options.get("profile") or described.name or "default"
    saved = saved_logins.save_profile(name, workspace.host, token, workspace=described.name)
    notebook.session.forget()
    notebook.session.choose(notebook.session.connect(profile=name))
    where = "the system's credential store" if saved.store == "keyring" else "a file that only you can read"
    who = f" as {visible(described.user_email)}" if described.user_email else ""
    print(
        f"Connected to {visible(described.name)} at {workspace.host}{who}. "
        f"The login is saved as {visible(name)!r} in {where}."
    )


def _login_local(notebook: Notebook, host: str) -> None:
    from tinymagic.api.http.hosts import normalise_host

    workspace = notebook.session.local(normalise_host(host), "%tinybird login")
    name = workspace.info().name
    notebook.session.choose(workspace)
    print(f"Connected to {visible(name)} at {workspace.host}. There is nothing to save: it hands its token out itself.")


def _asked_token(host: str | None) -> str | None:
    """Ask for the token; ``None`` for a server on this machine, which hands its own out."""
    from tinymagic.api.http.hosts import is_local_host, normalise_host

    if host is not None and is_local_host(normalise_host(host)):
        return None
    return ask_secret("Token: ", what="the token", instead="Set TB_TOKEN (and TB_HOST) in the environment instead.")


def _check_keyring(wanted: bool) -> None:
    from importlib.util import find_spec

    if wanted and find_spec("keyring") is None:
        raise ConfigurationError(
            "--keyring needs the package keyring: pip install 'tinymagic[keyring]'. Without the option the token is "
            "saved in a file that only you can read."
        )


def _check_region(token: str, host: str | None, region: str | None) -> None:
    """Refuse to send a token to another region than its own: it would be refused there, and known there."""
    own = region_of_token(token)
    given = find_region(region) if region else region_of_host(host) if host else None
    if region and given is None:
        raise ConfigurationError(f"There is no region {region!r}. %tinybird regions lists them.")
    if own is not None and given is not None and own.key != given.key:
        raise ConfigurationError(
            f"The token is of the region {own.key}, whose host is {own.api_host}, and not of {given.key}. "
            "Leave --host and --region away: the region is read from the token."
        )


def _described(workspace: Workspace, token: str) -> Any:
    try:
        return workspace.info()
    except Forbidden as error:
        own = region_of_token(token)
        hint = "" if own else " It does not tell its region: give --region (%tinybird regions lists them)."
        error.args = (f"{workspace.host} does not take this token: {error.message.rstrip('.')}.{hint}",)
        raise


def logout(call: Call) -> None:
    """Delete a saved login."""
    name = call.word(0) or saved_logins.current_profile()
    call.notebook.session.forget()
    if name is None:
        print("There is no saved login in use. " + call.notebook.session.line())
    elif saved_logins.delete_profile(name):
        print(f"The saved login {name!r} is deleted. The token itself stays valid. " + call.notebook.session.line())
    else:
        saved_logins.load_profile(name)  # Raises with near names.


def use(call: Call) -> None:
    """Make a saved login the one in use."""
    saved = saved_logins.use_profile(call.words[0])
    session = call.notebook.session
    session.forget()
    session.choose(session.connect(profile=saved.name))
    print(session.line())


def profiles(call: Call) -> pd.DataFrame:  # noqa: ARG001 - all commands are called alike
    """Return the saved logins, without their tokens."""
    import pandas as pd

    rows = [(each.name, each.workspace, each.host, each.store, each.current) for each in saved_logins.list_profiles()]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["profile", "workspace", "host", "token in", "in use"])
    return frame


def regions(call: Call) -> pd.DataFrame:
    """Return the regions: the service's own list, else the built-in one."""
    import pandas as pd

    try:
        found = call.notebook.session.workspace().regions()
    except TinybirdError:
        found = []
    rows = [(each.key, each.name, each.provider, each.provider_region, each.api_host) for each in found or REGIONS]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["region", "name", "provider", "provider_region", "host"])
    return frame


def version(call: Call) -> None:  # noqa: ARG001 - all commands are called alike
    """Print the version."""
    from tinymagic.version import __version__

    print(f"tinymagic {__version__}")
