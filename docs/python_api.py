"""Writes docs/python-api.md from the docstrings of the client: ``python docs/python_api.py``. A test compares them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import tinymagic
from tinymagic.api.resource import Resource

PAGE = Path(__file__).with_name("python-api.md")

HEAD = """# The Python API

The magics are a thin layer over a client that a script can use as well. It sends the same requests to the hosted
service, to Tinybird Local and to the embedded server. This page is made from its docstrings
(`python docs/python_api.py`); `help(workspace.pipes.create)` shows a whole one.

```python
import tinymagic

with tinymagic.connect() as workspace:  # finds host and token as the magics do
    frame = workspace.sql("SELECT count() FROM flights")
```

- Options behind the first arguments are given by name. Results are frozen dataclasses; what the service sent beyond
  the documented keys is in their `raw`.
- Everything that can go wrong is a `tinymagic.errors.TinybirdError`: one class for each status of the service, for a
  lost connection, a time-out, a reply that cannot be read, a job that failed. A Workspace that takes changes by
  deployments only raises `DeploymentRequired`, which carries the text of the datafile.
- Nothing is sent twice when the first fate is not known; what is tried again, and after which wait, is the table in
  `tinymagic/api/http/retries.py`.
"""


def resources() -> dict[str, Any]:
    """Return the resources of a Workspace by the name of their attribute."""
    workspace = tinymagic.Workspace("http://localhost:7181", "")
    found = {name: value for name, value in sorted(vars(workspace).items()) if not name.startswith("_")}
    return {name: value for name, value in found.items() if isinstance(value, Resource) or name == "query"}


def page() -> str:
    """Return the text of docs/python-api.md."""
    parts = [HEAD, "\n## `Workspace`\n\n", _table("workspace", tinymagic.Workspace)]
    for name, resource in resources().items():
        kind = type(resource)
        parts.append(f"\n## `workspace.{name}`\n\n{_first_sentence(kind)}\n\n")
        parts.append(_table(f"workspace.{name}", kind))
    return "".join(parts)


def _table(owner: str, kind: type) -> str:
    rows = ["| call | what it does |", "|---|---|"]
    for name, member in _public(kind):
        call = f"`{owner}.{name}`" if isinstance(member, property) else f"`{owner}.{name}({_arguments(member)})`"
        rows.append(f"| {call} | {_first_sentence(member)} |")
    return "\n".join(rows) + "\n"


def _public(kind: type) -> list[tuple[str, Any]]:
    found: dict[str, Any] = {}
    for owner in reversed(kind.__mro__[:-1]):
        found.update({name: member for name, member in vars(owner).items() if not name.startswith("_")})
    return [
        (name, member) for name, member in found.items() if inspect.isfunction(member) or isinstance(member, property)
    ]


def _arguments(function: Any) -> str:
    """Return the names of the arguments; those with a default are given by name and have a ``=``."""
    names = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        mark = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        names.append(mark + parameter.name + ("" if parameter.default is parameter.empty else "="))
    return ", ".join(names)


def _first_sentence(member: Any) -> str:
    text = inspect.getdoc(member.fget if isinstance(member, property) else member) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
