"""Serve the emulated Export API over HTTP, in a thread of this process."""

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
    ApiError,
    ExportApi,
    Limits,
    Response,
    text_response,
)
from amplitude_assets.emulator.faults.rules import (
    BODY_KINDS,
    STATUSES,
    WHOLE_RESPONSE_KINDS,
    Fault,
    FaultKind,
    FaultRules,
)
from amplitude_assets.emulator.transfer import with_body_fault, write_body
from amplitude_assets.emulator.world.world import World
from amplitude_assets.hours import Clock, utc_now

EXPORT_PATH = "/api/2/export"


_SETTLING_SECONDS = 2.0


@dataclass(frozen=True)
class Request:
    """A received export request. `status` is 0 when no response was sent."""

    start: str
    end: str
    status: int


class Emulator:
    """A running server at `base_url`.

    `max_concurrent` is the largest number of requests that were open at the same time.
    """

    def __init__(self, base_url: str, faults: FaultRules) -> None:
        self.base_url = base_url
        self._requests: list[Request] = []
        self.max_concurrent = 0
        self._faults = faults
        self._under_way = 0
        self._unanswered: set[int] = set()
        self._changed = threading.Condition()

    @property
    def requests(self) -> list[Request]:
        """The export requests so far, in order of arrival.

        A client receives its response slightly before the server finishes the request, so this
        waits up to two seconds for open requests.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0, timeout=_SETTLING_SECONDS)
            return self._requests

    def add_fault(self, fault: Fault) -> None:
        """Add a fault to inject from now on."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def request_started(self, request: Request) -> None:
        """Record a new request."""
        with self._changed:
            self._requests.append(request)
            self._under_way += 1
            self._unanswered.add(id(request))
            self.max_concurrent = max(self.max_concurrent, len(self._unanswered))

    def response_ending(self, request: Request) -> None:
        """Record that the last bytes are about to be sent, after which the client may continue."""
        with self._changed:
            self._unanswered.discard(id(request))

    def request_finished(self, request: Request, status: int) -> None:
        """Record the status of a finished request; 0 when the connection closed without one."""
        with self._changed:
            for index, recorded in enumerate(self._requests):
                if recorded is request:
                    self._requests[index] = replace(request, status=status)
            self._unanswered.discard(id(request))
            self._under_way -= 1
            self._changed.notify_all()


@contextmanager
def serve(  # noqa: PLR0913 - each is a setting of the API
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
    """Serve a world's exports while the block runs, and yield the emulator.

    Port 0 selects a free port. `clock` returns the current time (aware); an hour is exportable
    `delay_hours` full hours after its end. A zip of more than `max_response_bytes` gets a 400, a
    range of more than `max_range_hours` a 504. Raises OSError when the port is in use.
    """
    limits = Limits(delay_hours, max_response_bytes, max_range_hours)
    api = ExportApi(world or World(), api_key, secret_key, clock, limits)
    with _Server((host, port), api, FaultRules(faults)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.emulator
        finally:
            server.shutdown()
            thread.join()
            server.close_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], api: ExportApi, faults: FaultRules) -> None:
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
        """Ignore errors of clients that close the connection."""

    def close_connections(self) -> None:
        """Close the keep-alive connections of clients."""
        for request in list(self._open):
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Respond to an export request, and record it."""
        url = urlsplit(self.path)
        if url.path != EXPORT_PATH:
            self._send(text_response(404, "Not Found"), None, lambda: None)
            return
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        start, end = query.get("start"), query.get("end")
        status = 0
        request = Request(start or "", end or "", status)
        self.server.emulator.request_started(request)
        try:
            response, fault = self._response_to(start, end)
            if response is None:
                self.close_connection = True
                return
            status = response.status
            with contextlib.closing(response.body):
                emulator = self.server.emulator
                self._send(response, fault, lambda: emulator.response_ending(request))
        finally:
            self.server.emulator.request_finished(request, status)

    def _response_to(
        self, start: str | None, end: str | None
    ) -> tuple[Response | None, Fault | None]:
        """Return the response (None: close the connection), and the fault of its transfer."""
        api = self.server.api
        try:
            api.check_credentials(self.headers.get("Authorization"))
            hours = api.check_range(start, end)
            faults = self.server.faults.take(hours)
            first = faults[0] if faults else None
            if first is None or first.kind not in WHOLE_RESPONSE_KINDS:
                return api.export(hours, faults), None
            if first.kind is FaultKind.CLOSED_AT_ONCE:
                return None, first
            if first.kind in STATUSES:
                return text_response(*STATUSES[first.kind]), first
            response = api.export(hours)
            return (
                with_body_fault(response, first.kind) if first.kind in BODY_KINDS else response
            ), first
        except ApiError as error:
            return text_response(error.status, error.message), None

    def _send(
        self, response: Response, fault: Fault | None, before_last_chunk: Callable[[], None]
    ) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        if response.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Amplitude"')
        if fault is not None and fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        write_body(self, response, fault, before_last_chunk)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the `Date` header from the API's clock."""
        return super().date_time_string(timestamp or self.server.api.clock().timestamp())

    def log_message(self, *args: Any) -> None:
        """Log nothing; `Emulator.requests` records the requests."""
