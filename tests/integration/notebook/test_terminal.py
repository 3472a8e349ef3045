"""A real IPython at a real terminal: SQL is coloured while it is written, and Tab offers columns."""

from __future__ import annotations

import os
import re
import sys
import time

import pytest

pexpect = pytest.importorskip("pexpect")

NAME = "terminal_trips"
_ESCAPE_RE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def terminal(server, tokens, clean_settings):
    """IPython with the extension loaded, connected to the embedded server."""
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "IPYTHONDIR": str(clean_settings / "ipython"),
        "TB_HOST": server.host,
        "TB_TOKEN": tokens["workspace_admin_token"],
    }
    command = [
        "-m",
        "IPython",
        "--no-banner",
        "--colors=Linux",
        "--TerminalInteractiveShell.display_completions=column",
    ]
    spawned = pexpect.spawn(
        sys.executable, command, env=environment, encoding="utf-8", dimensions=(40, 120), timeout=60, cwd=clean_settings
    )
    spawned.expect_exact("In ")
    spawned.send("%load_ext tinymagic\r")
    spawned.expect_exact("is connected to")
    spawned.expect_exact("2")
    yield spawned
    spawned.close(force=True)


def shown(terminal, wanted, *, keys="", seconds=30.0):
    """Read what the terminal shows until it has what is wanted; press *keys* again and again meanwhile."""
    seen = ""
    end = time.monotonic() + seconds
    while wanted not in _ESCAPE_RE.sub("", seen) and time.monotonic() < end:
        if keys:
            terminal.send(keys)
        try:
            seen += terminal.read_nonblocking(20_000, timeout=1)
        except pexpect.TIMEOUT:
            continue
    assert wanted in _ESCAPE_RE.sub("", seen)
    return seen


def test_colours(terminal):
    terminal.send("%tbsql SELECT avg(delay), 'late'")
    seen = shown(terminal, "'late'")
    colours = {word: re.search(rf"\x1b\[([0-9;]*)m{re.escape(word)}", seen) for word in ("SELECT", "avg", "'late'")}
    assert all(colours.values()), seen
    assert len({found[1] for found in colours.values()}) == 3


def test_tab(terminal, workspace):
    workspace.datasources.create(NAME, "departure_delay Int16, departure_day Date")
    try:
        terminal.send(f"%tbsql SELECT t.depart FROM {NAME} AS t")
        terminal.send("\x1b[D" * len(f" FROM {NAME} AS t"))
        seen = _ESCAPE_RE.sub("", shown(terminal, "departure_day", keys="\t"))
        assert "departure_d" in seen
        assert "Date" in seen
    finally:
        workspace.datasources.delete(NAME)
