"""Tokens and values of variables through every command about them: they are in nothing that is shown or kept.

What a person asks to see (``--show``) is shown, once, and still not in IPython's history.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
import traceback
from pathlib import Path

import pytest

_numbers = itertools.count()

ASKED = "asked-Qx7vBn3mKe9wRt5y"
TYPED = "typed-Zk4hJd8sLp2gFc6u"
OTHER = "p.eyJ1IjogIjkiLCAiaWQiOiAiaWQtb2YtaXQiLCAiaG9zdCI6ICJsb2NhbCJ9.Wm8tHr2vXc5nQj7b"


def new(kind):
    """A name that no other test has."""
    return f"hidden_{kind}_{next(_numbers)}"


def pieces(value):
    """All eight-character pieces of what is only in this value."""
    own = value.rpartition(".")[2]
    return [own[place : place + 8] for place in range(len(own) - 7)]


class Walk:
    """Runs lines of ``%tinybird`` and keeps all that they give."""

    def __init__(self, cells):
        self.cells = cells
        self.shown = []

    def __call__(self, line):
        ran = self.cells.run(f"%tinybird {line}")
        self.keep(ran)
        return ran

    def keep(self, ran):
        self.shown += [ran.printed, ran.stderr, str(ran.displays), repr(ran.value)]
        if hasattr(ran.value, "to_html"):
            self.shown += [ran.value.to_string(), ran.value.to_html(), ran.value.to_csv(), str(ran.value.attrs)]
        if ran.error is not None:
            self.shown += [repr(ran.error), str(vars(ran.error))]
            self.shown += traceback.format_exception(type(ran.error), ran.error, ran.error.__traceback__)
            cause = ran.error.__cause__ or ran.error.__context__
            self.shown.append(repr(cause) + str(vars(cause)) if cause else "")

    def look_for(self, values):
        """Say where pieces of the values are."""
        shell = self.cells.shell
        manager = shell.history_manager
        manager.writeout_cache()
        time.sleep(0.1)
        kept = {
            "shown": "\n".join(self.shown),
            "names": str(
                {name: value for name, value in shell.user_ns.items() if name.startswith("_i") or name == "In"}
            ),
            "parsed": str(manager.input_hist_parsed),
            "raw": str(manager.input_hist_raw),
            "output": str(shell.user_ns.get("Out")),
        }
        with sqlite3.connect(manager.hist_file) as database:
            kept["rows"] = str(database.execute("SELECT * FROM history").fetchall())
        for end in ("", "-journal", "-wal"):
            file = Path(f"{manager.hist_file}{end}")
            kept[f"file{end}"] = file.read_bytes().decode("latin-1") if file.exists() else ""
        return {place for place, text in kept.items() for value in values for piece in pieces(value) if piece in text}


@pytest.fixture
def walk(connected):
    return Walk(connected)


@pytest.fixture
def endpoint(workspace):
    name = new("pipe")
    workspace.pipes.create(name, {"name": "a", "sql": "SELECT 1 AS n"})
    workspace.pipes.publish(name)
    return name


def test_the_search_finds_something(walk):
    """What is not hidden would be found, or the other tests prove nothing."""
    walk.cells.ok("x = 'found-Ab1cDe2fGh3i'")
    assert walk.look_for(["found-Ab1cDe2fGh3i"]) >= {"raw", "rows", "file"}


def test_tokens(walk, workspace, endpoint, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _="": "n")
    name = new("token")
    values = [workspace._transport._secret.reveal()]
    walk(f"token create static {name} --scope PIPES:READ:{endpoint} --to kept")
    values.append(workspace.tokens.get(name).token.reveal())
    walk(f"token create jwt {name} --scope PIPES:READ:{endpoint} --to signed")
    walk(f"token create jwt {name} --scope PIPES:READ:{endpoint} --to local_signed --local")
    values += [walk.cells[each].reveal() for each in ("signed", "local_signed")]
    for line in (
        "token ls",
        f"token show {name}",
        f"token scopes {name}",
        f"token set {name} --description words",
        f"token refresh {name}",
        f"token create static {name} --scope TOKENS",
        "token create static x --scope PIPES:REED:x",
        f"token create jwt {name} --scope PIPES:READ:no_such --to other",
        f"token rm {name}",
        f"token refresh {name} --yes --to kept",
    ):
        walk(line)
        walk("why")
    values.append(walk.cells["kept"].reveal())
    walk.keep(walk.cells.run("kept, signed, [kept], {'a': signed}, str(kept), f'{kept}'"))
    walk.keep(walk.cells.run("import pandas as pd; pd.DataFrame({'token': [kept, signed]})"))
    walk.keep(walk.cells.run("raise ValueError(kept)"))
    walk(f"token rm {name} --yes")
    assert walk.look_for(values) == set()


def test_a_token_in_a_line(walk, workspace):
    """Whatever it was typed for."""
    for line in (
        f"token show {OTHER}",
        f"token rm {OTHER} --yes",
        f"token refresh {OTHER} --yes",
        f"token scopes {OTHER}",
        f"token set {OTHER} --description x",
        f"token create static x --scope PIPES:READ:{OTHER}",
        f"token show '{OTHER}",
        f"tokn show {OTHER}",
        f"pipe show {OTHER}",
        f"workspace use {OTHER}",
        f"branch use {OTHER}",
        f"variable set name {OTHER}",
        f"variable get {OTHER}",
    ):
        walk(line)
        walk("why")
    assert walk.look_for([OTHER]) == set()
    workspace.variables.delete("name")


def test_values_of_variables(walk, workspace, monkeypatch, tmp_path):
    monkeypatch.setattr("getpass.getpass", lambda _="": ASKED)
    monkeypatch.setenv("HIDDEN_VALUE", ASKED)
    (tmp_path / "value.txt").write_text(ASKED)
    name = new("variable")
    for line in (
        f"variable set {name}",
        f"variable set {name} --from-env HIDDEN_VALUE",
        f"variable set {name} --from-file {tmp_path / 'value.txt'}",
        "variable set 1-not-a-name",
        f"variable set {name} {TYPED}",
        f"variable set {name} '{TYPED} and more'",
        f"secret set {name} {TYPED}",
        f"env set 1-not-a-name {TYPED}",
        f"variable set {name} {TYPED} --from-env HIDDEN_VALUE",
        f"variable set {name} {TYPED} one-too-many --from-where x",
        f"variable set {name} '{TYPED}",
        f"varable set {name} {TYPED}",
        f"variable st {name} {TYPED}",
        "variable ls",
        f"variable get {name}",
        f"variable used-by {name}",
        f"variable rm {name} --yes",
        f"variable rm {name} --yes",
    ):
        walk(line)
        walk("why")
    assert walk.look_for([ASKED, TYPED]) == set()


def test_a_service_that_is_not_there(walk, monkeypatch):
    """The words of a broken connection hold neither."""
    monkeypatch.setenv("TB_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr("getpass.getpass", lambda _="": ASKED)
    for line in (f"token show {OTHER}", "variable set x", f"variable set x {TYPED}", "workspace create x", "token ls"):
        ran = walk(line)
        assert ran.error is not None
        walk("why")
    assert walk.look_for([OTHER, ASKED, TYPED]) == set()


def test_user_tokens(walk, tokens, monkeypatch):
    user = tokens["user_token"]
    monkeypatch.setenv("TB_USER_TOKEN", user)
    name = new("workspace")
    for line in (
        f"workspace create {name}",
        f"workspace create {name}",
        "workspace create 1-no-name",
        "workspace ls --branches",
        f"workspace use {name}",
        "workspace current",
        f"workspace show {name}",
        f"workspace members {name} --add a@example.com",
        f"workspace rm {name} --yes",
        f"workspace rm {name} --yes",
    ):
        walk(line)
        walk("why")
    walk.cells.run("%tinybird workspace use Tinybird_Local_Testing")
    assert walk.look_for([*tokens.values()]) == set()


def test_shown_when_asked_for(walk, workspace, endpoint):
    """And then in the output only."""
    name = new("token")
    ran = walk.cells.ok(f"%tinybird token create static {name} --scope PIPES:READ:{endpoint} --show")
    value = workspace.tokens.get(name).token.reveal()
    assert value in ran.printed
    assert walk.look_for([value]) == set()
