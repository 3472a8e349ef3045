"""The server process: ``python -m tinymagic.local.server``.

Order of the start: folder, lock, imports of the extra, socket, engine, catalogue, application, and only when it
listens the records by which `launch` finds it and the line on the pipe. Whatever fails on the way is one sentence: on
the pipe for `launch.start`, on stderr with exit code 1 in the foreground.

SIGTERM, SIGINT and the end of the parent end it: queries are stopped at once, imports may finish within a few seconds,
and what cannot be stopped (the engine looks at a query only between blocks) ends with the process. What was
acknowledged is on disk before the reply. The locks are never given up by hand: whoever can take one knows that the
process is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from tinymagic.version import __version__

from .engine import load as load_engine
from .launch import DEFAULT_PORT, LOCK_NAME, LaunchError, LocalServer, private_folder, records_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .catalog import Catalog
    from .engine import Engine

LOOPBACK = "127.0.0.1"

#: Ports that are tried after the default one, before the kernel is asked for any.
_PORTS_AFTER_DEFAULT = 50

#: A probe of `launch` holds the lock for microseconds; that must not look like another server.
_LOCK_TRIES = 25
_LOCK_WAIT_S = 0.02

#: After SIGTERM: when imports are stopped too, when requests get their last answer, and when the process ends anyhow.
_IMPORTS_GRACE_S = 3.0
_GRACE_S = 5
_LAST_RESORT_S = 7.0

#: Between two calls to stop queries: one may have begun after the first.
_CANCEL_POLL_S = 0.2

_PARENT_POLL_S = 0.5

INSTALL_HINT = 'The embedded Tinybird needs packages that are not installed ({}). Run: pip install "tinymagic[local]"'


class FolderTaken(LaunchError):  # noqa: N818 - says what happened
    """Another server has the data folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a server until it is told to end; return the exit code."""
    options = _options(arguments)
    held = contextlib.ExitStack()
    try:
        with contextlib.ExitStack() as stack:
            _serve(options, stack, held)
    except LaunchError as error:
        _announce(options.ready_fd, {"error": str(error), "taken": isinstance(error, FolderTaken)})
        if options.ready_fd is None:
            print(error, file=sys.stderr)
        held.close()
        return 1
    if options.memory and options.log:
        Path(options.log).unlink(missing_ok=True)
    return _leave(0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tinymagic local start --foreground", description="The embedded Tinybird.")
    parser.add_argument("--path", help="data folder")
    parser.add_argument("--memory", action="store_true", help="keep everything in memory")
    parser.add_argument("--port", type=int, help=f"port on {LOOPBACK}; default {DEFAULT_PORT} or the next free one")
    parser.add_argument("--limits", choices=["default", "service", "none"], help="which limits hold")
    parser.add_argument("--with-parent", action="store_true", help="end when the parent process ends")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--log", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory == (options.path is not None):
        parser.error("give either --path or --memory")
    return options


def _serve(options: argparse.Namespace, stack: contextlib.ExitStack, held: contextlib.ExitStack) -> None:
    """Serve until told to end. *stack* is undone then; *held* has what stays with the process to its last moment."""
    os.umask(0o077)
    parent = os.getppid()
    folder = None if options.memory else Path(options.path)
    lock = None
    if folder is not None:
        private_folder(folder)
        lock = held.enter_context(_folder_lock(folder))
    uvicorn = _import_extra()
    listener = stack.enter_context(_listen(options.port))
    port = int(listener.getsockname()[1])
    engine, catalog = _open(folder)
    stack.callback(catalog.close)
    if folder is not None:  # What is in memory only need not be tidied up, which takes seconds with many tables.
        stack.callback(engine.close)

    from .app import create_app
    from .limits import Limits

    try:
        app = create_app(engine, catalog, Limits.named(options.limits), port=port, spool=_spool_folder(folder))
    except OSError as error:
        raise LaunchError(
            f"The folder for uploads cannot be made: {error}. Make room, or give another path."
        ) from error
    stack.callback(app.state.services.close)
    me = LocalServer(
        host=f"http://{LOOPBACK}:{port}",
        port=port,
        pid=os.getpid(),
        path=folder,
        started_at=datetime.now(timezone.utc).isoformat(),
        version=__version__,
    )
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # URLs may carry tokens.
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # uvicorn raises the signals again after its own clean end; these handlers let ours follow.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    ending = _Ending(engine)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _stop_work_on_shutdown(server, ending)
    if options.with_parent:
        _end_with(parent, server, ending)
    _announce_when_started(server, me, lock, options, held)
    server.run(sockets=[listener])


def _announce_when_started(
    server: Any, me: LocalServer, lock: IO[str] | None, options: argparse.Namespace, held: contextlib.ExitStack
) -> None:
    """Write the records and tell the launcher, as soon as uvicorn handles requests."""
    startup = server.startup

    async def startup_and_announce(*arguments: Any, **named: Any) -> None:
        await startup(*arguments, **named)
        if lock is not None:
            lock.seek(0)
            lock.truncate()
            lock.write(me.to_json())
            lock.flush()
        held.enter_context(_record(me))
        _announce(options.ready_fd, {"server": json.loads(me.to_json())})
        if options.ready_fd is None:
            print(f"tinymagic: the embedded Tinybird listens on {me.host}", flush=True)

    server.startup = startup_and_announce


class _Ending:
    """Stops what runs when the server ends, from a thread of its own because the event loop may be waiting for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._begun = False

    def begin(self) -> None:
        """Begin to end, once."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
        threading.Thread(target=self._stop_work, name="stop-work", daemon=True).start()
        # Not a thread: the engine may hold the interpreter's lock while it closes. The kernel keeps this one.
        signal.setitimer(signal.ITIMER_REAL, _LAST_RESORT_S)

    def _stop_work(self) -> None:
        since = time.monotonic()
        while True:
            late = time.monotonic() - since > _IMPORTS_GRACE_S
            try:
                (self._engine.cancel_all if late else self._engine.cancel_reads)()
            except Exception as error:  # The engine is closed by now, or too full of work; the last resort remains.
                logging.getLogger("tinymagic.local").debug("cannot stop queries: %s", type(error).__name__)
            time.sleep(_CANCEL_POLL_S)


def _stop_work_on_shutdown(server: Any, ending: _Ending) -> None:
    shutdown = server.shutdown

    async def stop_work_and_shut_down(*arguments: Any, **named: Any) -> None:
        ending.begin()
        await shutdown(*arguments, **named)

    server.shutdown = stop_work_and_shut_down


def _leave(code: int) -> NoReturn:
    """End the process now. The interpreter's own way out waits for threads, and the kernel frees the locks."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _announce(ready_fd: int | None, message: dict[str, Any]) -> None:
    if ready_fd is None:
        return
    with contextlib.suppress(OSError):  # A launcher that has gone away needs no answer.
        os.write(ready_fd, json.dumps(message).encode() + b"\n")
        os.close(ready_fd)


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[IO[str]]:
    """Hold the folder's lock; its file tells who has it."""
    path = folder / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise LaunchError(f"The lock file {path} cannot be written: {error.strerror}. Give another path.") from error
    with os.fdopen(descriptor, "r+") as file:
        for attempt in range(_LOCK_TRIES + 1):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == _LOCK_TRIES:
                    raise FolderTaken(_taken_sentence(folder, file.read())) from None
                time.sleep(_LOCK_WAIT_S)
        file.seek(0)
        file.truncate()  # What a dead server left must not look like ours.
        file.flush()
        yield file
        file.seek(0)
        file.truncate()


def _taken_sentence(folder: Path, content: str) -> str:
    other = LocalServer.from_json(content)
    where = f" at {other.host} (process {other.pid})" if other else ""
    return (
        f"The data folder {folder} is already served by another embedded server{where}. "
        "Use that one, stop it first, or start with another path."
    )


@contextlib.contextmanager
def _record(me: LocalServer) -> Iterator[None]:
    """Keep a locked record in the state folder while the server runs. It gets its name only when it is locked.

    A server that ran leaves it, unlocked by its end; `launch.running` removes it then.
    """
    folder = records_folder()
    private_folder(folder)
    path = folder / f"{me.pid}-{time.time_ns()}.json"
    hidden = path.with_suffix(".new")
    descriptor = os.open(hidden, os.O_CREAT | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(me.to_json())
        file.flush()
        hidden.rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _import_extra() -> Any:
    try:
        # Found out now, with a sentence, and not in the middle of the start.
        load_engine()
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise LaunchError(INSTALL_HINT.format(error.name or error)) from error
    return uvicorn


def _open(folder: Path | None) -> tuple[Engine, Catalog]:
    from .catalog import Catalog, CatalogError
    from .engine import DiskFull, Engine, EngineError

    try:
        catalog = Catalog(None if folder is None else folder / "catalog.sqlite")
    except CatalogError as error:
        raise LaunchError(str(error)) from error
    try:
        engine = Engine(None if folder is None else folder / "clickhouse")
    except EngineError as error:
        catalog.close()
        raise LaunchError(f"ClickHouse cannot open its files in {folder}: {error.message}") from error
    except DiskFull as error:
        catalog.close()
        raise LaunchError(f"The disk of {folder} is full. Make room, or give another path.") from error
    return engine, catalog


def _spool_folder(folder: Path | None) -> Path | None:
    """Return where uploads go, ``None`` for a temporary folder.

    The engine reads them with ``file()``, which takes some characters of a path for patterns or for an archive.
    """
    if folder is None or any(each in str(folder) for each in ("*", "?", "{", "}", "::")):
        return None
    return folder / "spool"


@contextlib.contextmanager
def _listen(port: int | None) -> Iterator[socket.socket]:
    """Yield a listening socket on loopback; `launch.start` describes the choice of the port."""
    if port is not None:
        candidates = [port]
    else:
        candidates = [*range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_AFTER_DEFAULT), 0]
    for candidate in candidates:
        # With the protocol named, asyncio sets TCP_NODELAY; without it a reply takes 40 ms (delayed ACK).
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, candidate))
            listener.listen(128)
        except (OSError, OverflowError) as error:
            listener.close()
            if port is None and getattr(error, "errno", None) == errno.EADDRINUSE:
                continue
            raise LaunchError(_port_sentence(candidate, error)) from error
        with listener:
            yield listener
        return
    raise LaunchError(f"No port is free on {LOOPBACK}.")


def _port_sentence(port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"Port {port} is taken by another program. Name another port, or none and a free one is chosen."
    if number in (errno.EACCES, errno.EPERM):
        return f"Port {port} is reserved for the system administrator. Name one from 1024 to 65535."
    return f"The server cannot listen on port {port}: {error}."


def _end_with(parent: int, server: Any, ending: _Ending) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_S)
        server.should_exit = True
        ending.begin()

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
