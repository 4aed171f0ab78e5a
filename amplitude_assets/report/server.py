"""Serve the overview report over HTTP, since browsers block links from Dagster's UI to files."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

_NOT_YET = b"There is no report yet. Materialize the asset overview_report to write it.\n"


@contextmanager
def serve_report(path: Path, host: str, port: int) -> Iterator[int]:
    """Serve the current content of `path` while the block runs, and yield the port.

    Port 0 selects a free one. Raises OSError when the port is in use.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                self._respond(HTTPStatus.OK, "text/html; charset=utf-8", path.read_bytes())
            except FileNotFoundError:
                self._respond(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", _NOT_YET)

        def _respond(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep requests out of the terminal, which shows Dagster's log."""

    with ThreadingHTTPServer((host, port), Handler) as server:
        thread = Thread(target=server.serve_forever, name="report", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
