"""The command line: ``tinymagic demo``, ``tinymagic lab``, ``tinymagic local start|stop|status``.

Thin: arguments in, a call of the folder that knows, a sentence out. Exit code 0 means done, 1 means it could not be
done (the reason is on stderr), 2 that the command was not understood.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: words after ``tinymagic``; those of the process when ``None``.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 0
    from .local import LaunchError

    try:
        result: int = options.run(options)
    except LaunchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tinymagic", description="Tinybird in a notebook cell.")
    parser.add_argument("--version", action="version", version=f"tinymagic {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    demo = commands.add_parser("demo", help="run the quickstart on an embedded Tinybird with real flights")
    demo.add_argument("--output", type=Path, default=Path("build"), help="folder for the notebook and the HTML page")
    demo.set_defaults(run=_demo)

    lab = commands.add_parser("lab", help="open JupyterLab on the notebooks")
    lab.add_argument("notebooks", type=Path, nargs="?", default=Path("notebooks"), help="folder of the notebooks")
    lab.set_defaults(run=_lab)

    local = commands.add_parser("local", help="start, stop and find embedded servers")
    verbs = local.add_subparsers(title="commands", metavar="COMMAND", required=True)
    start = verbs.add_parser("start", help="start a server, or find the one that serves the folder")
    start.add_argument("--port", type=int, help="port on 127.0.0.1; default 7181, or the next free one")
    start.add_argument("--path", help="data folder; default is the user's data folder for tinymagic")
    start.add_argument("--memory", action="store_true", help="keep everything in memory and leave nothing")
    start.add_argument("--foreground", action="store_true", help="serve in this terminal until Ctrl-C")
    start.add_argument("--limits", choices=["default", "service", "none"], help="sizes and times, rates too, or none")
    start.set_defaults(run=_local_start)
    stop = verbs.add_parser("stop", help="stop a server")
    _name_server(stop)
    stop.set_defaults(run=_local_stop)
    status = verbs.add_parser("status", help="show the servers that run; exit code 1 when there is none")
    status.set_defaults(run=_local_status)
    return parser


def _name_server(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--port", type=int, help="its port")
    which.add_argument("--path", help="its data folder")


def _demo(options: argparse.Namespace) -> int:
    from .demo import DemoError, run_demo

    try:
        run_demo(options.output)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _lab(options: argparse.Namespace) -> int:
    import importlib.util
    import subprocess

    if importlib.util.find_spec("jupyterlab") is None:
        print('JupyterLab is not installed. Run: pip install "tinymagic[lab]"', file=sys.stderr)
        return 1
    folder = options.notebooks if options.notebooks.is_dir() else Path.cwd()
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(folder)])


def _local_start(options: argparse.Namespace) -> int:
    from . import local

    wanted = {"path": options.path, "port": options.port, "memory": options.memory, "limits": options.limits}
    if options.foreground:
        local.run_foreground(**wanted)
    server = local.start(**wanted)
    print(_line(server))
    print(f"Stop it with: tinymagic local stop --port {server.port}")
    return 0


def _local_stop(options: argparse.Namespace) -> int:
    from . import local

    server = local.stop(options.path, port=options.port)
    if server is None:
        print("No embedded Tinybird runs there.", file=sys.stderr)
        return 1
    print(f"Stopped the embedded Tinybird at {server.host}.")
    return 0


def _local_status(_: argparse.Namespace) -> int:
    from . import local

    servers = local.running()
    for server in servers:
        print(_line(server))
    if not servers:
        print("No embedded Tinybird is running. Start one with: tinymagic local start")
        return 1
    return 0


def _line(server: object) -> str:
    from .local import LocalServer

    assert isinstance(server, LocalServer)
    data = "data in memory" if server.path is None else f"data in {server.path}"
    return f"The embedded Tinybird listens on {server.host} (process {server.pid}, {data})."


if __name__ == "__main__":
    sys.exit(main())
