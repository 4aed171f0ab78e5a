"""How an answer's body travels: whole, or in one of the ways in which it does not arrive."""

import socket
import struct
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from io import BytesIO

from amplitude_assets.emulator.api import Answer, text_answer
from amplitude_assets.emulator.faults import Fault, FaultKind

_PIECE = 256 * 1024
_DRIPS = 20
# One zip in so many comes in chunks and does not say how long it is.
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


def spoiled(answer: Answer, kind: FaultKind) -> Answer:
    """Another body in place of a zip: a page, a zip of nothing, or its first half and no more."""
    if kind is FaultKind.HTML_PAGE:
        return text_answer(200, _PAGE, "text/html; charset=utf-8")
    if kind is FaultKind.EMPTY_ZIP:
        return Answer(200, answer.content_type, BytesIO(_NO_MEMBERS), len(_NO_MEMBERS))
    return Answer(200, answer.content_type, answer.body, answer.size // 2)


def write_body(
    handler: BaseHTTPRequestHandler,
    answer: Answer,
    fault: Fault | None,
    at_the_end: Callable[[], None],
) -> None:
    """Send the headers about the body, and the body, as far as the fault lets it.

    `at_the_end` is called before the last piece goes out.
    """
    kind = fault.kind if fault is not None else None
    is_chunked = kind is FaultKind.SHORT_CHUNKED_BODY or (kind is None and _is_chunked(answer))
    if is_chunked:
        handler.send_header("Transfer-Encoding", "chunked")
    elif kind is FaultKind.SHORT_BODY_WITHOUT_LENGTH:
        handler.send_header("Connection", "close")
    else:
        handler.send_header("Content-Length", str(answer.size))
    handler.end_headers()
    left = answer.size // 2 if kind in _SHORT_KINDS else answer.size
    drip = answer.size // _DRIPS + 1
    while piece := answer.body.read(min(left, drip if kind is FaultKind.SLOW_DRIP else _PIECE)):
        if fault is not None and kind is FaultKind.SLOW_DRIP:
            time.sleep(fault.pause_seconds)
        left -= len(piece)
        if not left:
            at_the_end()
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
    if kind in _SHORT_KINDS:
        handler.close_connection = True
    elif is_chunked:
        handler.wfile.write(b"0\r\n\r\n")
    if kind is FaultKind.RESET_IN_BODY:
        _reset(handler.connection)


def _is_chunked(answer: Answer) -> bool:
    return answer.content_type == "application/zip" and answer.size % _CHUNKED_ONE_IN == 0


def _reset(connection: socket.socket) -> None:
    """Close with a reset instead of an orderly end: lingering for no time at all does that."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
