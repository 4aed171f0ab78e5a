"""Decompress gzip streams in bounded chunks, and write gzip with reproducible bytes."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import IO

from isal import isal_zlib

_GZIP = 31  # zlib's window bits for a gzip header and trailer
_PIECE_BYTES = 256 * 1024  # fits in a core's cache

# An empty gzip member. Appended to another file, it changes the bytes but not the content.
EMPTY_GZIP = isal_zlib.compress(b"", wbits=_GZIP)


class GzipError(Exception):
    """The bytes are not a complete gzip stream."""


def read_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file to its end, in chunks of 256 KB."""
    return iter(partial(file.read, _PIECE_BYTES), b"")


def gunzip(packed: Iterable[bytes], longest: int = _PIECE_BYTES) -> Iterator[bytes]:
    """Decompress a gzip stream, given in chunks, to chunks of at most `longest` bytes.

    Concatenated gzip members are one stream. Raises GzipError for a wrong checksum, and for other
    bytes between or after members: DuckDB rejects zero padding, which Python's gzip accepts.
    """
    inflater = isal_zlib.decompressobj(wbits=_GZIP)
    for piece in packed:
        data = piece
        while data:
            if inflater.eof:
                inflater = isal_zlib.decompressobj(wbits=_GZIP)
            try:
                inflated = inflater.decompress(data, longest)
            except isal_zlib.error as error:  # type: ignore[misc]  # the stub does not declare a class
                raise GzipError(str(error)) from error
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            yield inflated
    if not inflater.eof:
        raise GzipError("the gzip stream is truncated, or is not gzip")


class GzipWriter:
    """Writes gzip without time and name in its header, so equal content gives equal bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """Pass compressed bytes to `write`."""
        self._write = write
        self._deflater = isal_zlib.compressobj(wbits=_GZIP)

    def write(self, data: bytes) -> None:
        """Append to the content."""
        if packed := self._deflater.compress(data):
            self._write(packed)

    def finish(self) -> None:
        """Flush the compressor and write the end of the stream."""
        self._write(self._deflater.flush())
