"""Environment Variables: secrets that templates use by name and that nobody gets back (``variables.md``).

The catalogue holds ciphertext (`SecretBox`). A value is decrypted only for a query that uses it, where it travels
beside the SQL; the objects of the API never have it.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from tinymagic.local.catalog import NameTaken
from tinymagic.local.errors import BadRequest, Forbidden, NotFound
from tinymagic.local.pipes.assembly import Secrets
from tinymagic.local.records import VariableRecord, new_id
from tinymagic.local.secret_box import SecretUnreadable
from tinymagic.local.secret_text import SecretText
from tinymagic.local.template.secrets import secrets_used
from tinymagic.names import NAME_RE

if TYPE_CHECKING:
    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.records import Workspace
    from tinymagic.local.secret_box import SecretBox

#: Names of resources by the variable that they use.
_Uses: TypeAlias = "dict[str, list[str]]"

VARIABLES_PAGE = "/api-reference/environment-variables-api"

#: Variables of one workspace (``variables.md``).
MOST_VARIABLES = 100

#: Bytes of a value.
MOST_BYTES = 8 * 1024

TYPES = ("secret",)

_MOST_NAME_CHARACTERS = 200


class VariablesService(Secrets):
    """Rules about Environment Variables.

    Args:
        catalog: where they are, sealed.
        box: seals them.
    """

    def __init__(self, catalog: Catalog, box: SecretBox) -> None:
        self._catalog = catalog
        self._box = box
        self._lock = threading.Lock()

    # For templates

    def has(self, workspace: Workspace, name: str) -> bool:
        """Say whether the workspace has a variable of this name."""
        return self._catalog.variable(workspace.id, name) is not None

    def value(self, workspace: Workspace, name: str) -> SecretText | None:
        """Return the value in clear, ``None`` when there is no such variable. Never show it.

        Raises:
            SecretUnreadable: the server's key is not the one that it was sealed with.
        """
        record = self._catalog.variable(workspace.id, name)
        if record is None:
            return None
        try:
            return SecretText(self._box.open(record.value))
        except SecretUnreadable as error:
            raise SecretUnreadable(f"Environment Variable {name!r}: {error.message}") from None

    # For the API

    def list(self, workspace: Workspace) -> list[dict[str, Any]]:
        """Return the objects of all variables, oldest first."""
        used = self._uses(workspace)
        return [_view(record, used) for record in self._catalog.variables(workspace.id)]

    def get(self, workspace: Workspace, name: str) -> dict[str, Any]:
        """Return the object of one.

        Raises:
            NotFound: there is none of this name.
        """
        return _view(self._record(workspace, name), self._uses(workspace))

    def create(self, access: Access, name: str, value: str | None, kind: str, editor: str) -> dict[str, Any]:
        """Add a variable and return its object.

        Args:
            access: of whoever asks.
            name: of it.
            value: in clear; ``None`` when the request has none.
            kind: one of `TYPES`; empty means the first.
            editor: shown as ``edited_by``.

        Raises:
            BadRequest: a parameter is missing or cannot be used, or the name is taken.
            Forbidden: the workspace has `MOST_VARIABLES` already.
        """
        _check_name(name)
        if kind not in ("", *TYPES):
            raise BadRequest(f"type must be 'secret', not {kind[:40]!r}.", documentation=VARIABLES_PAGE)
        text = _checked_value(value)
        workspace = access.workspace
        with self._lock:
            if self.has(workspace, name):
                raise _taken(name)
            if len(self._catalog.variables(workspace.id)) >= MOST_VARIABLES:
                raise Forbidden(
                    f"The Workspace has {MOST_VARIABLES} Environment Variables, which is the limit. "
                    "Delete one that is not used.",
                    documentation=VARIABLES_PAGE,
                )
            record = VariableRecord(new_id(), workspace.id, name, self._box.seal(text), TYPES[0], edited_by=editor)
            try:
                made = self._catalog.create_variable(record)
            except NameTaken as error:
                raise _taken(name) from error
        return _view(made, self._uses(workspace))

    def update(self, access: Access, name: str, value: str | None, editor: str) -> dict[str, Any]:
        """Give a variable another value and return its object.

        Raises:
            NotFound: there is none of this name.
            BadRequest: the value is missing or cannot be used.
        """
        self._record(access.workspace, name)
        text = _checked_value(value)
        with self._lock:
            record = self._record(access.workspace, name)
            changed = self._catalog.update_variable(replace(record, value=self._box.seal(text), edited_by=editor))
        return _view(changed, self._uses(access.workspace))

    def delete(self, workspace: Workspace, name: str) -> None:
        """Delete one; what uses it fails from now on, with the template's own error.

        Raises:
            NotFound: there is none of this name.
        """
        with self._lock:
            self._catalog.delete_variable(self._record(workspace, name).id)

    def _record(self, workspace: Workspace, name: str) -> VariableRecord:
        record = self._catalog.variable(workspace.id, name)
        if record is None:
            raise NotFound(f"Environment Variable {name[:100]!r} does not exist.", documentation=VARIABLES_PAGE)
        return record

    def _uses(self, workspace: Workspace) -> _Uses:
        """Return the names of Pipes, Data Sources and connections by the variable that they use."""
        uses: _Uses = {}
        texts = [(pipe.name, node.sql) for pipe in self._catalog.pipes(workspace.id) for node in pipe.nodes]
        holders = [(each.name, each.settings) for each in self._catalog.datasources(workspace.id)]
        holders += [(each.name, each.settings) for each in self._catalog.connections(workspace.id)]
        for holder, settings in holders:
            texts += [(holder, value) for value in settings.values() if isinstance(value, str)]
        for user, text in texts:
            for name in secrets_used(text):
                users = uses.setdefault(name, [])
                if user not in users:
                    users.append(user)
        return uses


def _view(record: VariableRecord, used: _Uses) -> dict[str, Any]:
    return {
        "name": record.name,
        "type": record.type,
        "created_at": _iso(record.created_at),
        "updated_at": _iso(record.updated_at),
        "edited_by": record.edited_by,
        "used_by": used.get(record.name, []),
    }


def _iso(moment: str) -> str:
    """Return a time as this API writes it: with a T, without fractions of a second."""
    return moment[:19].replace(" ", "T")


def _check_name(name: str) -> None:
    if not name:
        raise BadRequest("The parameter 'name' is missing.", documentation=VARIABLES_PAGE)
    if not NAME_RE.fullmatch(name) or len(name) > _MOST_NAME_CHARACTERS:
        raise BadRequest(
            f"{name[:100]!r} is not a valid name of an Environment Variable: use letters, digits and underscores only, "
            f"not beginning with a digit, at most {_MOST_NAME_CHARACTERS} characters.",
            documentation=VARIABLES_PAGE,
        )


def _checked_value(value: str | None) -> str:
    # The messages never quote the value.
    if value is None or value == "":
        raise BadRequest("The parameter 'value' is missing.", documentation=VARIABLES_PAGE)
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise BadRequest("The value is not valid Unicode.", documentation=VARIABLES_PAGE) from None
    if size > MOST_BYTES:
        raise BadRequest(f"The value has {size} bytes; the limit is {MOST_BYTES} (8 KB).", documentation=VARIABLES_PAGE)
    return value


def _taken(name: str) -> BadRequest:
    return BadRequest(f"There is already an Environment Variable called {name!r}.", documentation=VARIABLES_PAGE)
