"""PyAirbyte: Airbyte's source, loaded into a DuckDB file by PyAirbyte's cache.

Runs in the environment of `airbyte`. The source runs in its own environment, whose Python is
`BENCH_SOURCE_PYTHON`.
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Read the stream of events into the cache, with PyAirbyte's default write strategy."""
    task = json.loads(sys.argv[-1])
    folder = Path(task["folder"])
    os.environ.update(
        BENCH_ORIGIN=task["origin"],
        AIRBYTE_OFFLINE_MODE="1",
        AIRBYTE_PROJECT_DIR=str(folder),
        DO_NOT_TRACK="1",
    )
    source_command = folder / "source-amplitude"
    launch = Path(__file__).with_name("airbyte_launch.py")
    source_command.write_text(
        f'#!/bin/sh\nexec "{os.environ["BENCH_SOURCE_PYTHON"]}" "{launch}" "$@"\n'
    )
    source_command.chmod(0o755)

    import airbyte
    from airbyte.caches import DuckDBCache

    began = time.monotonic()
    source = airbyte.get_source(
        "source-amplitude",
        config={
            "api_key": task["api_key"],
            "secret_key": task["secret_key"],
            "start_date": task["first"] + ":00:00Z",
        },
        streams=["events"],
        local_executable=source_command,
        install_if_missing=False,
    )
    path = folder / "pyairbyte.duckdb"
    read = source.read(cache=DuckDBCache(db_path=str(path)))
    seconds = time.monotonic() - began
    rows = len(read["events"])
    result = {"seconds": seconds, "rows": rows, "database_bytes": path.stat().st_size}
    print("BENCH-RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
