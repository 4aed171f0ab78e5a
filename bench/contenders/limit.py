"""The limit: only the unavoidable work, with the fastest libraries.

Stream the zip to disk, decompress each member, check that each line is a JSON object, store the
member unchanged, and insert all lines into one table with bronze's columns. It writes no manifests
or load records, cannot recover from a crash, and handles only one range of hours.
"""

import multiprocessing
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime
from functools import cache
from pathlib import Path

import orjson
import simdjson
from isal import isal_zlib

from amplitude_assets.streams.allocator import keep_freed_memory
from bench.task import Task, read_task, report_result

_CHUNK = 1024 * 1024
_GZIP = 31
_PROCESSES_FROM_BYTES = 16 * 1024 * 1024
_TABLE = """
create table raw_events as
select
    $project_id::bigint as project_id,
    $hour::timestamp as export_hour,
    $keys[object_number + 1] as source_object,
    source_line,
    'bench' as load_id,
    $hour::timestamp as loaded_at,
    event
from lines
"""


def extract(task: Task) -> None:
    """Export from the API to a lake."""
    began = time.monotonic()
    lines = sum(count for _, count in _extract(task))
    report_result(time.monotonic() - began, lines)


def load(task: Task) -> None:
    """Load the lake of `extract` into a table."""
    keys = sorted(path.name for path in (task.path / "lake").iterdir())
    began = time.monotonic()
    _load(task, keys)
    _report_rows(time.monotonic() - began, task.path)


def both(task: Task) -> None:
    """Export from the API and load into a table."""
    began = time.monotonic()
    _load(task, [key for key, _ in _extract(task)])
    _report_rows(time.monotonic() - began, task.path)


def _extract(task: Task) -> list[tuple[str, int]]:
    import requests

    (task.path / "lake").mkdir()
    path = task.path / "export.zip"
    first, last = (hour.strftime("%Y%m%dT%H") for hour in (task.hours[0], task.hours[-1]))
    with (
        requests.get(
            f"{task.origin}/api/2/export",
            params={"start": first, "end": last},
            auth=(task.api_key, task.secret_key),
            stream=True,
            timeout=600,
        ) as response,
        path.open("wb") as file,
    ):
        response.raise_for_status()
        while chunk := response.raw.read(_CHUNK):
            file.write(chunk)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    with _pool(path) as pool:
        return list(pool.map(_member, names, [str(path)] * len(names), [task.folder] * len(names)))


def _pool(path: Path) -> Executor:
    if path.stat().st_size < _PROCESSES_FROM_BYTES:
        return ThreadPoolExecutor(1)
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count(), context, initializer=keep_freed_memory)


def _member(name: str, zip_path: str, folder: str) -> tuple[str, int]:
    """Validate one member, including both checksums, and store it in the lake."""
    import obstore
    from obstore.store import LocalStore

    packed = _open_zip(zip_path).read(name)
    parser = simdjson.Parser()
    lines = 0
    rest = b""
    for piece in _inflated(packed):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if not _is_object(parser, line):
                raise ValueError(f"{name} has a line that is not an object")
        lines += len(whole)
    key = name.rpartition("/")[2]
    obstore.put(LocalStore(f"{folder}/lake"), key, packed)
    return key, lines


@cache
def _open_zip(zip_path: str) -> zipfile.ZipFile:
    """Read the zip's directory, once for each process."""
    return zipfile.ZipFile(zip_path)


def _is_object(parser: simdjson.Parser, line: bytes) -> bool:
    try:
        return type(parser.parse(line)) is simdjson.Object
    except (ValueError, RuntimeError):  # integers beyond 64 bits
        return type(orjson.loads(line)) is dict


def _inflated(packed: bytes) -> Iterator[bytes]:
    while packed:
        inflater = isal_zlib.decompressobj(wbits=_GZIP)
        yield inflater.decompress(packed, 256 * 1024)
        while not inflater.eof:
            yield inflater.decompress(inflater.unconsumed_tail, 256 * 1024)
        packed = inflater.unused_data


def _load(task: Task, keys: list[str]) -> None:
    import duckdb
    import pyarrow as pa

    keep_freed_memory()
    schema = pa.schema(
        [
            pa.field("object_number", pa.int32()),
            pa.field("source_line", pa.int64()),
            pa.field("event", pa.json_(pa.large_utf8())),
        ]
    )
    with (
        ThreadPoolExecutor(2) as pool,
        duckdb.connect(str(task.path / "limit.duckdb")) as con,
    ):
        con.execute("set force_compression = 'zstd'")
        con.execute("set preserve_insertion_order = false")
        con.register(
            "lines", pa.RecordBatchReader.from_batches(schema, _batches(task, keys, pool, schema))
        )
        hour: datetime = task.hours[0].replace(tzinfo=None)
        con.execute(_TABLE, {"project_id": task.project_id, "hour": hour, "keys": keys})


def _batches(task: Task, keys: list[str], pool: Executor, schema: object) -> Iterator[object]:
    """Read objects ahead of the consumer, a few at a time."""
    waiting = []
    for number, key in enumerate(keys):
        waiting.append(pool.submit(_columns, task.folder, key, number, schema))
        if len(waiting) > 3:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _columns(folder: str, key: str, number: int, schema: object) -> object:
    import numpy as np
    import obstore
    import pyarrow as pa
    from obstore.store import LocalStore

    packed = bytes(obstore.get(LocalStore(f"{folder}/lake"), key).bytes())
    text = b"".join(_inflated(packed))
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n"))
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    offsets[1:] = ends - np.arange(len(ends))
    lines = pa.Array.from_buffers(
        pa.large_utf8(),
        len(ends),
        [None, pa.py_buffer(offsets), pa.py_buffer(text.replace(b"\n", b""))],
    )
    return pa.record_batch(
        [
            pa.array(np.full(len(ends), number, dtype=np.int32)),
            pa.array(np.arange(1, len(ends) + 1, dtype=np.int64)),
            pa.ExtensionArray.from_storage(pa.json_(pa.large_utf8()), lines),
        ],
        schema=schema,
    )


def _report_rows(seconds: float, folder: Path) -> None:
    import duckdb

    path = folder / "limit.duckdb"
    with duckdb.connect(str(path), read_only=True) as con:
        ((rows,),) = con.execute("select count(*) from raw_events").fetchall()
    report_result(seconds, rows, database_bytes=path.stat().st_size)


if __name__ == "__main__":
    {"extract": extract, "load": load, "both": both}[sys.argv[1]](read_task())
