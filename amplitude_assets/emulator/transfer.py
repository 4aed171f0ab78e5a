"""Send a response body over HTTP, completely or with a transfer fault."""

import socket
import struct
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from io import BytesIO

from amplitude_assets.emulator.api import Response, text_response
from amplitude_assets.emulator.faults.rules import Fault, FaultKind

_PIECE = 256 * 1024
_DRIPS = 20
# One zip in this many is sent with chunked encoding, without a Content-Length.
_CHUNKED_ONE_IN = 5
_NO_MEMBERS = b"PK\x05\x06" + bytes(18)
_PAGE = "<!DOCTYPE html><html><body><h1>We are down for maintenance</h1></body></html>"

_SHORT_KINDS = frozenset(
    {
        FaultKind.RESET_IN_BODY,
        FaultKind.SHORT_BODY,
        FaultKind.SHORT_CHUNKED_BODY,
        FaultKind.SHORT_BODY_WITHOUT_LENGTH,
    }
)


def with_body_fault(response: Response, kind: FaultKind) -> Response:
    """Return the response with a faulty body: a web page, an empty zip, or half of the zip."""
    if kind is FaultKind.HTML_PAGE:
        return text_response(200, _PAGE, "text/html; charset=utf-8")
    if kind is FaultKind.EMPTY_ZIP:
        return Response(200, response.content_type, BytesIO(_NO_MEMBERS), len(_NO_MEMBERS))
    return Response(200, response.content_type, response.body, response.size // 2)


def write_body(
    handler: BaseHTTPRequestHandler,
    response: Response,
    fault: Fault | None,
    before_last_chunk: Callable[[], None],
) -> None:
    """Send the body and its headers, with the fault applied; without one, send them completely.

    `before_last_chunk` is called before the last chunk is sent.
    """
    kind = fault.kind if fault is not None else None
    is_chunked = kind is FaultKind.SHORT_CHUNKED_BODY or (kind is None and _is_chunked(response))
    if is_chunked:
        handler.send_header("Transfer-Encoding", "chunked")
    elif kind is FaultKind.SHORT_BODY_WITHOUT_LENGTH:
        handler.send_header("Connection", "close")
    else:
        handler.send_header("Content-Length", str(response.size))
    handler.end_headers()
    left = response.size // 2 if kind in _SHORT_KINDS else response.size
    drip = response.size // _DRIPS + 1
    while piece := response.body.read(min(left, drip if kind is FaultKind.SLOW_DRIP else _PIECE)):
        if fault is not None and kind is FaultKind.SLOW_DRIP:
            time.sleep(fault.pause_seconds)
        left -= len(piece)
        if not left:
            before_last_chunk()
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
    if kind in _SHORT_KINDS:
        handler.close_connection = True
    elif is_chunked:
        handler.wfile.write(b"0\r\n\r\n")
    if kind is FaultKind.RESET_IN_BODY:
        _reset(handler.connection)


def _is_chunked(response: Response) -> bool:
    return response.content_type == "application/zip" and response.size % _CHUNKED_ONE_IN == 0


def _reset(connection: socket.socket) -> None:
    """Close the connection with a TCP reset: SO_LINGER of zero seconds makes `close` send one."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
