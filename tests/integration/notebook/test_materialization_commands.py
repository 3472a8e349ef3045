"""``%tinybird materialization`` in a real IPython against a real server."""

from __future__ import annotations

import itertools

import pytest

from tinymagic import errors
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()


def new(kind):
    """A name that no other test has."""
    return f"cmdviews_{kind}_{next(_numbers)}"


@pytest.fixture
def nobody(monkeypatch):
    """Nobody answers questions."""

    def answer(_=""):
        raise EOFError

    monkeypatch.setattr("builtins.input", answer)


@pytest.fixture
def source(workspace):
    name = new("source")
    workspace.datasources.create(name, "n UInt32")
    workspace.datasources.append(name, [{"n": 1}, {"n": 2}])
    return name


@pytest.fixture
def pipe(workspace, source):
    return workspace.pipes.create(new("pipe"), {"name": "doubled", "sql": f"SELECT n * 2 AS twice FROM {source}"}).name


def twice(workspace, target):
    return workspace.sql(f"SELECT twice FROM {target} ORDER BY twice").twice.tolist()


def test_create_and_ls(connected, workspace, source, pipe):
    target = new("target")
    printed = connected.ok(f"%tinybird materialization create {pipe} doubled {target} --sorting-key twice").printed
    assert printed.strip() == f"doubled of {pipe} now fills the new Data Source {target}."
    frame = connected.ok("%tinybird materialization ls").value
    row = frame.set_index("pipe").loc[pipe]
    assert row.to_dict() == {"node": "doubled", "reads": source, "fills": target}
    assert workspace.datasources.get(target).engine["engine_sorting_key"] == "twice"


def test_analyze(connected, pipe):
    printed = connected.ok(f"%tinybird materialization analyze {pipe} doubled --datasource cmdviews_wanted").printed
    assert "DATASOURCE cmdviews_wanted" in printed
    assert "ENGINE" in printed
    assert "Did you mean doubled?" in "\n".join(connected.run(f"%tinybird materialization analyze {pipe} doubld").card)


def test_create_and_populate(connected, workspace, pipe):
    target = new("target")
    printed = connected.ok(f"%tinybird materialization create {pipe} doubled {target} --populate --wait").printed
    assert "is done" in printed
    assert twice(workspace, target) == [2, 4]


def test_populate(connected, workspace, pipe, nobody):
    target = new("target")
    workspace.materializations.create(pipe, "doubled", target)
    printed = connected.ok(f"%tinybird materialization populate {pipe}").printed
    assert "%tinybird job wait" in printed
    workspace.jobs.wait(printed.split()[3].rstrip("."), timeout_s=60)
    assert isinstance(connected.run(f"%tinybird materialization populate {pipe} --truncate").error, CellProblem)
    connected.ok(f"%tinybird materialization populate {pipe} doubled --truncate --yes --wait")
    assert twice(workspace, target) == [2, 4]
    connected.ok(f"%tinybird materialization populate {pipe} --condition 'n = 2' --truncate --yes --wait")
    assert twice(workspace, target) == [4]


def test_override_asks(connected, workspace, pipe, nobody):
    target = new("target")
    workspace.datasources.create(target, "other String")
    line = f"%tinybird materialization create {pipe} doubled {target} --override"
    assert isinstance(connected.run(line).error, CellProblem)
    assert [each.name for each in workspace.datasources.get(target).columns] == ["other"]
    connected.ok(f"{line} --yes")
    assert [each.name for each in workspace.datasources.get(target).columns] == ["twice"]


def test_unlink(connected, workspace, source, pipe, nobody):
    target = new("target")
    workspace.materializations.create(pipe, "doubled", target)
    assert isinstance(connected.run(f"%tinybird materialization unlink {pipe}").error, CellProblem)
    assert "nothing was deleted" in connected.ok(f"%tinybird materialization unlink {pipe} --yes").printed
    workspace.datasources.append(source, [{"n": 5}])
    assert twice(workspace, target) == []


def test_mistakes(connected, pipe):
    for line, words in (
        (f"populate {pipe}", "None of the nodes"),
        (f"unlink {pipe} --yes", "None of the nodes"),
        (f"populate {pipe} doubled --subset much", "--subset is a fraction"),
        (f"populate {pipe} doubled --subset 2", "fraction over 0"),
        (f"create {pipe} doubld {new('target')}", "Did you mean doubled?"),
        (f"create {pipe}x doubled {new('target')}", pipe),
    ):
        ran = connected.run(f"%tinybird materialization {line}")
        assert words in "\n".join(ran.card), (line, ran.card)


def test_a_failed_job(connected, workspace, source):
    sql = f"SELECT throwIf(n = 2, 'two is too much') AS twice FROM {source}"
    name = workspace.pipes.create(new("pipe"), {"name": "failing", "sql": sql}).name
    ran = connected.run(f"%tinybird materialization create {name} failing {new('target')} --populate --wait")
    assert isinstance(ran.error, errors.JobFailed)
    assert "two is too much" in "\n".join(ran.card)
