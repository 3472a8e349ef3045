"""What loading the extension costs: nothing heavy is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("pandas", "numpy", "pyarrow", "requests", "urllib3", "ipywidgets", "chdb", "tqdm", "starlette", "sqlite3")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run lines in a fresh IPython and return what they print."""
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "IPYTHONDIR", "TINYMAGIC_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(code):
        command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, cwd=tmp_path
        )
        return done.stdout

    return run


def test_loading_imports_nothing_heavy(run):
    ask = f"import sys; print('heavy:', *[name for name in {HEAVY!r} if name in sys.modules])"
    bare = set(run(ask).split("heavy:")[1].split())
    loaded = set(run(f"%load_ext tinymagic\n{ask}").split("heavy:")[1].split())
    assert loaded - bare == set()


def test_loading_prints_one_line(run):
    (line,) = run("%load_ext tinymagic").splitlines()
    assert "%tinybird local start" in line
    assert "%tinybird login" in line


def test_the_line_names_the_host_and_never_the_token(run, monkeypatch):
    monkeypatch.setenv("TB_TOKEN", "p.eyJ1IjogIjEiLCAiaWQiOiAiMiIsICJob3N0IjogImF3cy11cy1lYXN0LTEifQ.signature-of-it")
    (line,) = run("%load_ext tinymagic").splitlines()
    assert "https://api.us-east.aws.tinybird.co" in line
    assert "TB_TOKEN" in line
    assert not any(piece in line for piece in ("eyJ", "signature", "p.e"))


def test_unusable_settings_do_not_fail_the_load(run, monkeypatch):
    monkeypatch.setenv("TB_TOKEN", "some-token")
    monkeypatch.setenv("TB_HOST", "http://example.org")
    (line,) = run("%load_ext tinymagic").splitlines()
    assert "TLS" in line
