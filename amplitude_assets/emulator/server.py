"""The Export API over HTTP, on a thread of this process."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    RefusedError,
    text_answer,
)
from amplitude_assets.emulator.faults import (
    BODY_KINDS,
    STATUSES,
    WHOLE_ANSWER_KINDS,
    Fault,
    FaultBook,
    FaultKind,
)
from amplitude_assets.emulator.transfer import spoiled, write_body
from amplitude_assets.emulator.world import World
from amplitude_assets.hours import Clock, utc_now

EXPORT_PATH = "/api/2/export"


_SETTLING_SECONDS = 2.0


@dataclass(frozen=True)
class Request:
    """An export that was asked for. `status` is 0 when there was no answer."""

    start: str
    end: str
    status: int


class Emulator:
    """A running server, at `base_url`.

    `max_concurrent` is how many requests at most waited for an answer or received it at one time.
    """

    def __init__(self, base_url: str, faults: FaultBook) -> None:
        self.base_url = base_url
        self._requests: list[Request] = []
        self.max_concurrent = 0
        self._faults = faults
        self._under_way = 0
        self._unanswered: set[int] = set()
        self._changed = threading.Condition()

    @property
    def requests(self) -> list[Request]:
        """The exports asked for so far, in the order in which they came in.

        A client has its answer a moment before the server is done with it, so this waits a little
        for what is under way.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0, timeout=_SETTLING_SECONDS)
            return self._requests

    def add_fault(self, fault: Fault) -> None:
        """Misbehave by one more rule from now on."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Behave from now on."""
        self._faults.clear()

    def began(self, request: Request) -> None:
        """A request has come in."""
        with self._changed:
            self._requests.append(request)
            self._under_way += 1
            self._unanswered.add(id(request))
            self.max_concurrent = max(self.max_concurrent, len(self._unanswered))

    def is_answering_to_the_end(self, request: Request) -> None:
        """The last of its answer goes out: the client may ask again before this server is done."""
        with self._changed:
            self._unanswered.discard(id(request))

    def ended(self, request: Request, status: int) -> None:
        """That request has been answered, or dropped."""
        with self._changed:
            for place, noted in enumerate(self._requests):
                if noted is request:
                    self._requests[place] = replace(request, status=status)
            self._unanswered.discard(id(request))
            self._under_way -= 1
            self._changed.notify_all()


@contextmanager
def serve(  # noqa: PLR0913 - each is a setting of the API's own
    world: World | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str = API_KEY,
    secret_key: str = SECRET_KEY,
    clock: Clock = utc_now,
    delay_hours: int = 2,
    max_response_bytes: int = MAX_RESPONSE_BYTES,
    max_range_hours: int | None = None,
    faults: Sequence[Fault] = (),
) -> Iterator[Emulator]:
    """Serve a world's exports until the block is left; port 0 takes a free one.

    `clock` returns the time (timezone-aware) by which hours become exportable. Ranges of more than
    `max_range_hours` get a 504. Raises OSError when the port is taken.
    """
    limits = Limits(delay_hours, max_response_bytes, max_range_hours)
    api = ExportApi(world or World(), api_key, secret_key, clock, limits)
    with _Server((host, port), api, FaultBook(faults)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.emulator
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], api: ExportApi, faults: FaultBook) -> None:
        super().__init__(address, _Handler)
        self.api = api
        self.faults = faults
        self.emulator = Emulator(f"http://{address[0]}:{self.server_port}", faults)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client may go away when it likes."""

    def hang_up(self) -> None:
        """Close the connections that clients keep open for another request."""
        for request in list(self._open):
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer an export, and note that it was asked for."""
        url = urlsplit(self.path)
        if url.path != EXPORT_PATH:
            self._send(text_answer(404, "Not Found"), None, lambda: None)
            return
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        start, end = query.get("start"), query.get("end")
        status = 0
        request = Request(start or "", end or "", status)
        self.server.emulator.began(request)
        try:
            answer, fault = self._answer(start, end)
            if answer is None:
                self.close_connection = True
                return
            status = answer.status
            with contextlib.closing(answer.body):
                emulator = self.server.emulator
                self._send(answer, fault, lambda: emulator.is_answering_to_the_end(request))
        finally:
            self.server.emulator.ended(request, status)

    def _answer(self, start: str | None, end: str | None) -> tuple[Answer | None, Fault | None]:
        """The answer, None for none at all, and the fault in how it is sent, if any."""
        api = self.server.api
        try:
            api.check_credentials(self.headers.get("Authorization"))
            hours = api.check_range(start, end)
            faults = self.server.faults.take(hours)
            first = faults[0] if faults else None
            if first is None or first.kind not in WHOLE_ANSWER_KINDS:
                return api.export(hours, faults), None
            if first.kind is FaultKind.CLOSED_AT_ONCE:
                return None, first
            if first.kind in STATUSES:
                return text_answer(*STATUSES[first.kind]), first
            answer = api.export(hours)
            return (spoiled(answer, first.kind) if first.kind in BODY_KINDS else answer), first
        except RefusedError as refused:
            return text_answer(refused.status, refused.message), None

    def _send(self, answer: Answer, fault: Fault | None, at_the_end: Callable[[], None]) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        if answer.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Amplitude"')
        if fault is not None and fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        write_body(self, answer, fault, at_the_end)

    def log_message(self, *args: Any) -> None:
        """Nothing: `Emulator.requests` is the log."""
