"""The one place where the parts are wired together: the graph of one Amplitude project."""

from dagster import (
    Backoff,
    Definitions,
    Jitter,
    RetryPolicy,
    definitions,
    in_process_executor,
)

from amplitude_assets.assets.dbt import dbt_models_asset
from amplitude_assets.assets.hour_figures import hour_figures_asset
from amplitude_assets.assets.hourly import HourlyRules
from amplitude_assets.assets.hourly_json_files import hourly_json_files_asset
from amplitude_assets.assets.overview_report import overview_report_asset
from amplitude_assets.assets.partitions import export_hours, hours_per_run
from amplitude_assets.assets.raw_events import raw_events_asset
from amplitude_assets.assets.raw_export_zip import raw_export_zip_asset
from amplitude_assets.assets.s3_event_objects import s3_event_objects_asset
from amplitude_assets.automation import alerts, schedules, sensors
from amplitude_assets.automation.freshness import BUILT, LOADED, with_freshness
from amplitude_assets.automation.jobs import hours_job, main_job, models_job, watch_job
from amplitude_assets.automation.maintenance import maintenance_job
from amplitude_assets.checks import completeness, drift, quality, reconciliation, volume
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.hours import Clock, utc_now
from amplitude_assets.resources import build_resources

# The client has retried each request by then: a step's retry is for the machine's faults.
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
    """Return the whole graph for one project's settings.

    `clock` tells assets, checks and sensors the time. `overrides` are resources by name, in place
    of those that the settings give: the command line puts a progress display in, tests put in
    what they need. `step_retry` is the hourly assets'.
    """
    rules = HourlyRules(
        partitions=export_hours(settings),
        backfill=hours_per_run(settings),
        retry=step_retry,
    )
    models = [dbt_models_asset(settings), with_freshness(overview_report_asset(), BUILT)]
    return Definitions(
        assets=[
            raw_export_zip_asset(rules, settings),
            hourly_json_files_asset(rules),
            s3_event_objects_asset(rules),
            with_freshness(raw_events_asset(rules, settings), LOADED),
            *models,
            hour_figures_asset(rules.partitions),
        ],
        asset_checks=[
            *reconciliation.CHECKS,
            *completeness.CHECKS,
            *volume.CHECKS,
            *quality.CHECKS,
            *drift.CHECKS,
        ],
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
        # Steps wait for servers and files; a process for each would cost more than it gives.
        executor=in_process_executor,
        resources={**build_resources(settings, clock), **overrides},
    )


@definitions
def defs() -> Definitions:
    """Return the graph for the settings of this process."""
    return build_definitions(load_settings())
