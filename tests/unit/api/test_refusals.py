"""Which refusals mean that a Workspace takes a change by a deployment only, and which do not."""

from __future__ import annotations

import pytest

from tinymagic.api.errors import (
    BadRequest,
    Conflict,
    DeploymentRequired,
    Forbidden,
    QueryError,
    ServerError,
    class_of_status,
)
from tinymagic.api.refusals import Datafile, deployment_required, is_refusal

#: What a Forward Workspace may plausibly say; the contract confirms no text.
REFUSALS = [
    "Adding or modifying data sources can only be done via deployments in this workspace",
    "This workspace only supports changes through deployments. Use `tb deploy` to deploy your changes.",
    "Forbidden: this workspace is read-only, use `tb --cloud deploy`",
    "Forbidden: Workspace is read-only",
    "Data sources can only be created with datafiles",
    "Data Sources cannot be created or altered through the API, only through a deployment",
    "Direct changes to resources are not allowed; deploy your project with tb deploy",
    "You can't create a pipe using the API in a Forward workspace. Create a deployment instead.",
    "Creating or changing pipes is only possible through deployments",
    "This endpoint is not supported in Tinybird Forward",
    "This operation is only available for Tinybird Classic workspaces. Only in Classic.",
    "Resources must be changed in their datafiles: change the datafile and run `tb build`",
    "Deployment required: resources of this workspace are managed",
    "A deployment is required to change 'events'",
    "Pipe 'deployments' cannot be edited here, it must be changed using a deployment.",
    "This resource was created by a deployment and cannot be modified through the API. Please use deployments.",
]

#: Ordinary errors with words of the same kind in them.
OTHERS = [
    "Resource 'deployments' not found",
    "Data Source 'deployments' does not exist",
    "There is no Pipe called 'tb deploy only'",
    'Cannot delete "deployments": Pipe "use a deployment only" depends on it',
    "Cannot delete the Data Source 'events': Pipes depend on it: deployments, deploy_stats",
    "[Error] Missing columns: 'deployments' while processing query: 'SELECT deployments FROM x' (UNKNOWN_IDENTIFIER)",
    "DB::Exception: JOIN with deployments is not supported, only one can be used by deployments. (NOT_IMPLEMENTED)",
    "Syntax error: failed at position 8 ('deployments'): must be used with deployments only",
    "There's no column `n` in deployments",
    "Invalid datafile: only one ENGINE is allowed",
    "Invalid schema: column deployments must have a type",
    "name 'deployment' is not allowed: it cannot be a keyword",
    "The Pipe deployments already exists",
    "The node deployments_only must be the last one",
    "Column names must be valid; forward slash is not allowed in names",
    "Forward slashes cannot be used",
    "invalid authentication token",
    "token has no permission: DEPLOYMENTS scope required",
    "Deployment 7 not found",
    "Deployments are in progress, try again later",
    "The deployment cannot be promoted: it failed",
    "Value of parameter deployments must be an integer",
    "Not found",
    "",
    "Method not allowed",
    "You have reached the limit of 1 copy pipe in this workspace",
]


def error(message, status=403, kind=None):
    return (kind or class_of_status(status))("x answered: " + message, message=message, status=status, request_id="r-1")


class TestRecognition:
    @pytest.mark.parametrize("message", REFUSALS)
    @pytest.mark.parametrize("status", [400, 403, 405, 409])
    def test_of_refusals(self, message, status):
        refused = deployment_required(error(message, status))
        assert isinstance(refused, DeploymentRequired)
        assert (refused.status, refused.message, refused.request_id) == (status, message, "r-1")
        assert message in str(refused)
        assert "%tinybird deploy FOLDER" in str(refused)

    @pytest.mark.parametrize("message", OTHERS)
    def test_of_other_errors(self, message):
        assert not is_refusal(message)
        for status in (400, 403, 404, 409):
            assert deployment_required(error(message, status)) is None

    @pytest.mark.parametrize("status", [408, 413, 429, 500, 502, 503, 504])
    def test_passing_trouble_is_none(self, status):
        assert deployment_required(error(REFUSALS[0], status)) is None

    def test_an_error_of_sql_is_none(self):
        assert deployment_required(error(REFUSALS[0], 400, QueryError)) is None

    @pytest.mark.parametrize("kind", [BadRequest, Conflict, Forbidden, ServerError])
    def test_with_a_status_that_no_document_names(self, kind):
        assert deployment_required(error(REFUSALS[0], 418, kind)) is None


class TestDatafile:
    def test_comes_along_with_its_place(self):
        made = Datafile("datasources/events.datasource", "SCHEMA >\n    n Int64\n")
        refused = deployment_required(error(REFUSALS[0]), lambda: made)
        assert (refused.datafile, refused.file) == (made.text, made.file)
        assert "Write the definition below to datasources/events.datasource" in str(refused)

    def test_is_made_only_when_it_is_needed(self):
        assert deployment_required(error(OTHERS[0]), lambda: pytest.fail("made")) is None

    def test_there_may_be_none(self):
        for make in (None, lambda: None):
            refused = deployment_required(error(REFUSALS[0]), make)
            assert (refused.datafile, refused.file) == (None, None)
            assert "Change its datafile" in str(refused)
