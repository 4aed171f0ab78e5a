"""From objects of the lake to columns: every line with its number, as Arrow batches.

Arrow is what DuckDB reads without copying, so a line is never a Python object: a million events
take seconds.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Full, Queue
from threading import Event

import numpy as np
import pyarrow as pa
from isal import isal_zlib

from amplitude_assets.lake.store import Lake

_GZIP = 31  # zlib's window bits for a gzip header and trailer
_BATCH_BYTES = 8 * 1024 * 1024
_READERS = 4
_WAITING_BATCHES = 4

# `object_number` is the place in the sequence of keys; `source_line` counts from one.
# The text is marked as JSON, since the archive reader has checked each line: no second parse.
SCHEMA = pa.schema(
    [
        pa.field("object_number", pa.int32()),
        pa.field("source_line", pa.int64()),
        pa.field("event", pa.json_(pa.large_utf8())),
    ]
)


class ObjectError(Exception):
    """An object's bytes are not the gzip file that they were when it was sent."""


class LineReader:
    """A stream of `SCHEMA` over all lines of some objects, a few objects at a time.

    Objects are read on threads, since fetching and inflating both release the GIL. Memory is
    bounded by a handful of batches, whatever the objects hold. `error` is the LakeError or
    ObjectError that ended the stream early: an engine that reads Arrow wraps it in its own.
    """

    def __init__(self, lake: Lake, keys: Sequence[str]) -> None:
        """Prepare to read; nothing is fetched before the first batch is asked for."""
        self._lake = lake
        self._keys = keys
        self._waiting: Queue[pa.RecordBatch | Exception | None] = Queue(_WAITING_BATCHES)
        self._stop = Event()
        self.error: Exception | None = None
        self.batches = pa.RecordBatchReader.from_batches(SCHEMA, self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        with ThreadPoolExecutor(_READERS, thread_name_prefix="lake-reader") as pool:
            for number in range(len(self._keys)):
                pool.submit(self._read_object, number)
            try:
                yield from self._received()
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)

    def _received(self) -> Iterator[pa.RecordBatch]:
        unfinished = len(self._keys)
        while unfinished:
            item = self._waiting.get()
            if isinstance(item, Exception):
                self.error = item
                raise item
            if item is None:
                unfinished -= 1
            else:
                yield item

    def _read_object(self, number: int) -> None:
        try:
            for batch in _object_batches(self._lake, self._keys[number], number):
                self._hand_over(batch)
            self._hand_over(None)
        except Exception as error:  # noqa: BLE001 - raised again where batches are received
            self._hand_over(error)

    def _hand_over(self, item: pa.RecordBatch | Exception | None) -> None:
        """Wait for room, but not for ever when nobody reads on."""
        while not self._stop.is_set():
            try:
                self._waiting.put(item, timeout=0.1)
            except Full:
                continue
            return


def _object_batches(lake: Lake, key: str, number: int) -> Iterator[pa.RecordBatch]:
    line = 1
    for text in _whole_lines(_inflate(lake.get_object(key), key)):
        ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n"))
        # Without their line ends, so that a value is exactly the line that Amplitude sent.
        offsets = np.zeros(len(ends) + 1, dtype=np.int64)
        offsets[1:] = ends - np.arange(len(ends))
        lines = pa.Array.from_buffers(
            pa.large_utf8(),
            len(ends),
            [None, pa.py_buffer(offsets), pa.py_buffer(text.replace(b"\n", b""))],
        )
        columns = [
            pa.array(np.full(len(ends), number, dtype=np.int32)),
            pa.array(np.arange(line, line + len(ends), dtype=np.int64)),
            pa.ExtensionArray.from_storage(SCHEMA.field("event").type, lines),
        ]
        yield pa.record_batch(columns, schema=SCHEMA)
        line += len(ends)


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    r"""Regroup pieces so that each ends with a line's end; `\n` is the only one there is."""
    rest: list[bytes] = []
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, piece[:cut]])
            rest = [piece[cut:]]
        else:
            rest.append(piece)
    last = b"".join(rest)
    if last:
        yield last + b"\n"


def _inflate(pieces: Iterable[bytes], key: str) -> Iterator[bytes]:
    """Gunzip a stream whose gzip members may be concatenated, in pieces of bounded size."""
    inflater = isal_zlib.decompressobj(wbits=_GZIP)
    between_members = True
    for piece in pieces:
        data = piece
        while data:
            try:
                yield inflater.decompress(data, _BATCH_BYTES)
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub says it is no class
                raise ObjectError(f"{key} is not a whole gzip file: {error}") from None
            between_members = inflater.eof
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            if inflater.eof:
                inflater = isal_zlib.decompressobj(wbits=_GZIP)
    if not between_members:
        raise ObjectError(f"{key} is not a whole gzip file: it ends too early")
