r"""Lines of JSON: where they end, and whether each is an object.

A line ends with `\n` and with nothing else: values hold U+2028 and U+0085, at which Python's own
line splitting would cut. A line of white space only is no line: it is dropped and not counted.
"""

from collections.abc import Iterable, Iterator

import orjson
import simdjson

_BRACE = ord("{")
_BLANK = b" \t\r"  # what JSON calls white space, but for the line's end
# A text of empty arrays takes thirty times its size once it is parsed: a line of 32 MB takes a
# GB. Amplitude takes events of up to 1 MB, which hold nowhere near as many values as this.
_LARGE_BYTES = 1024**2
_MOST_VALUES = 1_000_000


class LongLineError(Exception):
    """A line is longer than the limit."""


def whole_lines(pieces: Iterable[bytes], longest: int | None = None) -> Iterator[bytes]:
    r"""Regroup pieces of a text so that each ends with a line, whose `\n` the last may lack.

    Raises LongLineError as soon as a line is over `longest` bytes.
    """
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            # One copy and no more: all bytes of an export come through here.
            yield b"".join([*rest, memoryview(piece)[:cut]])
            rest, held = [], 0
        rest.append(piece[cut:])
        held += len(piece) - cut
        if longest is not None and held > longest:
            raise LongLineError(f"a line is over the limit of {longest} bytes")
    if last := b"".join(rest):
        yield last


def split_lines(block: bytes) -> list[bytes]:
    """Split whole lines, which come without their ends."""
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def count_objects(block: bytes) -> int | None:
    """Count whole lines, or return None when one of them is blank or no JSON object.

    Lines go to a parser that makes nothing of what it has checked: it takes a quarter of orjson's
    time. What it refuses, orjson may still take: integers beyond 64 bits. What it takes, orjson
    takes too, but for what stands before the object. Long lines are not for it, since it sets
    aside over ten times a line's size.
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
                # A view, since copying each line would cost more than finding it.
                parse(view[start:end])
        except (ValueError, RuntimeError):
            is_plain = False
        if not is_plain and fault_of(block[start:end]) is not None:
            return None
        start = end + 1
        count += 1
    return count


def is_blank(line: bytes) -> bool:
    """Say whether a line holds nothing but white space."""
    return not line.strip(_BLANK)


def fault_of(line: bytes) -> str | None:
    """Say why a line is not a JSON object, or return None when it is one.

    orjson takes JSON as RFC 8259 has it and nothing else: no NaN, no control characters, only
    UTF-8. It also refuses what nests deeper than about a thousand, and numbers beyond a double.
    All that it takes, DuckDB's JSON takes as well.
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
    """Count what values begin after, in strings too; no parser has seen the line by then."""
    if len(line) <= _LARGE_BYTES:
        return False
    return sum(line.count(sign) for sign in (b"[", b"{", b",")) > _MOST_VALUES


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
