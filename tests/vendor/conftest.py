"""Programs of other people, unchanged, against an embedded server.

Each program lives in an environment of its own, because their packages share module names. ``TINYMAGIC_VENDOR`` names
the folder that holds these environments (``classic``, ``forward``, ``sdk``, ``pysdk``, ``third``: virtual environments
of Python; ``node``: a folder with ``node_modules``). Without it they are expected where ``make conformance`` puts them,
in ``build/vendor-<name>``. What is not installed is skipped.

The programs are black boxes: they are started, and then the test looks at the server through raw HTTP. They see a home
folder of their own, no settings of the user, and a proxy that refuses every connection that is not to this machine.
"""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "TINYMAGIC_VENDOR"
ROOT = Path(__file__).parents[2]

#: Longest that one run of a program may take.
PATIENCE_S = 60

FLIGHTS_SCHEMA = "carrier String, day Date, delay Int16"
FLIGHTS = "carrier,day,delay\nAA,2026-01-01,5\nUA,2026-01-02,7\nDL,2026-01-03,-3\n"
MORE_FLIGHTS = "carrier,day,delay\nWN,2026-02-01,50\n"
EVENTS = '{"id":1,"name":"a","tags":["x","y"]}\n{"id":2,"name":"b","tags":["z"]}\n'
EVENTS_DATAFILE = """DESCRIPTION >
    Some events

SCHEMA >
    `id` Int32 `json:$.id`,
    `name` String `json:$.name`,
    `tags` Array(String) `json:$.tags[:]`

ENGINE "MergeTree"
ENGINE_SORTING_KEY "id"
"""


#: All environments that tests here ask for.
ENVIRONMENTS = ("classic", "forward", "sdk", "pysdk", "third", "node")


def folder_of(name: str) -> Path:
    """Return where the environment *name* has to be."""
    given = os.environ.get(VARIABLE)
    return Path(given) / name if given else ROOT / "build" / f"vendor-{name}"


def environment_folder(name: str) -> Path:
    """Return the folder of the environment *name*; the test is skipped when it is not installed."""
    folder = folder_of(name)
    if not folder.is_dir():
        pytest.skip(f"NOT RUN: no programs in {folder}; `make conformance` installs them, or set {VARIABLE}")
    return folder


@dataclass(frozen=True)
class Server:
    """Raw HTTP to one embedded server: no client code of ours between the test and the wire.

    Attributes:
        host: base URL.
        token: of the user, in the first workspace; may do everything there and sees all workspaces.
        workspace_token: of the first workspace's administrator.
        user_token: creates and deletes workspaces.
    """

    host: str
    token: str
    workspace_token: str
    user_token: str

    @property
    def port(self) -> str:
        """The port it listens on, as text."""
        return self.host.rpartition(":")[2]

    def request(self, method: str, path: str, *, token: str = "", **arguments: Any) -> requests.Response:
        """Send a request; *token* is the administrator's when empty."""
        headers = {"Authorization": f"Bearer {token or self.workspace_token}", **arguments.pop("headers", {})}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.host + path, headers=headers, timeout=30, **arguments)

    def create(self, name: str, schema: str = FLIGHTS_SCHEMA, **parameters: str) -> None:
        """Create a Data Source, by default one for flights."""
        reply = self.request("POST", "/v0/datasources", data={"name": name, "schema": schema, **parameters})
        assert reply.status_code == 200, reply.text

    def fill(self, name: str, rows: str = FLIGHTS) -> None:
        """Append rows in CSV, by default three flights."""
        parameters = {"name": name, "mode": "append", "format": "csv"}
        reply = self.request("POST", "/v0/datasources", params=parameters, data=rows)
        assert reply.status_code == 200, reply.text

    def rows(self, q: str, *, token: str = "") -> list[list[Any]]:
        """Return the rows of a query as lists."""
        reply = self.request("POST", "/v0/sql", token=token, data={"q": f"{q} FORMAT JSONCompact"})
        assert reply.status_code == 200, reply.text
        found: list[list[Any]] = reply.json()["data"]
        return found

    def names(self, *, token: str = "") -> set[str]:
        """Return the names of the Data Sources."""
        return {found["name"] for found in self.request("GET", "/v0/datasources", token=token).json()["datasources"]}

    def columns(self, name: str) -> list[str]:
        """Return the columns of a Data Source, in order."""
        found = self.request("GET", f"/v0/datasources/{name}").json()
        return [column["name"] for column in found["columns"]]

    def tags(self) -> list[dict[str, Any]]:
        """Return the tags of the workspace."""
        found: list[dict[str, Any]] = self.request("GET", "/v0/tags").json()["tags"]
        return found

    def job(self, job_id: str, *, within: float = 20) -> dict[str, Any]:
        """Return a job once it has ended."""
        deadline = time.monotonic() + within
        while True:
            found: dict[str, Any] = self.request("GET", f"/v0/jobs/{job_id}").json()
            if found["status"] in {"done", "error", "cancelled"} or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


@dataclass
class Program:
    """A program that is run with a timeout in a folder of its own.

    Attributes:
        command: what comes before the arguments of each run.
        folder: where it runs.
        environment: its environment variables.
    """

    command: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, code: int | None = 0, **environment: str) -> str:
        """Run it and return what it printed; its exit code has to be *code* (``None``: any)."""
        ended = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
        )
        output = ended.stdout.decode(errors="replace")
        assert code is None or ended.returncode == code, f"{arguments} ended with {ended.returncode}:\n{output}"
        return output

    def write(self, name: str, text: str) -> str:
        """Write a file into its folder and return the name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    def read(self, name: str) -> str:
        """Read a file of its folder."""
        return (self.folder / name).read_text(encoding="utf-8")


@dataclass
class Web:
    """A web server for imports from a URL.

    Attributes:
        url: base URL.
        files: what it serves, by path; any other path is 404.
        stalled: paths whose answer waits until `release` is set.
        release: lets the stalled answers go.
    """

    url: str = ""
    files: dict[str, str] = field(default_factory=dict)
    stalled: set[str] = field(default_factory=set)
    release: threading.Event = field(default_factory=threading.Event)


@pytest.fixture(scope="session", autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the servers of the tests away from those of the user who runs them."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("HOME", str(folder))
        yield folder
        for left in local.running():
            local.stop(port=left.port)


@pytest.fixture(scope="module")
def server(private_folders: Path) -> Iterator[Server]:
    """One embedded server in memory for the tests of a module; none where there is no program to meet it."""
    if not any(folder_of(name).is_dir() for name in ENVIRONMENTS):
        environment_folder(ENVIRONMENTS[0])
    started = local.start(memory=True, port=0, with_parent=True)
    tokens = requests.get(f"{started.host}/tokens", timeout=10).json()
    yield Server(started.host, tokens["admin_token"], tokens["workspace_admin_token"], tokens["user_token"])
    local.stop(port=started.port)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    """A web server on this machine."""
    served = Web(files={"/flights.csv": FLIGHTS, "/more.csv": MORE_FLIGHTS})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path in served.stalled:
                served.release.wait(30)
            text = served.files.get(self.path)
            body = (text or "").encode()
            self.send_response(404 if text is None else 200)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        served.url = f"http://127.0.0.1:{listening.server_port}"
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield served
        served.release.set()
        listening.shutdown()


@pytest.fixture(scope="module")
def program_environment(tmp_path_factory: pytest.TempPathFactory, server: Server) -> dict[str, str]:
    """Environment variables for a program: a home of its own, plain output, and this machine only."""
    home = tmp_path_factory.mktemp("program_home")
    nowhere = "http://127.0.0.1:9"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
        "TB_VERSION_WARNING": "0",
        "TB_CLI_TELEMETRY_OPTOUT": "1",
        "TB_HOST": server.host,
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "200",
        "PYTHONWARNINGS": "ignore",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def sample_folder(folder: Path) -> Path:
    """Fill a folder with the files that the tests load."""
    for name, text in {"flights.csv": FLIGHTS, "more.csv": MORE_FLIGHTS, "events.ndjson": EVENTS}.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "datasources").mkdir()
    (folder / "datasources" / "events.datasource").write_text(EVENTS_DATAFILE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def clipboard(tmp_path_factory: pytest.TempPathFactory, program_environment: dict[str, str]) -> Path:
    """A clipboard for the programs: the file that holds what they copied."""
    folder = tmp_path_factory.mktemp("clipboard")
    copied = folder / "copied"
    for name in ("xsel", "xclip"):
        tool = folder / name
        tool.write_text(f'#!/bin/sh\ncat > "{copied}"\n', encoding="utf-8")
        tool.chmod(0o755)
    program_environment["PATH"] = f"{folder}{os.pathsep}{program_environment['PATH']}"
    program_environment["DISPLAY"] = ":99"
    return copied


@pytest.fixture(scope="module")
def tb_classic(
    tmp_path_factory: pytest.TempPathFactory, server: Server, program_environment: dict[str, str]
) -> Program:
    """The CLI of Tinybird Classic in a project folder, logged in."""
    program = environment_folder("classic") / "bin" / "tb"
    tb = Program([str(program)], sample_folder(tmp_path_factory.mktemp("classic")), program_environment)
    tb("auth", "--host", server.host, "--token", server.token)
    return tb


@pytest.fixture(scope="module")
def tb_forward(
    tmp_path_factory: pytest.TempPathFactory, server: Server, program_environment: dict[str, str]
) -> Program:
    """The CLI of Tinybird Forward in a project folder, with the server as its cloud."""
    program = environment_folder("forward") / "bin" / "tb"
    command = [str(program), "--cloud", "--host", server.host, "--token", server.token]
    return Program(command, sample_folder(tmp_path_factory.mktemp("forward")), program_environment)


@pytest.fixture(scope="module")
def tb_local(tmp_path_factory: pytest.TempPathFactory, server: Server, program_environment: dict[str, str]) -> Program:
    """The CLI of Tinybird Forward in a project folder, with the server in the place of Tinybird Local."""
    program = environment_folder("forward") / "bin" / "tb"
    place = {"TB_LOCAL_HOST": "127.0.0.1", "TB_LOCAL_PORT": server.port}
    folder = sample_folder(tmp_path_factory.mktemp("forward_local"))
    return Program([str(program)], folder, {**program_environment, **place})


@pytest.fixture(scope="module")
def python_program(tmp_path_factory: pytest.TempPathFactory, program_environment: dict[str, str]) -> Any:
    """Return a function that makes a `Program` of the interpreter of an environment."""

    def make(name: str) -> Program:
        interpreter = environment_folder(name) / "bin" / "python"
        return Program([str(interpreter)], sample_folder(tmp_path_factory.mktemp(name)), program_environment)

    return make


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, program_environment: dict[str, str]) -> Program:
    """Node in a folder whose scripts find the installed packages."""
    modules = environment_folder("node") / "node_modules"
    program = shutil.which("node")
    if program is None or not modules.is_dir():
        pytest.skip("NOT RUN: Node or the packages are not installed")
    folder = sample_folder(tmp_path_factory.mktemp("node"))
    (folder / "node_modules").symlink_to(modules)
    return Program([program], folder, program_environment)
