"""Whether a file, or the resource that was made of it, is still what it was at the last deployment. Pure.

The text of a file does not matter, only what it says. The record counts too: what somebody changed through the API
meanwhile is put back by the next deployment.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tinymagic.local.connectors.settings import CONNECTOR

if TYPE_CHECKING:
    from tinymagic.local.datafiles.model import ConnectionFile, DatasourceFile, PipeFile
    from tinymagic.local.records import DataSourceRecord, PipeRecord

#: Where values are that say only where something stands in the file.
_PLACES = ("file", "lines", "line", "sql_line", "position")

#: Settings of a copy that mean the same as none; a datafile that the server writes leaves them out.
_USUAL = (("mode", "append"), ("copy_schedule", "@on-demand"))

#: Keys of a node's output that are changed by running it, not by defining it.
RUNNING = ("paused", "populated", "waiting", "owed")

#: What a record's `settings` say about the deployment that made it.
DEPLOYED = "deployed"
PATH = "path"


def of_file(file: DatasourceFile | PipeFile | ConnectionFile) -> str:
    """Return a digest of what a datafile says; what it says about a copy that is so anyway does not count."""
    said = _without_places(asdict(file))
    for node in said.get("nodes", []):
        if node["type"] == "copy":
            node["settings"] = {key: value for key, value in node["settings"].items() if (key, value) not in _USUAL}
    return _digest(said)


def of_datasource(record: DataSourceRecord) -> str:
    """Return a digest of what a deployment decides about a Data Source."""
    said = [record.name, record.description, record.schema, record.engine, record.indexes]
    # Only when there is one: the digests of all others are those of older versions.
    return _digest([*said, record.settings[CONNECTOR]] if CONNECTOR in record.settings else said)


def of_pipe(record: PipeRecord) -> str:
    """Return a digest of what a deployment decides about a Pipe."""
    nodes = [
        [
            node.id,
            node.name,
            node.sql,
            node.description,
            node.type,
            {key: value for key, value in node.output.items() if key not in RUNNING},
        ]
        for node in record.nodes
    ]
    return _digest([record.name, record.description, nodes])


def note(file_digest: str, record_digest: str) -> dict[str, str]:
    """Return what `settings` keep, to be compared by `is_same`."""
    return {"file": file_digest, "record": record_digest}


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(each) for key, each in value.items() if key not in _PLACES}
    if isinstance(value, (list, tuple)):
        return [_without_places(each) for each in value]
    return value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
