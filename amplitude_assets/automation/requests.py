"""How hours are asked for: the run request of a range, and its place in the queue."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from dagster import AssetKey, RunRequest

from amplitude_assets.hours import HourRange, partition_of_hour

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
REASON = "amplitude/reason"
# `dagster.yaml` limits the runs that bear it: history never takes the whole queue.
HISTORY = "amplitude/history"


class Reason(StrEnum):
    """Why hours are asked for. It is a tag of their run, to find runs by in Dagster's UI."""

    NEW = "new"
    GAP = "gap"
    CARRIED_ON = "carried_on"
    FAILED_BEFORE = "failed_before"
    RECHECK = "recheck"


# A run with a higher number leaves the queue first, and is first to get a place in a pool.
# Runs of a backfill started in the UI have 0, those of `amplitude-assets backfill` less.
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
    """Return the tags by which Dagster knows a run over a range of partitions."""
    return {RANGE_START: partition_of_hour(hours.first), RANGE_END: partition_of_hour(hours.last)}


def hours_of_run(tags: Mapping[str, str]) -> str:
    """Say for people which hours a run was asked for, from its tags; empty when for none."""
    first, last = tags.get(RANGE_START), tags.get(RANGE_END)
    if first and last:
        return first if first == last else f"{first} to {last}"
    return tags.get("dagster/partition", "")


def hours_request(
    hours: HourRange,
    reason: Reason,
    *,
    run_key: str | None = None,
    assets: Sequence[AssetKey] | None = None,
) -> RunRequest:
    """Ask for hours as one run of the job that a sensor or schedule is for, or of some assets.

    A run key is remembered for ever, so it is given only where the same must never run twice.
    """
    tags = {
        **range_tags(hours),
        REASON: reason.value,
        "dagster/priority": str(PRIORITIES[reason]),
    }
    if reason is not Reason.NEW:
        tags[HISTORY] = "true"
    return RunRequest(run_key=run_key, tags=tags, asset_selection=assets)
