"""Datafiles: the text of ``.datasource``, ``.pipe`` and ``.connection`` files, made and read. Pure.

The client offers them where a Workspace takes changes by deployments only, and the notebook moves between cells,
Pipes and project folders with them. The embedded server has a reader of its own, which judges; this one keeps.
"""

from __future__ import annotations

from tinymagic.datafiles.model import ConnectionText, DatasourceText, NodeText, PipeText, TokenText
from tinymagic.datafiles.printing import (
    connection_text,
    datasource_text,
    pipe_text,
    print_connection,
    print_datasource,
    print_pipe,
)
from tinymagic.datafiles.reading import read_connection, read_datasource, read_pipe

__all__ = [
    "ConnectionText",
    "DatasourceText",
    "NodeText",
    "PipeText",
    "TokenText",
    "connection_text",
    "datasource_text",
    "pipe_text",
    "print_connection",
    "print_datasource",
    "print_pipe",
    "read_connection",
    "read_datasource",
    "read_pipe",
]
