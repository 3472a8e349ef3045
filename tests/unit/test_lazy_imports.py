"""What an import costs: heavy packages come on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tinymagic

HEAVY = ("pandas", "numpy", "pyarrow", "requests", "urllib3", "ipywidgets", "IPython", "chdb", "keyring", "ssl")


def loaded_after(code):
    """Run *code* in a fresh interpreter and return the heavy packages that it loaded."""
    ask = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import tinymagic; tinymagic.__version__",
        "import tinymagic.settings, tinymagic.profiles",
        "from tinymagic.settings import resolve; resolve(token='t', host='localhost', environ={})",
    ],
)
def test_names_and_settings_load_nothing_heavy(code):
    assert loaded_after(code) <= {"ssl"}


@pytest.mark.parametrize(
    "code",
    [
        "import tinymagic; tinymagic.errors.QueryError, tinymagic.Workspace, tinymagic.connect",
        "import tinymagic; tinymagic.connect('t', 'https://api.tinybird.co')",
        "import tinymagic; ws = tinymagic.Workspace('localhost:1', 't'); ws.backend, ws.region, repr(ws)",
    ],
)
def test_a_workspace_loads_nothing_heavy_before_its_first_request(code):
    assert loaded_after(code) <= {"ssl"}


def test_a_query_without_a_frame_needs_no_pandas():
    code = (
        "import tinymagic\n"
        "ws = tinymagic.Workspace('http://127.0.0.1:1', 't')\n"
        "ws._transport._patience = type(ws._transport._patience)(attempts=1)\n"
        "try: ws.query.run('SELECT 1')\n"
        "except tinymagic.errors.ConnectionFailed: pass\n"
    )
    assert loaded_after(code) & {"pandas", "numpy", "pyarrow", "IPython", "ipywidgets"} == set()
    assert "requests" in loaded_after(code)


class TestPublicNames:
    def test_are_sorted_and_there(self):
        assert tinymagic.__all__ == sorted(tinymagic.__all__)
        for name in tinymagic.__all__:
            assert getattr(tinymagic, name) is not None
        assert set(tinymagic.__all__) <= set(dir(tinymagic))

    def test_others_are_not(self):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = tinymagic.nothing

    def test_they_are_what_they_say(self):
        from tinymagic.api.workspace import Workspace
        from tinymagic.client import connect

        assert (tinymagic.Workspace, tinymagic.connect) == (Workspace, connect)
        assert tinymagic.errors.__name__ == "tinymagic.errors"
