"""This project: `extract` and `load` with its library, `assets` with Dagster."""

import os
import sys
import time
from pathlib import Path

from bench.task import Task, read_task, report_result

DUCKDB = "warehouse.duckdb"


def extract(task: Task) -> None:
    """Export hours from the API to a lake, as the first three assets do."""
    from amplitude_assets.export.api.client import ExportClient
    from amplitude_assets.export.archive.hour_files import HourFiles
    from amplitude_assets.export.landing import Landing
    from amplitude_assets.export.to_lake import publish_all
    from amplitude_assets.hours import contiguous_ranges
    from amplitude_assets.lake.commit import Published
    from amplitude_assets.lake.store import Lake

    client = ExportClient(task.origin, task.api_key, task.secret_key, project_id=task.project_id)
    landing = Landing(task.path / "landing", task.project_id)
    lake = Lake((task.path / "lake").as_uri())
    began = time.monotonic()
    errors = client.fetch_all(
        contiguous_ranges(task.hours, longest=24),
        landing.zips,
        on_delivery=lambda delivery: landing.record(delivery, "bench"),
    )
    unpacked = dict(landing.unpack(task.hours, workers=os.cpu_count() or 1))
    lines = sum(files.lines for files in unpacked.values() if isinstance(files, HourFiles))
    published = dict(publish_all(landing, lake, task.hours))
    seconds = time.monotonic() - began
    failed = [*errors, *(p for p in published.values() if not isinstance(p, Published))]
    if failed:
        raise SystemExit(str(failed[0]))
    report_result(seconds, lines)


def load(task: Task) -> None:
    """Load the lake of `extract` into bronze, in one call for all hours."""
    from amplitude_assets.lake.store import Lake
    from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse

    lake = Lake((task.path / "lake").as_uri())
    warehouse = DuckDBWarehouse(task.path / DUCKDB)
    began = time.monotonic()
    manifests = [lake.read_manifest(task.project_id, hour) for hour in task.hours]
    report = warehouse.load(lake, [found for found in manifests if found], "bench")
    seconds = time.monotonic() - began
    if report.errors:
        raise SystemExit(str(report.errors[0]))
    _report_rows(seconds, task.path)


def assets(task: Task) -> None:
    """Run the job of the four hourly assets and their check, as `amplitude-assets run` does."""
    os.environ.update(
        AMPLITUDE_API_KEY=task.api_key,
        AMPLITUDE_SECRET_KEY=task.secret_key,
        AMPLITUDE_PROJECT_ID=str(task.project_id),
        AMPLITUDE_BASE_URL=task.origin,
        AMPLITUDE_START_HOUR=task.first,
        DATA_DIR=str(task.path),
    )
    from amplitude_assets.config import load_settings
    from amplitude_assets.definitions import build_definitions
    from amplitude_assets.hours import HourRange
    from amplitude_assets.instance.home import open_instance
    from amplitude_assets.runs.in_process import MainRun

    settings = load_settings()
    hours = HourRange(task.hours[0], task.hours[-1])
    with open_instance(settings) as instance:
        graph = build_definitions(settings, progress=lambda _: None)
        run = MainRun(graph, instance, settings.run_hours, hours)
        began = time.monotonic()
        run.load_hours()
        seconds = time.monotonic() - began
    if not run.outcome.succeeded:
        raise SystemExit("; ".join(run.outcome.reasons))
    _report_rows(seconds, task.path)


def _report_rows(seconds: float, folder: Path) -> None:
    import duckdb

    path = folder / DUCKDB
    with duckdb.connect(str(path), read_only=True) as con:
        ((rows, bad),) = con.execute(
            "select (select count(*) from bronze.raw_events), "
            "(select count(*) from bronze.rejected_lines)"
        ).fetchall()
    report_result(seconds, rows + bad, database_bytes=path.stat().st_size)


if __name__ == "__main__":
    {"extract": extract, "load": load, "assets": assets}[sys.argv[1]](read_task())
