"""Where a datafile stands in a project folder, and what a path says about it."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.datafiles.model import NodeText

#: Ending of a file -> kind of resource. Other files are no datafiles.
KINDS = {".datasource": "Data Source", ".pipe": "Pipe", ".connection": "connection"}

#: Type of a Pipe's output -> folder.
_PIPE_FOLDERS = {"endpoint": "endpoints", "materialized": "materializations", "copy": "copies", "sink": "sinks"}

_NAME_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[-.][A-Za-z0-9_]+)*")


def kind_of(path: str) -> str | None:
    """Return the kind of resource that a file defines; ``None`` for a file that is no datafile.

    Example:
        >>> kind_of("datasources/events.datasource"), kind_of("fixtures/events.ndjson"), kind_of(".pipe")
        ('Data Source', None, None)
    """
    return KINDS.get(posixpath.splitext(posixpath.basename(path))[1])


def name_of(path: str) -> str:
    """Return the name of the resource that a file defines.

    Example:
        >>> name_of("datasources/events.datasource")
        'events'
    """
    return posixpath.splitext(posixpath.basename(path))[0]


def pipe_folder(nodes: Sequence[NodeText]) -> str:
    """Return the folder where a Pipe with these nodes belongs.

    Example:
        >>> from tinymagic.datafiles import NodeText
        >>> pipe_folder([NodeText("a", "SELECT 1", type="copy")]), pipe_folder([NodeText("a", "SELECT 1")])
        ('copies', 'pipes')
    """
    return next((_PIPE_FOLDERS[node.type] for node in nodes if node.type in _PIPE_FOLDERS), "pipes")


def place_for(kind: str, name: str, nodes: Sequence[NodeText] = ()) -> str | None:
    """Return the path of a new file; ``None`` for a name that cannot be the name of a file.

    Names come from a service: one with ``/`` or ``..`` must not choose where it is written.

    Example:
        >>> place_for("Data Source", "events"), place_for("Pipe", "../../profile")
        ('datasources/events.datasource', None)
    """
    if not _NAME_RE.fullmatch(name):
        return None
    ending = next(ending for ending, each in KINDS.items() if each == kind)
    folder = {"Data Source": "datasources", "connection": "connections"}.get(kind) or pipe_folder(nodes)
    return f"{folder}/{name}{ending}"
