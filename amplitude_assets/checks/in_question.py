"""Check for answers with fewer events than bronze has, and list hours to re-check."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.checks.hours_to_reload import to_recheck
from amplitude_assets.checks.ledger import ledger_ever, lookback, newest_exportable
from amplitude_assets.checks.wording import counted, named
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, Clock, format_hour
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.warehouse.base import LedgerRow, Warehouse

_SHOWN_HOURS = 20
_SHORTEST_WAIT = timedelta(days=1)


@asset_check(asset=RAW_EVENTS, name="no_hour_is_in_question", pool=WAREHOUSE_POOL)
def no_hour_is_in_question(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """No hour was answered with fewer events than bronze has.

    Such an hour keeps its events until the smaller answer is confirmed. The metadata lists the
    hours that the nightly re-check requests beyond its window: these and empty hours that are due.
    """
    ledger = ledger_ever(settings, warehouse, clock)
    recent = lookback(settings, newest_exportable(settings, clock))
    now = clock()
    in_question = {hour: row for hour, row in ledger.items() if row.events_in_question}
    empty = [
        hour
        for hour, row in ledger.items()
        if row.status == "empty" and hour not in recent and is_due(hour, row.fetched_at, now)
    ]
    events = sum(row.events_in_question for row in in_question.values())
    metadata: dict[str, int | MetadataValue] = {
        "hours_in_question": len(in_question),
        "events_in_question": events,
        **to_recheck([*in_question, *empty]),
    }
    if not in_question:
        return AssetCheckResult(
            passed=True,
            description="No hour was answered with fewer events than bronze has.",
            metadata=metadata,
        )
    return AssetCheckResult(
        passed=False,
        severity=AssetCheckSeverity.WARN,
        description=(
            f"Amplitude answered with {counted(events, 'event')} fewer than bronze has for "
            f"{counted(len(in_question), 'hour')}: {named(in_question)}. Their events are kept "
            f"until the same answer comes again {settings.amplitude_shrink_confirm_hours} hours "
            "after the first one. To accept it now: amplitude-assets run --from "
            f"{format_hour(min(in_question))} --to {format_hour(max(in_question))} --accept-fewer"
        ),
        metadata={**metadata, "in_question": MetadataValue.md(_table(in_question))},
    )


def is_due(hour: datetime, asked_at: datetime, now: datetime) -> bool:
    """Return whether an empty hour, last requested at `asked_at`, is due for a re-check.

    It is due when its age has doubled since then, and at least a day later: a few times in its
    first weeks, then at growing intervals without an end.
    """
    age = asked_at - (hour + HOUR)
    return now - asked_at >= max(age, _SHORTEST_WAIT)


def _table(in_question: Mapping[datetime, LedgerRow]) -> str:
    rows = [
        f"| {format_hour(hour)} | {row.lines - row.rejected_lines:,} | {row.events_in_question:,} "
        f"| {row.in_question_since:%Y-%m-%d %H:%M} |"
        for hour, row in [*in_question.items()][:_SHOWN_HOURS]
    ]
    head = ["| hour | events | fewer by | since (UTC) |", "| --- | --: | --: | --- |"]
    more = len(in_question) - len(rows)
    return "\n".join([*head, *rows, *([f"\nand {more:,} more hours"] if more > 0 else [])])


CHECKS: Sequence[AssetChecksDefinition] = (no_hour_is_in_question,)
