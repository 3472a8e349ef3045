"""The client of branches: a copy of the Workspace, its rows, its token, and what goes wrong."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()


def new():
    """A name that no other test has."""
    return f"apibranches_{next(_numbers)}"


@pytest.fixture(scope="module")
def main(server, tokens):
    """A Workspace of its own, for a branch copies everything that is there."""
    first = tinymagic.connect(token=tokens["workspace_admin_token"], host=server.host)
    entry = first.workspaces.create("apibranches_main", user_token=tokens["user_token"])
    workspace = tinymagic.connect(token=entry.token.reveal(), host=server.host)
    workspace.datasources.create("trips", "month UInt8, n UInt32", engine="MergeTree", partition_key="month")
    workspace.events.send("trips", [{"month": 1, "n": 1}, {"month": 2, "n": 2}])
    yield workspace
    first.workspaces.delete(entry.id, user_token=tokens["user_token"])


@pytest.fixture
def inside(main):
    """Opens a branch."""
    return lambda name: main.with_token(main.branches.get(name, with_token=True).token.reveal())


def months(workspace):
    return workspace.sql("SELECT month FROM trips ORDER BY month").month.tolist()


@pytest.mark.parametrize(("data", "kept"), [(None, []), ("last_partition", [2]), ("all_partitions", [1, 2])])
def test_create_with_rows_and_without(main, inside, data, kept):
    name, told = new(), []
    made = main.branches.create(name, data=data, on_progress=told.append)
    assert made.name == name
    assert made.job.status == "done"
    assert told[-1].done == 100
    branch = inside(name)
    assert branch.info().main == main.info().id
    assert months(branch) == kept
    # What happens there stays there.
    branch.datasources.truncate("trips")
    assert months(main) == [1, 2]


def test_create_without_waiting(main):
    made = main.branches.create(new(), wait=False)
    assert main.jobs.wait(made.job).status == "done"


def test_ignored_data_sources(main, inside):
    main.branches.create(name := new(), data="all_partitions", ignore_datasources=["trips"])
    assert months(inside(name)) == []


def test_list_get_delete(main):
    made = main.branches.create(name := new())
    assert name in [each.name for each in main.branches.list()]
    assert main.branches.get(name).id == main.branches.get(made.id).id == made.id
    assert not main.branches.get(name).token
    main.branches.delete(name)
    assert name not in [each.name for each in main.branches.list()]


def test_data(main, inside):
    main.branches.create(name := new())
    assert main.branches.data(name, data="all_partitions").status == "done"
    assert months(inside(name)) == [1, 2]


def test_name_taken(main):
    main.branches.create(name := new())
    with pytest.raises(errors.Conflict, match="already a branch"):
        main.branches.create(name)


@pytest.mark.parametrize("call", ["get", "delete", "data"])
def test_unknown(main, call):
    with pytest.raises(errors.NotFound):
        getattr(main.branches, call)("apibranches_not_there")


@pytest.mark.parametrize(
    ("name", "data", "said"), [("a-b", None, "not a valid branch name"), ("x", "some", "says nothing")]
)
def test_refused_before_it_is_sent(main, name, data, said):
    with pytest.raises(errors.InvalidInput, match=said):
        main.branches.create(name, data=data)


def test_forbidden(main):
    token = main.tokens.create(new(), ["PIPES:CREATE"]).token
    with pytest.raises(errors.Forbidden):
        main.with_token(token.reveal()).branches.list()


def test_its_token_is_not_shown(main):
    main.branches.create(name := new())
    branch = main.branches.get(name, with_token=True)
    assert branch.token.reveal() not in repr(branch) + repr(vars(branch)) + repr(dict(branch.raw))
