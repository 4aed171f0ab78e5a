"""Run requests for ranges of hours: their tags and their priority in the queue."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from dagster import AssetKey, RunRequest

from amplitude_assets.hours import HourRange, partition_of_hour
from amplitude_assets.instance.steps import HOURS, RANGE_END, RANGE_START

REASON = "amplitude/reason"
# `dagster.yaml` limits the runs with this tag, so that history never fills the queue.
HISTORY = "amplitude/history"


class Reason(StrEnum):
    """Why hours are requested: a tag of their run, to filter runs by in Dagster's UI."""

    NEW = "new"
    GAP = "gap"
    CARRIED_ON = "carried_on"
    FAILED_BEFORE = "failed_before"
    RECHECK = "recheck"


# A run with a higher number leaves the queue first, and gets a pool slot first.
# Runs of a backfill from the UI have 0, those of `amplitude-assets backfill` less.
PRIORITIES = {
    Reason.NEW: 10,
    Reason.GAP: 5,
    Reason.CARRIED_ON: 5,
    Reason.FAILED_BEFORE: -5,
    Reason.RECHECK: -5,
}
MODELS_PRIORITY = 10
BACKFILL_PRIORITY = -10


def range_tags(hours: HourRange) -> dict[str, str]:
    """Return Dagster's tags for a run over a range of partitions, and ours that shows the hours."""
    first, last = partition_of_hour(hours.first), partition_of_hour(hours.last)
    return {**shown_hours(hours), RANGE_START: first, RANGE_END: last}


def shown_hours(hours: HourRange) -> dict[str, str]:
    """Return the tag that shows the hours in lists of runs, which hide Dagster's own tags."""
    return {HOURS: str(hours)}


def hours_request(
    hours: HourRange,
    reason: Reason,
    *,
    run_key: str | None = None,
    assets: Sequence[AssetKey] | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunRequest:
    """Return the request for one run over hours, of the sensor's or schedule's job or of `assets`.

    `tags` are added to the run. Dagster keeps run keys forever, so `run_key` is only for requests
    that must never run twice.
    """
    tags = {
        **(tags or {}),
        **range_tags(hours),
        REASON: reason.value,
        "dagster/priority": str(PRIORITIES[reason]),
    }
    if reason is not Reason.NEW:
        tags[HISTORY] = "true"
    return RunRequest(run_key=run_key, tags=tags, asset_selection=assets)
