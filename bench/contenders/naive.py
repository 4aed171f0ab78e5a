"""The naive script: read the whole zip into memory, write JSON files one by one, then load them.

`extract` only writes the files, `read_json` loads them with DuckDB's type detection, and `rows`
inserts each line as a row.
"""

import gzip
import io
import json
import sys
import time
import zipfile
from pathlib import Path

import requests

from bench.task import Task, read_task, report_result


def extract(task: Task) -> None:
    """Export from the API to a folder of JSON files."""
    began = time.monotonic()
    lines = _extract(task)
    report_result(time.monotonic() - began, lines)


def read_json(task: Task) -> None:
    """Export, and load the files into a table with `read_json`."""
    began = time.monotonic()
    _extract(task)
    _load(
        task,
        "create table events as select * from read_json($files, format = 'newline_delimited', "
        "sample_size = -1, maximum_object_size = 67108864, ignore_errors = true)",
        began,
    )


def rows(task: Task) -> None:
    """Export, then parse each line and insert it as a row."""
    import duckdb

    began = time.monotonic()
    _extract(task)
    with duckdb.connect(str(task.path / "naive.duckdb")) as con:
        con.execute("create table events (uuid varchar, event_type varchar, event json)")
        con.begin()
        for path in sorted((task.path / "files").iterdir()):
            for line in path.read_bytes().splitlines():
                event = json.loads(line)
                con.execute(
                    "insert into events values (?, ?, ?)",
                    [event["uuid"], event["event_type"], line.decode()],
                )
        con.commit()
    _report_rows(time.monotonic() - began, task.path)


def _extract(task: Task) -> int:
    first, last = (hour.strftime("%Y%m%dT%H") for hour in (task.hours[0], task.hours[-1]))
    response = requests.get(
        f"{task.origin}/api/2/export",
        params={"start": first, "end": last},
        auth=(task.api_key, task.secret_key),
        timeout=600,
    )
    response.raise_for_status()
    folder = task.path / "files"
    folder.mkdir()
    lines = 0
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        for name in archive.namelist():
            text = gzip.decompress(archive.read(name))
            lines += text.count(b"\n")
            (folder / Path(name).name.removesuffix(".gz").replace("#", "-")).write_bytes(text)
    return lines


def _load(task: Task, statement: str, began: float) -> None:
    import duckdb

    with duckdb.connect(str(task.path / "naive.duckdb")) as con:
        con.execute(statement, {"files": str(task.path / "files" / "*.json")})
    _report_rows(time.monotonic() - began, task.path)


def _report_rows(seconds: float, folder: Path) -> None:
    import duckdb

    path = folder / "naive.duckdb"
    with duckdb.connect(str(path), read_only=True) as con:
        ((count,),) = con.execute("select count(*) from events").fetchall()
    report_result(seconds, count, database_bytes=path.stat().st_size)


if __name__ == "__main__":
    {"extract": extract, "read_json": read_json, "rows": rows}[sys.argv[1]](read_task())
