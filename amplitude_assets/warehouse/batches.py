"""What loading hours takes on any engine: which have changed, batch by batch, bad ones apart."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from amplitude_assets.hours import HourRange
from amplitude_assets.lake.layout import merge_prefix
from amplitude_assets.lake.manifest import Manifest, objects_of
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.warehouse.base import LoadError, LoadReport, OnLoaded, WarehouseError
from amplitude_assets.warehouse.lines import ObjectError


class HourDataError(Exception):
    """What the lake holds of an hour is not what its manifest says."""


@dataclass(frozen=True)
class BatchLimits:
    """How much one transaction takes at most, unless an hour alone has more."""

    lines: int
    objects: int


def load_changed(
    manifests: Sequence[Manifest],
    held: Mapping[datetime, tuple[str, str]],
    limits: BatchLimits,
    replace: Callable[[Sequence[Manifest]], None],
    on_loaded: OnLoaded,
) -> LoadReport:
    """Leave alone the hours whose status and digest are `held`, and replace the others.

    `replace` replaces a batch of hours in one transaction, and tells the lines of it that it has
    read; the hours are told here, once they are in. When what the lake holds of them is at
    fault (LakeError, ObjectError, HourDataError), each hour is tried on its own, so that a bad
    hour does not take the others with it. Any other error ends the load.
    """
    report = LoadReport()
    changed = []
    for manifest in manifests:
        if held.get(manifest.export_hour) == (manifest.status, manifest.digest):
            report.unchanged.append(manifest.export_hour)
            on_loaded(1, manifest.lines)
        else:
            changed.append(manifest)
    for batch in _batches(changed, limits):
        _replace_batch(batch, replace, report)
        on_loaded(len(batch), 0)
    return report


def _replace_batch(
    batch: Sequence[Manifest],
    replace: Callable[[Sequence[Manifest]], None],
    report: LoadReport,
) -> None:
    try:
        replace(batch)
    except (LakeError, ObjectError, HourDataError) as error:
        if len(batch) == 1:
            retryable = not isinstance(error, LakeError) or error.retryable
            hour = batch[0].export_hour
            report.errors.append(LoadError(hour, str(error), retryable=retryable))
            return
        for manifest in batch:
            _replace_batch([manifest], replace, report)
    else:
        report.replaced.extend(manifest.export_hour for manifest in batch)


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
    """Compare with the manifests what bronze holds of each hour, before anything is committed.

    `rows` are those of the script `count_incoming`: hour, events and rejected lines. Raises
    HourDataError.
    """
    found = {utc(hour): (events, rejected) for hour, events, rejected in rows}
    for manifest in batch:
        expected = (manifest.lines - manifest.rejected_lines, manifest.rejected_lines)
        if found[manifest.export_hour] != expected:
            raise HourDataError(
                f"the manifest says {expected[0]} events and {expected[1]} rejected lines, its "
                f"objects hold {found[manifest.export_hour]}; materialise hourly_json_files and "
                "s3_event_objects for this hour again"
            )


def merge_keys(lake: Lake, project_id: int) -> set[str]:
    """Return the keys of the merge files that the lake holds."""
    return {key for key in lake.list_keys(merge_prefix(project_id)) if key.endswith(".json.gz")}


@contextmanager
def data_faults_explained(what: str) -> Iterator[None]:
    """Turn what is wrong with an object of the lake into WarehouseError."""
    try:
        yield
    except (LakeError, ObjectError, HourDataError) as error:
        raise WarehouseError(f"{what}: {error}") from None


def hour_rows(batch: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Return the rows of `incoming_hours`, from which the ledger is written. Times are naive."""
    return [
        {
            **manifest.model_dump(include={"status", "bytes", "lines", "rejected_lines", "digest"}),
            "objects": len(manifest.objects),
            "export_hour": naive(manifest.export_hour),
            "fetched_at": naive(manifest.fetched_at),
        }
        for manifest in batch
    ]


def quoted(digests: Iterable[str]) -> str:
    """Return digests in hexadecimal as SQL lists them."""
    return ", ".join(f"'{int(digest, 16):064x}'" for digest in sorted(digests))


def range_parameters(project_id: int, hours: HourRange) -> dict[str, object]:
    """Return the parameters of a script over a range of hours."""
    return {
        "project_id": project_id,
        "first_hour": naive(hours.first),
        "last_hour": naive(hours.last),
    }


def naive(moment: datetime) -> datetime:
    """Turn an aware time into UTC without zone, as the tables hold it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def utc(moment: datetime) -> datetime:
    """Give a time from a table its zone back."""
    return moment.replace(tzinfo=UTC)


def aware(value: Any) -> Any:
    """Give a value from a row its time zone back if it is a time."""
    return utc(value) if isinstance(value, datetime) else value
