"""Data Sources: what exists (``datasources.md`` sections 1, 2, 5), and making, renaming and dropping them.

A Data Source is a row of the catalogue, a table of its name in the workspace's database, and ``<name>_quarantine``
beside it. New tables are made and filled in the staging database and renamed into the workspace when they are complete;
then the catalogue is told. Deleting goes the other way round. So a crash leaves at most a table that the
catalogue does not know, and `DataSourcesService.repair` drops it at the next start.

What changes both an existing table and its row in the catalogue (`datasource_changes.py`) first writes into the row
what it is about to do (`begin`), so that `repair` can bring it to its end (`finish`).

Getting rows in is the business of `importing.py`.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import NameTaken
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import BadRequest, Conflict, NotFound
from tinymagic.local.files.file_reading import FileReader
from tinymagic.local.files.spool import Spool
from tinymagic.local.ingest.imports import DATASOURCES_PAGE, not_imported, plain_reason
from tinymagic.local.ingest.loader import OWN_SQL_SETTINGS, Loader, Table, quarantine_definition, staging_table
from tinymagic.local.locks import SharedLocks
from tinymagic.local.records import DataSourceRecord, new_id
from tinymagic.local.sql.expressions import Expressions
from tinymagic.local.tables.definition import MOST_NAME_CHARACTERS, TableDefinition, table_name_problem
from tinymagic.local.tables.schema import parse_schema, print_schema
from tinymagic.local.tables.sizes import table_sizes
from tinymagic.local.tables.unfinished_deletions import end_unfinished_deletions
from tinymagic.local.views.datasource import datafile, describe, pick
from tinymagic.names import QUARANTINE_SUFFIX, name_problem, near_hint, valid_name

from .tags import resource_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.limits import Limits
    from tinymagic.local.records import Workspace
    from tinymagic.local.sql.gate import SqlGate

logger = logging.getLogger("tinymagic.local")

#: Names made from file names leave room for a number at the end.
_MOST_GUESSED = MOST_NAME_CHARACTERS - 8

#: Key of a record's `settings` under which a change that was begun is written down.
PENDING = "pending"

#: Before the id in the key of the lock that populate jobs share and a replace holds alone.
_POPULATE = "populate/"

#: Key under which the ids of the workspaces are that a Data Source is shared with.
SHARED_WITH = "shared_with"


@dataclass(frozen=True)
class SharedDataSource:
    """A Data Source of another workspace that this one may read: as ``<workspace>.<name>``."""

    record: DataSourceRecord
    origin: Workspace

    @property
    def name(self) -> str:
        """How it is called here."""
        return f"{self.origin.name}.{self.record.name}"


class DataSourcesService:
    """Rules about Data Sources.

    Args:
        engine: where the tables are.
        catalog: what exists.
        limits: sizes.
        spool: folder for uploads; a temporary one when ``None``.
        gate: shared with other services; one of its own when ``None``.
    """

    def __init__(
        self,
        engine: Engine,
        catalog: Catalog,
        limits: Limits,
        spool: Path | None = None,
        gate: SqlGate | None = None,
    ) -> None:
        self.engine = engine
        self.catalog = catalog
        self.limits = limits
        self.spool = Spool(spool)
        self.loader = Loader(engine)
        self.expressions = Expressions(engine, gate)
        self.reader = FileReader(engine, self.loader, self.spool)
        self._locks = SharedLocks()
        #: Tells the ids of the Data Sources that get rows through views when one does.
        self.downstream: Callable[[Workspace, str], Collection[str]] = _nothing_downstream
        #: Tells the Pipes that read a Data Source.
        self.used_by: Callable[[Workspace, DataSourceRecord], list[dict[str, str]]] = _not_used
        self.repair()

    def close(self) -> None:
        """Remove the folder of uploads, and staging tables that nobody needs any more."""
        self.loader.close()
        self.spool.close()

    def repair(self) -> None:
        """Make catalogue and tables agree after a crash; call it when no request runs."""
        try:
            # First of all: the other steps look at the parts of tables.
            end_unfinished_deletions(self.engine)
        except EngineError:  # As below: the server must start.
            logger.exception("Deletions that the last server had begun cannot be ended.")
        self.loader.prepare()
        for workspace in self.catalog.workspaces():
            for record in self.catalog.datasources(workspace.id):
                if PENDING in record.settings:
                    try:
                        self.finish(workspace, record)
                    except (EngineError, NameTaken):  # One Data Source must not keep the others from being served.
                        logger.exception("A change of the Data Source %s cannot be brought to its end.", record.id)
            self._repair_tables(workspace)

    # Reading

    def list(self, workspace: Workspace, *, attrs: str = "") -> list[dict[str, Any]]:
        """Describe every Data Source of the workspace, then those that others share with it."""
        sizes = self.sizes(workspace)
        found = [
            pick({**describe(record, sizes), "used_by": self.used_by(workspace, record)}, attrs)
            for record in self.catalog.datasources(workspace.id)
        ]
        return found + [pick(self._describe_shared(shared), attrs) for shared in self.shared_with(workspace)]

    def get(self, workspace: Workspace, name_or_id: str, *, attrs: str = "") -> dict[str, Any]:
        """Describe one Data Source.

        Raises:
            NotFound: there is none; the message names the likely ones.
        """
        shared = self.shared(workspace, name_or_id)
        if shared is not None:
            return pick(self._describe_shared(shared, whole=True), attrs)
        record = self.record(workspace, name_or_id)
        described = describe(record, self.sizes(workspace), whole=True)
        return pick({**described, "used_by": self.used_by(workspace, record)}, attrs)

    def datafile(self, workspace: Workspace, name_or_id: str) -> str:
        """Return the Data Source as the text of a ``.datasource`` file."""
        shared = self.shared(workspace, name_or_id)
        if shared:
            return datafile(shared.record)
        record = self.record(workspace, name_or_id)
        rights = {"DATASOURCES:READ": "READ", "DATASOURCES:APPEND": "APPEND"}
        tokens = [
            (token.name, rights[scope["type"]])
            for token in self.catalog.tokens(workspace.id)
            if token.origin.get("type") in ("P", "DS")  # One name may stand in files of both kinds.
            for scope in token.scopes
            if scope["type"] in rights and scope.get("resource") == record.id
        ]
        tags = resource_tags(self.catalog, workspace, record)
        return datafile(record, tokens=tokens, tags=tags)

    def record(self, workspace: Workspace, name_or_id: str) -> DataSourceRecord:
        """Return the catalogue's record of a Data Source that belongs to the workspace.

        Raises:
            NotFound: there is none; the message names the likely ones.
        """
        record = self.catalog.datasource(workspace.id, name_or_id)
        if record is None:
            hint = near_hint(name_or_id, [each.name for each in self.catalog.datasources(workspace.id)])
            message = f"Data Source {name_or_id!r} does not exist. {hint}".rstrip()
            raise NotFound(message, documentation=DATASOURCES_PAGE)
        return record

    def shared_with(self, workspace: Workspace) -> Iterator[SharedDataSource]:
        """Give what other workspaces share with this one."""
        for origin in self.catalog.workspaces():
            if origin.id != workspace.id:
                for record in self.catalog.datasources(origin.id):
                    if workspace.id in record.settings.get(SHARED_WITH, ()):
                        yield SharedDataSource(record, origin)

    def shared(self, workspace: Workspace, name_or_id: str) -> SharedDataSource | None:
        """Find a shared Data Source by its id or by ``<workspace>.<name>``."""
        if "." not in name_or_id and not name_or_id.startswith("t_"):
            return None
        return next((each for each in self.shared_with(workspace) if name_or_id in (each.name, each.record.id)), None)

    def sizes(self, workspace: Workspace) -> dict[str, tuple[int, int]]:
        """Return table name to (rows, bytes on disk)."""
        sizes = table_sizes(self.engine, workspace.database)
        return {table.name: size for table, size in sizes.items()}

    # Locks

    @contextmanager
    def writing(self, workspace: Workspace, name_or_id: str) -> Iterator[DataSourceRecord]:
        """Hold a Data Source together with others that add rows to it; gives its record as it is now.

        Those that get rows through its views are held in the same way.

        Raises:
            NotFound: there is none (any more).
        """
        record = self.record(workspace, name_or_id)
        if PENDING in record.settings:
            # A change that a full disk stopped half-way is brought to its end first. If it cannot be, rows may still
            # be added: the table says whether they fit.
            with suppress(Conflict), self.changing(workspace, record.id):
                pass
        with self._held(workspace, record.id, exclusive=False):
            yield self.record(workspace, record.id)

    @contextmanager
    def _held(self, workspace: Workspace, record_id: str, *, exclusive: bool) -> Iterator[None]:
        """Hold a Data Source and what is downstream of it, in an order that all keep to."""
        hold = self._locks.exclusive if exclusive else self._locks.shared
        while True:
            held = {record_id, *self.downstream(workspace, record_id)}
            with ExitStack() as stack:
                if exclusive:
                    for each in sorted(held):
                        stack.enter_context(hold(_POPULATE + each))
                for each in sorted(held):
                    stack.enter_context(hold(each))
                if held >= {*self.downstream(workspace, record_id)}:  # No view has come meanwhile.
                    yield
                    return

    @contextmanager
    def populating(self, *ids: str) -> Iterator[None]:
        """Keep the rows of Data Sources from being replaced; taken before any other lock.

        A populate job brings a target what its source had. When the source is replaced meanwhile, the target follows
        (`ingest.rebuilding`), and what the job has still to bring would come on top of that.
        """
        with ExitStack() as stack:
            for each in sorted({*ids}):
                stack.enter_context(self._locks.shared(_POPULATE + each))
            yield

    @contextmanager
    def replacing(self, workspace: Workspace, name_or_id: str) -> Iterator[DataSourceRecord]:
        """Hold a Data Source alone, and those downstream of it, whose rows change with its own.

        Raises:
            Conflict, NotFound: see `changing`.
        """
        record = self.record(workspace, name_or_id)
        with self._held(workspace, record.id, exclusive=True):
            record = self.record(workspace, record.id)
            yield self._finished(workspace, record, forced=False) if PENDING in record.settings else record

    @contextmanager
    def changing(self, workspace: Workspace, name_or_id: str, *, forced: bool = False) -> Iterator[DataSourceRecord]:
        """Hold a Data Source alone; gives its record as it is now.

        *forced*: also when an earlier change of it can neither be finished nor undone.

        Raises:
            Conflict: it is so, and not *forced*.
            NotFound: there is none (any more).
        """
        record = self.record(workspace, name_or_id)
        with self._locks.exclusive(record.id):
            record = self.record(workspace, record.id)
            # A change that a full disk stopped half-way is brought to its end first.
            yield self._finished(workspace, record, forced=forced) if PENDING in record.settings else record

    @contextmanager
    def naming(self, workspace: Workspace, name: str) -> Iterator[None]:
        """Hold a name while a Data Source gets it or loses it. Taken after the locks of Data Sources."""
        with self._locks.exclusive(f"{workspace.id}/{name}"):
            yield

    # Making and dropping

    def new_name(self, workspace: Workspace, name: str, *, file_name: str = "") -> str:
        """Check the name of a new Data Source; make one, from a file's name when there is one, when it is empty.

        Raises:
            BadRequest: it cannot be a name.
            Conflict: it is taken.
        """
        taken = {record.name for record in self.catalog.datasources(workspace.id)}
        if not name:
            base = valid_name(file_name.split(".")[0])[:_MOST_GUESSED] if file_name else f"ds_{uuid.uuid4().hex[:8]}"
            name, number = base, 1
            while name in taken:
                name, number = f"{base}_{number}", number + 1
        if problem := name_problem(name) or table_name_problem(name):
            raise BadRequest(problem, documentation=DATASOURCES_PAGE)
        if self.catalog.pipe(workspace.id, name) is not None:
            raise Conflict(
                f"There is already a Pipe called {name!r}. Choose another name.", documentation=DATASOURCES_PAGE
            )
        if name in taken:
            raise Conflict(
                f"There is already a Data Source called {name!r}. Use mode=append to add rows to it, mode=replace to "
                "replace them, or another name.",
                documentation=DATASOURCES_PAGE,
            )
        return name

    def create(
        self,
        workspace: Workspace,
        name: str,
        definition: TableDefinition,
        *,
        description: str = "",
        type: str = "csv",  # noqa: A002 - the API's word
        headers: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        fill: Callable[[DataSourceRecord, Table], None] | None = None,
    ) -> DataSourceRecord:
        """Make a Data Source.

        Args:
            workspace: that gets it.
            name: checked by `new_name`.
            definition: from `define_table`.
            description: free text.
            type: of the files it is fed with.
            headers: column names in the file that it is made from.
            settings: what else is kept with it.
            fill: called with the record and the staging table before anybody sees the Data Source; when it raises,
                nothing was made.

        Raises:
            BadRequest: the engine refuses the definition.
            Conflict: the name was taken meanwhile.
        """
        target, staged = Table(workspace.database, name), staging_table()
        record = DataSourceRecord(
            id=new_id(),
            workspace_id=workspace.id,
            name=name,
            description=description,
            type=type,
            schema=print_schema(definition.columns),
            engine=definition.engine.description(),
            indexes=list(definition.indexes),
            headers={"header": [*headers]} if headers else {},
            settings=dict(settings or {}),
        )
        try:
            self._create_tables(staged, definition)
            if fill is not None:
                fill(record, staged)
            with self.naming(workspace, name):
                rename = f"{staged.sql} TO {target.sql}, {staged.quarantine.sql} TO {target.quarantine.sql}"
                self.engine.execute(f"RENAME TABLE {rename}")
                try:
                    return self.catalog.create_datasource(record)
                except BaseException as error:
                    self.loader.drop(target, target.quarantine)
                    if isinstance(error, NameTaken):
                        raise Conflict(str(error), documentation=DATASOURCES_PAGE) from error
                    raise
        except EngineError as error:
            if error.name == "TABLE_ALREADY_EXISTS":
                raise Conflict(f"There is already something called {name!r}.") from error
            raise not_imported(error) from error
        finally:
            self.loader.discard(staged, staged.quarantine)

    def redefine(self, workspace: Workspace, name_or_id: str, definition: TableDefinition) -> DataSourceRecord:
        """Give a Data Source another schema and engine; it keeps its name and id and loses its rows.

        Raises:
            NotFound: there is none.
            BadRequest: the engine refuses the definition.
        """
        with self.changing(workspace, name_or_id) as record:
            spare = Table(workspace.database, f"_tm_spare_{uuid.uuid4().hex}")
            table = Table(workspace.database, record.name)
            try:
                self._create_tables(spare, definition)
                pairs = [(table, spare), (table.quarantine, spare.quarantine)]
                exchanges = [(first.name, second.name, self.table_uuid(first)) for first, second in pairs]
                changes = {
                    "schema": print_schema(definition.columns),
                    "engine": definition.engine.description(),
                    "indexes": list(definition.indexes),
                }
                return self.finish(workspace, self.begin(record, exchanges=exchanges, changes=changes))
            finally:
                self.loader.discard(spare, spare.quarantine)

    def drop(self, workspace: Workspace, name_or_id: str) -> DataSourceRecord:
        """Drop a Data Source with its rows and its quarantine.

        Raises:
            NotFound: there is none.
        """
        with self.changing(workspace, name_or_id, forced=True) as record, self.naming(workspace, record.name):
            table = Table(workspace.database, record.name)
            self.catalog.delete_datasource(record.id)
            self.loader.drop(table, table.quarantine)
            return record

    # Changes in two places

    def begin(self, record: DataSourceRecord, **pending: Any) -> DataSourceRecord:
        """Write down what is about to happen to a Data Source; `finish` does it.

        Args:
            record: of the Data Source.
            **pending: ``renames``, pairs of table names; ``exchanges``, two table names and the UUID of the first;
                ``alters``, the name of a table, the statement that alters it and its `definition` before;
                ``statements``, SQL that may run again; ``changes``, attributes that the record gets; ``other``, the
                ``id`` and ``changes`` of a second record.
        """
        return self.catalog.update_datasource(replace(record, settings={**record.settings, PENDING: pending}))

    def finish(self, workspace: Workspace, record: DataSourceRecord) -> DataSourceRecord:
        """Do what `begin` wrote down, from wherever it stopped, and return the record as it is then.

        Raises:
            EngineError: a statement fails. When nothing has happened by then, the plan is forgotten; if not, it stays.
        """
        pending = record.settings[PENDING]
        done = False
        try:
            for old, new in pending.get("renames", ()):
                if self._has_table(workspace, old) and not self._has_table(workspace, new):
                    names = f"{Table(workspace.database, old).sql} TO {Table(workspace.database, new).sql}"
                    self.engine.execute(f"RENAME TABLE {names}")
                done = True
            for first, second, before in pending.get("exchanges", ()):
                if self.table_uuid(Table(workspace.database, first)) == before:
                    names = f"{Table(workspace.database, first).sql} AND {Table(workspace.database, second).sql}"
                    self.engine.execute(f"EXCHANGE TABLES {names}")
                done = True
            for name, statement, before in pending.get("alters", ()):
                if self.definition(Table(workspace.database, name)) == before:
                    self.engine.execute(statement, settings=OWN_SQL_SETTINGS)
                done = True
            for statement in pending.get("statements", ()):
                self.engine.execute(statement, settings=OWN_SQL_SETTINGS)
                done = True
        except EngineError:
            if not done:
                self.catalog.update_datasource(_without_plan(record))
            raise
        with self.catalog.transaction():
            other = pending.get("other")
            second_record = self.catalog.datasource(workspace.id, other["id"]) if other else None
            if other and second_record:
                self.catalog.update_datasource(replace(second_record, **other["changes"]))
            return self.catalog.update_datasource(replace(_without_plan(record), **pending.get("changes", {})))

    def table_uuid(self, table: Table) -> str:
        """Return the engine's own identity of a table, which stays when it is renamed; empty when there is none."""
        sql = "SELECT toString(uuid) FROM system.tables WHERE database = {d:String} AND name = {n:String}"
        rows = self.engine.rows(sql, parameters={"d": table.database, "n": table.name})
        return str(rows[0][0]) if rows else ""

    def definition(self, table: Table) -> str:
        """Return the statement that would make the table, which an ALTER changes; empty when there is none."""
        sql = "SELECT create_table_query FROM system.tables WHERE database = {d:String} AND name = {n:String}"
        rows = self.engine.rows(sql, parameters={"d": table.database, "n": table.name})
        return str(rows[0][0]) if rows else ""

    # Steps

    def _finished(self, workspace: Workspace, record: DataSourceRecord, *, forced: bool) -> DataSourceRecord:
        try:
            return self.finish(workspace, record)
        except (EngineError, NameTaken) as error:
            if forced:
                return _without_plan(record)
            raise Conflict(
                f"An earlier change of the Data Source {record.name!r} was stopped half-way and cannot be brought to "
                f"its end: {plain_reason(str(error))}",
                documentation=DATASOURCES_PAGE,
            ) from error

    def _repair_tables(self, workspace: Workspace) -> None:
        rows = self.engine.rows(
            "SELECT name, endsWith(engine, 'MergeTree') OR engine = 'Null' FROM system.tables "
            "WHERE database = {d:String}",
            parameters={"d": workspace.database},
        )
        tables = {str(name): bool(ours) for name, ours in rows}
        known: set[str] = set()
        for record in self.catalog.datasources(workspace.id):
            if PENDING in record.settings:  # Its change could not be brought to its end; nothing of it may be lost.
                plan = record.settings[PENDING]
                names = {record.name, *(name for pair in plan.get("renames", ()) for name in pair)}
                known |= names | {name + QUARANTINE_SUFFIX for name in names}
                continue
            if record.name not in tables:
                self.catalog.delete_datasource(record.id)
                continue
            table = Table(workspace.database, record.name)
            known |= {record.name, table.quarantine.name}
            if table.quarantine.name not in tables:
                columns = parse_schema(record.schema)
                self.engine.execute(f"CREATE TABLE {table.quarantine.sql} {quarantine_definition(columns)}")
        for name, ours in tables.items():
            if ours and name not in known and not name.startswith("_tm_"):
                self.loader.drop(Table(workspace.database, name))

    def _has_table(self, workspace: Workspace, name: str) -> bool:
        sql = "SELECT count() FROM system.tables WHERE database = {d:String} AND name = {n:String}"
        [[count]] = self.engine.rows(sql, parameters={"d": workspace.database, "n": name})
        return bool(count)

    def _create_tables(self, table: Table, definition: TableDefinition) -> None:
        try:
            self.engine.execute(f"CREATE TABLE {table.sql} {definition.sql}", settings=OWN_SQL_SETTINGS)
        except EngineError as error:
            if error.name == "QUERY_WAS_CANCELLED":
                raise
            reason = f"The Data Source cannot be created: {plain_reason(error.message)}"
            raise BadRequest(reason, documentation=DATASOURCES_PAGE) from error
        quarantine = f"CREATE TABLE {table.quarantine.sql} {quarantine_definition(definition.columns)}"
        self.engine.execute(quarantine, settings=OWN_SQL_SETTINGS)

    def _describe_shared(self, shared: SharedDataSource, *, whole: bool = False) -> dict[str, Any]:
        described = describe(shared.record, self.sizes(shared.origin), whole=whole)
        return {**described, "name": shared.name, "shared_from": shared.origin.id, "shared_with": []}


def _nothing_downstream(workspace: Workspace, record_id: str) -> Collection[str]:
    del workspace, record_id
    return ()


def _not_used(workspace: Workspace, record: DataSourceRecord) -> list[dict[str, str]]:
    del workspace, record
    return []


def _without_plan(record: DataSourceRecord) -> DataSourceRecord:
    return replace(record, settings={key: value for key, value in record.settings.items() if key != PENDING})
