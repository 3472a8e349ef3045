"""Tags, ``/v0/tags``: names under which Data Sources, Pipes and connections are found (``workspace.md`` section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.reading import frozen, text
from tinymagic.api.reading import mappings as objects
from tinymagic.api.resource import Resource, path

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable

    from tinymagic.api.http.retries import Effect


@dataclass(frozen=True)
class Tagged:
    """A resource that has a tag.

    Attributes:
        id: of it.
        name: of it.
        type: ``datasource``, ``pipe`` or ``connection``.
    """

    id: str
    name: str
    type: str

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Tagged:
        """Read one of a reply."""
        return cls(text(reply.get("id")), text(reply.get("name")), text(reply.get("type")))


@dataclass(frozen=True)
class Tag:
    """A tag.

    Attributes:
        name: of it.
        resources: what has it.
        id: ``""`` when the service does not tell.
        raw: the whole description.
    """

    name: str
    resources: tuple[Tagged, ...] = ()
    id: str = ""
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Tag:
        """Read a tag of a reply.

        Example:
            >>> Tag.of({"name": "team", "resources": [{"id": "t_1", "name": "events", "type": "datasource"}]}).name
            'team'
        """
        tagged = tuple(Tagged.of(each) for each in objects(reply.get("resources")))
        return cls(text(reply.get("name")), tagged, text(reply.get("id")), frozen(reply))


class Tags(Resource):
    """``workspace.tags``: make, change and delete tags. Needs an administrator's token."""

    def list(self) -> builtins.list[Tag]:
        """Return the tags of the Workspace."""
        return [Tag.of(each) for each in objects(self._get("/v0/tags").get("tags"))]

    def create(self, name: str, resources: Iterable[Tagged | Mapping[str, Any]] = ()) -> Tag:
        """Make a tag.

        Args:
            name: of it.
            resources: what has it: `Tagged`, or objects with ``id``, ``name`` and ``type``.

        Raises:
            InvalidInput: it has no name; nothing was sent.
            Conflict: the name is taken.
        """
        if not name.strip():
            raise InvalidInput("A tag needs a name.")
        document: dict[str, Any] = {"name": name}
        if found := _documents(resources):
            document["resources"] = found
        return Tag.of({**document, **self._change("POST", "/v0/tags", document=document)})

    def update(
        self,
        name: str,
        *,
        new_name: str | None = None,
        resources: Iterable[Tagged | Mapping[str, Any]] | None = None,
    ) -> Tag:
        """Change a tag; what is ``None`` stays.

        Args:
            name: of it.
            new_name: that it gets.
            resources: all that has it from now on.

        Raises:
            InvalidInput: nothing is to be changed; nothing was sent.
            NotFound: there is none.
            Conflict: the new name is taken.
        """
        document: dict[str, Any] = {}
        if new_name is not None:
            document["name"] = new_name
        if resources is not None:
            document["resources"] = _documents(resources)
        if not document:
            raise InvalidInput("There is nothing to change: give a new name or resources.")
        # By its old name, a tag that has been renamed is not found a second time.
        effect: Effect = "write" if new_name is not None else "idempotent"
        reply = self._change("PUT", path("/v0/tags/", name), document=document, effect=effect)
        return Tag.of({"name": name, **document, **reply})

    def delete(self, name: str) -> None:
        """Delete a tag; what has it stays.

        Raises:
            NotFound: there is none.
        """
        self._change("DELETE", path("/v0/tags/", name), effect="idempotent")


def _documents(resources: Iterable[Tagged | Mapping[str, Any]]) -> builtins.list[dict[str, Any]]:
    found = []
    for each in resources:
        if isinstance(each, Tagged):
            found.append({"id": each.id, "name": each.name, "type": each.type})
        elif isinstance(each, Mapping):
            found.append(dict(each))
        else:
            raise InvalidInput(f"A resource of a tag is an object with id, name and type, not {type(each).__name__}.")
    return found
