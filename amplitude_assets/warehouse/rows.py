"""Rows and parameters for the warehouse's SQL scripts; the tables hold UTC without a zone."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from amplitude_assets.hours import HourRange
from amplitude_assets.lake.manifest import Manifest


def hour_rows(batch: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Return the batch's rows of `incoming_hours`. Times are naive, in UTC."""
    return [hour_row(manifest) for manifest in batch]


def hour_row(manifest: Manifest) -> dict[str, Any]:
    """Return an hour's row of `incoming_hours`. Times are naive, in UTC."""
    pending = manifest.pending
    same = {"status", "bytes", "lines", "rejected_lines", "digest", "is_confirmed"}
    return {
        **manifest.model_dump(include=same),
        "objects": len(manifest.objects),
        "export_hour": naive(manifest.export_hour),
        "fetched_at": naive(manifest.fetched_at),
        "events": manifest.events,
        "events_in_question": manifest.events_in_question or None,
        "in_question_since": naive(pending.seen_since) if pending else None,
    }


def quoted(digests: Iterable[str]) -> str:
    """Return hexadecimal digests as a SQL list of literals, without parentheses."""
    return ", ".join(f"'{int(digest, 16):064x}'" for digest in sorted(digests))


def range_parameters(project_id: int, hours: HourRange) -> dict[str, object]:
    """Return the parameters of a script over a range of hours."""
    return {
        "project_id": project_id,
        "first_hour": naive(hours.first),
        "last_hour": naive(hours.last),
    }


def naive(moment: datetime) -> datetime:
    """Convert an aware time to a naive one in UTC, as stored in the tables."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def utc(moment: datetime) -> datetime:
    """Convert a naive time from a table to an aware one in UTC."""
    return moment.replace(tzinfo=UTC)


def aware(value: Any) -> Any:
    """Convert a value from a row to an aware time in UTC if it is a time."""
    return utc(value) if isinstance(value, datetime) else value
