"""The embedded Tinybird: a server of its own process on loopback that speaks Tinybird's API over chDB.

This package's only door is its launcher; importing it loads neither chDB nor a web framework::

    >>> from tinymagic import local
    >>> server = local.start(memory=True, port=0)
    >>> server.host.startswith("http://127.0.0.1:")
    True
    >>> local.stop(port=server.port).port == server.port
    True

Everything else about the server goes over HTTP (`LocalServer.host`), as with Tinybird Local and Tinybird Cloud.
"""

from .launch import LaunchError, LocalServer, find, run_foreground, running, start, stop

__all__ = ["LaunchError", "LocalServer", "find", "run_foreground", "running", "start", "stop"]
