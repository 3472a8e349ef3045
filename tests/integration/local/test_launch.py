"""Starting, finding and stopping servers."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tinymagic import local
from tinymagic.local.launch import records_folder

pytestmark = pytest.mark.alone


@pytest.fixture
def folder(tmp_path: Path):
    """A data folder whose server is stopped after the test."""
    path = tmp_path / "data"
    yield path
    local.stop(path)


#: Counting this far takes days.
ENDLESS_SQL = "SELECT count() FROM numbers(4000000000000)"

#: One call of a function in one block: the engine does not look whether it was cancelled before that has ended.
DEAF_SQL = "SELECT arrayFold((a, x) -> a + x, range(30000000), toUInt64(0))"


class Asking(threading.Thread):
    """A query that is under way in a server, and later its reply."""

    def __init__(self, server: local.LocalServer, sql: str) -> None:
        super().__init__(daemon=True)
        self.reply: requests.Response | None = None
        self._server, self._sql = server, sql
        self.start()
        time.sleep(1)  # Until the engine is at it; that the query runs cannot be seen from outside.
        assert self.is_alive()

    def run(self) -> None:
        """Ask."""
        headers = {"Authorization": f"Bearer {admin_token(self._server)}"}
        url = self._server.host + "/v0/sql"
        self.reply = requests.get(url, params={"q": self._sql}, headers=headers, timeout=60)


def admin_token(server: local.LocalServer) -> str:
    """Return the token of the workspace's administrator."""
    found: dict[str, Any] = requests.get(server.host + "/tokens", timeout=5).json()
    return str(found["workspace_admin_token"])


class TestStart:
    def test_listens_on_loopback_when_it_returns(self, folder):
        """The server that start gives answers at once."""
        server = local.start(path=folder, port=0, with_parent=True)
        assert requests.get(server.host + "/health/liveness", timeout=5).json() == {"status": "ok"}
        assert server.host == f"http://127.0.0.1:{server.port}"
        assert server.path == folder.resolve()

    def test_second_start_returns_the_first_server(self, folder):
        """Two notebooks on one folder share its server."""
        first = local.start(path=folder, port=0, with_parent=True)
        assert local.start(path=folder) == first
        assert local.start(path=folder, port=first.port) == first

    def test_other_port_for_a_served_folder_is_refused(self, folder):
        """The refusal names the server that runs."""
        first = local.start(path=folder, port=0, with_parent=True)
        with pytest.raises(local.LaunchError, match=f"already served at {first.host}"):
            local.start(path=folder, port=first.port + 1)

    def test_simultaneous_starts_give_one_server(self, folder):
        """Of several starts at the same time one wins and all get it."""
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(local.start(path=folder, with_parent=True))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3
        assert len(set(found)) == 1

    def test_second_process_on_a_folder_says_so(self, folder):
        """A server that is started behind the launcher's back ends with one sentence."""
        first = local.start(path=folder, port=0, with_parent=True)
        done = subprocess.run(
            [sys.executable, "-m", "tinymagic.local.server", "--path", str(folder), "--port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(Path(local.__file__).parents[2])},
        )
        assert done.returncode == 1
        assert f"already served by another embedded server at {first.host}" in done.stderr
        assert "Traceback" not in done.stderr

    def test_free_port_is_found_when_the_default_is_taken(self, folder, tmp_path):
        """Without a named port a taken 7181 is no obstacle."""
        first = local.start(path=folder, with_parent=True)
        second = local.start(path=tmp_path / "other", with_parent=True)
        try:
            assert second.port != first.port
        finally:
            local.stop(tmp_path / "other")

    def test_named_port_that_is_taken_is_refused(self, folder):
        """A port that the user names is used or refused, never exchanged."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(local.LaunchError, match=f"Port {port} is taken"):
                local.start(path=folder, port=port)

    @pytest.mark.parametrize("port", [-1, 65536])
    def test_port_out_of_range_is_refused(self, port):
        """A number that is no port gives a sentence before any process starts."""
        with pytest.raises(local.LaunchError, match=f"{port} is not a port"):
            local.start(memory=True, port=port)

    @pytest.mark.parametrize("port", ["7181", 7181.0, True])
    def test_port_that_is_no_number_is_refused(self, port):
        """A port of another type gives a sentence too."""
        with pytest.raises(local.LaunchError, match=f"{port!r} is not a port"):
            local.start(memory=True, port=port)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("a\0b", "holds a NUL character"),
            ("n" * 300, "File name too long"),
            (os.fsdecode(b"caf\xe9"), "is not UTF-8"),
        ],
        ids=["nul", "long", "not UTF-8"],
    )
    def test_name_that_no_folder_can_have_is_refused(self, tmp_path, name, reason):
        """Paths that the operating system or the engine cannot use give one sentence, before any process starts."""
        with pytest.raises(local.LaunchError, match=reason) as caught:
            local.start(path=f"{tmp_path}/{name}", port=0, with_parent=True)
        assert "\n" not in str(caught.value)
        assert "Exception" not in str(caught.value)

    @pytest.mark.parametrize("path", [7, b"data"])
    def test_path_that_is_no_text_is_refused(self, path):
        """A path of another type gives a sentence too."""
        with pytest.raises(local.LaunchError, match="is not a path|is bytes"):
            local.start(path=path, port=0)

    def test_start_right_after_a_kill_gives_a_living_server(self, folder):
        """A killed server that has not quite gone is not returned."""
        for _ in range(3):
            server = local.start(path=folder, port=0, with_parent=True)
            os.kill(server.pid, signal.SIGKILL)
            again = local.start(path=folder, port=0, with_parent=True)
            assert again.pid != server.pid
            assert requests.get(again.host + "/health/liveness", timeout=5).json() == {"status": "ok"}

    def test_server_that_does_not_answer_is_not_returned(self, folder):
        """A process that holds the folder but is stopped gives an error in the end, and no server."""
        server = local.start(path=folder, port=0, with_parent=True)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(local.LaunchError, match=rf"\({server.pid}\) holds the data folder"):
                local.start(path=folder, port=0, timeout_s=0.5)
        finally:
            os.kill(server.pid, signal.SIGCONT)

    def test_path_that_is_a_file_is_refused(self, tmp_path):
        """A file cannot hold the data."""
        file = tmp_path / "file"
        file.write_text("x")
        with pytest.raises(local.LaunchError, match="is a file"):
            local.start(path=file)

    @pytest.mark.skipif(os.getuid() == 0, reason="the administrator may write everywhere")
    def test_folder_without_permission_is_refused(self, tmp_path):
        """A folder that cannot be written gives a sentence."""
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        with pytest.raises(local.LaunchError, match="cannot be made|cannot be written"):
            local.start(path=locked / "data")

    def test_memory_and_path_contradict(self, tmp_path):
        """One cannot ask for both."""
        with pytest.raises(local.LaunchError, match="not both"):
            local.start(path=tmp_path, memory=True)

    def test_missing_extra_is_named(self, tmp_path, monkeypatch):
        """Without chDB the message says what to install."""
        (tmp_path / "chdb").mkdir()
        (tmp_path / "chdb" / "__init__.py").write_text("raise ImportError('no chdb', name='chdb')")
        # A package in the working directory of the child comes before the installed one.
        monkeypatch.chdir(tmp_path)
        with pytest.raises(local.LaunchError, match=r'pip install "tinymagic\[local\]"'):
            local.start(memory=True, port=0)

    def test_files_are_private(self, folder):
        """Nobody else reads the data or the tokens."""
        local.start(path=folder, port=0, with_parent=True)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in ("server.lock", "server.log", "catalog.sqlite"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name


class TestStop:
    def test_stopped_server_is_gone(self, folder):
        """After stop the port is closed, the process has ended and the folder is free."""
        server = local.start(path=folder, port=0)
        assert local.stop(folder) == server
        with pytest.raises(requests.ConnectionError):
            requests.get(server.host + "/health/liveness", timeout=5)
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)
        assert not list(records_folder().glob(f"{server.pid}-*"))
        assert local.find(folder) is None
        assert server not in local.running()

    def test_running_query_is_stopped_at_once(self, folder):
        """A stop does not wait for queries; who asked is told in JSON, and the folder is free again."""
        server = local.start(path=folder, port=0, with_parent=True, limits="none")
        asking = Asking(server, ENDLESS_SQL)
        # Less than the time that imports get.
        assert local.stop(folder, timeout_s=2.5) == server
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)
        asking.join(10)
        assert asking.reply is not None
        assert asking.reply.status_code == 503
        assert "is ending" in asking.reply.json()["error"]
        again = local.start(path=folder, port=0, with_parent=True)
        assert again.pid != server.pid

    def test_full_engine_is_stopped_at_once(self, folder):
        """Queries are stopped too when they take every slot and more wait."""
        server = local.start(path=folder, port=0, with_parent=True, limits="none")
        asking = [Asking(server, ENDLESS_SQL)]
        asking += [threading.Thread(target=Asking, args=(server, ENDLESS_SQL)) for _ in range(20)]
        for each in asking[1:]:
            each.start()
        time.sleep(1.5)
        assert local.stop(folder, timeout_s=10) == server
        asking[0].join(10)
        assert asking[0].reply.status_code == 503

    @pytest.mark.slow
    def test_deaf_query_ends_with_the_process(self, folder):
        """A query that the engine cannot stop does not keep the server alive; until it has gone, stop says so."""
        server = local.start(path=folder, port=0, with_parent=True, limits="none")
        asking = Asking(server, DEAF_SQL)
        with pytest.raises(local.LaunchError, match="still runs after 1 seconds"):
            local.stop(folder, timeout_s=1)
        assert server in local.running()
        assert local.stop(folder) == server
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)
        asking.join(10)
        assert asking.reply is not None
        assert asking.reply.status_code == 503
        assert "is ending" in asking.reply.json()["error"]

    def test_stop_from_another_process_waits_for_the_end(self, folder):
        """Who did not start the server knows its end from its locks."""
        server = local.start(path=folder, port=0, with_parent=True, limits="none")
        asking = Asking(server, ENDLESS_SQL)
        code = (
            "import sys; from tinymagic import local; local.stop(sys.argv[1]); "
            "print(local.start(path=sys.argv[1], port=0, with_parent=True).pid)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(local.__file__).parents[2])},
        )
        asking.join(10)
        assert int(done.stdout) != server.pid

    def test_stop_without_server_gives_none(self, tmp_path):
        """Stopping nothing is no error."""
        assert local.stop(tmp_path) is None

    def test_killed_server_leaves_no_trace_of_life(self, folder):
        """A dead server's files do not look like a running one, and the folder can be served again."""
        server = local.start(path=folder, port=0)
        tokens = requests.get(server.host + "/tokens", timeout=5).json()
        os.kill(server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while local.find(folder) is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert local.find(folder) is None
        assert server not in local.running()
        again = local.start(path=folder, port=0, with_parent=True)
        assert again.pid != server.pid
        assert requests.get(again.host + "/tokens", timeout=5).json() == tokens

    def test_server_ends_with_its_parent(self, tmp_path):
        """A server that was started with_parent does not outlive the process that started it."""
        code = "from tinymagic import local; print(local.start(memory=True, port=0, with_parent=True).port)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(local.__file__).parents[2])},
        )
        port = int(done.stdout)
        deadline = time.monotonic() + 15
        while any(each.port == port for each in local.running()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(each.port == port for each in local.running())

    def test_query_does_not_outlive_the_parent(self):
        """The end of the parent stops a running query as well."""
        code = f"""
import threading, time, requests
from tinymagic import local
server = local.start(memory=True, port=0, with_parent=True, limits="none")
token = requests.get(server.host + "/tokens", timeout=5).json()["workspace_admin_token"]
ask = lambda: requests.get(server.host + "/v0/sql", params={{"q": "{ENDLESS_SQL}", "token": token}}, timeout=60)
threading.Thread(target=ask, daemon=True).start()
time.sleep(1)
print(server.pid)
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(local.__file__).parents[2])},
        )
        pid = int(done.stdout)
        deadline = time.monotonic() + 15
        while any(each.pid == pid for each in local.running()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(each.pid == pid for each in local.running())


class TestFullDisk:
    @pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
    def test_upload_that_does_not_fit_says_so(self, folder):
        """A write that the operating system refuses gives a sentence, and nothing is half done."""
        import resource

        server = local.start(path=folder, port=0, with_parent=True)
        headers = {"Authorization": f"Bearer {admin_token(server)}"}
        url = server.host + "/v0/datasources"
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1_000_000, hard))
        upload = {"params": {"name": "big"}, "data": b"version\n" + b"1\n" * 2_000_000, "headers": headers}
        reply = requests.post(url, timeout=60, **upload)
        assert reply.status_code == 500
        assert "is full" in reply.json()["error"]
        assert [each.name for each in (folder / "spool").iterdir()] == []
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert requests.get(url, headers=headers, timeout=60).json() == {"datasources": []}
        assert requests.post(url, timeout=60, **upload).status_code == 200


class TestRunning:
    def test_memory_servers_are_listed_and_stopped_by_port(self):
        """A server without a folder is found through its record."""
        server = local.start(memory=True, port=0, with_parent=True)
        assert server in local.running()
        assert local.stop(port=server.port) == server
        assert server not in local.running()

    def test_importing_the_package_loads_nothing_heavy(self):
        """Notebooks import the launcher; chDB and the web framework stay out."""
        code = (
            "import sys, tinymagic.local; "
            "print([m for m in ('chdb', 'starlette', 'uvicorn', 'sqlite3', 'anyio') if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(local.__file__).parents[2])},
        )
        assert done.stdout.strip() == "[]"
