"""Data Sources, ``/v0/datasources``: what there is, creating, and getting rows in (``datasources.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tinymagic.api.datasource_results import Column, DataSource, ImportReport, Statistics
from tinymagic.api.errors import InvalidInput
from tinymagic.api.ingest.methods import RowsIn, engine_fields
from tinymagic.api.reading import mapping, mappings
from tinymagic.api.request import FORM_TYPE, Request, form_body
from tinymagic.names import name_problem

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

__all__ = ["Column", "DataSource", "DataSources", "ImportReport", "Statistics"]

_PATH = "/v0/datasources"


class DataSources(RowsIn):
    """``workspace.datasources``: list, read, create, fill, empty and delete Data Sources.

    Every method raises a `tinymagic.errors.TinybirdError`: ``NotFound`` for a name that is not there, ``Forbidden`` for
    a token without the scope, ``Conflict`` when something depends on it, and so on.
    """

    def list(self) -> builtins.list[DataSource]:
        """Return the Data Sources that the token may read."""
        reply = self._transport.get_json(_PATH)
        return [DataSource.of(each) for each in mappings(reply.get("datasources"))]

    def get(self, name: str) -> DataSource:
        """Return one by name or id, with its schema and size.

        Raises:
            NotFound: there is none.
        """
        return DataSource.of(self._transport.get_json(_path(name)))

    def datafile(self, name: str) -> str:
        """Return the definition of one as the text of a ``.datasource`` file.

        Raises:
            NotFound: there is none.
        """
        return self._transport.send(Request("GET", f"{_path(name)}.datasource")).text()

    def create(
        self,
        name: str,
        schema: str,
        *,
        engine: str | None = None,
        sorting_key: str | None = None,
        partition_key: str | None = None,
        primary_key: str | None = None,
        ttl: str | None = None,
        settings: str | None = None,
        engine_options: Mapping[str, str] | None = None,
        indexes: str | None = None,
        description: str | None = None,
    ) -> DataSource:
        """Make an empty Data Source.

        Args:
            name: letters, digits and underscores.
            schema: ``name Type`` with commas between, a jsonpath (`` `json:$.name` ``) on each for NDJSON and Parquet.
            engine: default ``MergeTree``.
            sorting_key: columns with commas; the service picks some when absent.
            partition_key: expression.
            primary_key: columns with commas.
            ttl: expression.
            settings: of the engine.
            engine_options: further ``engine_...`` parameters, for instance ``{"engine_ver": "updated"}``.
            indexes: data-skipping indexes, one per line.
            description: in words.

        Raises:
            InvalidInput: the name cannot be used; nothing was sent.
            BadRequest: the service does not take the schema or the engine.
            Conflict: the name is taken.
        """
        _check_name(name)
        if not schema.strip():
            raise InvalidInput("A new Data Source needs a schema, for instance 'day Date, amount Float64'.")
        fields = {
            "schema": schema,
            **engine_fields(engine, sorting_key, partition_key, primary_key, ttl, settings, engine_options),
            "indexes": indexes,
            "description": description,
        }
        request = Request(
            "POST",
            _PATH,
            {"mode": "create", "name": name},
            # In the body: a schema of 500 columns is longer than a URL may be.
            body=form_body(fields),
            content_type=FORM_TYPE,
            effect="write",
        )
        reply = self._transport.send(request).json_object()
        return DataSource.of(mapping(reply.get("datasource")) or {"name": name, **reply})

    def truncate(self, name: str) -> None:
        """Delete all rows. What other Data Sources have been made of them stays.

        Raises:
            NotFound: there is no such Data Source.
        """
        self._transport.send(Request("POST", f"{_path(name)}/truncate", effect="write"))

    def delete(self, name: str, *, force: bool = False) -> None:
        """Delete a Data Source with its rows and its quarantine.

        Args:
            name: or id.
            force: unlink the materializations that depend on it, and delete it then.

        Raises:
            NotFound: there is no such Data Source.
            Conflict: something depends on it.
        """
        query = {"force": "true"} if force else {}
        self._transport.send(Request("DELETE", _path(name), query, effect="write"))


def _path(name: str) -> str:
    # "." and ".." would be taken for steps in the path, even when they are quoted.
    if not name.strip("."):
        raise InvalidInput(f"{name!r} is not the name of a Data Source.")
    return f"{_PATH}/{quote(name, safe='')}"


def _check_name(name: str, *, new: bool = True) -> None:
    # An existing one may be called what a new one may not: shared ones have a dot, old ones whatever was allowed then.
    problem = name_problem(name) if new or not name else None
    if problem:
        raise InvalidInput(problem)
