"""``%tinybird variable`` in a real IPython against a real server: a value is nowhere to be found afterwards."""

from __future__ import annotations

import itertools

import pytest

from tests.integration.notebook.test_magics_secrets import remembered
from tests.integration.notebook.test_tree import text_of
from tinymagic import errors
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.typed_values import typed_value

_numbers = itertools.count()
VALUE = "a-value-that-nobody-sees-4567"


def new():
    """A name that no other test has."""
    return f"cmdvariables_{next(_numbers)}"


@pytest.fixture
def name(workspace):
    wanted = new()
    workspace.variables.create(wanted, VALUE)
    return wanted


@pytest.fixture
def asked(monkeypatch):
    """Answer `getpass`, and keep what it was asked."""
    prompts = []
    monkeypatch.setattr("getpass.getpass", lambda prompt="": prompts.append(prompt) or VALUE)
    return prompts


def holds(workspace, name, value):
    """Say whether a variable has a value; no reply may have it, so its hash is compared."""
    q = f"%\nSELECT SHA256({{{{tb_secret('{name}')}}}}) = SHA256({{{{String(expected)}}}}) AS same"
    return workspace.sql(q, params={"expected": value}).same.tolist() == [1]


def test_set_asks(connected, workspace, asked):
    wanted = new()
    ran = connected.ok(f"%tinybird variable set {wanted}")
    assert asked == [f"Value of {wanted}: "]
    assert f"{{{{tb_secret('{wanted}')}}}}" in ran.printed
    assert holds(workspace, wanted, VALUE)
    assert VALUE not in text_of(ran) + remembered(connected.shell)


@pytest.mark.parametrize("noun", ["variable", "secret", "env"])
def test_set_from_the_environment_a_file_a_variable(connected, workspace, monkeypatch, tmp_path, noun):
    monkeypatch.setenv("CMDVARIABLES", VALUE)
    (tmp_path / "value.txt").write_text(f"{VALUE} of file\n")
    connected.ok("import os; mine = os.environ['CMDVARIABLES'] + ' of notebook'")
    for line, value in (
        ("--from-env CMDVARIABLES", VALUE),
        ("--from-file value.txt", f"{VALUE} of file"),
        ("$mine", f"{VALUE} of notebook"),
    ):
        wanted = new()
        connected.ok(f"%tinybird {noun} set {wanted} {line}")
        assert holds(workspace, wanted, value)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (VALUE, VALUE),
        (f"'{VALUE} with blanks'", f"{VALUE} with blanks"),
        ("abc", "abc"),
    ],
)
def test_a_typed_value_leaves_the_history(connected, workspace, typed, value):
    wanted = new()
    ran = connected.ok(f"%tinybird variable set {wanted} {typed}")
    connected.run("1")
    assert "delete it from the cell too" in ran.printed
    assert holds(workspace, wanted, value)
    assert f"{wanted} {typed}" not in remembered(connected.shell)
    if len(value) > 3:
        assert VALUE not in text_of(ran) + remembered(connected.shell)


@pytest.mark.parametrize(
    "line",
    [
        "variable set 1x {value}",
        "variable set x {value} --no-such-option",
        "variable set x '{value}",
        "variable set x {value} --from-env HOME",
        "variable set x -{value}",
        "secrets set x {value} and {value}",
        "secret set x {value} --from-file {value}",
        "env st x {value}",
        "variabel set x {value}",
    ],
)
def test_a_typed_value_leaves_the_history_when_something_is_wrong(cells, line):
    """Whatever it is, and whether anything is configured or not."""
    ran = cells.run(f"%tinybird {line.format(value=VALUE)}")
    cells.run("1")
    assert ran.error is not None
    assert VALUE not in text_of(ran) + remembered(cells.shell)


def test_what_is_no_value():
    assert typed_value("variable set a --from-env B") is None
    assert typed_value("variable set a $b") is None
    assert typed_value("variable get a b") is None
    assert typed_value("variable set a") is None
    assert typed_value("events send a b") is None
    assert typed_value("env set a  'b c' ") == "'b c'"


def test_set_errors(connected, monkeypatch, tmp_path):
    monkeypatch.setattr("getpass.getpass", lambda prompt="": "")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    connected.ok("number = 7")
    for line, said in (
        ("x", "No answer was given"),
        ("x --from-env CMDVARIABLES_NOT_THERE", "has no variable"),
        ("x --from-file not_there.txt", "cannot be read"),
        ("x --from-file bytes", "no text in UTF-8"),
        ("x --from-file bytes --from-env HOME", "."),
        ("x $number", "not a text"),
    ):
        with pytest.raises(CellProblem, match=said):
            connected.ok(f"%tinybird variable set {line}")

    def nobody(prompt=""):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    with pytest.raises(CellProblem, match="Nobody can be asked"):
        connected.ok("%tinybird variable set x")


def test_ls_get_used_by(connected, workspace, name):
    pipe = workspace.pipes.create(
        f"{name}_pipe", {"name": "a", "sql": f"%\nSELECT 1 WHERE {{{{tb_secret('{name}')}}}} = ''"}
    )
    row = connected.ok("%tinybird variable ls").value.set_index("name").loc[name]
    assert (row["used by"], row["edited by"]) == (pipe.name, "token: 'workspace admin token'")
    printed = connected.ok(f"%tinybird secret get {name}").printed
    assert pipe.name in printed
    assert VALUE not in printed
    assert connected.ok(f"%tinybird env used-by {name}").value.name.tolist() == [pipe.name]


@pytest.mark.parametrize("verb", ["get", "used-by", "rm"])
def test_near_names(connected, name, verb):
    ran = connected.run(f"%tinybird variable {verb} {name}x")
    assert ran.card[0] == f"NotFound: There is no variable '{name}x'."
    assert name in ran.card[1]


def test_rm_asks(connected, workspace, name, monkeypatch):
    workspace.pipes.create(f"{name}_pipe", {"name": "a", "sql": f"%\nSELECT 1 WHERE {{{{tb_secret('{name}')}}}} = ''"})
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    assert "Nothing was deleted" in connected.ok(f"%tinybird variable rm {name}").printed
    assert f"{name}_pipe" in asked[0]
    connected.ok(f"%tinybird variable rm {name} --yes")
    with pytest.raises(errors.NotFound):
        workspace.variables.get(name)
