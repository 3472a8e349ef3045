"""``%tinybird variable``: Environment Variables. A value is asked for, and is nowhere to be found afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tinymagic.api.http.redaction import Secret
from tinymagic.notebook.commands.asking import ask_secret, confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.display import visible
from tinymagic.notebook.paths import path_of, read_at_most
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.typed_values import is_reference

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    import pandas as pd

    from tinymagic.notebook.tinybird import Call

#: Files that are larger are no value: the service takes 8 KB.
_MOST_FILE_BYTES = 1_000_000


def ls(call: Call) -> pd.DataFrame:
    """Return all variables, without their values: one row each."""
    import pandas as pd

    found = sorted(call.workspace.variables.list(), key=lambda each: each.name)
    frame: pd.DataFrame = pd.DataFrame(
        {
            "name": [each.name for each in found],
            "created": pd.to_datetime(pd.Series([each.created_at for each in found], dtype="object"), utc=True),
            "updated": pd.to_datetime(pd.Series([each.updated_at for each in found], dtype="object"), utc=True),
            "edited by": [each.edited_by for each in found],
            "used by": [", ".join(each.used_by or ()) for each in found],
        }
    )
    return frame


def _near(call: Call, name: str) -> AbstractContextManager[None]:
    return near("variable", name, lambda: [each.name for each in call.workspace.variables.list()])


def get(call: Call) -> None:
    """Print what is known of one; its value is told to nobody."""
    name = call.words[0]
    with _near(call, name):
        found = call.workspace.variables.get(name)
    facts = {
        "Variable": found.name,
        "Type": found.type,
        "Created": _time(found.created_at),
        "Updated": _time(found.updated_at),
        "Edited by": found.edited_by,
        "Used by": ", ".join(found.used_by or ()),
        "In SQL": f"{{{{tb_secret('{found.name}')}}}}",
        "Value": "the service gives it to nobody",
    }
    for what, value in facts.items():
        if value:
            print(f"{what + ':':<14}{visible(value)}")


def _time(when: datetime | None) -> str:
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%S} UTC"


def set_variable(call: Call) -> None:
    """Give one a value, which is asked for, or comes from the environment, a file or a notebook variable."""
    name = call.words[0]
    if "=" in name:
        raise CellProblem(f"Name and value stand apart: variable set {name.partition('=')[0]} VALUE.")
    value = _value(call, name)
    stored = call.workspace.variables.set(name, value)
    print(f"Set the variable {visible(stored.name or name)}. In SQL: {{{{tb_secret('{visible(name)}')}}}}")


def _value(call: Call, name: str) -> Secret:
    """Return the value from the one place that the line names.

    Raises:
        CellProblem: it names two, or there is no value.
    """
    typed = call.word(1)
    places = [typed is not None, "from_env" in call.options, "from_file" in call.options]
    if sum(places) > 1:
        raise CellProblem("Give the value once: as a word, with --from-env or with --from-file.")
    if typed is not None:
        return _typed(call, typed)
    if "from_env" in call.options:
        return _of_environment(call.options["from_env"])
    if "from_file" in call.options:
        return _of_file(call.options["from_file"])
    return _asked(name)


def _typed(call: Call, typed: str) -> Secret:
    if is_reference(typed):
        value = call.value(typed)
        if not isinstance(value, (str, Secret)):
            raise CellProblem(f"{typed[1:]} is not a text, but of the type {type(value).__name__}.")
        return value if isinstance(value, Secret) else Secret(value)
    # The line itself was scrubbed before anything could go wrong (`tinymagic.notebook.typed_values`).
    print(
        "A value in a cell is saved with the notebook. It has been taken out of IPython's history; delete it from the "
        "cell too, and next time leave it away: then it is asked for."
    )
    return Secret(typed)


def _of_environment(variable: str) -> Secret:
    value = os.environ.get(variable)
    if not value:
        raise CellProblem(f"The environment has no variable {variable!r}, or it is empty.")
    return Secret(value)


def _of_file(file: str) -> Secret:
    try:
        text = read_at_most(path_of(file), _MOST_FILE_BYTES).decode()
    except OSError as error:
        raise CellProblem(f"{file} cannot be read: {error.strerror or 'no such file'}.") from None
    except UnicodeDecodeError:
        raise CellProblem(f"{file} is no text in UTF-8. A variable holds text: encode it first, as Base64.") from None
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def _asked(name: str) -> Secret:
    what = f"the value of {visible(name)}"
    instead = "Use --from-env ENV or --from-file FILE."
    return Secret(ask_secret(f"Value of {visible(name)}: ", what=what, instead=instead, exact=True))


def used_by(call: Call) -> pd.DataFrame:
    """Return what uses one: one row each."""
    import pandas as pd

    name = call.words[0]
    with _near(call, name):
        found = call.workspace.variables.used_by(name)
    frame: pd.DataFrame = pd.DataFrame({"name": pd.Series(found, dtype="object")})
    return frame


def rm(call: Call) -> None:
    """Delete one, after saying what uses it."""
    name = call.words[0]
    with _near(call, name):
        users = call.workspace.variables.used_by(name)
    uses = f" These use it, and will fail: {', '.join(map(visible, users))}." if users else ""
    if confirm(f"Delete the variable {visible(name)}?{uses}", yes="yes" in call.options):
        call.workspace.variables.delete(name)
        print(f"Deleted the variable {visible(name)}.")
