"""What a project says about connections, tokens and tags: compared with what there is, and written."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.access.permissions import mint_token
from tinymagic.local.access.row_filters import RowFilters
from tinymagic.local.deployments.granting import tags_of, token_changes, wanted_grants
from tinymagic.local.deployments.problems import Problem
from tinymagic.local.errors import ApiError
from tinymagic.local.records import TokenRecord
from tinymagic.local.services.tokens import is_lasting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.deployments.plan import Plan, TokenChange
    from tinymagic.local.deployments.project import Project
    from tinymagic.local.records import Workspace

    from .planning import Planning
    from .trial import Surroundings, Trial


class Belongings:
    """Connections, tokens and tags of one deployment.

    Args:
        around: the server.
        workspace: that is deployed to.
        project: the files.
        state: what the last deployment has left.
    """

    def __init__(self, around: Surroundings, workspace: Workspace, project: Project, state: Mapping[str, Any]) -> None:
        self._catalog = around.catalog
        self._filters = RowFilters(around.engine, around.gate)
        self._workspace = workspace
        self._project = project
        self._state = state

    def plan_connections(self, trial: Trial, planning: Planning) -> None:
        """Have connections checked and sealed, and note the changed ones."""
        plan = planning.plan
        known: dict[str, str] = self._state.get("connections", {})
        for each in self._catalog.connections(self._workspace.id):
            kept = each.name in self._project.connections or each.name in self._project.broken
            if kept or each.name not in known:
                trial.catalog.create_connection(each)
            else:
                plan.deleted_connections.append(each)
        for name, file in self._project.connections.items():
            old = self._catalog.connection(self._workspace.id, name)
            if old is not None and known.get(name) == self._digest(file.type, file.settings):
                continue
            try:
                # Forward calls both kinds of access to S3 by one name.
                type_ = "s3_iamrole" if file.type == "s3" and "s3_arn" in file.settings else file.type
                sealed = trial.connections.put(trial.workspace, name, type_, file.settings)
            except ApiError as error:
                planning.problems.append(Problem(file.file, error.message, file.lines.get("type", 0)))
            else:
                plan.connections.append((replace(sealed, created_at=old.created_at if old else ""), old))

    def plan_grants(self, plan: Plan, trial: Trial) -> list[Problem]:
        """Compare tokens and tags, and return what is wrong; again when the trial has made resources."""
        wanted = wanted_grants(plan)
        tokens = {each.name: each for each in self._catalog.tokens(self._workspace.id) if each.kind == "workspace"}
        problems = [
            Problem("", f"The token {name!r} is one that the workspace always has; files cannot give it rights.")
            for name in wanted
            if name in tokens and is_lasting(tokens[name])
        ]
        files = {each.record.id: each.file.file for each in plan.datasources.values() if each.file}
        files.update((each.record.id, each.file.file) for each in plan.pipes.values())
        names = self._catalog.resource_names(self._workspace.id)
        names.update((each.record.id, name) for name, each in plan.datasources.items())
        names.update((each.record.id, name) for name, each in plan.pipes.items())
        conditions = {}
        for grant in [each for grants in wanted.values() for each in grants if each[2]]:
            is_table = trial.catalog.datasource(self._workspace.id, grant[1]) is not None
            if grant[0].startswith("DATASOURCES") and not is_table:
                continue  # Before the trial: looked at later.
            try:
                conditions[grant] = self._filters.checked(trial.workspace, names[grant[1]], grant[2], of_table=is_table)
            except ApiError as error:
                problems.append(Problem(files.get(grant[1], ""), error.message))
        made = set(self._state.get("made_tokens", ()))
        plan.tokens = token_changes(wanted, self._state.get("tokens", {}), made, tokens, names, conditions)
        plan.granted = {name: [list(each) for each in grants] for name, grants in wanted.items()}
        added = {each.name for each in plan.tokens if each.kind == "added"}
        plan.made_tokens = sorted((made | added) & set(wanted))
        plan.tags = tags_of(plan, self._workspace.tags, self._state.get("tagged", ()))
        return problems

    def write(self, plan: Plan) -> dict[str, Any]:
        """Write tokens and tags, and return what the next deployment has to know; runs in a transaction."""
        catalog = self._catalog
        tokens = {each.name: each for each in catalog.tokens(self._workspace.id)}
        for change in plan.tokens:
            token = tokens.get(change.name)
            if token is None:
                self._make_token(change)
            elif change.kind == "removed":
                catalog.delete_token(token.id)
            else:
                catalog.update_token(replace(token, scopes=change.scopes))
        if plan.tags is not None:
            present = catalog.workspace(self._workspace.id) or self._workspace
            catalog.update_workspace(replace(present, tags=plan.tags))
        tagged = [each.record.id for each in plan.datasources.values() if each.file and each.file.tags]
        tagged += [each.record.id for each in plan.pipes.values() if each.file.tags]
        files = self._project.connections.items()
        return {
            **self._state,
            "tokens": plan.granted,
            "made_tokens": plan.made_tokens,
            "tagged": tagged,
            "connections": {name: self._digest(file.type, file.settings) for name, file in files},
        }

    def _digest(self, type_: str, settings: Mapping[str, str]) -> str:
        """Return a digest of a connection's settings that tells nothing about them."""
        key = (self._catalog.meta("signing_key") or "").encode()
        return hmac.new(key, json.dumps([type_, dict(settings)], sort_keys=True).encode(), hashlib.sha256).hexdigest()

    def _make_token(self, change: TokenChange) -> None:
        token_id = str(uuid.uuid4())
        signing_key = self._catalog.meta("signing_key") or ""
        text = mint_token(user_id=self._workspace.id, token_id=token_id, signing_key=signing_key)
        self._catalog.create_token(
            TokenRecord(token_id, self._workspace.id, change.name, text, change.scopes, origin=change.origin)
        )
