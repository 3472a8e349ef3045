"""From a text with parameters to one SELECT in which everything that it reads is in place.

A name of a node or Pipe becomes a subquery: its own text, rendered with the same parameters, checked, and composed the
same way. Tables stay names. A statement is written anew through its tree (`SqlGate.renamed`) with a mark that nobody
can guess in the place of each such name, and the mark is then replaced by the subquery. So the engine's parser has seen
every text, and texts which were seen before cost nothing but the replacing.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError, BadRequest, Forbidden
from tinymagic.local.sql.failures import query_error
from tinymagic.local.sql.gate import INTERNAL_PREFIX
from tinymagic.local.sql.names import COPIES_ONLY
from tinymagic.local.sql.secret_guard import SecretGuard
from tinymagic.local.sql.shapes import Shapes
from tinymagic.local.template import is_template

from .assembly import Assembly, Composed, Secrets, Tools
from .meanings import Caller, Directory, OfNode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.records import Node, PipeRecord, Workspace
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.sql.gate import SqlGate
    from tinymagic.local.sql.tree import TableName

    from .meanings import Resources, Sharing

#: Errors about values, which another value of a parameter may not give.
_VALUE_ERRORS = (
    "CANNOT_PARSE_TEXT",
    "CANNOT_PARSE_DATE",
    "CANNOT_PARSE_DATETIME",
    "CANNOT_PARSE_NUMBER",
    "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    "CANNOT_PARSE_QUOTED_STRING",
    "CANNOT_PARSE_ESCAPE_SEQUENCE",
    "CANNOT_PARSE_BOOL",
    "CANNOT_PARSE_UUID",
    "CANNOT_PARSE_IPV4",
    "CANNOT_PARSE_IPV6",
    "CANNOT_COMPILE_REGEXP",
    "CANNOT_READ_ALL_DATA",
    "CANNOT_READ_ARRAY_FROM_TEXT",
    "ARGUMENT_OUT_OF_BOUND",
    "BAD_ARGUMENTS",
    "ILLEGAL_DIVISION",
    "UNKNOWN_ELEMENT_OF_ENUM",
)

#: The name that stands for a parameter which is a name, while a Pipe is checked.
_PLACEHOLDER = "placeholder"


class Composer:
    """Composes statements.

    Args:
        engine: tells the columns of what was composed.
        gate: checks every text.
        catalog: what exists.
        sharing: what other workspaces share.
        service_log: the service Data Sources.
        variables: the secrets of templates.
    """

    def __init__(
        self,
        engine: Engine,
        gate: SqlGate,
        catalog: Catalog,
        sharing: Sharing,
        service_log: ServiceLog,
        variables: Secrets,
    ) -> None:
        self._engine = engine
        self.secret_guard = SecretGuard(engine)
        self._tools = Tools(
            gate=gate,
            shapes=Shapes(gate),
            directory=Directory(catalog),
            sharing=sharing,
            service_log=service_log,
            variables=variables,
            secret_guard=self.secret_guard,
            mark=f"{INTERNAL_PREFIX}node_{secrets.token_hex(16)}",
        )

    def text(
        self,
        access: Access,
        text: str,
        parameters: Mapping[str, Any],
        *,
        underscore: TableName | OfNode | None = None,
    ) -> Composed:
        """Compose the text of a request with the rights of its token.

        Args:
            access: of who asks.
            text: SQL, a template when it begins with ``%``.
            parameters: of the request.
            underscore: what ``_`` is.

        Raises:
            ApiError: with the service's status and text.
        """
        names = self.caller(access, underscore)
        # Whoever may not see Environment Variables may not read them by a query either.
        work = Assembly(self._tools, access.workspace, parameters, access, has_secrets=access.is_admin)
        return work.finished(work.part(text, names, None), names)

    def caller(self, access: Access, underscore: TableName | OfNode | None = None) -> Caller:
        """Return what names mean in the text of a request."""
        resources = self._tools.directory.resources(access.workspace)
        return Caller(access, resources, self._tools.sharing, self._tools.service_log, underscore)

    def node(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        parameters: Mapping[str, Any] | None = None,
        *,
        access: Access | None = None,
        now: datetime | None = None,
        copying: bool = False,
        checking: bool = False,
    ) -> Composed:
        """Compose a node with the rights of the Pipe's owner.

        Args:
            workspace: of the Pipe.
            pipe: as it is or as it shall become.
            node: of it.
            parameters: of the request or run.
            access: of who asks; filters of rows in it hold.
            now: the value of ``job_timestamp``.
            copying: see `SqlGate.check`.
            checking: whether placeholders stand for the parameters, as when a Pipe is saved.

        Raises:
            ApiError: with the service's status and text.
        """
        work = Assembly(self._tools, workspace, parameters or {}, access, now=now, copying=copying, checking=checking)
        names = work.inside(pipe, node)
        return work.finished(work.of_node(OfNode(pipe, node)), names)

    def check(
        self, workspace: Workspace, pipe: PipeRecord, node: Node, *, copying: bool = False
    ) -> list[tuple[str, str]]:
        """Return the columns of a node, name and type each, or say why it cannot run.

        Placeholders stand for its parameters, as when a Pipe is saved. A node that can run with its defaults passes
        too: not every placeholder is a date where one is wanted.

        Raises:
            BadRequest: a mistake in the template or SQL, a name that means nothing, an unknown column.
        """
        try:
            composed = self.node(workspace, pipe, node, copying=copying, checking=True)
        except Forbidden as error:
            if _PLACEHOLDER not in error.message:
                raise
            # The name of a table comes from a parameter; without a default nobody knows it yet.
            try:
                composed = self.node(workspace, pipe, node, copying=copying)
            except BadRequest:
                return []
        try:
            return self.columns(workspace, composed)
        except EngineError as error:
            if copying and self._reads_elsewhere(workspace, pipe, node):
                return []  # It is kept. A run says that this server reads from nowhere else.
            if is_template(node.sql) or composed.pipes - {pipe.id} or len(pipe.nodes) > 1:
                with suppress(ApiError, EngineError):
                    return self.columns(workspace, self.node(workspace, pipe, node, copying=copying))
                if error.name in _VALUE_ERRORS or _PLACEHOLDER in error.message:
                    return []
            raise query_error(error, "POST") from error

    def _reads_elsewhere(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> bool:
        """Say whether a node uses table functions that the gate lets through for copies only."""
        try:
            self.node(workspace, pipe, node, checking=True)
        except ApiError as error:
            return COPIES_ONLY in error.message
        return False

    def columns(self, workspace: Workspace, composed: Composed) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT.

        Raises:
            EngineError: it cannot run.
        """
        result = self._engine.read(
            f"DESCRIBE TABLE (\n{composed.sql}\n)",
            database=workspace.database,
            output_format="JSONCompactEachRow",
            settings=composed.settings,
            parameters=composed.parameters,
            readonly=composed.readonly,
        )
        return [tuple(json.loads(line)[:2]) for line in result.data.splitlines() if line]

    def reads(self, workspace: Workspace, node: Node) -> list[str]:
        """Return the names in the text of a node, sorted; none when the text cannot be read."""
        work = Assembly(self._tools, workspace, {}, None, copying=True, checking=True)
        try:
            statement = work.statement(node.sql, node.name)[1]
        except ApiError:
            return []
        return sorted(".".join(part for part in table if part) for table in statement.reads)

    def resources(self, workspace: Workspace) -> Resources:
        """Return what exists in a workspace."""
        return self._tools.directory.resources(workspace)
