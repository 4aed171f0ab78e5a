"""The step that runs in this context, and the hours of a run, from Dagster's public API."""

from collections.abc import Mapping

from dagster import AssetCheckExecutionContext, AssetExecutionContext
from dagster import DagsterInvariantViolationError as NoContextError

from amplitude_assets.hours import HourRange, hour_of_partition

# The tag that shows the hours of a run in lists of runs, which hide Dagster's own tags.
HOURS = "amplitude/hours"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def hours_of_run(tags: Mapping[str, str]) -> str:
    """Return the hours of a run as text, from its tags; empty for a run without hours."""
    first, last = tags.get(RANGE_START), tags.get(RANGE_END)
    if first and last:
        return first if first == last else f"{first} to {last}"
    return tags.get("dagster/partition", "")


def current_step() -> dict[str, str]:
    """Return `run_id`, `asset` and `hours` of the step that runs here; nothing outside of a step.

    A step of several assets, such as that of all dbt models, has its own name as `asset`. The step
    of a check also has the check's name as `check`. `hours` are those of the run, if it has any.
    """
    context = step_context()
    if context is None:
        return {}
    checks = sorted(context.selected_asset_check_keys)
    if isinstance(context, AssetExecutionContext):
        assets = context.selected_asset_keys if context.op_execution_context.has_assets_def else ()
        checks = []
    else:
        assets = {check.asset_key for check in checks}
    names = ["/".join(key.path) for key in assets]
    name = context.op_execution_context.op.name
    return {
        "run_id": context.run.run_id,
        "asset": names[0] if len(names) == 1 else name,
        "check": ", ".join(check.name for check in checks),
        **_hours(context.run.tags),
    }


def _hours(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the hours of a run as the command line writes them."""
    only = tags.get("dagster/partition", "")
    first, last = tags.get(RANGE_START, only), tags.get(RANGE_END, only)
    if HOURS in tags:
        return {"hours": tags[HOURS]}
    if not first:
        return {}
    return {"hours": str(HourRange(hour_of_partition(first), hour_of_partition(last)))}


def step_context() -> AssetExecutionContext | AssetCheckExecutionContext | None:
    """Return Dagster's context of the step that runs here, or None outside of a step."""
    for kind in (AssetExecutionContext, AssetCheckExecutionContext):
        try:
            return kind.get()
        except NoContextError:
            continue
    return None
