"""Airbyte's source for Amplitude: it writes records to standard output, and nothing is loaded.

Runs in the environment of `airbyte-source-amplitude`.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

_RECORD = b'"type":"RECORD"'


def main() -> None:
    """Read the stream of events to its end, and count the records."""
    task = json.loads(sys.argv[-1])
    folder = Path(task["folder"])
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "api_key": task["api_key"],
                "secret_key": task["secret_key"],
                "start_date": task["first"] + ":00:00Z",
            }
        )
    )
    catalog = folder / "catalog.json"
    catalog.write_text(
        json.dumps(
            {
                "streams": [
                    {
                        "stream": {
                            "name": "events",
                            "json_schema": {},
                            "supported_sync_modes": ["full_refresh", "incremental"],
                        },
                        "sync_mode": "incremental",
                        "destination_sync_mode": "append",
                        "cursor_field": ["server_upload_time"],
                    }
                ]
            }
        )
    )
    launch = Path(__file__).with_name("airbyte_launch.py")
    command = [sys.executable, launch, "read", "--config", config, "--catalog", catalog]
    with (folder / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "BENCH_ORIGIN": task["origin"]},
        )
        records = 0
        tail = b""
        while chunk := os.read(process.stdout.fileno(), 1 << 20):
            records += (tail + chunk).count(_RECORD)
            tail = chunk[-len(_RECORD) + 1 :]
        status = process.wait()
    ended = time.monotonic()
    stderr = (folder / "stderr.txt").read_text()
    if status:
        sys.exit(stderr[-2000:])
    began = float(stderr.split("BENCH-BEGAN ")[1].split()[0])
    print("BENCH-RESULT " + json.dumps({"seconds": ended - began, "rows": records}))


if __name__ == "__main__":
    main()
