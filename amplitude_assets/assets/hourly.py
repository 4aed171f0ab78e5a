"""Shared code of the hourly assets: their hours, partial success, one materialization an hour."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypedDict, TypeVar, cast

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    RetryPolicy,
)

from amplitude_assets.assets.descriptions import OWNERS, tags
from amplitude_assets.assets.failed_hours import reasons_of
from amplitude_assets.assets.interrupted import no_retry_when_interrupted
from amplitude_assets.config import Settings
from amplitude_assets.hours import (
    format_hour,
    hour_of_partition,
    partition_of_hour,
)
from amplitude_assets.lake.acceptance import ACCEPT_AT_ONCE
from amplitude_assets.lake.store import LakeError
from amplitude_assets.progress import ProgressSink, StepProgress

Metadata = Mapping[str, MetadataValue | int | float | str]

Step = TypeVar("Step", bound=Callable[..., object])

# A failed step's metadata: its hours, each with its reason.
FAILED_HOURS = "failed_hours"
# A run with this tag set to `true` accepts answers with fewer events at once.
ACCEPT_FEWER = "amplitude/accept_fewer"

# Metadata of an hour: whether the lake or bronze already has a newer delivery than the run's.
SUPERSEDED = "superseded"


class HourlyArguments(TypedDict):
    """The arguments of `@asset` that all hourly assets share."""

    partitions_def: PartitionsDefinition[str]
    backfill_policy: BackfillPolicy
    retry_policy: RetryPolicy
    owners: Sequence[str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class HourlyRules:
    """Partitions and policies of all hourly assets, so that a backfill runs them together."""

    partitions: PartitionsDefinition[str]
    backfill: BackfillPolicy
    retry: RetryPolicy

    def arguments(self) -> HourlyArguments:
        """Return the rules as arguments of `@asset`."""
        return {
            "partitions_def": self.partitions,
            "backfill_policy": self.backfill,
            "retry_policy": self.retry,
            "owners": OWNERS,
            "tags": tags("hourly", personal_data=True),
        }


def no_retry_on_permanent_errors(step: Step) -> Step:
    """Fail without retry on interrupts and on permanent lake errors."""

    @wraps(step)
    def wrapped(context: AssetExecutionContext, *args: Any, **named: Any) -> Any:
        try:
            with no_retry_when_interrupted(context):
                return step(context, *args, **named)
        except LakeError as error:
            raise Failure(str(error), allow_retries=error.retryable) from None

    return cast(Step, wrapped)


def hours_of(context: AssetExecutionContext) -> list[datetime]:
    """Return the hours of the run: one, or a range."""
    return [hour_of_partition(key) for key in context.partition_keys]


def attempt_of(context: AssetExecutionContext) -> str:
    """Return an id that a run shares with its retries, which request only what is missing."""
    return context.run.root_run_id or context.run.run_id


def confirm_after(context: AssetExecutionContext, settings: Settings) -> timedelta:
    """Return after how long a repeated answer with fewer events is accepted."""
    if context.run.tags.get(ACCEPT_FEWER, "").lower() == "true":
        return ACCEPT_AT_ONCE
    return timedelta(hours=settings.amplitude_shrink_confirm_hours)


def step_progress(
    context: AssetExecutionContext, sink: ProgressSink, hours: int, *, units: str = ""
) -> StepProgress:
    """Return the counter of a step's hours; with `units`, it reports a rate of what they hold."""
    step = context.asset_key.to_user_string()
    return StepProgress(sink, step, hours, units=units)


@dataclass
class HourlyOutcome:
    """The finished hours of one step with their metadata, and the failed ones.

    Each hour's metadata gets `seconds`, the time of the step divided by its hours.
    """

    context: AssetExecutionContext
    done: dict[datetime, Metadata] = field(default_factory=dict)
    failed: dict[datetime, str] = field(default_factory=dict)
    retryable: bool = True
    _began: float = field(default_factory=time.monotonic)

    def fail(self, hours: Iterable[datetime], reason: str, *, retryable: bool = True) -> None:
        """Record that hours failed, and whether a retry of the step can help."""
        self.failed.update(dict.fromkeys(hours, reason))
        self.retryable = self.retryable and retryable

    def result(self) -> MaterializeResult[None]:
        """Materialize the finished hours; raise Failure with the reason of each failed hour."""
        hours = max(len(self.done) + len(self.failed), 1)
        seconds = {"seconds": round((time.monotonic() - self._began) / hours, 3)}
        if not self.failed:
            for hour, metadata in self.done.items():
                self.context.add_asset_metadata(
                    {**metadata, **seconds}, partition_key=partition_of_hour(hour)
                )
            return MaterializeResult()
        # Failure drops the step's own events, so the finished hours are logged one by one.
        for hour, metadata in sorted(self.done.items()):
            if hour not in self.failed:
                self.context.log_event(
                    AssetMaterialization(
                        asset_key=self.context.asset_key,
                        partition=partition_of_hour(hour),
                        metadata={**metadata, **seconds},
                    )
                )
        raise Failure(
            description=f"{len(self.failed)} of {len(self.failed) + len(self.done)} hours failed: "
            + "; ".join(reasons_of(self.failed)),
            metadata={
                FAILED_HOURS: {
                    format_hour(hour): reason for hour, reason in sorted(self.failed.items())
                }
            },
            allow_retries=self.retryable,
        )
