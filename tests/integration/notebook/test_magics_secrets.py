"""A token is never written down: not in history, outputs, errors, the saved notebook."""

from __future__ import annotations

import json
import sqlite3

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

TOKEN = "a-marked-token-0123456789-abcdefghij"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ3b3Jrc3BhY2VfaWQiOiJtYXJrZWQifQ.c2lnbmF0dXJlLW1hcmtlZA"
STATIC = "p.eyJ1IjogIm1hcmtlZCIsICJpZCI6ICJtYXJrZWQifQ.bWFya2VkLXNpZ25hdHVyZQ"


def pieces(token):
    """Return every piece of eight characters, but for what all tokens have in common."""
    return {token[start : start + 8] for start in range(len(token) - 7)}


def remembered(shell):
    """Return everything that IPython remembers of the cells."""
    manager = shell.history_manager
    manager.writeout_cache()
    texts = [str(value) for name, value in shell.user_ns.items() if name.startswith("_i") or name == "In"]
    texts += [*manager.input_hist_raw, *manager.input_hist_parsed, str(manager.db_input_cache)]
    texts += [manager._i00, manager._i, manager._ii, manager._iii]
    with sqlite3.connect(manager.hist_file) as database:
        texts += [str(row) for row in database.execute("SELECT source, source_raw FROM history")]
    database.close()
    result = shell.last_execution_result
    texts.append(str(result.info.raw_cell) if result else "")
    return "\n".join(texts)


@pytest.mark.parametrize("token", [TOKEN, JWT, STATIC])
@pytest.mark.parametrize(
    "line",
    [
        "%tinybird login {token} --host {host}",
        "%tinybird login '{token}' --host {host}",
        "x = 1\n%tinybird login {token} --host {host}",
        # Before anything is understood.
        "%tinybird login {token} {token}",
        "%tinybird login {token} --hst x",
        "%tinybird login '{token}",
    ],
)
def test_a_typed_token_leaves_the_history(cells, server, token, line):
    ran = cells.run(line.format(token=token, host=server.host))
    assert ran.error is not None
    cells.run("1")
    assert not [piece for piece in pieces(token) if piece in remembered(cells.shell)]
    shown = ran.printed + ran.stderr + "\n".join(ran.card) + str(ran.error)
    assert not [piece for piece in pieces(token) if piece in shown]


@pytest.mark.parametrize("token", [JWT, STATIC])
@pytest.mark.parametrize(
    "words", ["logn {token}", "token show {token}", "fmt SELECT '{token}'", "pipe data x -p t={token}"]
)
def test_what_looks_like_a_token_is_hidden_behind_any_command(connected, cells, token, words):
    ran = cells.run(f"%tinybird {words.format(token=token)}")
    shown = ran.printed.replace(token, "") if words.startswith("fmt") else ran.printed
    shown += "\n".join(ran.card) if ran.error is not None else ""
    assert not [piece for piece in pieces(token) if piece in shown + remembered(cells.shell)]


def test_other_words_stay(cells, server):
    """The host, and words too short to be a token, are no secrets; nor are lines of other files."""
    import linecache
    import tokenize

    lines = linecache.getlines(tokenize.__file__)
    cells.run(f"%tinybird login {TOKEN} tok --host {server.host} --profile my-own-profile")
    assert linecache.getlines(tokenize.__file__) == lines
    typed = cells.shell.history_manager.input_hist_raw[-1]
    assert typed == f"%tinybird login [hidden] tok --host {server.host} --profile my-own-profile"


def test_a_typed_token_is_accepted_with_advice(cells, server, tokens):
    token = tokens["workspace_admin_token"]
    ran = cells.ok(f"%tinybird login {token} --host {server.host} --profile typed")
    assert "delete it from the cell too" in ran.printed
    assert cells.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]
    assert token not in remembered(cells.shell)


def test_a_saved_notebook_has_table_and_footer_once_and_no_token(server, tokens, clean_settings, monkeypatch):
    """Run by nbclient in a kernel of its own: what the file holds."""
    token = tokens["workspace_admin_token"]
    monkeypatch.setenv("TB_TOKEN", token)
    monkeypatch.setenv("TB_HOST", server.host)
    monkeypatch.setenv("IPYTHONDIR", str(clean_settings / "ipython"))
    sources = [
        "%load_ext tinymagic",
        "%%tbsql\nSELECT number AS shown_once FROM numbers(2)",
        "%%tbsql df\nSELECT 1",
        "%%tbsql df= <<\nSELECT 1 AS shown_once",
        "%%tbsql\nSELECT 1 AS shown_once;",
        "%tinybird",
        "%tinybird info",
        "_",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=60).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(each) for each in outputs[1:5]] == [1, 0, 1, 0]
    for (output,) in (outputs[1], outputs[3]):
        assert output.output_type == "execute_result"
        for kind in ("text/html", "text/plain"):
            assert output.data[kind].count("shown_once") == 1
            assert output.data[kind].count(" read, ") == 1
    text = nbformat.writes(notebook)
    _, payload, signature = token.split(".")
    assert not [piece for piece in pieces(signature) | {payload} if piece in text]


def test_a_kernel_forgets_a_typed_token(server, tokens, clean_settings, monkeypatch):
    """The history file of a kernel, after it has ended."""
    monkeypatch.setenv("IPYTHONDIR", str(clean_settings / "ipython"))
    token = tokens["workspace_admin_token"]
    sources = ["%load_ext tinymagic", f"%tinybird login {token} --host {server.host}", "%tbsql SELECT 1 AS n", "In"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    history = clean_settings / "ipython" / "history.sqlite"
    history.parent.mkdir()
    NotebookClient(notebook, timeout=60, ipython_hist_file=str(history)).execute()
    files = [path for path in (clean_settings / "ipython").rglob("*") if path.is_file()]
    assert any(path.name == "history.sqlite" and b"%tinybird login" in path.read_bytes() for path in files)
    kept = b"".join(path.read_bytes() for path in files) + str([cell.outputs for cell in notebook.cells]).encode()
    _, payload, signature = token.split(".")
    assert not [piece for piece in pieces(signature) | {payload} if piece.encode() in kept]


def test_a_failed_query_stops_a_saved_notebook(server, tokens, clean_settings, monkeypatch):
    """The cell fails, and what is saved is the card."""
    monkeypatch.setenv("TB_TOKEN", tokens["workspace_admin_token"])
    monkeypatch.setenv("TB_HOST", server.host)
    monkeypatch.setenv("IPYTHONDIR", str(clean_settings / "ipython"))
    sources = ["%load_ext tinymagic", "%%tbsql\nSELECT 1,\n  missing_one", "never = 1"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=60).execute()
    (error,) = notebook.cells[1].outputs
    assert error.ename == "QueryError"
    assert len(error.traceback) <= 8
    assert error.traceback[1:3] == ["   3 |   missing_one", "     |   " + "^" * 11]
    assert "Traceback" not in json.dumps(error)
