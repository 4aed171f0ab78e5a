"""A data folder with the pipeline over it, run in this process against one server over HTTP."""

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
from dagster import DagsterInstance, Definitions, RetryPolicy, partition_loading_context

from amplitude_assets.automation.requests import range_tags
from amplitude_assets.automation.runs import STAGES
from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.emulator import API_KEY, PROJECT_ID, SECRET_KEY
from amplitude_assets.export.client import ExportClient
from amplitude_assets.export.receiving import Timeouts
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance import open_instance
from amplitude_assets.lake.store import Lake
from amplitude_assets.main_run import MainRun, MainRunOutcome

HOURS = HourRange(parse_hour("2026-09-07T09"), parse_hour("2026-09-07T11"))
FIRST, BAD, LAST = HOURS

Rows = list[tuple[Any, ...]]
Tables = dict[datetime, dict[str, Rows]]

# Every column but those that say by which load a row came, and when.
_BRONZE = {
    "raw_events": "export_hour, project_id, source_object, source_line, event",
    "export_hours": (
        "export_hour, project_id, status, objects, bytes, lines, rejected_lines, digest"
    ),
    "rejected_lines": "export_hour, project_id, source_object, source_line, reason, line",
}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_NOTHING: dict[str, Rows] = {table: [] for table in _BRONZE}


@dataclass
class Place:
    """A data folder and the server that its hours come from. `waits` are the pauses in seconds.

    With `shares_dagster`, its runs are in the Dagster of the folder, as those of the command, and
    keep to its pools; else they are on their own.
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
        **overrides: object,
    ) -> MainRunOutcome:
        """Run the main job, its first half only unless `models`, without waiting between tries.

        dbt's data tests are most of what it does over so few hours: they run if they are asked for.
        """
        graph = self.build(**overrides) if overrides else self._graph
        run = MainRun(graph, self._instance, self.settings.run_hours, hours)
        # Else Dagster lists every hour from then to now for each check of an hour.
        with partition_loading_context(effective_dt=hours.last + timedelta(days=1)):
            run.load_hours()
        if models:
            with nullcontext() if data_tests else without_data_tests():
                run.build_models()
        return run.outcome

    def ask(self, hours: HourRange) -> bool:
        """Ask the server for these hours and go no further; say whether all came."""
        job = self._graph.resolve_job_def("hours_job")
        return job.execute_in_process(
            run_config=_QUIET,
            instance=self._instance,
            asset_selection=STAGES[:1],
            tags=range_tags(hours),
            raise_on_error=False,
        ).success

    def build(self, **overrides: object) -> Definitions:
        """Return the graph over this place, with the resources that are given in their place."""
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

    def tidy_up(self, *, after_hours: float = 48) -> None:
        """Do what the nightly maintenance clears, so long after all that is here was written."""
        written = time.time() - after_hours * 3600
        for path in self.folder.rglob("*"):
            os.utime(path, (written, written))
        job = self._graph.resolve_job_def("maintenance_job")
        clearing = ["sweep_landing", "sweep_lake", "sweep_dbt", "compact_warehouse"]
        assert job.execute_in_process(
            run_config=_QUIET, instance=self._instance, op_selection=clearing
        ).success

    def files(self) -> set[Path]:
        """Return the files of the data folder, relative to it."""
        every = self.folder.rglob("*")
        return {path.relative_to(self.folder) for path in every if path.is_file()}

    def client(
        self,
        timeout: Timeouts | None = None,
        pause: Callable[[threading.Event, float], object] | None = None,
    ) -> ExportClient:
        """Return a client of the server's: it notes its waits, and takes none."""
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
        """Return the bronze tables' rows by hour, in order; load ids and times aside."""
        tables: Tables = {}
        if self.settings.resolved_duckdb_path.exists():
            with duckdb.connect(str(self.settings.resolved_duckdb_path), read_only=True) as con:
                for table, columns in _BRONZE.items():
                    rows = con.execute(f"select {columns} from bronze.{table} order by all")
                    for row in rows.fetchall():
                        hour = tables.setdefault(row[0].replace(tzinfo=UTC), dict(_NOTHING))
                        hour[table] = [*hour[table], row]
        return tables

    def query(self, sql: str) -> Rows:
        """Return the rows of a query."""
        with duckdb.connect(str(self.settings.resolved_duckdb_path), read_only=True) as con:
            return con.execute(sql).fetchall()


def without_data_tests() -> AbstractContextManager[object]:
    """Have dbt, wherever it is started meanwhile, build models and seeds alone."""
    return patch.dict(os.environ, {"DBT_RESOURCE_TYPES": "model seed"})
