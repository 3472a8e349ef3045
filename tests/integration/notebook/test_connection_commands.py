"""``%tinybird connection`` in a real IPython against a real server: secrets are asked for and nowhere to be found."""

from __future__ import annotations

import itertools

import pytest

from tinymagic import errors
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()
SECRET = "a-secret-that-is-asked-for-0123"


def new():
    """A name that no other test has."""
    return f"cmdconnections_{next(_numbers)}"


@pytest.fixture
def asked(monkeypatch):
    """Answer `getpass`, and keep what it was asked."""
    prompts = []

    def answer(prompt=""):
        prompts.append(prompt)
        return SECRET

    monkeypatch.setattr("getpass.getpass", answer)
    return prompts


def create(name):
    return (
        f"%tinybird connection create {name} s3 --set s3_region=us-east-1 --set s3_access_key_id=$key_id "
        "--secret s3_secret_access_key"
    )


@pytest.fixture
def name(connected, asked):
    wanted = new()
    connected.ok("key_id = 'an-id-of-a-key'")
    connected.ok(create(wanted))
    return wanted


def test_create(connected, workspace, asked):
    wanted = new()
    connected.ok("key_id = 'an-id-of-a-key'")
    ran = connected.ok(create(wanted))
    assert ran.printed.strip() == f"Created the connection {wanted} to s3."
    assert asked == ["s3_secret_access_key: "]
    assert SECRET not in ran.printed + ran.stderr + str(ran.displays)
    assert workspace.connections.get(wanted).settings["s3_region"] == "us-east-1"


def test_ls_and_show(connected, workspace, name):
    pipe = workspace.pipes.create(f"{name}_pipe", {"name": "a", "sql": "SELECT 1 AS one"}).name
    workspace.sinks.create(pipe, "a", connection=name, path="s3://nowhere/out", file_template="all")
    row = connected.ok("%tinybird connection ls").value.set_index("name").loc[name]
    assert row.to_dict() == {"service": "s3", "sinks": pipe, "data sources": ""}
    ran = connected.ok(f"%tinybird connection show {name}")
    assert pipe in ran.printed
    assert "s3_region" in ran.value.setting.tolist()
    assert SECRET not in ran.printed + ran.value.to_string()


def test_set(connected, workspace, name, asked):
    connected.ok(
        f"%tinybird connection set {name} --set s3_region=eu-west-1 --set s3_access_key_id=$key_id "
        "--secret s3_secret_access_key"
    )
    assert workspace.connections.get(name).settings["s3_region"] == "eu-west-1"
    assert "give all settings" in "\n".join(connected.run(f"%tinybird connection set {name}").card)


def test_a_secret_that_is_typed(connected):
    """It is refused, and IPython forgets it."""
    for option in (
        "--set s3_secret_access_key=typed-secret-0123456",
        "--secret s3_secret_access_key=typed-secret-0123456",
    ):
        ran = connected.run(f"%tinybird connection create {new()} s3 {option}")
        assert isinstance(ran.error, CellProblem)
        assert "--secret s3_secret_access_key" in "\n".join(ran.card)
        assert "typed-secret" not in "\n".join(ran.card) + str(connected["In"])


def test_a_variable_of_the_workspace_is_no_secret(connected, workspace):
    wanted = new()
    connected.ok(
        f"""%tinybird connection create {wanted} kafka --set kafka_bootstrap_servers=127.0.0.1:1 """
        """--set 'kafka_secret={{ tb_secret("x") }}'"""
    )
    assert workspace.connections.get(wanted).service == "kafka"


def test_rm(connected, workspace, name, monkeypatch):
    pipe = workspace.pipes.create(f"{name}_pipe", {"name": "a", "sql": "SELECT 1 AS one"}).name
    workspace.sinks.create(pipe, "a", connection=name, path="s3://nowhere/out", file_template="all")
    questions = []

    def answer(question=""):
        questions.append(question)
        return "n"

    monkeypatch.setattr("builtins.input", answer)
    assert "Nothing was deleted." in connected.ok(f"%tinybird connection rm {name}").printed
    assert pipe in questions[0]
    assert isinstance(connected.run(f"%tinybird connection rm {name} --yes").error, errors.Conflict)
    connected.ok(f"%tinybird connection rm {name} --yes --force")
    with pytest.raises(errors.NotFound):
        workspace.connections.get(name)


def test_mistakes(connected, name):
    for line, words in (
        (f"show {name}x", name),
        ("create x s3 --set s3_region", "SETTING=VALUE"),
        ("create x s3 --set s3_region=us-east-1", "s3_access_key_id"),
        ("create x s3 --set s3_region=$no_such", "no_such"),
    ):
        ran = connected.run(f"%tinybird connection {line}")
        assert words in "\n".join(ran.card), (line, ran.card)
