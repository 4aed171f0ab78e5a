"""Read export hours from the bucket of Amplitude's S3 export, instead of the Export API.

Use it for hours over 4 GB and for long histories. The files are named like the members of the
Export API's zips (https://amplitude.com/docs/destination-catalog/amazon-s3), so the files of an
hour are packed into such a zip, and all later steps are the same. Merge files, which the Export
API does not have, are copied to the lake without the lines of forgotten people.
"""

import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from amplitude_assets.export.api.download import Arrivals
from amplitude_assets.export.errors import BucketError, ExportError, UnavailableError
from amplitude_assets.export.source import Delivery, Probe
from amplitude_assets.hours import HOUR, HourRange, format_hour
from amplitude_assets.lake.layout import merge_prefix
from amplitude_assets.lake.merges import write_merges
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.privacy.rules import Forgotten
from amplitude_assets.streams.part_files import PartFile

_NAME = re.compile(r"(?P<app>\d+)_(?P<day>\d{4}-\d{2}-\d{2})_(?P<hour>\d{1,2})#\d+\.json\.gz")
_MERGES = re.compile(r"-(?P<rest>\d+_\d{4}-\d{2}-\d{2}_\d{1,2}\.json\.gz)")
# A fixed modification time: the same files then make a zip with the same bytes.
_MEMBER_TIME = (1980, 1, 1, 0, 0, 0)


class S3Export:
    """The `HourSource` over a bucket or folder that Amplitude exports to."""

    def __init__(self, store: Lake, project_id: int) -> None:
        """Read the files under the store's URL, which is listed once, on first use."""
        self._store = store
        self._project_id = project_id

    def probe(self, hours: HourRange) -> Probe:
        """Check that the store has files of the project, of any hours; `hours` are for the error.

        Raises UnavailableError when it has none, and LakeError when it cannot be listed.
        """
        if not self._files:
            raise UnavailableError(
                hours,
                f"{self._store.url} has no file of project {self._project_id}, such as "
                f"{self._project_id}_2026-09-01_5#1.json.gz; check AMPLITUDE_S3_EXPORT_URL "
                "and AMPLITUDE_PROJECT_ID",
            )
        return Probe(has_data=True, clock_ahead=None)

    def fetch_all(
        self,
        ranges: Iterable[HourRange],
        folder: Path,
        *,
        on_delivery: Callable[[Delivery], None],
        on_received: Callable[[int], None] = lambda _: None,
    ) -> list[ExportError]:
        """Pack each hour's files into one zip in `folder`, and return the errors of failed hours.

        An hour without files is empty when there are files before and after it, since the export
        was running then; otherwise it fails. `on_received` gets the number of bytes received so
        far. When the bucket cannot be listed, all hours fail with that error. Raises DiskError.
        """
        arrivals = Arrivals()

        def report_received() -> None:
            on_received(arrivals.bytes)

        wanted = list(ranges)
        try:
            _ = self._files
        except LakeError as error:
            # Each hour would fail after the same retries of the listing.
            return [_error_of(error, hours) for hours in wanted]
        errors: list[ExportError] = []
        for hour in (hour for hours in wanted for hour in hours):
            alone = HourRange(hour, hour)
            try:
                delivery = self._fetch(alone, folder, arrivals, report_received)
                report_received()
                on_delivery(delivery)
            except LakeError as error:
                errors.append(_error_of(error, alone))
            except ExportError as error:
                errors.append(error)
        return errors

    def copy_merges(self, lake: Lake, forgotten: Forgotten) -> int:
        """Copy merge files that the lake does not have yet, and return their number.

        Lines about `forgotten` people are left out. Raises LakeError.
        """
        prefix = merge_prefix(self._project_id)
        held = set(lake.list_keys(prefix))
        found = {key: _MERGES.fullmatch(_base(key)) for key in self._store.list_keys("")}
        copied = 0
        for key, name in found.items():
            target = f"{prefix}{name['rest']}" if name else ""
            if target and target not in held:
                write_merges(lake, target, self._store.get_object(key), forgotten)
                copied += 1
        return copied

    @cached_property
    def _files(self) -> dict[datetime, list[str]]:
        """The keys of the project's files, by hour."""
        files: dict[datetime, list[str]] = defaultdict(list)
        for key in self._store.list_keys(""):
            name = _NAME.fullmatch(_base(key))
            if name and name["app"] == str(self._project_id) and int(name["hour"]) < 24:
                day = datetime.strptime(name["day"], "%Y-%m-%d").replace(tzinfo=UTC)
                files[day + int(name["hour"]) * HOUR].append(key)
        return dict(files)

    def _fetch(
        self, hours: HourRange, folder: Path, arrivals: Arrivals, on_bytes: Callable[[], None]
    ) -> Delivery:
        asked_at = datetime.now(UTC)
        keys = sorted(self._files.get(hours.first, []), key=_base)
        if not keys:
            self._check_covered(hours)
            return Delivery(hours, None, 0, None, asked_at, attempts=1)
        with PartFile(folder) as part, arrivals.counting(part):
            # ZipFile only writes to the part file; it does not close it.
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
                for key in keys:
                    self._add(archive, key, on_bytes)
            path = part.publish(f"{format_hour(hours.first)}--s3--{part.crc32}.zip", durable=True)
        return Delivery(hours, path, part.bytes, part.crc32, asked_at, attempts=1)

    def _add(self, archive: zipfile.ZipFile, key: str, on_bytes: Callable[[], None]) -> None:
        member = zipfile.ZipInfo(f"{self._project_id}/{_base(key)}", _MEMBER_TIME)
        with archive.open(member, "w", force_zip64=True) as target:
            for data in self._store.get_object(key):
                target.write(data)
                on_bytes()

    def _check_covered(self, hours: HourRange) -> None:
        covered = self._files and min(self._files) < hours.first < max(self._files)
        if not covered:
            known = (
                f"only files from {format_hour(min(self._files))} to "
                f"{format_hour(max(self._files))}; request hours between these"
                if self._files
                else "none of any other hour; check AMPLITUDE_PROJECT_ID"
            )
            raise UnavailableError(
                hours,
                f"{self._store.url} has no file of this hour, and {known}, or unset "
                "AMPLITUDE_S3_EXPORT_URL to use the Export API",
            )


def _error_of(error: LakeError, hours: HourRange) -> ExportError:
    kind = UnavailableError if error.retryable else BucketError
    return kind(hours, f"AMPLITUDE_S3_EXPORT_URL: {error}")


def _base(key: str) -> str:
    """Return the last segment of a key."""
    return key.rpartition("/")[2]
