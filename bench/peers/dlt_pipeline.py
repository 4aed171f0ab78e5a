"""dlt with requests, into a DuckDB file. Runs in the environment of dlt.

`nested` is dlt's default, `flat` keeps properties as JSON, and `lines` loads raw lines as rows.
All use Parquet files, since dlt's default of INSERT statements takes several times as long:
https://dlthub.com/docs/dlt-ecosystem/destinations/duckdb
"""

import gzip
import io
import json
import os
import sys
import time
import zipfile
from pathlib import Path

_PAGE = 5_000


def main() -> None:
    """Run one pipeline."""
    task = json.loads(sys.argv[-1])
    folder = Path(task["folder"])
    os.environ.update(DLT_DATA_DIR=str(folder / "dlt"), RUNTIME__DLTHUB_TELEMETRY="false")
    os.chdir(folder)

    import dlt

    @dlt.resource(name="events")
    def nested():
        """Yield events as dicts: dlt makes columns and tables of nested values."""
        for page in _pages(task):
            yield [json.loads(line, parse_int=_integer) for line in page]

    @dlt.resource(name="events", max_table_nesting=0)
    def flat():
        """Yield events as dicts: dlt makes a column of each key, with nested values as JSON."""
        for page in _pages(task):
            yield [json.loads(line, parse_int=_integer) for line in page]

    @dlt.resource(name="events")
    def lines():
        """Yield events as text."""
        for page in _pages(task):
            yield [{"line": line.decode()} for line in page]

    path = folder / "dlt.duckdb"
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(str(path)), dataset_name="amplitude"
    )
    began = time.monotonic()
    resource = {"nested": nested, "flat": flat, "lines": lines}[sys.argv[1]]
    pipeline.run(resource(), loader_file_format="parquet")
    seconds = time.monotonic() - began

    import duckdb

    with duckdb.connect(str(path), read_only=True) as con:
        ((rows,),) = con.execute("select count(*) from amplitude.events").fetchall()
    result = {"seconds": seconds, "rows": rows, "database_bytes": path.stat().st_size}
    print("BENCH-RESULT " + json.dumps(result))


def _pages(task):
    """Yield lists of lines, as dlt's performance guide recommends."""
    from dlt.sources.helpers import requests

    response = requests.get(
        f"{task['origin']}/api/2/export",
        params={"start": task["first"].replace("-", ""), "end": task["last"].replace("-", "")},
        auth=(task["api_key"], task["secret_key"]),
    )
    response.raise_for_status()
    page = []
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        for name in archive.namelist():
            with gzip.open(archive.open(name)) as lines:
                for line in lines:
                    page.append(line)
                    if len(page) == _PAGE:
                        yield page
                        page = []
    yield page


def _integer(text):
    """Parse an integer, but keep one over 64 bits as text: dlt fails on such numbers."""
    return int(text) if len(text) < 19 else text


if __name__ == "__main__":
    main()
