"""A server that answers as a test says, for what the emulator does not do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support import http


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

    with http.serving(Handler) as origin:
        server = Server(origin)
        yield server
