"""``%tinybird connection``: connections to other services. Secrets are asked for, and never stand in a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.commands.asking import ask_secret, confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.commands.showing import print_facts
from tinymagic.notebook.display import visible
from tinymagic.notebook.history import scrub
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pandas as pd

    from tinymagic.api.connections import Connection
    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return all connections: one row each."""
    import pandas as pd

    found = sorted(call.workspace.connections.list(), key=lambda each: each.name)
    rows = [(each.name, each.service, _users(each.sinks), _users(each.datasources)) for each in found]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["name", "service", "sinks", "data sources"])
    return frame


def show(call: Call) -> pd.DataFrame:
    """Print what uses one, and return its settings that may be shown."""
    import pandas as pd

    found = _get(call, call.words[0])
    facts = {
        "Connection": found.name,
        "Service": found.service,
        "Sinks": _users(found.sinks),
        "Data Sources": _users(found.datasources),
    }
    print_facts(facts)
    rows = [(str(key), str(value)) for key, value in found.settings.items()]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["setting", "value"])
    return frame


def _users(names: tuple[str, ...] | None) -> str:
    return "unknown (the service does not tell)" if names is None else ", ".join(names)


def _near(call: Call, name: str) -> AbstractContextManager[None]:
    return near("connection", name, lambda: [each.name for each in call.workspace.connections.list()])


def _get(call: Call, name: str) -> Connection:
    with _near(call, name):
        return call.workspace.connections.get(name)


def create(call: Call) -> None:
    """Make one."""
    name, service = call.words
    made = call.workspace.connections.create(name, service, _settings(call))
    print(f"Created the connection {visible(made.name)} to {visible(made.service)}.")


def set_settings(call: Call) -> None:
    """Give one other settings."""
    name = call.words[0]
    settings = _settings(call)
    if not settings:
        raise CellProblem("Nothing is to be changed: give all settings with --set and --secret.")
    with _near(call, name):
        call.workspace.connections.update(name, settings)
    print(f"Changed the settings of the connection {visible(name)}.")


def _settings(call: Call) -> dict[str, str]:
    """Return the settings of ``--set``, and those of ``--secret``, which are asked for.

    Raises:
        CellProblem: one cannot be read, or a secret was typed; then it is out of the history.
    """
    from tinymagic.api.connections import is_secret

    found: dict[str, str] = {}
    for text in call.all("set"):
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise CellProblem("--set takes SETTING=VALUE, for instance --set s3_region=us-east-1.")
        if value.startswith("$"):
            value = str(call.value(value))
        elif is_secret(name) and value and not value.startswith("{{"):
            scrub(call.notebook.shell, value)
            raise CellProblem(
                f"{name} is a secret, which would stay in the notebook. It was taken out of the history: delete it "
                f"from the cell, and use --secret {name} (it is asked for) or --set {name}=$VARIABLE."
            )
        found[name] = value
    for name in call.all("secret"):
        if "=" in name:
            typed, _, value = name.partition("=")
            scrub(call.notebook.shell, value)
            raise CellProblem(f"--secret takes the name of a setting; its value is asked for: --secret {typed}.")
        found[name] = ask_secret(f"{visible(name)}: ", what=name, instead=f"Use --set {name}=$VARIABLE.")
    return found


def rm(call: Call) -> None:
    """Delete one, after saying what uses it."""
    found = _get(call, call.words[0])
    used = [*(found.sinks or ()), *(found.datasources or ())]
    uses = f" These use it: {', '.join(visible(each) for each in used)}." if used else ""
    if found.sinks is None or found.datasources is None:
        uses += " The service does not tell all that uses it."
    if confirm(f"Delete the connection {visible(found.name)}?{uses}", yes="yes" in call.options):
        call.workspace.connections.delete(found.name, force="force" in call.options)
        print(f"Deleted the connection {visible(found.name)}.")
