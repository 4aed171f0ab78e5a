"""Build the graph of one Amplitude project from its settings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dagster import (
    AssetChecksDefinition,
    Backoff,
    Definitions,
    Jitter,
    RetryPolicy,
    definitions,
    in_process_executor,
    load_from_defs_folder,
)

from amplitude_assets.assets.dbt_models import dbt_models_asset
from amplitude_assets.assets.hour_figures import hour_figures_asset
from amplitude_assets.assets.hourly import HourlyRules
from amplitude_assets.assets.hourly_json_files import hourly_json_files_asset
from amplitude_assets.assets.overview_report import overview_report_asset
from amplitude_assets.assets.partitions import export_hours, hours_per_run
from amplitude_assets.assets.raw_events import raw_events_asset
from amplitude_assets.assets.raw_export_zip import raw_export_zip_asset
from amplitude_assets.assets.s3_event_objects import s3_event_objects_asset
from amplitude_assets.automation import alerts, schedules, sensors
from amplitude_assets.automation.freshness import LOADED, built, with_freshness
from amplitude_assets.automation.jobs import hours_job, main_job, models_job, watch_job
from amplitude_assets.automation.maintenance import maintenance_job
from amplitude_assets.checks import (
    completeness,
    drift,
    in_question,
    quality,
    reconciliation,
    volume,
)
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.hours import Clock, utc_now
from amplitude_assets.resources import build_resources

_OWN = Path(__file__).with_name("defs")

# All checks but those of dbt.
CHECKS: Sequence[AssetChecksDefinition] = (
    *reconciliation.CHECKS,
    *completeness.CHECKS,
    *in_question.CHECKS,
    *volume.CHECKS,
    *quality.CHECKS,
    *drift.CHECKS,
)

# The client retries each request itself: the retry of a step is for failures of the machine.
STEP_RETRY = RetryPolicy(
    max_retries=1, delay=5, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS
)


def build_definitions(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    step_retry: RetryPolicy = STEP_RETRY,
    **overrides: object,
) -> Definitions:
    """Return the graph for one project's settings.

    Assets, checks and sensors read the time from `clock`. `overrides` replaces resources by name,
    for example with the progress display of the command line. `step_retry` is the retry policy of
    the hourly assets.
    """
    rules = HourlyRules(
        partitions=export_hours(settings),
        backfill=hours_per_run(settings),
        retry=step_retry,
    )
    report = with_freshness(overview_report_asset(settings), built(settings.models_cadence))
    models = [dbt_models_asset(settings), report]
    return Definitions(
        assets=[
            raw_export_zip_asset(rules, settings),
            hourly_json_files_asset(rules),
            s3_event_objects_asset(rules),
            with_freshness(raw_events_asset(rules, settings), LOADED),
            *models,
            hour_figures_asset(rules.partitions),
        ],
        asset_checks=CHECKS,
        jobs=[main_job, hours_job, models_job, watch_job, maintenance_job],
        schedules=[
            schedules.nightly_recheck_schedule(settings),
            schedules.maintenance_schedule(settings),
            schedules.watch_schedule(settings),
        ],
        sensors=[
            sensors.new_hours_sensor(settings, rules.partitions, clock),
            sensors.carry_on_sensor(settings),
            sensors.models_follow_bronze_sensor(
                settings, [key for asset in models for key in asset.keys], clock
            ),
            alerts.failed_run_alert(settings),
            alerts.failed_check_alert(settings),
        ],
        # Steps mostly wait for servers and files, so a process for each would only cost time.
        executor=in_process_executor,
        resources={**build_resources(settings, clock), **overrides},
    )


@definitions
def defs() -> Definitions:
    """Return the graph for the settings of this process, merged with the user's definitions."""
    return Definitions.merge(build_definitions(load_settings()), *_own_definitions())


def _own_definitions() -> Iterator[Definitions]:
    """Load the definitions in `amplitude_assets/defs`, unless the folder is empty."""
    if any(path.name != "__init__.py" for path in _OWN.rglob("*.*") if path.suffix != ".pyc"):
        yield load_from_defs_folder(path_within_project=_OWN)
