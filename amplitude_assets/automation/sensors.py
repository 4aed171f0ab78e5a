"""The sensors: request new hours, continue failed runs, and build the models after loads.

Each sensor reads Dagster's instance with a few queries; none opens the lake or the warehouse. The
decisions are in `new_hours.py` and `models_follow.py`, without Dagster.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DefaultSensorStatus,
    PartitionsDefinition,
    RunFailureSensorContext,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_failure_sensor,
    sensor,
)

from amplitude_assets.assets.gold_state import gold_state
from amplitude_assets.assets.hourly import ACCEPT_FEWER
from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.automation.jobs import hours_job, models_job
from amplitude_assets.automation.models_follow import FollowMemory, Follows, follow
from amplitude_assets.automation.new_hours import HourState, Memory, forget_old, plan
from amplitude_assets.automation.requests import (
    MODELS_PRIORITY,
    Reason,
    hours_request,
    shown_hours,
)
from amplitude_assets.automation.runs import (
    active_runs,
    count_backfills,
    count_covering,
    hours_changed_after,
    lost_hours,
    newest_change,
    oldest_materialisation,
    stages_of,
)
from amplitude_assets.config import Settings
from amplitude_assets.hours import (
    HOUR,
    Clock,
    HourRange,
    contiguous_ranges,
    hour_of_partition,
    last_exportable_hour,
    partition_of_hour,
    utc_now,
)
from amplitude_assets.instance.presence import PROCESS, fail_orphaned_runs

_EVERY_SECONDS = 60
_STATES = {
    "MATERIALIZED": HourState.DONE,
    "IN_PROGRESS": HourState.UNDER_WAY,
    "FAILED": HourState.FAILED,
}


def sensor_status(settings: Settings) -> DefaultSensorStatus:
    """Return whether sensors run by default, which `AUTOMATION_ENABLED` decides."""
    running = settings.automation_enabled
    return DefaultSensorStatus.RUNNING if running else DefaultSensorStatus.STOPPED


def new_hours_sensor(
    settings: Settings, partitions: PartitionsDefinition[str], clock: Clock = utc_now
) -> SensorDefinition:
    """Return the sensor that requests exportable hours that are not in bronze.

    `clock` returns the time (aware). `new_hours.py` has the rules.
    """

    @sensor(
        name="new_hours",
        job=hours_job,
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=sensor_status(settings),
        description=(
            f"Requests exportable hours of the last {settings.lookback_days} days that are not in "
            "bronze: new hours, then gaps, then hours that failed before, at growing intervals. "
            "Hours that the checks report as lost count as gaps. When the tables end earlier, it "
            "continues from there."
        ),
    )
    def new_hours(context: SensorEvaluationContext) -> SensorResult:
        now = clock()
        lookback = timedelta(days=settings.lookback_days)
        newest = last_exportable_hour(now, settings.amplitude_export_delay_hours)
        start = settings.amplitude_start_hour
        if newest < start:
            return SensorResult(skip_reason="No hour since AMPLITUDE_START_HOUR is exportable yet.")
        instance = context.instance
        # A killed command would hold its pool slots forever.
        fail_orphaned_runs(instance, settings.dagster_home_path)
        window = HourRange(max(start, newest + HOUR - lookback), newest)
        states = _states(instance, partitions, window)
        if HourState.DONE not in states.values() and start < window.first:
            window = _from_the_end_of_the_tables(instance, partitions, window, start)
            states = _states(instance, partitions, window)
        memory = Memory.model_validate_json(context.cursor) if context.cursor else Memory()
        attempts = forget_old(memory.by_hour(), window, now, lookback)
        states |= _states(instance, partitions, set(attempts) - set(states))
        states |= _states_of_lost(instance, states)
        decided = plan(dict(sorted(states.items())), attempts, now, settings.run_hours)
        return SensorResult(
            run_requests=[hours_request(hours, reason) for hours, reason in decided.requests],
            skip_reason=None if decided.requests else _nothing_to_ask_for(states),
            cursor=Memory.of(decided.attempts).model_dump_json(),
        )

    return new_hours


def carry_on_sensor(settings: Settings) -> SensorDefinition:
    """Return the sensor that continues the unfinished hours of a failed run."""

    @run_failure_sensor(
        name="carry_on",
        request_job=hours_job,
        minimum_interval_seconds=15,
        default_status=sensor_status(settings),
        description=(
            "When a step fails for some hours of a run, continues the others from the next step. "
            "The failed hours are left to `new_hours`, or to the user who started the run."
        ),
    )
    def carry_on(context: RunFailureSensorContext) -> list[RunRequest] | SkipReason:
        run = context.dagster_run
        if run.tags.get("dagster/will_retry") == "true":
            return SkipReason("The run is going to be retried.")
        if PROCESS in run.tags:
            return SkipReason("The command that started the run continues it.")
        failed_steps = {event.step_key for event in context.get_step_failure_events()}
        stages = stages_of(run)
        for place, stage in enumerate(stages[:-1]):
            if "__".join(stage.path) in failed_steps:
                finished = _finished_hours(context.instance, run, stage)
                return [
                    hours_request(
                        part,
                        Reason.CARRIED_ON,
                        run_key=f"{run.run_id}:{partition_of_hour(part.first)}",
                        assets=stages[place + 1 :],
                        tags={k: v for k, v in run.tags.items() if k == ACCEPT_FEWER},
                    )
                    for part in contiguous_ranges(finished)
                ] or SkipReason("No hour of the run passed the failed step.")
        return SkipReason("The run has no hours to continue.")

    return carry_on


def models_follow_bronze_sensor(
    settings: Settings, models: Sequence[AssetKey], clock: Clock = utc_now
) -> SensorDefinition:
    """Return the sensor that builds the models and the report after bronze has changed.

    `models` are all assets of `models_job`. `models_follow.py` has the rules.
    """
    every = settings.models_cadence
    cadence = f", {every // HOUR} hours after it at the earliest" if every else ""

    @sensor(
        name="models_follow_bronze",
        job=models_job,
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=sensor_status(settings),
        description=(
            "Builds the models and the report when bronze has changed since the last build"
            f"{cadence}: once active loads have ended, or after an hour when they take longer."
        ),
    )
    def models_follow_bronze(context: SensorEvaluationContext) -> SensorResult:
        instance = context.instance
        memory = FollowMemory.model_validate_json(context.cursor or "{}")
        memory = newest_change(instance, RAW_EVENTS, memory)
        runs = active_runs(instance)
        built, built_at = oldest_materialisation(instance, models)
        decided = follow(
            memory,
            built=built,
            loads_under_way=count_covering(runs, RAW_EVENTS)
            + count_backfills(instance, RAW_EVENTS),
            builds_under_way=count_covering(runs, models[0]),
            now=clock(),
            due_at=built_at + every if built_at and every else None,
        )
        return SensorResult(
            run_requests=(
                [_models_request(hours_changed_after(instance, RAW_EVENTS, built))]
                if decided.verdict is Follows.NOW
                else []
            ),
            skip_reason=_state_of_gold(instance, decided.verdict),
            cursor=decided.memory.model_dump_json(),
        )

    return models_follow_bronze


def _states(
    instance: DagsterInstance, partitions: PartitionsDefinition[str], hours: Iterable[datetime]
) -> dict[datetime, HourState]:
    keys = [partition_of_hour(hour) for hour in sorted(hours)]
    if not keys:
        return {}
    found = instance.get_status_by_partition(RAW_EVENTS, keys, partitions) or {}
    states = {}
    for key in keys:
        status = found.get(key)
        states[hour_of_partition(key)] = _STATES[status.name] if status else HourState.MISSING
    return states


def _states_of_lost(
    instance: DagsterInstance, states: Mapping[datetime, HourState]
) -> dict[datetime, HourState]:
    """Return the state of loaded hours that the checks report as lost.

    A report holds until the next evaluation of the checks, with which each load ends.
    """
    lost = [hour for hour in lost_hours(instance) if states.get(hour) is HourState.DONE]
    if not lost:
        return {}
    loading = count_covering(active_runs(instance), RAW_EVENTS)
    return dict.fromkeys(lost, HourState.UNDER_WAY if loading else HourState.MISSING)


def _from_the_end_of_the_tables(
    instance: DagsterInstance,
    partitions: PartitionsDefinition[str],
    window: HourRange,
    start: datetime,
) -> HourRange:
    """Extend the window back to the newest finished hour; return it unchanged if there is none."""
    older = _states(instance, partitions, HourRange(start, window.first - HOUR))
    done = [hour for hour, state in older.items() if state is HourState.DONE]
    return HourRange(max(done) + HOUR, window.last) if done else window


def _nothing_to_ask_for(states: dict[datetime, HourState]) -> str:
    counts = {state: list(states.values()).count(state) for state in HourState}
    waiting = counts[HourState.MISSING] + counts[HourState.FAILED]
    return (
        f"Of {len(states):,} hours, {counts[HourState.DONE]:,} are done, "
        f"{counts[HourState.UNDER_WAY]:,} are being loaded, and {waiting:,} wait for a retry."
    )


def _finished_hours(instance: DagsterInstance, run: DagsterRun, stage: AssetKey) -> set[datetime]:
    logs = instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
    events = (entry.dagster_event for entry in logs)
    return {
        hour_of_partition(event.partition)
        for event in events
        if event is not None and event.asset_key == stage and event.partition
    }


def _state_of_gold(instance: DagsterInstance, verdict: Follows) -> str | None:
    """Return why the models are not built now, and the uploads in gold; None if they are built."""
    if verdict is Follows.NOW:
        return None
    return " ".join([verdict.value, *gold_state(instance)])


def _models_request(hours: Collection[datetime]) -> RunRequest:
    """Return the request for the models; its tag shows the span of hours that are new to them."""
    tags = {"dagster/priority": str(MODELS_PRIORITY)}
    return RunRequest(tags=tags | (shown_hours(HourRange(min(hours), max(hours))) if hours else {}))
