"""Gzip as a stream: inflated in bounded pieces, and written so that it is the same each time."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import IO

from isal import isal_zlib

_GZIP = 31  # zlib's window bits for a gzip header and trailer
_PIECE_BYTES = 256 * 1024  # small enough to stay in a core's cache

# A gzip file of nothing. After another one, it changes the bytes and not the content.
EMPTY_GZIP = isal_zlib.compress(b"", wbits=_GZIP)


class GzipError(Exception):
    """The bytes are no whole gzip stream."""


def read_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file to its end, in pieces of a quarter megabyte."""
    return iter(partial(file.read, _PIECE_BYTES), b"")


def gunzip(packed: Iterable[bytes], longest: int = _PIECE_BYTES) -> Iterator[bytes]:
    """Yield the content of a gzip stream, which comes in pieces, in pieces of `longest` at most.

    Concatenated gzip is one stream. Anything else between or after raises GzipError, as does a
    wrong checksum: zero padding, which Python's own gzip takes, is refused by DuckDB.
    """
    inflater = isal_zlib.decompressobj(wbits=_GZIP)
    for piece in packed:
        data = piece
        while data:
            if inflater.eof:
                inflater = isal_zlib.decompressobj(wbits=_GZIP)
            try:
                inflated = inflater.decompress(data, longest)
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub says it is no class
                raise GzipError(str(error)) from error
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            yield inflated
    if not inflater.eof:
        raise GzipError("the gzip stream ends too early, or is none")


class GzipWriter:
    """Writes gzip with no time and no name in its header: the same lines are the same bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """Hand what is packed to `write`."""
        self._write = write
        self._deflater = isal_zlib.compressobj(wbits=_GZIP)

    def write(self, data: bytes) -> None:
        """Add to the content."""
        if packed := self._deflater.compress(data):
            self._write(packed)

    def finish(self) -> None:
        """Write what is still held, and the end of the stream."""
        self._write(self._deflater.flush())
