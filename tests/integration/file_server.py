"""A web server of small files, for imports by URL: one is slow, one is broken."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Seconds for which the slow file waits at most.
_PATIENCE_S = 90


class FileServer:
    """Files of two rows of one column ``a``, on loopback until it is closed.

    Every path is there but two: ``/slow.csv`` comes when `released` is set, ``/broken.csv`` when `mended` is true.

    Attributes:
        host: base URL.
        released: an event.
        mended: whether the broken file is there.
    """

    def __init__(self):
        files = self
        self.released = threading.Event()
        self.mended = False

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with contextlib.suppress(OSError):
                    if self.path == "/slow.csv":
                        files.released.wait(_PATIENCE_S)
                    missing = self.path == "/broken.csv" and not files.mended
                    self.send_response(404 if missing else 200)
                    self.send_header("Content-Length", "6")
                    self.end_headers()
                    self.wfile.write(b"a\n1\n2\n")

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        """End it; who still waits for the slow file gets it."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
