"""The models: one `dbt build` over the bronze of `ours load`, as the asset runs it."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from bench.contenders.ours import DUCKDB
from bench.task import Task, read_task, report_result


def main(task: Task, *, full_refresh: bool) -> None:
    """Run dbt, and report the seconds from its first node to its last, without its startup.

    `full_refresh` rebuilds incremental models.
    """
    from amplitude_assets.dbt.project import DBT_PROJECT_DIR

    target = task.path / "target"
    path = task.path / DUCKDB
    command = [
        str(Path(sys.executable).parent / "dbt"),
        "build",
        "--exclude-resource-type=unit_test",
        f"--project-dir={DBT_PROJECT_DIR}",
        f"--profiles-dir={DBT_PROJECT_DIR}",
        f"--target-path={target}",
        f"--log-path={task.path / 'logs'}",
        "--target=duckdb",
    ]
    subprocess.run(  # noqa: S603 - only dbt
        [*command, "--full-refresh"] if full_refresh else command,
        env={**os.environ, "DUCKDB_PATH": str(path)},
        check=True,
    )
    results = json.loads((target / "run_results.json").read_text())
    kinds: dict[str, float] = defaultdict(float)
    nodes = []
    for result in results["results"]:
        kind, _, name = result["unique_id"].split(".")[:3]
        kinds[kind] += result["execution_time"]
        nodes.append((round(result["execution_time"], 2), kind, name))
    report_result(
        results["elapsed_time"],
        _rows(path),
        node_seconds={kind: round(seconds, 2) for kind, seconds in kinds.items()},
        slowest=sorted(nodes, reverse=True)[:8],
    )


def _rows(path: Path) -> int:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as con:
        ((rows,),) = con.execute(
            "select (select count(*) from silver.events) "
            "+ (select count(*) from silver.event_duplicates)"
        ).fetchall()
    return int(rows)


if __name__ == "__main__":
    main(read_task(), full_refresh=sys.argv[1] == "full")
