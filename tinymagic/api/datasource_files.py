"""The ``.datasource`` file that does what a refused call does, where a Workspace takes changes by deployment only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.api.errors import TinybirdError
from tinymagic.api.refusals import Datafile, datafile_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def new_datasource(name: str, fields: Mapping[str, str | None]) -> Datafile | None:
    """Return the file for a new Data Source.

    Args:
        name: of it.
        fields: of the call: ``schema``, ``engine``, ``engine_*``, ``indexes``, ``description``; ``None`` is left out.
    """
    from tinymagic.datafiles import datasource_text

    engine = {key: value for key, value in fields.items() if key.startswith("engine") and value}
    made = datasource_text(
        name,
        fields.get("schema") or "",
        description=fields.get("description"),
        engine=engine,
        indexes=fields.get("indexes"),
    )
    return datafile_for("Data Source", name, made)


def altered_datasource(name: str, read: Callable[[], str], fields: Mapping[str, str | None]) -> Datafile | None:
    """Return the file of a Data Source that is there, altered; ``None`` when its file cannot be had.

    Args:
        name: of it.
        read: gives its file as it is.
        fields: of the call; ``None`` stays as it is, ``ttl`` of ``false`` and ``indexes`` of ``0`` are taken away.
    """
    from tinymagic.datafiles import print_datasource, read_datasource
    from tinymagic.datafiles.columns import split_columns

    try:
        file = read_datasource(read())
    except (TinybirdError, ValueError):
        # Nothing to say about the file is better than an error about it in the place of the refusal.
        return None
    schema, description, ttl, indexes = (fields.get(key) for key in ("schema", "description", "ttl", "indexes"))
    engine = dict(file.engine)
    if ttl is not None:
        engine.pop("engine_ttl", None)
        if ttl.lower() != "false":
            engine["engine_ttl"] = ttl
    changed = replace(
        file,
        schema=file.schema if schema is None else ",\n".join(split_columns(schema)),
        description=file.description if description is None else description,
        indexes=file.indexes if indexes is None else "" if indexes == "0" else indexes,
        engine=engine,
    )
    return datafile_for("Data Source", name, print_datasource(changed))
