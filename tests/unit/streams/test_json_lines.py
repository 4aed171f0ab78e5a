"""JSON lines: where they end, and which are objects that DuckDB accepts too."""

import json
from collections.abc import Iterator
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplitude_assets.streams.json_lines import (
    LongLineError,
    count_objects,
    fault_of,
    is_blank,
    split_lines,
    whole_lines,
)

DEEP = b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"

GOOD = [
    b"{}",
    b' {"a" : 1} ',
    b'{"a":1}\r',
    b'{"a":1,"a":2}',
    b'{"A":1,"a":2}',
    b'{"a":9007199254740993,"b":18446744073709551616,"c":-99999999999999999999999}',
    b'{"a":6396.0,"b":1e5,"c":-0,"d":1e-400}',
    b'{"a":"\\u0000"}',
    '{"a":"\u2028\u0085\x7f","\u2028":{}}'.encode(),
    b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"a":"' + b"x" * 300_000 + b'"}',
]
BAD = {
    b'{"a":NaN}': "not JSON",
    b'{"a":nan}': "not JSON",
    b'{"a":Infinity}': "not JSON",
    b'{"a":-Infinity}': "not JSON",
    b'{"a":1,}': "not JSON",
    b'{"a":1}{"b":2}': "not JSON",
    b'{"a":1} x': "not JSON",
    b'{"a":1}\x00': "not JSON",
    b'{"a":"\x01"}': "not JSON",
    b'{"a":"\t"}': "not JSON",
    b"{'a':1}": "not JSON",
    b'{"a":01}': "not JSON",
    b'{"a":"\\ud800"}': "not JSON",
    b'{"a":"': "not JSON",
    b'\xef\xbb\xbf{"a":1}': "not JSON",
    b"Internal Server Error": "not JSON",
    b'{"a":1e400}': "not JSON: number is infinity",
    b'{"a":"\xff"}': "not UTF-8",
    b'{"a":"\xc0\xaf"}': "not UTF-8",
    b'{"a":"\xed\xa0\x80"}': "not UTF-8",
    b"[1]": "not a JSON object",
    b"null": "not a JSON object",
    b'"text"': "not a JSON object",
    DEEP: "not JSON: depth limit",
}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@pytest.mark.parametrize("line", GOOD)
def test_objects_have_no_fault(line: bytes) -> None:
    assert fault_of(line) is None
    assert count_objects(line + b"\n" + line) == 2


@pytest.mark.parametrize(("line", "reason"), BAD.items())
def test_other_lines_have_a_fault(line: bytes, reason: str) -> None:
    fault = fault_of(line)
    assert fault is not None
    assert fault.startswith(reason)
    assert "\n" not in fault
    assert len(fault) < 120
    assert count_objects(b"{}\n" + line + b"\n{}\n") is None


def test_a_line_with_too_many_values_is_rejected() -> None:
    hostile = b'{"a":[' + b"[]," * 600_000 + b"0]}"
    fault = fault_of(hostile)
    assert fault == "more than 1,000,000 values in one line"
    assert count_objects(b"{}\n" + hostile + b"\n{}\n") is None
    many = b'{"a":[' + b"[]," * 300_000 + b'0],"b":"' + b"x" * 1024**2 + b'"}'
    assert fault_of(many) is None
    assert count_objects(many) == 1


@pytest.mark.parametrize("line", [b"", b" ", b"\t\r", b"  \r"])
def test_blank_lines_are_not_objects(line: bytes) -> None:
    assert is_blank(line)
    assert count_objects(b"{}\n" + line + b"\n{}\n") is None


def test_only_a_newline_ends_a_line() -> None:
    text = '{"a":"\u2028\u2029\u0085\x0b\x0c\x1c"}\r\n{}'.encode()
    assert split_lines(text) == ['{"a":"\u2028\u2029\u0085\x0b\x0c\x1c"}\r'.encode(), b"{}"]


def split_at(text: bytes, places: list[int]) -> list[bytes]:
    """Split a text at these places."""
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


texts = st.lists(st.sampled_from([b"\n", b"{}", b'{"a":1}', b"", b"x" * 40]), max_size=30).map(
    b"".join
)


@given(texts, st.lists(st.integers(0, 2000), max_size=8))
def test_blocks_are_the_text_split_at_line_ends(text: bytes, places: list[int]) -> None:
    blocks = list(whole_lines(split_at(text, places)))
    assert b"".join(blocks) == text
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert [line for block in blocks for line in split_lines(block)] == split_lines(text)


@given(texts, st.lists(st.integers(0, 2000), max_size=8), st.integers(1, 60))
def test_lines_over_the_limit_raise(text: bytes, places: list[int], longest: int) -> None:
    longest_line = max((len(line) for line in text.split(b"\n")), default=0)
    pieces = split_at(text, places)
    # A line that is complete in one chunk is in memory already.
    if longest_line <= longest:
        list(whole_lines(pieces, longest))
    if any(len(piece.rpartition(b"\n")[2]) > longest for piece in pieces):
        with pytest.raises(LongLineError, match=f"limit of {longest} bytes"):
            list(whole_lines(pieces, longest))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
events = st.dictionaries(st.text(), values, max_size=5).flatmap(
    lambda event: st.sampled_from([True, False]).map(
        lambda escaped: json.dumps(event, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    )
)
fragments = st.sampled_from(
    [
        *(b"NaN", b"-inf", b"1e999", b"9" * 400, b"\\ud800", b"\\u0000", b"\x00", b"\xff", b"\xc3"),
        *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b" ", b"\t", b"//", b"/**/", b"'"),
        *(b"\xe2\x80\xa8", b"\xef\xbb\xbf", b'"a":1,', b"[" * 1100, b"01", b".5", b"+1", b"true"),
    ]
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Draw an event with some bytes removed and some inserted."""
    line = draw(events)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, min(start + 3, len(line))))
        line = line[:start] + draw(fragments | st.binary(max_size=3)) + line[end:]
    return line.replace(b"\n", b"")


@settings(max_examples=200)
@given(line=mangled())
def test_duckdb_accepts_every_line_that_is_kept(
    con: duckdb.DuckDBPyConnection, line: bytes
) -> None:
    if fault_of(line) is not None:
        return
    found = con.execute(
        """
        select json_type(event), from_json(event, '{"a": "VARCHAR", "b": "JSON", "c": "DOUBLE"}')
        from (select cast($1 as json) as event)
        """,
        [line.decode()],
    ).fetchall()
    assert found[0][0] == "OBJECT"
    assert found[0][1] is not None


@settings(max_examples=50)
@given(st.lists(mangled() | st.sampled_from([b"", b"{}"]), max_size=6))
def test_counting_a_block_agrees_with_its_lines(lines: list[bytes]) -> None:
    block = b"".join(line + b"\n" for line in lines)
    are_objects = all(not is_blank(line) and fault_of(line) is None for line in lines)
    assert count_objects(block) == (len(lines) if are_objects else None)
