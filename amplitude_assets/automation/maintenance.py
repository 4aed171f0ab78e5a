"""Maintenance: what is kept for a while is cleared, whole tables are tested, the docs written."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from dagster import AssetKey, OpExecutionContext, Output, ResourceParam, job, op

from amplitude_assets.assets.dbt import dbt_project, dbt_targets
from amplitude_assets.config import Settings, dbt_environment
from amplitude_assets.dbt_apart import Dbt
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.tidying import sweep
from amplitude_assets.hours import Clock
from amplitude_assets.instance import WAREHOUSE_POOL
from amplitude_assets.lake.store import Lake
from amplitude_assets.model_reference import write_model_reference
from amplitude_assets.warehouse.base import Warehouse

# A run that is under way may need what is younger, whatever the settings say.
_LEAST_AGE = timedelta(days=1)


@op
def sweep_landing(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    landing: ResourceParam[Landing],
    clock: ResourceParam[Clock],
) -> None:
    """Remove zips and unpacked files that the lake has had for `LANDING_RETENTION_HOURS`."""
    keep_after = _keep_after(settings, clock())
    sweep(landing, keep_after)
    context.log.info(f"Cleared what was last touched before {keep_after:%Y-%m-%d %H:%M} UTC.")


@op
def sweep_lake(
    context: OpExecutionContext,
    lake: ResourceParam[Lake],
    clock: ResourceParam[Clock],
) -> None:
    """Remove the unfinished files of writers that ended before they were done."""
    removed = lake.sweep(clock() - _LEAST_AGE)
    context.log.info(f"Removed {removed} unfinished files.")


@op
def sweep_dbt(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> None:
    """Remove what dbt wrote of its runs, its log and the SQL, when it is as old as the landing."""
    keep_after = _keep_after(settings, clock())
    folders = dbt_targets(settings)
    old = [
        folder
        for folder in (folders.iterdir() if folders.is_dir() else [])
        if folder.stat().st_mtime < keep_after.timestamp()
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    context.log.info(f"Removed the folders of {len(old)} runs of dbt.")


@op(pool=WAREHOUSE_POOL)
def compact_warehouse(warehouse: ResourceParam[Warehouse]) -> None:
    """Give back the space of rows that were replaced, where the warehouse does not by itself."""
    warehouse.compact()


@op(pool=WAREHOUSE_POOL)
def check_whole_tables(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    dbt: Dbt,
) -> Iterator[Any]:
    """Run the models' data tests over whole tables; a build looks at the rows that it touched."""
    if context.instance.get_latest_materialization_event(AssetKey(["silver", "events"])):
        with warehouse.exclusive(), dbt_environment(settings):
            yield from dbt.cli(
                ["test", "--exclude-resource-type", "unit_test"],
                manifest=dbt_project(settings).manifest_path,
                target_path=dbt_targets(settings) / context.run.run_id,
            ).stream()
    yield Output(None)


@op(pool=WAREHOUSE_POOL)
def write_dbt_docs(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    dbt: Dbt,
) -> None:
    """Write the models' documentation as one page, `DATA_DIR/dbt-docs/static_index.html`."""
    page = write_model_reference(settings, warehouse, dbt)
    context.log.info(f"Open {page}")


def _keep_after(settings: Settings, now: datetime) -> datetime:
    return now - max(timedelta(hours=settings.landing_retention_hours), _LEAST_AGE)


@job(
    description=(
        "Clears the landing area, the lake's unfinished files and what dbt wrote of old runs, "
        "compacts the warehouse, tests the models' whole tables, and writes their documentation."
    )
)
def maintenance_job() -> None:
    """Do all of it; no part waits for another, and one that fails does not stop the rest."""
    sweep_landing()
    sweep_lake()
    sweep_dbt()
    compact_warehouse()
    check_whole_tables()
    write_dbt_docs()
