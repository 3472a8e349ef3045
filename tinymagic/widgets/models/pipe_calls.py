"""The call of an endpoint written down: for a shell, for Python, for ``%tinybird``. Pure.

The token is never in them: the shell's and Python's take it from the environment.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from tinymagic.widgets.models.panel_model import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.pipe_results import Node


def curl(url: str) -> str:
    """Return the call for a shell."""
    return f'curl -H "Authorization: Bearer $TB_TOKEN" {shlex.quote(url)}'


def python(host: str, pipe: str, values: Mapping[str, Any]) -> str:
    """Return the call for Python, whole lines."""
    given = f", params={dict(values)!r}" if values else ""
    return (
        "import os\n\nimport tinymagic\n\n"
        f'workspace = tinymagic.connect(token=os.environ["TB_TOKEN"], host={host!r})\n'
        f"frame = workspace.pipes.data({pipe!r}{given})"
    )


def line(pipe: str, values: Mapping[str, Any], *, limit: int | None = None) -> str:
    """Return the line of ``%tinybird`` that does the same.

    Example:
        >>> line("top_pages", {"days": 7}, limit=100)
        '%tinybird pipe data top_pages --limit 100 --param days=7'
    """
    words = [f"%tinybird pipe data {quoted(pipe)}"]
    if limit is not None:
        words.append(f"--limit {limit}")
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    plain = all(not isinstance(value, list) for value in values.values()) and all(
        # A value with $ in front is a notebook variable, and a line has no second line.
        not text.startswith("$") and not set(text) & set("\n\r\\'\"")
        for text in texts.values()
    )
    if plain:
        words += [f"--param {quoted(f'{name}={text}')}" for name, text in texts.items()]
    else:
        words.append(f"--params {shlex.quote(json.dumps(dict(values), ensure_ascii=False))}")
    return " ".join(words)


def cells(nodes: tuple[Node, ...]) -> list[str]:
    """Return a cell of ``%%tbsql`` for each node, which keeps it under its name for the cells below."""
    from tinymagic.notebook.commands.cells import cell_text

    return [cell_text(node) for node in nodes]
