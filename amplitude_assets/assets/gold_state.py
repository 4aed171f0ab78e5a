"""The uploads that gold holds, as the report records them after each build of the models."""

from datetime import datetime

from dagster import DagsterInstance

from amplitude_assets.assets.keys import OVERVIEW_REPORT
from amplitude_assets.wording import moment

_UNTIL = "gold_holds_uploads_until"


def holds_until(until: datetime | None) -> dict[str, str]:
    """Return the report's metadata for uploads before an aware time; none before the first load."""
    return {_UNTIL: moment(until)} if until else {}


def gold_state(instance: DagsterInstance) -> list[str]:
    """Return the sentence that says which uploads gold holds; none before the first build.

    It is read from Dagster's newest record of the report, so it opens no warehouse.
    """
    event = instance.get_latest_materialization_event(OVERVIEW_REPORT)
    record = event.asset_materialization if event else None
    until = record.metadata.get(_UNTIL) if record else None
    return [f"Gold holds uploads until {until.value}."] if until else []
