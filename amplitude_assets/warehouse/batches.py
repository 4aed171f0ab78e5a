"""Load changed hours in batches on any engine, and isolate the hours that fail."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from amplitude_assets.hours import HourRange, run_command
from amplitude_assets.lake.acceptance import Verdict, compare
from amplitude_assets.lake.manifest import Manifest, objects_of
from amplitude_assets.lake.store import LakeError
from amplitude_assets.warehouse.base import LoadError, LoadReport, OnLoaded, WarehouseError
from amplitude_assets.warehouse.rows import aware, hour_row, naive, utc

# Each repetition means that another load has committed meanwhile, which happens once or twice. If
# the ledger has two rows for an hour, one of which must not be replaced, it would never end.
_ATTEMPTS = 3


class HourDataError(Exception):
    """An hour's objects in the lake do not match its manifest."""


class LoadedMeanwhileError(Exception):
    """Another load has committed an hour of the batch since bronze was read; nothing changed."""


@dataclass(frozen=True)
class BatchLimits:
    """The maximum size of one transaction; a larger hour gets a transaction of its own."""

    lines: int
    objects: int


@dataclass(frozen=True)
class HeldHour:
    """An hour in bronze. Times are aware, in UTC. `is_whole` is false when rows are missing."""

    status: str
    digest: str
    events: int
    fetched_at: datetime
    is_whole: bool
    events_in_question: int
    in_question_since: datetime | None


@dataclass(frozen=True)
class BronzeHours:
    """An engine's operations on bronze.

    `held` reads the hours in bronze. `replace` replaces a batch in one transaction, and reports
    the lines that it has read; it raises LoadedMeanwhileError when an hour has changed since
    `held` and must not be replaced. `update_ledger` takes rows of `incoming_hours`.
    """

    held: Callable[[], Mapping[datetime, HeldHour]]
    replace: Callable[[Sequence[Manifest]], None]
    update_ledger: Callable[[Sequence[Mapping[str, Any]]], None]


def load_changed(
    manifests: Sequence[Manifest], bronze: BronzeHours, limits: BatchLimits, on_loaded: OnLoaded
) -> LoadReport:
    """Replace the hours that have changed and may be replaced (`lake/acceptance.py`), in batches.

    `on_loaded` is called with the number of finished hours. When a batch fails because of its
    objects (LakeError, HourDataError), or other loads overtake it `_ATTEMPTS` times, each of its
    hours is retried alone, so that only the bad hour fails. Any other error ends the load.
    """
    report = LoadReport()
    for batch in _batches(_changed(manifests, bronze, report, on_loaded), limits):
        _replace_batch(batch, bronze, report, on_loaded)
    return report


def _changed(
    manifests: Sequence[Manifest], bronze: BronzeHours, report: LoadReport, on_loaded: OnLoaded
) -> list[Manifest]:
    """Return the hours to replace; report the others, and update their ledger rows."""
    held_hours = bronze.held()
    changed, updates = [], []
    for manifest in manifests:
        held = held_hours.get(manifest.export_hour)
        verdict = compare(held, manifest)
        if held is None or verdict is Verdict.REPLACES:
            changed.append(manifest)
        elif verdict is Verdict.SAME and not held.is_whole:
            changed.append(_with_latest_fetch(held, manifest))
        else:
            if verdict is Verdict.SUPERSEDED:
                report.superseded.append(manifest.export_hour)
            else:
                report.unchanged.append(manifest.export_hour)
                updates += _ledger_updates(held, manifest, verdict)
            on_loaded(1, 0)  # no lines were read
    if updates:
        bronze.update_ledger(updates)
    return changed


def _with_latest_fetch(held: HeldHour, manifest: Manifest) -> Manifest:
    """Return the manifest with the later `fetched_at` of the two equal deliveries."""
    newest = max(held.fetched_at, manifest.fetched_at)
    return manifest.model_copy(update={"fetched_at": newest})


def _ledger_updates(held: HeldHour, manifest: Manifest, verdict: Verdict) -> list[dict[str, Any]]:
    """Return the changed ledger row of an hour that is not replaced; empty if nothing changed.

    A delivery with fewer events is the manifest's `pending`, or the manifest itself when the lake
    has no larger one.
    """
    row = hour_row(_with_latest_fetch(held, manifest))
    if verdict is Verdict.FEWER:
        row["fetched_at"] = naive(held.fetched_at)
        row["events_in_question"] = held.events - manifest.events
        row["in_question_since"] = naive(manifest.seen_since)
    known = (
        naive(held.fetched_at),
        held.events_in_question or None,
        naive(held.in_question_since) if held.in_question_since else None,
    )
    if known == (row["fetched_at"], row["events_in_question"], row["in_question_since"]):
        return []
    return [row]


def _replace_batch(
    batch: Sequence[Manifest],
    bronze: BronzeHours,
    report: LoadReport,
    on_loaded: OnLoaded,
    attempts: int = _ATTEMPTS,
) -> None:
    try:
        bronze.replace(batch)
    except LoadedMeanwhileError as error:
        left = _changed(batch, bronze, report, on_loaded)
        if left and attempts > 1:
            _replace_batch(left, bronze, report, on_loaded, attempts - 1)
        else:
            _isolate(left, error, bronze, report, on_loaded)
    except (LakeError, HourDataError) as error:
        _isolate(batch, error, bronze, report, on_loaded)
    else:
        report.replaced.extend(manifest.export_hour for manifest in batch)
        on_loaded(len(batch), 0)


def _isolate(
    batch: Sequence[Manifest],
    error: Exception,
    bronze: BronzeHours,
    report: LoadReport,
    on_loaded: OnLoaded,
) -> None:
    """Retry each hour of a failed batch alone; report the error of an hour that was alone."""
    if len(batch) == 1:
        retryable = not isinstance(error, LakeError) or error.retryable
        report.errors.append(LoadError(batch[0].export_hour, str(error), retryable=retryable))
        on_loaded(1, 0)
        return
    for manifest in batch:
        _replace_batch([manifest], bronze, report, on_loaded)


def held_hours(rows: Iterable[tuple[Any, ...]]) -> dict[datetime, HeldHour]:
    """Convert the rows of the script `held_hours` to hours of bronze, by hour."""
    return {utc(hour): HeldHour(*map(aware, values)) for hour, *values in rows}


def check_no_hours_left(rows: Iterable[tuple[datetime]]) -> None:
    """Raise LoadedMeanwhileError when the script `hours_left` found undeleted hours."""
    if hours := sorted(utc(hour) for (hour,) in rows):
        raise LoadedMeanwhileError(
            "bronze has a delivery that must not be replaced, committed by another load meanwhile; "
            f"load it again: {run_command(HourRange(hours[0], hours[-1]))}"
        )


def _batches(manifests: Sequence[Manifest], limits: BatchLimits) -> Iterator[list[Manifest]]:
    """Group hours into transactions of bounded size, oldest first."""
    batch: list[Manifest] = []
    lines = objects = 0
    for manifest in sorted(manifests, key=lambda manifest: manifest.export_hour):
        more = len(objects_of(manifest))
        if batch and (lines + manifest.lines > limits.lines or objects + more > limits.objects):
            yield batch
            batch, lines, objects = [], 0, 0
        batch.append(manifest)
        lines += manifest.lines
        objects += more
    if batch:
        yield batch


def check_counts(batch: Sequence[Manifest], rows: Iterable[tuple[datetime, int, int]]) -> None:
    """Compare each hour's counts in bronze with its manifest, before the commit.

    `rows` are those of the script `count_incoming`: hour, events and rejected lines. Raises
    HourDataError.
    """
    found = {utc(hour): (events, rejected) for hour, events, rejected in rows}
    for manifest in batch:
        expected = (manifest.lines - manifest.rejected_lines, manifest.rejected_lines)
        if found[manifest.export_hour] != expected:
            raise HourDataError(
                f"the manifest says {expected[0]} events and {expected[1]} rejected lines, its "
                f"objects hold {found[manifest.export_hour]}; download the hour again: "
                + run_command(HourRange(manifest.export_hour, manifest.export_hour))
            )


@contextmanager
def data_errors_as_warehouse_errors(what: str) -> Iterator[None]:
    """Convert errors of the lake's objects into WarehouseError; its message begins with `what`."""
    try:
        yield
    except (LakeError, HourDataError) as error:
        raise WarehouseError(f"{what}: {error}") from None
