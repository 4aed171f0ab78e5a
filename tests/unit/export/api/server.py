"""A server with scripted responses, for cases that the emulator does not cover."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support import http


@dataclass
class Answer:
    """A status, headers and a body; Content-Length is added unless the headers prevent it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A running server: its origin, and the targets and Authorization headers received."""

    base_url: str
    targets: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


@contextmanager
def serving(
    answer: Callable[[int], Answer], date: Callable[[], str] | None = None
) -> Iterator[Server]:
    """Serve on loopback; `answer` returns the response to request number n, from zero.

    `date` returns the `Date` header of responses, by default the machine's time.
    """

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return date() if date else super().date_time_string(timestamp)

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
