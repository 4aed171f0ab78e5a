"""The one server that every contender asks: files behind the Export API's path and keys.

Run as a process of its own, `python -m bench.server FOLDER`, so that no contender pays for it.
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
SECRET_KEY = "bench-secret"  # noqa: S105 - of no use to anyone
_PATH = "/api/2/export"
_AUTHORIZATION = "Basic " + base64.b64encode(f"{API_KEY}:{SECRET_KEY}".encode()).decode()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder of zips until the block is left, and yield the server's origin."""
    command = [sys.executable, "-m", "bench.server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            # Not asked to end: where this process ignores such signals, so does one that it starts.
            process.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the zip of exactly the range that is asked for, else 404."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        path = Path(sys.argv[1]) / zip_name(query.get("start", ""), query.get("end", ""))
        if self.headers.get("Authorization") != _AUTHORIZATION:
            self._say(403, b"Invalid API Key")
        elif url.path != _PATH or not path.is_file():
            self._say(404, b"Raw data files were not found.")
        else:
            self._send(path)

    def log_message(self, *args: object) -> None:
        """Say nothing of each request."""

    def _say(self, status: int, text: bytes) -> None:
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
