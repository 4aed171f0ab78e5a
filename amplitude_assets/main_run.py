"""The main job in this process: every asset for some hours, through Dagster's own machinery.

Its runs and materialisations are in the instance, so Dagster's UI shows them. Hours go through
the four hourly assets in runs of many hours; when one hour fails, the others are taken on from
where they are. The models and the report follow once, over all that is new.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    JobDefinition,
)

from amplitude_assets.automation.requests import range_tags
from amplitude_assets.automation.runs import STAGES, reason_of, reason_of_run
from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.hours import (
    HourRange,
    contiguous_ranges,
    hour_of_partition,
)
from amplitude_assets.interrupts import noting_interrupts
from amplitude_assets.processes import presence
from amplitude_assets.progress import ProgressSink
from amplitude_assets.resources import progress_resource

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_MATERIALISED = DagsterEventType.ASSET_MATERIALIZATION


@dataclass
class MainRunOutcome:
    """What came of the hours asked for. `reasons` say what failed, in the words of the steps."""

    asked: HourRange
    loaded: set[datetime] = field(default_factory=set)
    models_built: bool = False
    reasons: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[HourRange]:
        """Return the hours that did not reach bronze."""
        return contiguous_ranges(set(self.asked) - self.loaded)

    @property
    def succeeded(self) -> bool:
        """Say whether every hour is materialised and every blocking check passed."""
        return not self.missing and not self.reasons


def run_main_job(
    settings: Settings, instance: DagsterInstance, hours: HourRange, progress: ProgressSink
) -> MainRunOutcome:
    """Materialise every asset for `hours`, and return what came of it.

    Steps tell `progress` and Dagster's log how far they are. A step's failure is not raised: it is
    in the outcome. Raises KeyboardInterrupt when the process was interrupted.
    """
    graph = build_definitions(settings, progress=progress_resource(progress))
    with noting_interrupts() as interrupted, presence(settings.dagster_home_path) as tags:
        run = MainRun(
            graph, instance, settings.run_hours, hours, tags=tags, interrupted=interrupted
        )
        run.load_hours()
        run.build_models()
    return run.outcome


def build_models(
    settings: Settings, instance: DagsterInstance, progress: ProgressSink
) -> list[str]:
    """Build the models and the report over what is in bronze; return what failed, in words.

    Raises KeyboardInterrupt when the process was interrupted.
    """
    graph = build_definitions(settings, progress=progress_resource(progress))
    models_job = graph.resolve_job_def("models_job")
    with noting_interrupts() as interrupted, presence(settings.dagster_home_path) as tags:
        result = models_job.execute_in_process(
            run_config=_QUIET, instance=instance, tags=tags, raise_on_error=False
        )
        if interrupted():
            raise KeyboardInterrupt
    return _reasons(result)


class MainRun:
    """One run of the main job over a graph, in two halves: the hours, and then the models."""

    def __init__(
        self,
        graph: Definitions,
        instance: DagsterInstance,
        run_hours: int,
        asked: HourRange,
        *,
        tags: Mapping[str, str] | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Be ready to run `asked`, at most `run_hours` of them at a time.

        `tags` are put on each of Dagster's runs; none is begun once the process is `interrupted`.
        """
        self._graph = graph
        self._hours_job = graph.resolve_job_def("hours_job")
        self._instance = instance
        self._run_hours = run_hours
        self._tags = tags or {}
        self._interrupted = interrupted
        self.outcome = MainRunOutcome(asked)

    def load_hours(self) -> None:
        """Take the hours to bronze."""
        self._advance(self.outcome.asked, place=0)

    def build_models(self) -> None:
        """Build the models and the report, if any hour has reached bronze."""
        if self.outcome.loaded:
            models_job = self._graph.resolve_job_def("models_job")
            self.outcome.models_built = self._execute(models_job, tags={}).success

    def _advance(self, hours: Iterable[datetime], place: int) -> None:
        """Take hours through the stages from `place` on.

        A step that fails for one hour ends its run for all of them, so the hours that it did
        finish are taken on from the stage after it.
        """
        for part in contiguous_ranges(hours, longest=self._run_hours):
            result = self._execute(self._hours_job, range_tags(part), STAGES[place:])
            done = self._materialised(result.run_id)
            self.outcome.loaded |= done.get(STAGES[-1], set())
            for stopped_at in range(place, len(STAGES) - 1):
                finished = done.get(STAGES[stopped_at], set())
                if finished != set(part):
                    self._advance(finished, stopped_at + 1)
                    break

    def _execute(
        self, job: JobDefinition, tags: dict[str, str], assets: tuple[AssetKey, ...] | None = None
    ) -> ExecuteInProcessResult:
        """Run a job here and note what failed in it. Raises KeyboardInterrupt."""
        result = job.execute_in_process(
            run_config=_QUIET,
            instance=self._instance,
            asset_selection=assets,
            tags={**tags, **self._tags},
            raise_on_error=False,
        )
        if self._interrupted():
            raise KeyboardInterrupt
        self.outcome.reasons += _reasons(result)
        return result

    def _materialised(self, run_id: str) -> dict[AssetKey, set[datetime]]:
        """Return what a run has materialised, from the instance: a failed step tells only it."""
        done: dict[AssetKey, set[datetime]] = {}
        for entry in self._instance.all_logs(run_id, of_type=_MATERIALISED):
            event = entry.get_dagster_event()
            if event.asset_key and event.partition:
                done.setdefault(event.asset_key, set()).add(hour_of_partition(event.partition))
        return done


def _reasons(result: ExecuteInProcessResult) -> list[str]:
    """Say what failed in a run: each step in its own words, and each check that did not pass."""
    if result.success:
        return []
    said = [
        f"{check.asset_key.to_user_string()}: the check {check.check_name} failed. "
        f"{check.description or ''}".rstrip()
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]
    said += [reason_of(event) for event in result.all_events if event.is_step_failure]
    return said or [reason_of_run(event) for event in result.all_events if event.is_job_failure]
