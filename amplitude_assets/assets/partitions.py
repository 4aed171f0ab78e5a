"""The partitions: one for each export hour that Amplitude can export by now."""

import warnings

from dagster import BackfillPolicy, BetaWarning, HourlyPartitionsDefinition

from amplitude_assets.config import Settings
from amplitude_assets.hours import partition_of_hour

# Dagster calls `backfill_policy` beta, each time an asset has one. The design rests on it, and
# its version is pinned: the warning would tell nothing, and hide those that do.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=BetaWarning)


def export_hours(settings: Settings) -> HourlyPartitionsDefinition:
    """Return the UTC hours from `AMPLITUDE_START_HOUR` to the newest exportable one.

    The end offset hides hours that Amplitude has not finished, so nothing can ask for them. All
    hourly assets share this one object: Dagster groups a backfill's assets by it.
    """
    return HourlyPartitionsDefinition(
        start_date=partition_of_hour(settings.amplitude_start_hour),
        end_offset=-settings.amplitude_export_delay_hours,
    )


def hours_per_run(settings: Settings) -> BackfillPolicy:
    """Return the policy of all hourly assets: many hours a run, all assets of a range in one.

    `dg launch` takes a range of hours only of assets that run any number of them at once, which
    is `RUN_HOURS=0`.
    """
    if settings.run_hours == 0:
        return BackfillPolicy.single_run()
    return BackfillPolicy.multi_run(max_partitions_per_run=settings.run_hours)
