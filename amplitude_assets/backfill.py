"""A backfill on a running instance: queued through the web server's GraphQL, and followed.

The daemon does the work, in runs of `RUN_HOURS`; this only asks and watches. It needs neither the
instance's storage nor its code, so it may be on another machine than Dagster.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from amplitude_assets.automation.jobs import HOURLY_ASSETS
from amplitude_assets.automation.requests import BACKFILL_PRIORITY
from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.hours import HourRange, hour_of_partition, partition_of_hour
from amplitude_assets.progress import Progress, ProgressSink

_TIMEOUT_SECONDS = 120
_POLL_SECONDS = 2.0
_LAST_ASSET = HOURLY_ASSETS[-1]

_DONE_HOURS = """
query($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetPartitionStatuses {
        ... on TimePartitionStatuses { ranges { status startKey endKey } }
      }
    }
    ... on AssetNotFoundError { message }
  }
}
"""
_LAUNCH = """
mutation($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    ... on LaunchBackfillSuccess { backfillId }
    ... on Error { message }
  }
}
"""
_STATUS = """
query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill {
      status
      error { message }
      assetBackfillData {
        assetBackfillStatuses {
          ... on AssetPartitionsStatusCounts {
            assetKey { path }
            numPartitionsTargeted
            numPartitionsMaterialized
            numPartitionsFailed
          }
        }
      }
    }
    ... on Error { message }
  }
}
"""


@dataclass(frozen=True)
class BackfillState:
    """How far a backfill is, in hours of bronze. `status` is Dagster's own word."""

    status: str
    asked: int
    done: int
    failed: int
    error: str | None

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is going to happen."""
        return self.status.startswith(("COMPLETED", "FAILED", "CANCELED"))

    @property
    def succeeded(self) -> bool:
        """Say whether every hour that was asked for is in bronze."""
        return self.status == "COMPLETED_SUCCESS"


class RunningDagster:
    """A Dagster web server, at `DAGSTER_URL`."""

    def __init__(self, settings: Settings) -> None:
        """Prepare to ask; nothing is sent yet."""
        self._url = settings.dagster_url

    def done_hours(self) -> set[datetime]:
        """Return the hours that are in bronze and whose last attempt did not fail."""
        node = self._ask(_DONE_HOURS, asset=_key(_LAST_ASSET))["assetNodeOrError"]
        statuses = node.get("assetPartitionStatuses")
        if statuses is None:
            raise SettingsError(f"DAGSTER_URL: {self._url} is a Dagster without this project")
        return {
            hour
            for part in statuses["ranges"]
            if part["status"] == "MATERIALIZED"
            for hour in HourRange(
                hour_of_partition(part["startKey"]), hour_of_partition(part["endKey"])
            )
        }

    def launch(self, hours: Iterable[datetime], title: str) -> str:
        """Queue a backfill of all hourly assets over these hours, and return its id."""
        answer = self._ask(
            _LAUNCH,
            parameters={
                "assetSelection": [_key(asset) for asset in HOURLY_ASSETS],
                "partitionNames": [partition_of_hour(hour) for hour in hours],
                "title": title,
                "tags": [{"key": "dagster/priority", "value": str(BACKFILL_PRIORITY)}],
            },
        )["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise SettingsError(f"Dagster did not take the backfill: {answer.get('message')}")
        return str(answer["backfillId"])

    def state_of(self, backfill: str) -> BackfillState:
        """Return how far a backfill is."""
        answer = self._ask(_STATUS, id=backfill)["partitionBackfillOrError"]
        if "status" not in answer:
            raise SettingsError(f"Dagster does not know {backfill}: {answer.get('message')}")
        data = answer["assetBackfillData"] or {"assetBackfillStatuses": []}
        counts: dict[str, Any] = next(
            (
                counts
                for counts in data["assetBackfillStatuses"]
                if counts.get("assetKey") == _key(_LAST_ASSET)
            ),
            {},
        )
        return BackfillState(
            status=answer["status"],
            asked=counts.get("numPartitionsTargeted", 0),
            done=counts.get("numPartitionsMaterialized", 0),
            failed=counts.get("numPartitionsFailed", 0),
            error=answer["error"]["message"] if answer["error"] else None,
        )

    def link_to(self, backfill: str) -> str:
        """Return the page of a backfill in Dagster's UI."""
        return f"{self._url}/runs/b/{backfill}"

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        try:
            response = requests.post(
                f"{self._url}/graphql",
                json={"query": query, "variables": variables},
                timeout=_TIMEOUT_SECONDS,
            )
            answer: dict[str, Any] = response.json()
        except requests.RequestException:
            raise SettingsError(
                f"DAGSTER_URL: no Dagster answers at {self._url}; start it, for instance with "
                "make dev, or set DAGSTER_URL to where it is"
            ) from None
        if answer.get("errors"):
            raise SettingsError(f"DAGSTER_URL: {self._url} says {answer['errors'][0]['message']}")
        data: dict[str, Any] = answer["data"]
        return data


def follow(
    dagster: RunningDagster,
    backfill: str,
    progress: ProgressSink,
    sleep: Callable[[float], None] = time.sleep,
) -> BackfillState:
    """Tell `progress` how far a backfill is until it is over, and return how it ended."""
    began = time.monotonic()
    told = -1
    while True:
        state = dagster.state_of(backfill)
        settled = state.done + state.failed
        if state.asked and settled != told:
            told = settled
            progress(_progress(state, time.monotonic() - began))
        if state.is_over:
            return state
        sleep(_POLL_SECONDS)


def missing_hours(dagster: RunningDagster, hours: HourRange) -> Iterator[datetime]:
    """Yield the hours of a range that are not in bronze, or whose last attempt failed."""
    done = dagster.done_hours()
    return (hour for hour in hours if hour not in done)


def _progress(state: BackfillState, seconds: float) -> Progress:
    return Progress("backfill", state.done + state.failed, state.asked, "hours", 0, "", seconds)


def _key(asset: str) -> dict[str, list[str]]:
    return {"path": asset.split("/")}
