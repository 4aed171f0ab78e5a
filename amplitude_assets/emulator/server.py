"""The Export API over HTTP, on a thread of this process."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from amplitude_assets.emulator.api import (
    API_KEY,
    MAX_RESPONSE_BYTES,
    SECRET_KEY,
    Answer,
    ExportApi,
    Limits,
    Refused,
    text_answer,
)
from amplitude_assets.emulator.world import World

EXPORT_PATH = "/api/2/export"
_PIECE = 256 * 1024
# Every so many hours the answer comes in chunks, without its length.
_CHUNKED_EVERY = 5


@dataclass(frozen=True)
class Request:
    """An export that was asked for. `status` is 0 when there was no answer."""

    start: str
    end: str
    status: int


class Emulator:
    """A running server. `requests` are the exports asked for so far, in the order they were answered."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.requests: list[Request] = []
        self.max_concurrent = 0
        self._under_way = 0
        self._lock = threading.Lock()

    def began(self) -> None:
        """A request has come in."""
        with self._lock:
            self._under_way += 1
            self.max_concurrent = max(self.max_concurrent, self._under_way)

    def answered(self, request: Request) -> None:
        """A request has been answered."""
        with self._lock:
            self._under_way -= 1
            self.requests.append(request)


@contextmanager
def serve(
    world: World | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str = API_KEY,
    secret_key: str = SECRET_KEY,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    delay_hours: int = 2,
    max_response_bytes: int = MAX_RESPONSE_BYTES,
    max_range_hours: int | None = None,
) -> Iterator[Emulator]:
    """Serve a world's exports until the block is left; port 0 takes a free one.

    `clock` returns the time, in UTC, by which hours become exportable. Ranges of more than
    `max_range_hours` get a 504. Raises OSError when the port is taken.
    """
    limits = Limits(delay_hours, max_response_bytes, max_range_hours)
    api = ExportApi(world or World(), api_key, secret_key, clock, limits)
    with _Server((host, port), api) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="emulator", daemon=True
        )
        thread.start()
        try:
            yield server.emulator
        finally:
            server.shutdown()
            server.hang_up()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], api: ExportApi) -> None:
        super().__init__(address, _Handler)
        self.api = api
        self.emulator = Emulator(f"http://{address[0]}:{self.server_port}")
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is its own business."""

    def hang_up(self) -> None:
        """Close what clients keep open for another request."""
        for request in list(self._open):
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path != EXPORT_PATH:
            self._send(text_answer(404, "Not Found"), is_chunked=False)
            return
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        start, end = query.get("start"), query.get("end")
        self.server.emulator.began()
        status = 0
        try:
            answer = self._answer(start, end)
            with closing(answer.body):
                status = answer.status
                self._send(answer, is_chunked=_is_chunked(answer, start))
        finally:
            self.server.emulator.answered(Request(start or "", end or "", status))

    def _answer(self, start: str | None, end: str | None) -> Answer:
        api = self.server.api
        try:
            api.check_credentials(self.headers.get("Authorization"))
            return api.export(api.check_range(start, end))
        except Refused as refused:
            return text_answer(refused.status, refused.message)

    def _send(self, answer: Answer, is_chunked: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        if answer.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Amplitude"')
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(answer.size))
        self.end_headers()
        while piece := answer.body.read(_PIECE):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `Emulator.requests` is the log."""


def _is_chunked(answer: Answer, start: str | None) -> bool:
    return answer.status == 200 and int((start or "0")[-2:]) % _CHUNKED_EVERY == 4
