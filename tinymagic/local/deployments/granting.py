"""``TOKEN name right`` and ``TAGS`` lines of a project against the tokens and tags of a workspace. Pure.

A token may get rights from many files, and others by hand. A deployment takes back only what an earlier one gave, and
deletes a token when nothing is left of it but that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .plan import TokenChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tinymagic.local.records import TokenRecord

    from .plan import Plan

#: A right in the form in which deployments remember it: type of the scope, id of the resource, filter.
_Grant = tuple[str, str, str]


def wanted_grants(plan: Plan) -> dict[str, list[_Grant]]:
    """Return what the files of a plan grant, by name of the token."""
    wanted: dict[str, list[_Grant]] = {}
    for datasource in plan.datasources.values():
        for line in datasource.file.tokens if datasource.file else ():
            _add(wanted, line.name, (f"DATASOURCES:{line.scope}", datasource.record.id, line.filter))
    for pipe in plan.pipes.values():
        for line in pipe.file.tokens:
            # An APPEND on a Pipe, which old files have, means nothing.
            if line.scope == "READ":
                _add(wanted, line.name, ("PIPES:READ", pipe.record.id, line.filter))
    return wanted


def token_changes(
    wanted: Mapping[str, list[_Grant]],
    before: Mapping[str, list[list[str]]],
    made: Iterable[str],
    tokens: Mapping[str, TokenRecord],
    names: Mapping[str, str],
    conditions: Mapping[_Grant, str],
) -> list[TokenChange]:
    """Say what happens to tokens.

    Args:
        wanted: from `wanted_grants`.
        before: what the last deployment granted.
        made: names of the tokens that deployments made.
        tokens: that there are, by name.
        names: of resources by id, as they shall be and as they are.
        conditions: of grants with a filter, the SQL of it.
    """
    changes = []
    for name in dict.fromkeys([*wanted, *before]):
        record = tokens.get(name)
        grants = wanted.get(name, [])
        granted = [_scope(each, conditions) for each in grants]
        given = [_scope((str(a), str(b), str(c)), {}) for a, b, c in before.get(name, [])]
        held = record.scopes if record else []
        # What was given for a resource that is gone is nobody's loss.
        kept = [scope for scope in held if _plain(scope) not in given or _plain(scope) in map(_plain, granted)]
        scopes = kept + [scope for scope in granted if _plain(scope) not in map(_plain, kept)]
        added = [_named(each, names) for each in granted if _plain(each) not in map(_plain, held)]
        removed = [_named(each, names) for each in held if _plain(each) not in map(_plain, scopes)]
        if record is None and not scopes:
            continue
        if not scopes and name in made:
            changes.append(TokenChange(name, [], "removed", removed=removed))
        elif added or removed:
            kind = "changed" if record else "added"
            changes.append(TokenChange(name, scopes, kind, added, removed, _origin(grants)))
    return changes


def tags_of(plan: Plan, tags: list[dict[str, Any]], before: Iterable[str]) -> list[dict[str, Any]] | None:
    """Return the workspace's tags with those of the files; ``None`` when nothing changes.

    Args:
        plan: the resources.
        tags: as they are.
        before: ids of resources that had tags from files at the last deployment.
    """
    wanted: dict[str, list[dict[str, str]]] = {}
    ids = set(before)
    planned: list[tuple[str, Any, Any]] = [("datasource", each.record, each.file) for each in plan.datasources.values()]
    planned += [("pipe", each.record, each.file) for each in plan.pipes.values()]
    for kind, record, file in planned:
        for tag in file.tags if file else ():
            ids.add(record.id)
            wanted.setdefault(tag, []).append({"id": record.id, "name": record.name, "type": kind})
    ids |= {each.id for each in plan.deleted_datasources} | {each.id for each in plan.deleted_pipes}
    result = []
    for tag in tags:
        new = wanted.pop(tag["name"], [])
        new_ids = {each["id"] for each in new}
        old = tag["resources"]
        kept = [each for each in old if each.get("id") not in ids or each.get("id") in new_ids]
        kept_ids = {each.get("id") for each in kept}
        result.append({**tag, "resources": kept + [each for each in new if each["id"] not in kept_ids]})
    result += [{"name": name, "resources": resources} for name, resources in wanted.items()]
    return None if result == tags else result


def _add(wanted: dict[str, list[_Grant]], name: str, grant: _Grant) -> None:
    held = wanted.setdefault(name, [])
    if grant not in held:
        held.append(grant)


def _scope(grant: _Grant, conditions: Mapping[_Grant, str]) -> dict[str, str]:
    scope = {"type": grant[0], "resource": grant[1]}
    if grant[2]:
        scope["filter"] = grant[2]
        if grant in conditions:
            scope["sql"] = conditions[grant]
    return scope


def _plain(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scope without what is derived from it."""
    return {key: value for key, value in scope.items() if key != "sql"}


def _named(scope: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str]:
    resource = str(scope.get("resource", ""))
    return str(scope["type"]), names.get(resource, resource)


def _origin(grants: list[_Grant]) -> dict[str, str]:
    if not grants:
        return {"type": "C"}
    return {"type": "DS" if grants[0][0].startswith("DATASOURCES") else "P", "resource_id": grants[0][1]}
