"""Tags: names under which a workspace's resources are found. Clients read and write them; here they change nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import BadRequest, Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.records import DataSourceRecord, PipeRecord, Workspace

_MOST_NAME_CHARACTERS = 100
_MOST_RESOURCES = 1_000


class TagsService:
    """Rules about tags; they lie in the workspace's record."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def create(self, workspace: Workspace, name: str, resources: object) -> dict[str, Any]:
        """Add a tag and return it.

        Raises:
            BadRequest: name or resources cannot be used.
            Conflict: there is one of this name.
        """
        tag = {"name": _checked_name(name), "resources": _checked_resources(resources)}

        def add(tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
            if any(each["name"] == name for each in tags):
                raise Conflict(f"There is already a tag called {name!r}.")
            return [*tags, tag]

        self._change(workspace, add)
        return tag

    def update(self, workspace: Workspace, name: str, new_name: str, resources: object) -> dict[str, Any]:
        """Give a tag another name, other resources, or both; an empty name and ``None`` keep what is there.

        Raises:
            NotFound: there is none.
            BadRequest: name or resources cannot be used.
            Conflict: there is another one of the new name.
        """
        tag: dict[str, Any] = {}

        def put(tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
            old = _named(tags, name)
            tag["name"] = _checked_name(new_name or name)
            tag["resources"] = old["resources"] if resources is None else _checked_resources(resources)
            if tag["name"] != name and any(each["name"] == tag["name"] for each in tags):
                raise Conflict(f"There is already a tag called {tag['name']!r}.")
            return [tag if each is old else each for each in tags]

        self._change(workspace, put)
        return tag

    def delete(self, workspace: Workspace, name: str) -> None:
        """Take a tag away.

        Raises:
            NotFound: there is none.
        """

        def remove(tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
            old = _named(tags, name)
            return [each for each in tags if each is not old]

        self._change(workspace, remove)

    def _change(self, workspace: Workspace, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        with self._catalog.transaction():
            present = self._present(workspace)
            self._catalog.update_workspace(replace(present, tags=change(present.tags)))

    def _present(self, workspace: Workspace) -> Workspace:
        return self._catalog.workspace(workspace.id) or workspace

    def list(self, workspace: Workspace) -> list[dict[str, Any]]:
        """Return the tags, oldest first."""
        return self._present(workspace).tags


def resource_tags(catalog: Catalog, workspace: Workspace, resource: DataSourceRecord | PipeRecord) -> list[str]:
    """Return the names of a resource's tags, sorted, for clients make the tags of one datafile in any order."""
    found = catalog.workspace(workspace.id)
    return sorted(
        str(tag["name"])
        for tag in (found.tags if found else ())
        if any(resource.id == each.get("id") or resource.name == each.get("name") for each in tag["resources"])
    )


def _named(tags: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for tag in tags:
        if tag["name"] == name:
            return tag
    raise NotFound(f"Tag {name!r} does not exist.")


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > _MOST_NAME_CHARACTERS:
        raise BadRequest(f"A tag needs a name of at most {_MOST_NAME_CHARACTERS} characters.")
    return name


def _checked_resources(resources: object) -> list[dict[str, Any]]:
    if resources is None or resources == "":
        return []
    if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
        raise BadRequest("resources must be a list of objects with id, name and type.")
    if len(resources) > _MOST_RESOURCES:
        raise BadRequest(f"A tag has at most {_MOST_RESOURCES} resources.")
    return resources
