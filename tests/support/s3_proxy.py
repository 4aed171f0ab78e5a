"""A proxy in front of an S3 server that breaks single responses, like a network or a gateway."""

import http.client
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler
from socket import SO_LINGER, SOL_SOCKET
from threading import Lock
from urllib.parse import urlsplit

from tests.support.http import serving
from tests.support.s3 import S3Server, error_of

_SLOW_DOWN = error_of("SlowDown", "Please reduce your request rate.").encode()
_INTERNAL = error_of("InternalError", "We encountered an internal error.").encode()


class ResponseFault(Enum):
    """How the proxy breaks a response."""

    TRUNCATED = "The body ends half-way, before its Content-Length"
    HALF = "The body is half of the object, with a matching Content-Length"
    WRONG_BYTE = "The body has a wrong byte"
    RESET = "The connection is reset before the response"
    SLOW_DOWN = "503 SlowDown"
    ERROR_WITH_200 = "200 with an error as its body, and nothing is stored"


class FaultInjector:
    """Select the requests to break: the first `times` with a method and a part of a path."""

    def __init__(self) -> None:
        self.hits = 0
        self._rule: tuple[ResponseFault, str, str] | None = None
        self._left = 0
        self._lock = Lock()

    def inject(self, fault: ResponseFault, method: str, path: str, times: int) -> None:
        """Break this many requests from now on, instead of the previous selection."""
        with self._lock:
            self._rule, self._left, self.hits = (fault, method, path), times, 0

    def stop(self) -> None:
        """Stop breaking requests."""
        with self._lock:
            self._left = 0

    def fault_for(self, method: str, path: str) -> ResponseFault | None:
        """Return how to break this request, or None."""
        with self._lock:
            if self._rule is None or not self._left:
                return None
            fault, faulty_method, part = self._rule
            if method != faulty_method or part not in path:
                return None
            self._left -= 1
            self.hits += 1
            return fault


class _Proxy(BaseHTTPRequestHandler):
    """Forward requests to `upstream_address`, and break those that `injector` selects."""

    protocol_version = "HTTP/1.1"
    upstream_address: str
    injector: FaultInjector

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.injector.fault_for(self.command, self.path)
        if fault is ResponseFault.RESET:
            # The socket sends RST when it is closed.
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault is ResponseFault.SLOW_DOWN:
            self._send(503, [], _SLOW_DOWN)
        elif fault is ResponseFault.ERROR_WITH_200:
            self._send(200, [], _INTERNAL)
        else:
            self._pass_on(body, fault)

    def _pass_on(self, body: bytes, fault: ResponseFault | None) -> None:
        upstream = http.client.HTTPConnection(self.upstream_address, timeout=30)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        half = len(data) // 2
        if fault is ResponseFault.HALF:
            data = data[:half]
        elif fault is ResponseFault.WRONG_BYTE:
            data = data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]
        self._send(
            answer.status, answer.getheaders(), data, truncated=fault is ResponseFault.TRUNCATED
        )

    def _send(
        self, status: int, headers: list[tuple[str, str]], data: bytes, *, truncated: bool = False
    ) -> None:
        lower_headers = {name.lower(): value for name, value in headers}
        # A response to HEAD has the object's length, and no body.
        length = (
            lower_headers.get("content-length", "0") if self.command == "HEAD" else str(len(data))
        )
        self.send_response_only(status)
        for name, value in lower_headers.items():
            if name not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if truncated else data)
        self.close_connection |= truncated


@contextmanager
def faulty_proxy(server: S3Server) -> Iterator[tuple[S3Server, FaultInjector]]:
    """Run the proxy in front of a server; yield it as a server, with its fault injector."""
    injector, upstream_address = FaultInjector(), urlsplit(server.endpoint_url).netloc
    methods = {f"do_{name}": _Proxy.answer for name in ("GET", "HEAD", "PUT", "POST", "DELETE")}
    members = {**methods, "injector": injector, "upstream_address": upstream_address}
    with serving(type("Proxy", (_Proxy,), members)) as origin:
        yield S3Server(origin), injector
