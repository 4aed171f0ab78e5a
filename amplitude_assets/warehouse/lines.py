"""Read the lines of lake objects as Arrow batches, each line with its number.

DuckDB reads Arrow without copying, and no line becomes a Python object, so a million events take
seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Full, Queue
from threading import Event

import numpy as np
import pyarrow as pa

from amplitude_assets.lake.store import Lake
from amplitude_assets.streams.gzip_stream import GzipError, gunzip
from amplitude_assets.streams.json_lines import whole_lines

_BATCH_BYTES = 2 * 1024 * 1024
_READERS = 4
_QUEUED_BATCHES = 4

# `object_number` is the index in the sequence of keys; `source_line` counts from one. The text has
# the JSON type because unpacking has validated each line, so DuckDB need not parse it again.
SCHEMA = pa.schema(
    [
        pa.field("object_number", pa.int32()),
        pa.field("source_line", pa.int64()),
        pa.field("event", pa.json_(pa.large_utf8())),
    ]
)


class LineReader:
    """A stream of `SCHEMA` over all lines of some objects.

    A few objects are read at a time, in threads, since downloading and decompressing release the
    GIL. Memory is bounded by a few batches, whatever the size of the objects. `error` is the
    LakeError that ended the stream early; the engine that reads the stream raises its own error
    instead.
    """

    def __init__(
        self,
        lake: Lake,
        keys: Sequence[str],
        on_read: Callable[[int], None] = lambda _lines: None,
    ) -> None:
        """Create a stream; reading starts with the first batch.

        `on_read` is called with the number of lines of each batch once it is consumed.
        """
        self._lake = lake
        self._keys = keys
        self._on_read = on_read
        self._queue: Queue[pa.RecordBatch | Exception | None] = Queue(_QUEUED_BATCHES)
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
            item = self._queue.get()
            if isinstance(item, Exception):
                self.error = item
                raise item
            if item is None:
                unfinished -= 1
            else:
                yield item
                self._on_read(item.num_rows)

    def _read_object(self, number: int) -> None:
        try:
            for batch in _object_batches(self._lake, self._keys[number], number):
                self._put(batch)
            self._put(None)
        except Exception as error:  # noqa: BLE001 - raised again by `_received`
            self._put(error)

    def _put(self, item: pa.RecordBatch | Exception | None) -> None:
        """Put an item in the queue; give up when the reader has stopped."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except Full:
                continue
            return


def _object_batches(lake: Lake, key: str, number: int) -> Iterator[pa.RecordBatch]:
    line = 1
    try:
        for block in whole_lines(gunzip(lake.get_object(key), longest=_BATCH_BYTES)):
            batch = _batch(block if block.endswith(b"\n") else block + b"\n", number, line)
            yield batch
            line += batch.num_rows
    except GzipError as error:
        raise lake.damaged(key, f"is not a whole gzip file: {error}") from None


def _batch(block: bytes, number: int, first_line: int) -> pa.RecordBatch:
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n"))
    # Line ends are removed, so that a value is exactly the line that Amplitude sent.
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    offsets[1:] = ends - np.arange(len(ends))
    lines = pa.Array.from_buffers(
        pa.large_utf8(),
        len(ends),
        [None, pa.py_buffer(offsets), pa.py_buffer(block.replace(b"\n", b""))],
    )
    columns = [
        pa.array(np.full(len(ends), number, dtype=np.int32)),
        pa.array(np.arange(first_line, first_line + len(ends), dtype=np.int64)),
        pa.ExtensionArray.from_storage(SCHEMA.field("event").type, lines),
    ]
    return pa.record_batch(columns, schema=SCHEMA)
