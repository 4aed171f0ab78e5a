"""A data folder and the pipeline that fills it, run in this process against a server over HTTP."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from dagster import (
    AssetCheckEvaluation,
    DagsterInstance,
    Definitions,
    RetryPolicy,
    partition_loading_context,
)

from amplitude_assets.assets.hourly import ACCEPT_FEWER
from amplitude_assets.assets.keys import HOURLY_ASSETS
from amplitude_assets.automation.requests import range_tags
from amplitude_assets.automation.runs import lost_hours
from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.emulator import API_KEY, PROJECT_ID, SECRET_KEY
from amplitude_assets.export.api.client import ExportClient
from amplitude_assets.export.api.download import Timeouts
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.lake.store import Lake
from amplitude_assets.runs.in_process import MainRun, MainRunOutcome

HOURS = HourRange(parse_hour("2026-09-07T09"), parse_hour("2026-09-07T11"))
FIRST, BAD, LAST = HOURS

Rows = list[tuple[Any, ...]]
Tables = dict[datetime, dict[str, Rows]]

# All columns except those that describe the load of a row.
_BRONZE = {
    "raw_events": "export_hour, project_id, source_object, source_line, event",
    "export_hours": (
        "export_hour, project_id, status, objects, bytes, lines, rejected_lines, digest"
    ),
    "rejected_lines": "export_hour, project_id, source_object, source_line, reason, line",
}
_QUIET_LOGGERS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_NO_ROWS: dict[str, Rows] = {table: [] for table in _BRONZE}


@dataclass
class Place:
    """A data folder and the server that its hours come from.

    `waits` collects the pauses between requests in seconds. With `shares_dagster`, runs use the
    folder's Dagster instance and its pools, as the command does; else an ephemeral instance.
    """

    folder: Path
    server: str
    settings: Settings = field(init=False)
    waits: list[float] = field(default_factory=list)
    api_key: str = API_KEY
    secret_key: str = SECRET_KEY
    project_id: int = PROJECT_ID
    max_concurrent: int = 4
    request_hours: int = 24
    retention_hours: int = 1000
    warehouse_folder: str = ""
    shares_dagster: bool = False
    privacy: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = Settings(
            amplitude_api_key=self.api_key,
            amplitude_secret_key=self.secret_key,
            amplitude_project_id=self.project_id,
            amplitude_base_url=self.server,
            amplitude_start_hour="2026-09-07T00",
            amplitude_max_concurrent_requests=self.max_concurrent,
            amplitude_request_hours=self.request_hours,
            data_dir=self.folder,
            duckdb_path=self.folder / self.warehouse_folder / "warehouse.duckdb",
            landing_retention_hours=self.retention_hours,
            **self.privacy,
        )

    def run(
        self,
        hours: HourRange = HOURS,
        *,
        models: bool = False,
        data_tests: bool = False,
        accept_fewer: bool = False,
        **overrides: object,
    ) -> MainRunOutcome:
        """Run the main job without pauses between retries; build the models only if `models`.

        dbt runs its data tests only if `data_tests`: they take most of its time for a few hours.
        """
        graph = self.build(**overrides) if overrides else self._graph
        tags = {ACCEPT_FEWER: "true"} if accept_fewer else {}
        run = MainRun(graph, self._instance, self.settings.run_hours, hours, tags=tags)
        # Otherwise Dagster lists every hour until now for each check of an hour.
        with partition_loading_context(effective_dt=hours.last + timedelta(days=1)):
            run.load_hours()
        if models:
            with nullcontext() if data_tests else without_data_tests():
                run.build_models()
        return run.outcome

    def load_from_lake_only(self, hours: HourRange = HOURS) -> MainRunOutcome:
        """Load bronze from the lake, without requests to the server."""
        run = MainRun(self._graph, self._instance, self.settings.run_hours, hours)
        with partition_loading_context(effective_dt=hours.last + timedelta(days=1)):
            run.load_from_lake()
        return run.outcome

    def download(self, hours: HourRange) -> bool:
        """Run only the download of these hours; return whether all of them arrived."""
        job = self._graph.resolve_job_def("hours_job")
        return job.execute_in_process(
            run_config=_QUIET_LOGGERS,
            instance=self._instance,
            asset_selection=HOURLY_ASSETS[:1],
            tags=range_tags(hours),
            raise_on_error=False,
        ).success

    def build(self, **overrides: object) -> Definitions:
        """Return this place's graph; `overrides` replace resources."""
        resources = {
            "progress": lambda _: None,
            "export_client": self.client(),
            "lake": Lake(self.settings.resolved_lake_url),
            **overrides,
        }
        return build_definitions(self.settings, step_retry=RetryPolicy(max_retries=1), **resources)

    @cached_property
    def _graph(self) -> Definitions:
        return self.build()

    @cached_property
    def _instance(self) -> DagsterInstance:
        return open_instance(self.settings) if self.shares_dagster else DagsterInstance.ephemeral()

    def run_cleanup(self, *, after_hours: float = 48) -> None:
        """Run the nightly cleanup after setting the age of every file to `after_hours`."""
        written = time.time() - after_hours * 3600
        for path in self.folder.rglob("*"):
            os.utime(path, (written, written))
        job = self._graph.resolve_job_def("maintenance_job")
        cleanup_steps = ["sweep_landing", "sweep_lake", "sweep_history", "compact_warehouse"]
        assert job.execute_in_process(
            run_config=_QUIET_LOGGERS, instance=self._instance, op_selection=cleanup_steps
        ).success

    def run_verification(self) -> AssetCheckEvaluation:
        """Run the nightly verification of the lake, and return its check evaluation."""
        job = self.build().resolve_job_def("maintenance_job")
        result = job.execute_in_process(instance=self._instance, op_selection=["verify_lake"])
        (evaluation,) = result.get_asset_check_evaluations()
        return evaluation

    def lost_hours(self) -> set[datetime]:
        """Return the hours that checks report to the sensor `new_hours` for reloading."""
        return lost_hours(self._instance)

    def files(self) -> set[Path]:
        """Return the files of the data folder, as relative paths, without Dagster's."""
        paths = {path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()}
        return {path for path in paths if path.parts[0] != "dagster"}

    def client(
        self,
        timeout: Timeouts | None = None,
        pause: Callable[[threading.Event, float], object] | None = None,
    ) -> ExportClient:
        """Return a client of the server that records its pauses in `waits` instead of sleeping."""
        return ExportClient(
            self.server,
            self.api_key,
            self.secret_key,
            project_id=self.project_id,
            max_concurrent=self.max_concurrent,
            timeout=timeout,
            pause=pause or (lambda _stop, seconds: self.waits.append(seconds)),
        )

    def bronze(self) -> Tables:
        """Return the sorted rows of the bronze tables by hour, without load ids and times."""
        tables: Tables = {}
        if self.settings.resolved_duckdb_path.exists():
            with duckdb.connect(str(self.settings.resolved_duckdb_path), read_only=True) as con:
                for table, columns in _BRONZE.items():
                    rows = con.execute(f"select {columns} from bronze.{table} order by all")
                    for row in rows.fetchall():
                        hour = tables.setdefault(row[0].replace(tzinfo=UTC), dict(_NO_ROWS))
                        hour[table] = [*hour[table], row]
        return tables

    def query(self, sql: str) -> Rows:
        """Return the rows of a query."""
        with duckdb.connect(str(self.settings.resolved_duckdb_path), read_only=True) as con:
            return con.execute(sql).fetchall()


def without_data_tests() -> AbstractContextManager[object]:
    """Limit dbt to models and seeds within this context, in child processes as well."""
    return patch.dict(os.environ, {"DBT_RESOURCE_TYPES": "model seed"})
