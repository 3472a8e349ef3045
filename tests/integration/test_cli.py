"""The console script, as a user runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from tinymagic import local


def tinymagic(*arguments, **options):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tinymagic.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.fixture
def folder(tmp_path):
    """A data folder whose server is stopped afterwards, whatever the test did."""
    path = tmp_path / "data"
    yield path
    local.stop(path=path)


class TestLocal:
    def test_start_status_stop(self, folder):
        """The server outlives the command that started it, is found, and ends when told."""
        started = tinymagic("local", "start", "--path", str(folder), "--port", "0")
        assert started.returncode == 0, started.stderr
        host = re.search(r"http://127\.0\.0\.1:\d+", started.stdout)[0]
        assert requests.get(f"{host}/health/liveness", timeout=5).ok
        status = tinymagic("local", "status")
        assert (status.returncode, host in status.stdout) == (0, True)
        stopped = tinymagic("local", "stop", "--path", str(folder))
        assert (stopped.returncode, host in stopped.stdout) == (0, True)
        assert local.find(folder) is None

    def test_second_start_on_the_same_folder_finds_the_first(self, folder):
        """One folder, one server; asking for another port says who has it."""
        first = tinymagic("local", "start", "--path", str(folder), "--port", "0")
        again = tinymagic("local", "start", "--path", str(folder))
        assert again.stdout.splitlines()[0] == first.stdout.splitlines()[0]
        other = tinymagic("local", "start", "--path", str(folder), "--port", "1234")
        assert other.returncode == 1
        assert "already served at http://127.0.0.1" in other.stderr
        assert "Traceback" not in other.stderr

    def test_taken_port(self, folder):
        """A port of another program gives one sentence."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            result = tinymagic("local", "start", "--path", str(folder), "--port", port)
        assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
        assert f"Port {port} is taken" in result.stderr

    def test_stop_without_server(self, folder):
        """Nothing to stop is said, with exit code 1."""
        result = tinymagic("local", "stop", "--path", str(folder))
        assert (result.returncode, result.stderr.strip()) == (1, "No embedded Tinybird runs there.")

    def test_foreground_ends_with_the_signal(self):
        """--foreground serves until it is interrupted, and leaves nothing in memory mode."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tinymagic.cli", "local", "start", "--memory", "--foreground", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            host = re.search(r"http://\S+", process.stdout.readline())[0]
            assert requests.get(f"{host}/v0/regions", timeout=5).ok
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0
        finally:
            process.kill()
            process.stdout.close()
            process.wait()

    def test_contradicting_arguments(self, tmp_path):
        """--memory with --path is refused."""
        result = tinymagic("local", "start", "--memory", "--path", str(tmp_path))
        assert (result.returncode, "not both" in result.stderr) == (1, True)


class TestWords:
    def test_no_command_shows_help(self):
        """Without words the commands are listed."""
        result = tinymagic()
        assert (result.returncode, "demo" in result.stdout, "local" in result.stdout) == (0, True, True)

    def test_unknown_command(self):
        """A misspelt word is answered with the words there are."""
        result = tinymagic("lokal")
        assert (result.returncode, "invalid choice: 'lokal'" in result.stderr) == (2, True)

    def test_demo_outside_the_project(self, tmp_path):
        """The demo says where it must be run, when the package has no notebooks beside it."""
        code = "import tinymagic.demo as d, pathlib; d.__file__ = '/nowhere/x/y.py'; d._find_notebook()"
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert "run the demo in the folder of the project" in result.stderr


def test_help_is_quick_to_import():
    """`tinymagic --help` imports neither pandas nor chDB nor requests."""
    code = (
        "import sys; from tinymagic import cli; cli._parser().format_help();"
        "print([name for name in ('pandas', 'chdb', 'requests', 'IPython') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"


def test_time_zone_of_the_user_changes_nothing(folder):
    """DateTime without a zone is UTC on a server started in any time zone."""
    env = {**os.environ, "TZ": "America/New_York"}
    tinymagic("local", "start", "--path", str(folder), "--port", "0", env=env)
    server = local.find(folder)
    token = requests.get(f"{server.host}/tokens", timeout=5).json()["workspace_admin_token"]
    now = requests.get(
        f"{server.host}/v0/sql",
        params={"q": "SELECT toUnixTimestamp(toDateTime(formatDateTime(now(), '%F %T'), 'UTC'))"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert abs(int(now.text) - time.time()) < 60
