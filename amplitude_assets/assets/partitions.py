"""The partitions: one for each hour that Amplitude can export by now."""

import warnings

from dagster import BackfillPolicy, BetaWarning, HourlyPartitionsDefinition

from amplitude_assets.config import Settings
from amplitude_assets.hours import partition_of_hour

# Dagster warns that `backfill_policy` is beta, once per asset. Its version is pinned, so the
# warning has no use and would hide others.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=BetaWarning)


def export_hours(settings: Settings) -> HourlyPartitionsDefinition:
    """Return the UTC hours from `AMPLITUDE_START_HOUR` to the newest exportable one.

    The end offset hides hours that Amplitude has not finished, so that no run can request them.
    All hourly assets share this object, because Dagster groups a backfill's assets by it.
    """
    return HourlyPartitionsDefinition(
        start_date=partition_of_hour(settings.amplitude_start_hour),
        end_offset=-settings.amplitude_export_delay_hours,
    )


def hours_per_run(settings: Settings) -> BackfillPolicy:
    """Return the backfill policy of all hourly assets: up to `RUN_HOURS` hours in one run.

    `dg launch` accepts a range of hours only with `RUN_HOURS=0`, a single run of any length.
    """
    if settings.run_hours == 0:
        return BackfillPolicy.single_run()
    return BackfillPolicy.multi_run(max_partitions_per_run=settings.run_hours)
