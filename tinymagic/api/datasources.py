"""Data Sources, ``/v0/datasources``: what there is, creating, changing, sharing and deleting (``datasources.md``)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Literal

from tinymagic.api.datasource_changes import Alteration, DeletionPlan, Dependencies
from tinymagic.api.datasource_connectors import ConnectorIngestion
from tinymagic.api.datasource_files import altered_datasource, new_datasource
from tinymagic.api.datasource_results import Column, DataSource, ImportReport, Statistics
from tinymagic.api.datasource_rows import RowDeletion
from tinymagic.api.errors import BadRequest, InvalidInput
from tinymagic.api.ingest.fields import engine_fields
from tinymagic.api.ingest.methods import RowsIn
from tinymagic.api.reading import mapping, mappings, text
from tinymagic.api.resource import path
from tinymagic.names import name_problem

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Column", "DataSource", "DataSources", "ImportReport", "Statistics"]

_PATH = "/v0/datasources"

#: What the service says of an alteration that would change nothing, in small letters.
_NOTHING_TO_DO = "no operations to perform"


class DataSources(RowsIn, RowDeletion, ConnectorIngestion):
    """``workspace.datasources``: list, read, create, fill, change, share, empty and delete Data Sources.

    Every method raises a `tinymagic.errors.TinybirdError`: ``NotFound`` for a name that is not there, ``Forbidden`` for
    a token without the scope, ``Conflict`` when something depends on it, and so on.
    """

    def list(self, *, attrs: Iterable[str] | None = None) -> builtins.list[DataSource]:
        """Return the Data Sources that the token may read.

        Args:
            attrs: names of the attributes that the reply shall have, for instance ``("name", "used_by")``; default is
                what the service thinks fit.
        """
        reply = self._get(_PATH, {"attrs": _joined(attrs)})
        return [DataSource.of(each) for each in mappings(reply.get("datasources"))]

    def get(self, name: str, *, attrs: Iterable[str] | None = None) -> DataSource:
        """Return one by name or id, with its schema and size.

        Args:
            name: or id.
            attrs: as for `list`.

        Raises:
            NotFound: there is none.
        """
        return DataSource.of(self._get(_path(name), {"attrs": _joined(attrs)}))

    def datafile(self, name: str) -> str:
        """Return the definition of one as the text of a ``.datasource`` file.

        Raises:
            NotFound: there is none.
        """
        return self._get_text(f"{_path(name)}.datasource")

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
            DeploymentRequired: the Workspace makes Data Sources by a deployment only; the datafile is in the error.
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
        reply = self._change(
            "POST",
            _PATH,
            query={"mode": "create", "name": name},
            # In the body: a schema of 500 columns is longer than a URL may be.
            form=fields,
            datafile=lambda: new_datasource(name, fields),
        )
        return DataSource.of(mapping(reply.get("datasource")) or {"name": name, **reply})

    def update(self, name: str, **fields: str) -> DataSource:
        """Set attributes; return the Data Source.

        Args:
            name: or id.
            **fields: of the API, for instance ``description`` or ``backfill_column``; for its name see `rename`.

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: the service does not take a value.
            InvalidInput: there is nothing to set.
        """
        if not fields:
            raise InvalidInput("Nothing to change: give at least one attribute, for instance description='...'.")
        return self._update(name, fields)

    def rename(self, name: str, new_name: str) -> DataSource:
        """Give it another name; return the Data Source.

        Raises:
            NotFound: there is no such Data Source.
            InvalidInput: *new_name* cannot be one; nothing was sent.
            Conflict: *new_name* is taken, or a Pipe names the Data Source.
        """
        _check_name(new_name)
        return self._update(name, {"name": new_name})

    def _update(self, name: str, fields: Mapping[str, str]) -> DataSource:
        # After a renaming the old name is not there any more: a second attempt would get 404.
        described = {"description": fields.get("description")}
        reply = self._change(
            "PUT",
            _path(name),
            form=fields,
            effect="write" if "name" in fields else "idempotent",
            datafile=lambda: (
                altered_datasource(name, lambda: self.datafile(name), described)
                if described["description"] is not None
                else None
            ),
        )
        return DataSource.of(mapping(reply.get("datasource")) or {"name": fields.get("name", name), **reply})

    def alter(
        self,
        name: str,
        *,
        schema: str | None = None,
        description: str | None = None,
        ttl: str | Literal[False] | None = None,
        indexes: str | Sequence[str] | None = None,
        dry_run: bool = False,
    ) -> Alteration:
        """Change columns, description, TTL or indexes in place; types and sorting key of what is there cannot change.

        Args:
            name: or id.
            schema: the whole new schema, also the columns that stay as they are.
            description: in words.
            ttl: expression; ``False`` or ``"false"`` takes it away.
            indexes: all of them, one per line or in a sequence; an empty sequence or text takes them away.
            dry_run: only say what would be done.

        Returns:
            The operations; none when everything is already as asked for.

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: it cannot be done in place; nothing was done.
            InvalidInput: there is nothing to change.
            DeploymentRequired: the Workspace changes Data Sources by a deployment only; the datafile is in the error.
        """
        if schema is None and description is None and ttl is None and indexes is None:
            raise InvalidInput("Nothing to change: give schema, description, ttl or indexes.")
        fields = {
            "schema": schema,
            "description": description,
            "ttl": "false" if ttl is False else ttl,
            "indexes": None if indexes is None else _lines(indexes) or "0",
        }
        try:
            reply = self._change(
                "POST",
                f"{_path(name)}/alter",
                form={**fields, "dry": dry_run},
                effect="read" if dry_run else "write",
                datafile=lambda: altered_datasource(name, lambda: self.datafile(name), fields),
            )
        except BadRequest as error:
            if _NOTHING_TO_DO not in error.message.lower():
                raise
            return Alteration(())
        return Alteration.of(reply)

    def exchange(self, name: str, other: str) -> None:
        """Let two Data Sources change places: rows, schema and engine. Names, ids and rights of tokens stay.

        Raises:
            NotFound: one of them does not exist.
            BadRequest: they are the same, or cannot be exchanged.
        """
        self._change("POST", f"{_PATH}/exchange", form={"datasource_a": name, "datasource_b": other})

    def share(
        self, name: str, workspace_id: str, *, origin_workspace_id: str | None = None, user_token: str | None = None
    ) -> DataSource:
        """Let another Workspace read a Data Source; there it is called ``workspace.name``.

        Args:
            name: of the Data Source, or id.
            workspace_id: of the other Workspace.
            origin_workspace_id: of the Workspace that it belongs to; default is that of the token.
            user_token: a user's token, where the service does not take that of the Workspace.

        Raises:
            NotFound: there is no such Data Source or Workspace.
            Forbidden: the token is no administrator's.
            BadRequest: it is the Data Source's own Workspace.
        """
        return self._share("POST", name, workspace_id, origin_workspace_id, user_token)

    def unshare(
        self, name: str, workspace_id: str, *, origin_workspace_id: str | None = None, user_token: str | None = None
    ) -> DataSource:
        """Share a Data Source no longer with another Workspace. The arguments are those of `share`.

        Raises:
            NotFound: there is no such Data Source or Workspace.
            Forbidden: the token is no administrator's.
            BadRequest: it is not shared with that Workspace.
        """
        return self._share("DELETE", name, workspace_id, origin_workspace_id, user_token)

    def _share(
        self, method: str, name: str, workspace_id: str, origin_workspace_id: str | None, user_token: str | None
    ) -> DataSource:
        # A user's token belongs to no Workspace: id and origin tell whose Data Source it is.
        source_id = self.get(name, attrs=("id", "name")).id or name
        origin = origin_workspace_id or text(self._get("/v0/workspace").get("id")) or None
        form = {"origin_workspace_id": origin, "destination_workspace_id": workspace_id}
        address = f"{_path(source_id)}/share"
        if user_token is None:
            reply = self._change(method, address, form=form)
        else:
            with closing(self._transport.with_token(user_token)) as transport:
                reply = DataSources(transport)._change(method, address, form=form)
        return DataSource.of(mapping(reply.get("datasource")) or {"id": source_id, "name": name, **reply})

    def dependencies(
        self,
        *,
        datasource: str | None = None,
        pipe: str | None = None,
        match: str | None = None,
        no_deps: bool | None = None,
        recursive: bool | None = None,
        check_for_partial_replace: bool | None = None,
    ) -> Dependencies:
        """Return which Pipes read which Data Sources (``GET /v0/dependencies``).

        Args:
            datasource: only this one.
            pipe: only what this Pipe reads.
            match: only names that match.
            no_deps: only those that nothing reads.
            recursive: also what is made of them.
            check_for_partial_replace: what a conditional replace of *datasource* brings up to date instead, and what it
                cannot.

        Raises:
            NotFound: there is no such Data Source or Pipe.
        """
        query = {
            "datasource": datasource,
            "pipe": pipe,
            "match": match,
            "no_deps": no_deps,
            "recursive": recursive,
            "check_for_partial_replace": check_for_partial_replace,
        }
        return Dependencies.of(self._get("/v0/dependencies", query))

    def deletion_plan(self, name: str, *, force: bool = False) -> DeletionPlan:
        """Return what hangs on a Data Source, before it is deleted; nothing is done.

        Args:
            name: or id.
            force: as for `delete`.

        Raises:
            NotFound: there is no such Data Source.
        """
        query = {"force": force, "dry_run": True}
        return DeletionPlan.of(self._change("DELETE", _path(name), query=query, effect="read"))

    def delete(self, name: str, *, force: bool = False) -> None:
        """Delete a Data Source with its rows and its quarantine.

        Args:
            name: or id.
            force: unlink the materializations that depend on it, and delete it then.

        Raises:
            NotFound: there is no such Data Source.
            Conflict: something depends on it.
            DeploymentRequired: the Workspace deletes Data Sources by a deployment only.
        """
        self._change("DELETE", _path(name), query={"force": True if force else None}, effect="idempotent")


def _path(name: str) -> str:
    return path(f"{_PATH}/", name)


def _joined(attrs: Iterable[str] | None) -> str | None:
    return attrs if attrs is None or isinstance(attrs, str) else ",".join(attrs)


def _lines(indexes: str | Sequence[str]) -> str:
    return (indexes if isinstance(indexes, str) else "\n".join(indexes)).strip()


def _check_name(name: str, *, new: bool = True) -> None:
    # An existing one may be called what a new one may not: shared ones have a dot, old ones whatever was allowed then.
    problem = name_problem(name) if new or not name else None
    if problem:
        raise InvalidInput(problem)
