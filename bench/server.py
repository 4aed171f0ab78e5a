"""Serve rendered zips at the Export API's path, for all contenders.

It runs as a separate process, `python -m bench.server FOLDER`, so that no measurement includes it.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.world import zip_name

API_KEY = "bench"
SECRET_KEY = "bench-secret"  # noqa: S105 - not a real secret
_PATH = "/api/2/export"
_AUTHORIZATION = "Basic " + base64.b64encode(f"{API_KEY}:{SECRET_KEY}".encode()).decode()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder of zips while the block runs, and yield the server's origin."""
    command = [sys.executable, "-m", "bench.server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            # SIGKILL, since a child inherits ignored signals from this process.
            process.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Respond with the zip of exactly the requested range, or with 404."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        path = Path(sys.argv[1]) / zip_name(query.get("start", ""), query.get("end", ""))
        if self.headers.get("Authorization") != _AUTHORIZATION:
            self._send_text(403, b"Invalid API Key")
        elif url.path != _PATH or not path.is_file():
            self._send_text(404, b"Raw data files were not found.")
        else:
            self._send(path)

    def log_message(self, *args: object) -> None:
        """Do not log requests."""

    def _send_text(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _send(self, path: Path) -> None:
        with path.open("rb") as file:
            size = path.stat().st_size
            self.send_response(200)
            self.send_header("Content-Type", "application/zip")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(file)


def main() -> None:
    """Print the origin and serve until the process ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - read by `serving`
    try:
        server.serve_forever()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
