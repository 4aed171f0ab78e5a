"""A server that answers as a test says, for what the emulator does not do."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """A status, headers and a body, whose length is told unless the headers say something else."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A running server: where it is, and the targets and Authorization headers it has seen."""

    base_url: str
    targets: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[int], Answer]) -> Iterator[Server]:
    """Serve on loopback; `answer` is called with the number of the request, from zero."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.targets.append(self.path)
            server.authorizations.append(self.headers.get("Authorization"))
            given = answer(len(server.targets) - 1)
            self.send_response(given.status)
            for name, value in ({"Content-Length": str(len(given.body))} | given.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *args: Any) -> None:
            """Nothing: the server keeps what tests ask about."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
