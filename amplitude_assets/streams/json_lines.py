r"""Split JSON lines, and validate that each is an object.

Only `\n` ends a line: values contain U+2028 and U+0085, where `str.splitlines` would split.
Lines of white space are dropped and not counted.
"""

from collections.abc import Iterable, Iterator

import orjson
import simdjson

_BRACE = ord("{")
_BLANK = b" \t\r"  # JSON's white space, except for the line's end
# Empty arrays take thirty times their size when parsed, so a line of 32 MB takes a GB. Amplitude
# accepts events up to 1 MB, which have far fewer values than this.
_LARGE_BYTES = 1024**2
_MOST_VALUES = 1_000_000


class LongLineError(Exception):
    """A line is longer than the limit."""


def whole_lines(pieces: Iterable[bytes], longest: int | None = None) -> Iterator[bytes]:
    r"""Regroup chunks so that each ends at the end of a line; the last line may lack its `\n`.

    Raises LongLineError as soon as a line exceeds `longest` bytes.
    """
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            # Copies only once, since all bytes of an export pass through here.
            yield b"".join([*rest, memoryview(piece)[:cut]])
            rest, held = [], 0
        rest.append(piece[cut:])
        held += len(piece) - cut
        if longest is not None and held > longest:
            raise LongLineError(f"a line is over the limit of {longest} bytes")
    if last := b"".join(rest):
        yield last


def split_lines(block: bytes) -> list[bytes]:
    """Split a block of whole lines, and return them without line ends."""
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def count_objects(block: bytes) -> int | None:
    """Count the lines of a block, or return None when one is blank or not a JSON object.

    simdjson validates without building values, in a quarter of orjson's time. Lines that it
    rejects are checked with orjson, which accepts more: integers beyond 64 bits. Lines that it
    accepts are valid for orjson too, apart from text before the object. Long lines go to orjson,
    since simdjson allocates over ten times a line's size.
    """
    count = start = 0
    view = memoryview(block)
    parse = simdjson.Parser().parse
    while start < len(block):
        end = block.find(b"\n", start)
        if end < 0:
            end = len(block)
        is_plain = block[start] == _BRACE and end - start <= _LARGE_BYTES
        try:
            if is_plain:
                # A view, since copying each line would cost more than finding its end.
                parse(view[start:end])
        except (ValueError, RuntimeError):
            is_plain = False
        if not is_plain and fault_of(block[start:end]) is not None:
            return None
        start = end + 1
        count += 1
    return count


def is_blank(line: bytes) -> bool:
    """Return whether a line is only white space."""
    return not line.strip(_BLANK)


def fault_of(line: bytes) -> str | None:
    """Return why a line is not a JSON object, or None when it is one.

    orjson accepts exactly the JSON of RFC 8259: no NaN, no control characters, only UTF-8. It also
    rejects nesting deeper than about a thousand levels, and numbers beyond a double. DuckDB's
    JSON functions accept everything that orjson accepts.
    """
    if _has_too_many_values(line):
        return f"more than {_MOST_VALUES:,} values in one line"
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if "UTF-8" in error.msg and not _is_utf8(line):
            return "not UTF-8"
        return f"not JSON: {error.msg} (character {error.colno})"
    return None if isinstance(event, dict) else "not a JSON object"


def _has_too_many_values(line: bytes) -> bool:
    """Estimate the number of values from brackets and commas, including those in strings."""
    if len(line) <= _LARGE_BYTES:
        return False
    return sum(line.count(sign) for sign in (b"[", b"{", b",")) > _MOST_VALUES


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
