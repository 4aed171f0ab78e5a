"""Run the main job in this process: every asset for some hours.

Runs and materialisations are recorded in the instance, so Dagster's UI shows them. The four hourly
assets run over many hours at a time; when one hour fails, the other hours continue with the next
asset. The models and the report run once, after all hours.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from dagster import (
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
)
from sqlalchemy.exc import SQLAlchemyError

from amplitude_assets.assets.failed_hours import reasons_of
from amplitude_assets.assets.hourly import ACCEPT_FEWER, FAILED_HOURS, SUPERSEDED
from amplitude_assets.assets.keys import HOURLY_ASSETS, RAW_EVENTS
from amplitude_assets.automation.jobs import MAIN_JOB, MODELS_JOB
from amplitude_assets.automation.maintenance import clear_history
from amplitude_assets.automation.requests import range_tags, shown_hours
from amplitude_assets.automation.runs import reason_of, reason_of_run, step_and_reason_of
from amplitude_assets.config import Settings
from amplitude_assets.dbt.project import full_refresh
from amplitude_assets.definitions import build_definitions
from amplitude_assets.hours import (
    HourRange,
    contiguous_ranges,
    hour_of_partition,
    parse_hour,
    utc_now,
)
from amplitude_assets.instance.located import RunResult, execute_located
from amplitude_assets.instance.presence import cancel_runs, presence
from amplitude_assets.progress import ProgressSink, WholeCommand
from amplitude_assets.resources import progress_resource
from amplitude_assets.runs.interrupts import watch_interrupts

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_MATERIALISED = DagsterEventType.ASSET_MATERIALIZATION


@dataclass
class MainRunOutcome:
    """The outcome of the requested hours.

    `failed` maps each step to its failed hours with their reasons; `other_failures` do not belong
    to an hour. For the `superseded` hours, another run has loaded a newer delivery, which is kept.
    """

    requested: Collection[datetime]
    loaded: set[datetime] = field(default_factory=set)
    models_built: bool = False
    failed: dict[str, dict[datetime, str]] = field(default_factory=dict)
    other_failures: list[str] = field(default_factory=list)
    superseded: set[datetime] = field(default_factory=set)

    @property
    def reasons(self) -> list[str]:
        """Return a line for each reason of failure in all runs, with its hours."""
        lines = [
            f"{step}: {line}" for step, hours in self.failed.items() for line in reasons_of(hours)
        ]
        return [*lines, *dict.fromkeys(self.other_failures)]

    @property
    def missing(self) -> list[HourRange]:
        """Return the hours that did not reach bronze."""
        return contiguous_ranges(set(self.requested) - self.loaded)

    @property
    def succeeded(self) -> bool:
        """Return whether every hour is materialised and every blocking check passed."""
        return not self.missing and not self.reasons


def run_main_job(
    settings: Settings,
    instance: DagsterInstance,
    hours: HourRange,
    progress: ProgressSink,
    stopping: Callable[[], None] = lambda: None,
    *,
    accept_fewer: bool = False,
    models: bool = True,
) -> MainRunOutcome:
    """Materialise every asset for `hours`, and return the outcome.

    With `accept_fewer`, a delivery with fewer events replaces an hour at once. Without `models`,
    the models and the report stay as they are, whatever MODELS_EVERY_HOURS is. Steps report to
    `progress` and to Dagster's log. A failed step raises nothing; the outcome contains it. An
    interrupt calls `stopping` at once, from another thread; KeyboardInterrupt is raised when the
    current step has ended and its run is marked as canceled.
    """
    with _interruptible(settings, instance, stopping) as (tags, interrupted):
        parts = contiguous_ranges(hours, longest=settings.run_hours)
        whole = WholeCommand(
            progress, [asset.to_user_string() for asset in HOURLY_ASSETS], [*map(len, parts)]
        )
        graph = build_definitions(settings, progress=progress_resource(whole))
        run = MainRun(
            graph,
            instance,
            settings.run_hours,
            hours,
            tags={**tags, **({ACCEPT_FEWER: "true"} if accept_fewer else {})},
            interrupted=interrupted,
            on_run_ended=whole.end_run,
        )
        run.load_hours()
        if models:
            run.build_models()
    try:
        clear_history(settings, instance, utc_now())
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        # The hours are loaded, and the next run retries the deletion.
        logging.getLogger(__name__).warning(
            "cannot delete runs older than RETENTION_DAYS: %s", error
        )
    return run.outcome


def run_from_lake(
    settings: Settings,
    instance: DagsterInstance,
    hours: Collection[datetime],
    progress: ProgressSink,
) -> MainRunOutcome:
    """Load these hours from the lake, rebuild every model, and return the outcome.

    Raises KeyboardInterrupt when the process was interrupted.
    """
    with _interruptible(settings, instance) as (tags, interrupted), full_refresh():
        parts = contiguous_ranges(hours, longest=settings.run_hours)
        whole = WholeCommand(progress, [RAW_EVENTS.to_user_string()], [*map(len, parts)])
        graph = build_definitions(settings, progress=progress_resource(whole))
        run = MainRun(
            graph,
            instance,
            settings.run_hours,
            hours,
            tags=tags,
            interrupted=interrupted,
            on_run_ended=whole.end_run,
        )
        run.load_from_lake()
        run.build_models()
    return run.outcome


def build_models(
    settings: Settings, instance: DagsterInstance, progress: ProgressSink
) -> list[str]:
    """Build the models and the report from bronze; return a line for each failure.

    Raises KeyboardInterrupt when the process was interrupted.
    """
    with _interruptible(settings, instance) as (tags, interrupted):
        graph = build_definitions(settings, progress=progress_resource(progress))
        models_job = graph.resolve_job_def(MODELS_JOB)
        result = execute_located(models_job, instance, tags=tags, run_config=_QUIET)
        _raise_if_interrupted(interrupted, instance, result)
    return _reasons(result)


@contextmanager
def _interruptible(
    settings: Settings, instance: DagsterInstance, stopping: Callable[[], None] = lambda: None
) -> Iterator[tuple[Mapping[str, str], Callable[[], bool]]]:
    """Yield the tags for this process's runs, and a function that returns whether to stop.

    When the block is interrupted, its unfinished runs are canceled in the instance.
    """
    with presence(settings.dagster_home_path) as tags:

        def cancel() -> None:
            cancel_runs(instance, tags)

        try:
            with watch_interrupts(stopping, cancel) as interrupted:
                yield tags, interrupted
        except KeyboardInterrupt:
            cancel()
            raise


def _raise_if_interrupted(
    interrupted: Callable[[], bool], instance: DagsterInstance, result: RunResult
) -> None:
    """Raise KeyboardInterrupt if the process was interrupted, and mark its run as canceled.

    Dagster records an interrupt between two steps as a failure of the run.
    """
    if interrupted():
        run = instance.get_run_by_id(result.run_id)
        if run is not None and run.status is DagsterRunStatus.FAILURE:
            instance.report_run_canceled(run)
        raise KeyboardInterrupt


class MainRun:
    """Executes the main job of a graph in two parts: first the hours, then the models."""

    def __init__(
        self,
        graph: Definitions,
        instance: DagsterInstance,
        run_hours: int,
        requested: Collection[datetime],
        *,
        tags: Mapping[str, str] | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        on_run_ended: Callable[[int], None] = lambda _failed: None,
    ) -> None:
        """Prepare to run the hours `requested`, at most `run_hours` at a time.

        `tags` are added to each run of Dagster; no run starts once `interrupted` returns true.
        `on_run_ended` is called when `run_hours` hours, or the rest, have ended, with the number of
        failed hours.
        """
        self._on_run_ended = on_run_ended
        self._main_job = graph.resolve_job_def(MAIN_JOB)
        self._instance = instance
        self._run_hours = run_hours
        self._tags = tags or {}
        self._interrupted = interrupted
        self.outcome = MainRunOutcome(requested)

    def load_hours(self) -> None:
        """Load the hours into bronze."""
        for part in contiguous_ranges(self.outcome.requested, longest=self._run_hours):
            self._advance(part, place=0)
            self._on_run_ended(len(set(part) - self.outcome.loaded))

    def load_from_lake(self) -> None:
        """Load the hours into bronze from the lake, without requests to Amplitude."""
        for part in contiguous_ranges(self.outcome.requested, longest=self._run_hours):
            self._advance(part, place=len(HOURLY_ASSETS) - 1)
            self._on_run_ended(len(set(part) - self.outcome.loaded))

    def build_models(self) -> None:
        """Build the models and the report, if any hour has reached bronze."""
        if self.outcome.loaded:
            everything = set(self._main_job.asset_layer.executable_asset_keys)
            models = sorted(everything - set(HOURLY_ASSETS))
            requested = HourRange(min(self.outcome.requested), max(self.outcome.requested))
            result = self._execute(shown_hours(requested), models)
            self.outcome.models_built = result.success
            self.outcome.other_failures += _reasons(result)

    def _advance(self, hours: Iterable[datetime], place: int) -> None:
        """Run hours through the stages from index `place` on.

        A step that fails for one hour ends its run for all of them. The hours that it did finish
        continue with the next stage in another run.
        """
        for part in contiguous_ranges(hours, longest=self._run_hours):
            result = self._execute(range_tags(part), HOURLY_ASSETS[place:])
            self._record_failures(result, part)
            done = self._materialised(result.run_id)
            self.outcome.loaded |= done.get(HOURLY_ASSETS[-1], set())
            for stopped_at in range(place, len(HOURLY_ASSETS) - 1):
                finished = done.get(HOURLY_ASSETS[stopped_at], set())
                if finished != set(part):
                    self._advance(finished, stopped_at + 1)
                    break

    def _execute(self, tags: Mapping[str, str], assets: Sequence[AssetKey]) -> RunResult:
        """Run some assets of the main job. Raises KeyboardInterrupt."""
        result = execute_located(
            self._main_job,
            self._instance,
            tags={**tags, **self._tags},
            run_config=_QUIET,
            assets=assets,
        )
        _raise_if_interrupted(self._interrupted, self._instance, result)
        return result

    def _record_failures(self, result: RunResult, hours: HourRange) -> None:
        """Record why hours failed. A step that names no hours failed for all hours of its run."""
        steps = [event for event in result.all_events if event.is_step_failure]
        for event in steps:
            step, reason = step_and_reason_of(event)
            failed = self.outcome.failed.setdefault(step, {})
            failed.update(_failed_hours(event) or dict.fromkeys(hours, reason))
        self.outcome.other_failures += _failed_checks(result) if steps else _reasons(result)

    def _materialised(self, run_id: str) -> dict[AssetKey, set[datetime]]:
        """Return a run's hours by asset, from the instance: a failed step returns no results."""
        done: dict[AssetKey, set[datetime]] = {}
        for entry in self._instance.all_logs(run_id, of_type=_MATERIALISED):
            event = entry.get_dagster_event()
            if event.asset_key and event.partition:
                hour = hour_of_partition(event.partition)
                done.setdefault(event.asset_key, set()).add(hour)
                metadata = event.step_materialization_data.materialization.metadata
                superseded = metadata.get(SUPERSEDED)
                if superseded is not None and superseded.value is True:
                    self.outcome.superseded.add(hour)
        return done


def _reasons(result: RunResult) -> list[str]:
    """Return a line for each failed check and step of a run, or else for the run itself."""
    if result.success:
        return []
    lines = _failed_checks(result)
    lines += [reason_of(event) for event in result.all_events if event.is_step_failure]
    return lines or [reason_of_run(event) for event in result.all_events if event.is_job_failure]


def _failed_checks(result: RunResult) -> list[str]:
    if result.success:
        return []
    return [
        f"{check.asset_key.to_user_string()}: the check {check.check_name} failed. "
        f"{check.description or ''}".rstrip()
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]


def _failed_hours(event: DagsterEvent) -> dict[datetime, str]:
    """Return the hours that a failed step names, each with its reason."""
    failure = event.step_failure_data.user_failure_data
    named = failure.metadata.get(FAILED_HOURS) if failure else None
    hours = cast(Mapping[str, str], named.value) if named else {}
    return {parse_hour(hour): reason for hour, reason in hours.items()}
