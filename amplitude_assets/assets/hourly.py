"""What the hourly assets share: hours in, one materialisation an hour out, and partial success."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, TypedDict, TypeVar, cast

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    BackfillPolicy,
    DagsterExecutionInterruptedError,
    Failure,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    RetryPolicy,
)

from amplitude_assets.assets.about import OWNERS, tags
from amplitude_assets.hours import (
    contiguous_ranges,
    format_hour,
    hour_of_partition,
    partition_of_hour,
)
from amplitude_assets.lake.store import LakeError
from amplitude_assets.progress import ProgressSink, StepProgress

Metadata = Mapping[str, MetadataValue | int | float | str]

Step = TypeVar("Step", bound=Callable[..., object])

_SHOWN_ERRORS = 20


class HourlyArguments(TypedDict):
    """The arguments of `@asset` that all hourly assets share."""

    partitions_def: PartitionsDefinition[str]
    backfill_policy: BackfillPolicy
    retry_policy: RetryPolicy
    owners: Sequence[str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class HourlyRules:
    """What every hourly asset is given alike, so that a backfill runs all four together."""

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


def ended_where_no_retry_helps(step: Step) -> Step:
    """Have an interrupt, or a lake that somebody has to mend first, end a step for good.

    With a retry policy, Dagster begins a step again that was interrupted: the run that somebody
    has terminated in the UI, or with Ctrl-C, would go on.
    """

    @wraps(step)
    def wrapped(*args: Any, **named: Any) -> Any:
        try:
            return step(*args, **named)
        except DagsterExecutionInterruptedError as interrupt:
            raise Failure("interrupted", allow_retries=False) from interrupt
        except LakeError as error:
            raise Failure(str(error), allow_retries=error.retryable) from None

    return cast(Step, wrapped)


def hours_of(context: AssetExecutionContext) -> list[datetime]:
    """Return the hours that a run asks of an asset: one, or a range."""
    return [hour_of_partition(key) for key in context.partition_keys]


def attempt_of(context: AssetExecutionContext) -> str:
    """Return an id that a run shares with its retries, so that they ask for what is missing."""
    return context.run.root_run_id or context.run.run_id


def step_progress(
    context: AssetExecutionContext, sink: ProgressSink, hours: int, *, units: str
) -> StepProgress:
    """Return the counter of a step's hours."""
    step = context.asset_key.to_user_string()
    return StepProgress(sink, step, hours, units=units)


@dataclass
class HourlyOutcome:
    """The hours of one step that are done, with their figures, and those that failed.

    Each hour's figures get `seconds`, an hour's part of the time from here to the step's end.
    """

    context: AssetExecutionContext
    done: dict[datetime, Metadata] = field(default_factory=dict)
    failed: dict[datetime, str] = field(default_factory=dict)
    retryable: bool = True
    _began: float = field(default_factory=time.monotonic)

    def fail(self, hours: Iterable[datetime], reason: str, *, retryable: bool = True) -> None:
        """Record that hours failed, and whether trying the step again could help."""
        self.failed.update(dict.fromkeys(hours, reason))
        self.retryable = self.retryable and retryable

    def result(self) -> MaterializeResult[None]:
        """End the step: every hour is materialised, or the finished ones are and it fails.

        Raises Failure that names each hour that is missing and why.
        """
        hours = max(len(self.done) + len(self.failed), 1)
        seconds = {"seconds": round((time.monotonic() - self._began) / hours, 3)}
        if not self.failed:
            for hour, metadata in self.done.items():
                self.context.add_asset_metadata(
                    {**metadata, **seconds}, partition_key=partition_of_hour(hour)
                )
            return MaterializeResult()
        # An exception drops the step's own events, so the finished hours are told one by one.
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
            + "; ".join(_in_words(self.failed)),
            metadata={"failed_hours": [format_hour(hour) for hour in sorted(self.failed)]},
            allow_retries=self.retryable,
        )


def _in_words(failed: Mapping[datetime, str]) -> list[str]:
    """Say each reason once, with the range of hours that it holds for."""
    hours_by_reason: dict[str, list[datetime]] = {}
    for hour, reason in sorted(failed.items()):
        hours_by_reason.setdefault(reason, []).append(hour)
    lines = [
        f"{', '.join(str(part) for part in contiguous_ranges(hours))}: {reason}"
        for reason, hours in hours_by_reason.items()
    ]
    if len(lines) > _SHOWN_ERRORS:
        return [*lines[:_SHOWN_ERRORS], f"and {len(lines) - _SHOWN_ERRORS} more"]
    return lines
