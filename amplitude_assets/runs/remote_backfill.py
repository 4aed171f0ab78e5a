"""Queue a backfill through the GraphQL API of a running Dagster, and follow it.

Dagster's daemon executes it in runs of `RUN_HOURS`. This module needs neither the instance's
storage nor its code location, so it may run on another machine.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from dagster import AssetKey

from amplitude_assets.assets.keys import HOURLY_ASSETS
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
    """The progress of a backfill, in hours of bronze. `status` is Dagster's."""

    status: str
    requested: int
    done: int
    failed: int
    error: str | None

    @property
    def has_ended(self) -> bool:
        """Return whether the backfill has ended."""
        return self.status.startswith(("COMPLETED", "FAILED", "CANCELED"))

    @property
    def succeeded(self) -> bool:
        """Return whether every requested hour is in bronze."""
        return self.status == "COMPLETED_SUCCESS"


class RunningDagster:
    """A Dagster web server, at `DAGSTER_URL`.

    Its requests raise SettingsError when the server cannot be reached or reports an error.
    """

    def __init__(self, settings: Settings) -> None:
        """Prepare requests to `DAGSTER_URL`; nothing is sent yet."""
        self._url = settings.dagster_url

    def done_hours(self) -> set[datetime]:
        """Return the hours that are in bronze and whose last attempt did not fail."""
        node = self._query(_DONE_HOURS, asset=_key(_LAST_ASSET))["assetNodeOrError"]
        statuses = node.get("assetPartitionStatuses")
        if statuses is None:
            raise SettingsError(
                f"DAGSTER_URL: Dagster at {self._url} has not loaded this code location"
            )
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
        answer = self._query(
            _LAUNCH,
            parameters={
                "assetSelection": [_key(asset) for asset in HOURLY_ASSETS],
                "partitionNames": [partition_of_hour(hour) for hour in hours],
                "title": title,
                "tags": [{"key": "dagster/priority", "value": str(BACKFILL_PRIORITY)}],
            },
        )["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise SettingsError(
                f"Dagster at {self._url} refused the backfill: {answer.get('message')}"
            )
        return str(answer["backfillId"])

    def state_of(self, backfill: str) -> BackfillState:
        """Return the state of a backfill."""
        answer = self._query(_STATUS, id=backfill)["partitionBackfillOrError"]
        if "status" not in answer:
            raise SettingsError(
                f"Dagster at {self._url} has no backfill {backfill}: {answer.get('message')}"
            )
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
            requested=counts.get("numPartitionsTargeted", 0),
            done=counts.get("numPartitionsMaterialized", 0),
            failed=counts.get("numPartitionsFailed", 0),
            error=answer["error"]["message"] if answer["error"] else None,
        )

    def link_to(self, backfill: str) -> str:
        """Return the page of a backfill in Dagster's UI."""
        return f"{self._url}/runs/b/{backfill}"

    def _query(self, query: str, **variables: Any) -> dict[str, Any]:
        try:
            response = requests.post(
                f"{self._url}/graphql",
                json={"query": query, "variables": variables},
                timeout=_TIMEOUT_SECONDS,
            )
            answer: dict[str, Any] = response.json()
        except requests.RequestException:
            raise SettingsError(
                f"DAGSTER_URL: cannot reach Dagster at {self._url}; start it, for example with "
                "make dev, or correct DAGSTER_URL"
            ) from None
        if answer.get("errors"):
            raise SettingsError(f"Dagster at {self._url} reports: {answer['errors'][0]['message']}")
        data: dict[str, Any] = answer["data"]
        return data


def follow(
    dagster: RunningDagster,
    backfill: str,
    progress: ProgressSink,
    sleep: Callable[[float], None] = time.sleep,
) -> BackfillState:
    """Report to `progress` until a backfill has ended, and return its final state."""
    began = time.monotonic()
    reported = -1
    while True:
        state = dagster.state_of(backfill)
        settled = state.done + state.failed
        if state.requested and settled != reported:
            reported = settled
            progress(_progress(state, time.monotonic() - began))
        if state.has_ended:
            return state
        sleep(_POLL_SECONDS)


def missing_hours(dagster: RunningDagster, hours: HourRange) -> Iterator[datetime]:
    """Yield the hours of a range that are not in bronze, or whose last attempt failed."""
    done = dagster.done_hours()
    return (hour for hour in hours if hour not in done)


def _progress(state: BackfillState, seconds: float) -> Progress:
    return Progress("backfill", state.done + state.failed, state.requested, "hours", 0, "", seconds)


def _key(asset: AssetKey) -> dict[str, list[str]]:
    return {"path": list(asset.path)}
