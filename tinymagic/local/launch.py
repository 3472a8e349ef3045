"""Start, stop and find embedded servers: the only door into this package. Standard library only.

Liveness is a lock and not a guess. The server process holds an ``flock`` on ``server.lock`` in its data folder (one
server per folder; ClickHouse could not share it anyway) and on a record of its own in the state folder, through which
servers in memory and in other folders are found. The kernel gives a lock up when the process ends, however it ends;
so "the lock can be taken" means "the server is gone", and process ids are only used for a process that holds its lock.
Both files hold the JSON of a `LocalServer`.

The child tells through an inherited pipe, in one line of JSON, that it listens or why it does not.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The port of Tinybird Local, where tools look first.
DEFAULT_PORT = 7181

LOCK_NAME = "server.lock"
LOG_NAME = "server.log"

_POLL_S = 0.02

#: One question whether a server lives, and the pause before the next one.
_LIVENESS_S = 2.0
_LIVENESS_POLL_S = 0.1
_LOG_LINES = 8

#: Servers that this process started: kept so that they are reaped when they end.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class LocalServer:
    """A running embedded server.

    Attributes:
        host: base URL without a slash at the end, for instance ``http://127.0.0.1:7181``.
        port: the port it listens on, on 127.0.0.1 only.
        pid: its process id.
        path: its data folder; ``None`` for a server that keeps everything in memory.
        started_at: UTC, ISO 8601.
        version: version of tinymagic that it runs.
    """

    host: str
    port: int
    pid: int
    path: Path | None
    started_at: str
    version: str

    def to_json(self) -> str:
        """Write it as one line of JSON."""
        return json.dumps({**asdict(self), "path": None if self.path is None else str(self.path)})

    @classmethod
    def from_json(cls, text: str) -> LocalServer | None:
        """Read what `to_json` wrote; ``None`` when the text is not (yet) complete."""
        try:
            found: dict[str, Any] = json.loads(text)
            path = found["path"]
            return cls(
                host=str(found["host"]),
                port=int(found["port"]),
                pid=int(found["pid"]),
                path=None if path is None else Path(path),
                started_at=str(found["started_at"]),
                version=str(found["version"]),
            )
        except (ValueError, KeyError, TypeError):
            return None


class LaunchError(RuntimeError):
    """The server could not be started or stopped. The message says what, where and what to do."""


def start(
    *,
    path: str | os.PathLike[str] | None = None,
    port: int | None = None,
    memory: bool = False,
    timeout_s: float = 30.0,
    with_parent: bool = False,
    limits: str | None = None,
) -> LocalServer:
    """Start an embedded server, or return the one that already serves the data folder.

    Args:
        path: data folder, made when missing; default is the user's data folder for tinymagic.
        port: port on 127.0.0.1. ``None``: 7181, or the next free one. 0: any free one.
        memory: keep everything in memory; every call starts a new server.
        timeout_s: seconds to wait until it listens.
        with_parent: the server ends by itself when this process has ended.
        limits: ``default`` (sizes and times), ``service`` (rates too) or ``none``.

    Returns:
        The server, listening.

    Raises:
        LaunchError: with the whole reason, for instance a port that is taken or a folder that cannot be written.
    """
    if memory and path is not None:
        raise LaunchError("A server in memory has no data folder: give either path or memory=True, not both.")
    _check_port(port)
    if limits not in (None, "default", "service", "none"):
        raise LaunchError(f"There are no limits called {limits!r}: use 'default', 'service' or 'none'.")
    folder = None if memory else _folder(path)
    deadline = time.monotonic() + timeout_s
    while True:
        if folder is not None:
            known = _living(folder, deadline)
            if known is not None:
                return _shared(known, port)
        arguments = [*_arguments(folder, port, limits), *(["--with-parent"] if with_parent else [])]
        message, process = _spawn(arguments, _log_file(folder), deadline)
        server = LocalServer.from_json(json.dumps(message.get("server")))
        if server is not None and process is not None:
            _children[server.pid] = process
            return server
        # Another process was faster; its server is waited for at the top, or ours started once it has gone.
        if not message.get("taken") or time.monotonic() > deadline:
            raise LaunchError(str(message["error"]))


def stop(
    path: str | os.PathLike[str] | None = None, *, port: int | None = None, timeout_s: float = 15.0
) -> LocalServer | None:
    """Stop a server and wait until it is gone.

    Args:
        path: its data folder; ``None`` means what `find` means by it.
        port: its port, instead of the folder; the surest way to name a server in memory.
        timeout_s: seconds to wait.

    Returns:
        The server that was stopped; ``None`` when there was none.

    Raises:
        LaunchError: it did not end in time, or may not be ended by this user; it is still running then.
    """
    if port is not None:
        server = next((each for each in running() if each.port == port), None)
    else:
        server = find(path)
    if server is None:
        return None
    try:
        os.kill(server.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # It ended just now.
    except OSError as error:
        raise LaunchError(f"The process {server.pid} of {server.host} cannot be ended: {error.strerror}.") from error
    deadline = time.monotonic() + timeout_s
    while not _is_gone(server):
        if time.monotonic() > deadline:
            raise LaunchError(
                f"The server at {server.host} (process {server.pid}) was asked to end and still runs after "
                f"{timeout_s:g} seconds. Look at its log, or end the process yourself."
            )
        time.sleep(_POLL_S)
    _children.pop(server.pid, None)
    running()  # Removes the record that it left.
    return server


def _is_gone(server: LocalServer) -> bool:
    """Say whether its process has ended: it was waited for, or the kernel has freed both its locks."""
    child = _children.get(server.pid)
    if child is not None:
        return child.poll() is not None
    holders = running()
    if server.path is not None:
        holder = _server_of(server.path)
        holders += [holder] if holder else []
    return not any(each.pid == server.pid and each.started_at == server.started_at for each in holders)


def running() -> list[LocalServer]:
    """Return every embedded server of this user that runs now, oldest first."""
    found = []
    for record in sorted(records_folder().glob("*.json")):
        server = _locked_server(record)
        if server is not None:
            found.append(server)
        elif not _is_locked(record):
            with contextlib.suppress(OSError):
                record.unlink()  # Left by a server that was killed.
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)  # The number may be given to another process from now on.
    return sorted(found, key=lambda each: each.started_at)


def find(path: str | os.PathLike[str] | None = None) -> LocalServer | None:
    """Return the running server that a caller without further wishes means.

    Args:
        path: the data folder it must serve. ``None``: the user's data folder for tinymagic, and when nothing serves
            that, the server that was started last.

    Returns:
        The server, or ``None`` when there is no such one.
    """
    server = _server_of(_folder(path))
    if server is None and path is None:
        others = running()
        return others[-1] if others else None
    return server


def run_foreground(
    *,
    path: str | os.PathLike[str] | None = None,
    port: int | None = None,
    memory: bool = False,
    limits: str | None = None,
) -> NoReturn:
    """Become the server: replaces this process, prints the address, ends with Ctrl-C. For the command line.

    Raises:
        LaunchError: the arguments contradict each other. Later trouble is printed by the server, which exits with 1.
    """
    if memory and path is not None:
        raise LaunchError("A server in memory has no data folder: give either path or memory=True, not both.")
    _check_port(port)
    arguments = _arguments(None if memory else _folder(path), port, limits)
    os.execv(sys.executable, _command(arguments))  # noqa: S606 - our own interpreter, no shell


def data_folder() -> Path:
    """Return the default data folder, by the custom of the operating system. It need not exist."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "tinymagic" / "local"


def records_folder() -> Path:
    """Return the folder with one record per running server. It need not exist."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "tinymagic" / "servers"


def private_folder(folder: Path) -> None:
    """Make a folder (and its parents) that only the user can read.

    Raises:
        LaunchError: it is a file, or it cannot be made or written.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise LaunchError(f"{folder} is a file; a server needs a folder for its data. Give another path.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid == os.getuid():
            folder.chmod(0o700)
    except OSError as error:
        raise LaunchError(f"The folder {folder} cannot be made: {error.strerror}. Give another path.") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise LaunchError(f"The folder {folder} cannot be written. Change its permissions or give another path.")


def _folder(path: str | os.PathLike[str] | None) -> Path:
    _check_path(path)
    try:
        return (data_folder() if path is None else Path(path).expanduser()).resolve()
    except (OSError, RuntimeError) as error:  # A link to itself, a home that is unknown, a name that is too long.
        raise LaunchError(f"The path {path} cannot be used: {error}. Give another path.") from error


def _check_port(port: object) -> None:
    # bool is an int, and True would be port 1.
    if port is not None and (not isinstance(port, int) or isinstance(port, bool)):
        raise LaunchError(f"{port!r} is not a port: give a whole number, for instance {DEFAULT_PORT}.")
    if port is not None and not 0 <= port <= 65535:
        raise LaunchError(f"{port} is not a port: give a number from 1024 to 65535, or none for {DEFAULT_PORT}.")


def _check_path(path: object) -> None:
    """Refuse what is no path, and names that neither the engine nor a record in JSON could hold."""
    if path is None:
        return
    if not isinstance(path, (str, os.PathLike)):
        raise LaunchError(f"{path!r} is not a path: give the name of a folder as a text or a pathlib.Path.")
    name = os.fspath(path)
    if not isinstance(name, str):
        raise LaunchError(f"The path {name!r} is bytes: give it as a text or a pathlib.Path.")
    if "\0" in name:
        raise LaunchError(f"The path {name!r} holds a NUL character, which no file name can. Give another path.")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise LaunchError(f"The path {name!a} is not UTF-8; the engine needs that. Give another path.") from error


def _shared(server: LocalServer, port: int | None) -> LocalServer:
    if port in (None, 0, server.port):
        return server
    raise LaunchError(
        f"The data folder {server.path} is already served at {server.host} (process {server.pid}). "
        f"Use that one, stop it first, or start with another path; two servers cannot share a folder."
    )


def _living(folder: Path, deadline: float) -> LocalServer | None:
    """Return the server of *folder* that answers; ``None`` when nobody holds the folder.

    A holder that does not answer is about to listen or about to be gone, so it is asked again.

    Raises:
        LaunchError: it holds the folder at the deadline, still without an answer.
    """
    while _is_locked(folder / LOCK_NAME):
        server = _server_of(folder)
        if server is not None and _answers(server):
            return server
        if time.monotonic() > deadline:
            raise LaunchError(
                f"Another process{f' ({server.pid})' if server else ''} holds the data folder {folder}, but does not "
                "answer as a server. Wait until it has ended, end it, or give another path."
            )
        time.sleep(_LIVENESS_POLL_S)
    return None


def _answers(server: LocalServer) -> bool:
    """Ask the server whether it lives: a killed one holds its lock until the kernel has taken it apart."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_LIVENESS_S)
    try:
        connection.request("GET", "/health/liveness")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _arguments(folder: Path | None, port: int | None, limits: str | None) -> list[str]:
    arguments = ["--memory"] if folder is None else ["--path", str(folder)]
    if port is not None:
        arguments += ["--port", str(port)]
    if limits is not None:
        arguments += ["--limits", limits]
    return arguments


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "tinymagic.local.server", *arguments]


def _log_file(folder: Path | None) -> Path:
    if folder is not None:
        private_folder(folder)
        return folder / LOG_NAME
    records = records_folder()
    private_folder(records)
    return records / f"memory-{os.getpid()}-{time.time_ns()}.log"


def _spawn(arguments: list[str], log: Path, deadline: float) -> tuple[dict[str, Any], subprocess.Popen[bytes] | None]:
    """Start the process and return what it says about its start, with the process when it lives."""
    read_end, write_end = os.pipe()
    try:
        errors = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    except OSError as error:
        os.close(read_end)
        os.close(write_end)
        raise LaunchError(f"The log {log} cannot be written: {error.strerror}. Give another path.") from error
    log_size = log.stat().st_size
    try:
        process = subprocess.Popen(
            _command([*arguments, "--ready-fd", str(write_end), "--log", str(log)]),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=[write_end],
            start_new_session=True,
            env=_environment(),
        )
    finally:
        os.close(errors)
        os.close(write_end)
    try:
        line = _read_line(read_end, deadline)
    finally:
        os.close(read_end)
    if line is None:
        process.kill()
        process.wait()
        return {"error": f"The embedded server did not start in time.{_tail(log, log_size)}"}, None
    try:
        message: dict[str, Any] = json.loads(line)
    except ValueError:
        message = {"error": f"The embedded server ended before it listened.{_tail(log, log_size)}"}
    if "server" not in message:
        process.wait()
        if "--memory" in arguments:
            log.unlink(missing_ok=True)
        return message, None
    return message, process


def _environment() -> dict[str, str]:
    """Let the child import the package that this process uses, also when that is not an installed one."""
    root = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": root if not before else f"{root}{os.pathsep}{before}"}


def _read_line(descriptor: int, deadline: float) -> bytes | None:
    """Read up to the end of the line or file; ``None`` when the time is over."""
    data = b""
    while b"\n" not in data:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not select.select([descriptor], [], [], remaining)[0]:
            return None
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        data += chunk
    return data


def _tail(log: Path, since: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(since)
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    if not lines:
        return f" Its log {log} says nothing."
    return f" The end of its log {log}:\n" + "\n".join(lines[-_LOG_LINES:])


def _server_of(folder: Path) -> LocalServer | None:
    return _locked_server(folder / LOCK_NAME)


def _locked_server(file: Path) -> LocalServer | None:
    """Return the server that holds the lock of *file*; ``None`` when nobody does, or it does not listen yet."""
    if not _is_locked(file):
        return None
    try:
        return LocalServer.from_json(file.read_text())
    except OSError:
        return None


def _is_locked(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)  # Gives the lock back as well.
    return False
