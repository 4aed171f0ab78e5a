"""Nightly maintenance: retention, verification of the lake, tests of whole tables, dbt docs."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
    OpExecutionContext,
    Output,
    ResourceParam,
    job,
    op,
)

from amplitude_assets.automation.runs import newest_evaluations
from amplitude_assets.checks.hours_to_reload import LAKE_IS_WHOLE, lost, lost_in
from amplitude_assets.checks.ledger import ledger_ever
from amplitude_assets.config import Settings
from amplitude_assets.connections.amplitude import open_landing
from amplitude_assets.dbt.project import (
    clear_dbt_targets,
    dbt_environment,
    dbt_project,
    dbt_targets,
)
from amplitude_assets.dbt.reference import write_model_reference
from amplitude_assets.dbt.runner import DbtCliResource
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.tidying import sweep
from amplitude_assets.hours import Clock, contiguous_ranges, run_command
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.instance.retention import WHOLE_FOR, clear_runs, once_a_day
from amplitude_assets.lake.store import Lake
from amplitude_assets.lake.verification import (
    VerifiedHour,
    hours_in,
    share_of_night,
    verify_hours,
)
from amplitude_assets.warehouse.base import Warehouse
from amplitude_assets.wording import plural

# Active runs may need younger files, whatever the settings say.
_LEAST_AGE = timedelta(days=1)
_SHOWN = 5


@op
def sweep_landing(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    landing: ResourceParam[Landing],
    clock: ResourceParam[Clock],
) -> None:
    """Delete zips and unpacked files `LANDING_RETENTION_HOURS` after they reached the lake."""
    keep_after = _keep_after(settings, clock())
    sweep(landing, keep_after)
    context.log.info(f"Deleted files last used before {keep_after:%Y-%m-%d %H:%M} UTC.")


@op
def sweep_lake(
    context: OpExecutionContext,
    lake: ResourceParam[Lake],
    clock: ResourceParam[Clock],
) -> None:
    """Delete the partial files of writers that were interrupted."""
    removed = lake.sweep(clock() - _LEAST_AGE)
    context.log.info(f"Deleted {removed} partial files.")


@op
def verify_lake(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    lake: ResourceParam[Lake],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> Iterator[Any]:
    """Verify a share of the lake against its manifests: all of it every `LAKE_VERIFY_DAYS` nights.

    Hours that were damaged the night before are verified again. Damaged hours fail the check
    `lake_is_whole` of `s3_event_objects`, and the sensor `new_hours` reloads them.
    """
    if settings.lake_verify_days:
        loaded = ledger_ever(settings, warehouse, clock).keys()
        known = hours_in(lake, settings.project_id) | loaded
        tonight = set(share_of_night(known, clock().date(), settings.lake_verify_days))
        for before in newest_evaluations(context.instance, LAKE_IS_WHOLE)[:1]:
            tonight |= lost_in(before.metadata) & known
        yield _lake_is_whole(
            list(verify_hours(lake, settings.project_id, sorted(tonight), loaded)), len(known)
        )
    yield Output(None)


def _lake_is_whole(verified: list[VerifiedHour], known: int) -> AssetCheckEvaluation:
    damaged = [found for found in verified if found.problems]
    hours = [found.hour for found in damaged]
    commands = "; ".join(run_command(part) for part in contiguous_ranges(hours)[:_SHOWN])
    problems = [problem for found in damaged for problem in found.problems]
    return AssetCheckEvaluation(
        asset_key=LAKE_IS_WHOLE.asset_key,
        check_name=LAKE_IS_WHOLE.name,
        passed=not damaged,
        severity=AssetCheckSeverity.ERROR,
        description=(
            f"{len(damaged)} of {len(verified)} verified hours are damaged in the lake: "
            f"{'; '.join(problems[:_SHOWN])}. To repair: {commands}"
            if damaged
            else f"{len(verified)} of {known} hours were verified; none is damaged."
        ),
        metadata={
            "hours_read": len(verified),
            "hours_in_lake": known,
            "bytes_read": sum(found.bytes for found in verified),
            **lost(hours),
        },
    )


@op
def sweep_history(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> None:
    """Delete Dagster's runs and their dbt artifacts after `RETENTION_DAYS`."""
    context.log.info(clear_history(settings, context.instance, clock()))


def clear_history(settings: Settings, instance: DagsterInstance, now: datetime) -> str:
    """Apply the retention of runs, dbt artifacts and the landing area, at most once a day.

    The newest materialization of each hour and the newest evaluation of each check are kept. `now`
    is aware. Return what was done, as a line for the log.
    """
    keep = timedelta(days=settings.retention_days)
    with once_a_day(settings.dagster_home_path, now) as last:
        if last is None:
            return "Not due: done less than a day ago, or in progress in another process."
        runs = clear_runs(instance, last, now, keep)
        sweep(open_landing(settings), _keep_after(settings, now))
        folders = clear_dbt_targets(settings, now - WHOLE_FOR, now - keep)
    return f"Deleted {plural(runs, 'run')} and {plural(folders, 'folder')} of dbt artifacts."


@op(pool=WAREHOUSE_POOL)
def compact_warehouse(warehouse: ResourceParam[Warehouse]) -> None:
    """Return the space of replaced rows, where the warehouse does not do so by itself."""
    warehouse.compact()


@op(pool=WAREHOUSE_POOL)
def check_whole_tables(
    context: OpExecutionContext,
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    dbt: DbtCliResource,
) -> Iterator[Any]:
    """Run every data test of the models over whole tables; a build runs few, on touched rows."""
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
    dbt: DbtCliResource,
) -> None:
    """Write the models' documentation to `DATA_DIR/dbt-docs/static_index.html`."""
    page = write_model_reference(settings, warehouse, dbt)
    context.log.info(f"Open {page}")


def _keep_after(settings: Settings, now: datetime) -> datetime:
    return now - max(timedelta(hours=settings.landing_retention_hours), _LEAST_AGE)


@job(
    description=(
        "Deletes old files of the landing area, partial files of the lake and old runs, verifies a "
        "share of the lake against its manifests, compacts the warehouse, runs the data tests over "
        "whole tables, and writes the models' documentation."
    )
)
def maintenance_job() -> None:
    """Run all parts; none depends on another, so a failure does not stop the rest."""
    sweep_landing()
    sweep_lake()
    verify_lake()
    sweep_history()
    compact_warehouse()
    check_whole_tables()
    write_dbt_docs()
