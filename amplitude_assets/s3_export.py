"""The second door: hours from the bucket of Amplitude's own S3 export, in place of the Export API.

It is the way in for hours over 4 GB and for whole histories. The files have the names of the
zip's members (https://amplitude.com/docs/destination-catalog/amazon-s3), so an hour's files become
a zip as the Export API would have sent it, and everything after that is the same. Its merge files,
which the Export API does not have, go into the lake as they are, but for people to be forgotten.
"""

import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from amplitude_assets.export.client import Delivery
from amplitude_assets.export.errors import BucketError, ExportError, UnavailableError
from amplitude_assets.export.files import PartFile
from amplitude_assets.export.privacy import Forgotten
from amplitude_assets.export.receiving import Arrivals
from amplitude_assets.gzip_stream import GzipWriter, gunzip
from amplitude_assets.hours import HOUR, HourRange, format_hour
from amplitude_assets.json_lines import fault_of, split_lines, whole_lines
from amplitude_assets.lake.layout import merge_prefix
from amplitude_assets.lake.store import Lake, LakeError

_NAME = re.compile(r"(?P<app>\d+)_(?P<day>\d{4}-\d{2}-\d{2})_(?P<hour>\d{1,2})#\d+\.json\.gz")
_MERGES = re.compile(r"-(?P<rest>\d+_\d{4}-\d{2}-\d{2}_\d{1,2}\.json\.gz)")
# A zip has a time for each member; a fixed one makes the same files the same zip.
_MEMBER_TIME = (1980, 1, 1, 0, 0, 0)


class S3Export:
    """A bucket or folder that Amplitude exports to. It is asked as the Export API's client is."""

    def __init__(self, store: Lake, project_id: int) -> None:
        """Use what is under the store's URL; it is listed once, when first asked for an hour."""
        self._store = store
        self._project_id = project_id

    def check_keys(self, hours: HourRange) -> None:
        """Look whether the place has files of the project.

        Raises UnavailableError when not, and LakeError when it cannot be listed.
        """
        if not self._files:
            raise UnavailableError(
                hours,
                f"{self._store.url} has no file of project {self._project_id}, such as "
                f"{self._project_id}_2026-09-01_5#1.json.gz; look at AMPLITUDE_S3_EXPORT_URL "
                "and AMPLITUDE_PROJECT_ID",
            )

    def fetch_all(
        self,
        ranges: Iterable[HourRange],
        folder: Path,
        *,
        on_delivery: Callable[[Delivery], None],
        on_received: Callable[[int], None] = lambda _: None,
    ) -> list[ExportError]:
        """Bring each hour's files to `folder` as one zip, and return the hours that failed.

        An hour without files counts as empty when there are files before and after it: then the
        export was at work. Otherwise nothing tells, and it fails. `on_received` is told the bytes
        that are here, as they come. Where the place cannot be listed, all hours fail for that one
        reason. Raises DiskError.
        """
        arrivals = Arrivals()

        def tell() -> None:
            on_received(arrivals.bytes)

        wanted = list(ranges)
        try:
            _ = self._files
        except LakeError as error:
            # Each hour would wait for the same list again.
            return [_error_of(error, hours) for hours in wanted]
        errors: list[ExportError] = []
        for hour in (hour for hours in wanted for hour in hours):
            alone = HourRange(hour, hour)
            try:
                delivery = self._fetch(alone, folder, arrivals, tell)
                tell()
                on_delivery(delivery)
            except LakeError as error:
                errors.append(_error_of(error, alone))
            except ExportError as error:
                errors.append(error)
        return errors

    def copy_merges(self, lake: Lake, forgotten: Forgotten) -> int:
        """Bring the merge files that the lake does not have yet into it; return how many.

        Lines about the `forgotten` stay out.
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
        """Return the keys of each hour that has files."""
        files: dict[datetime, list[str]] = defaultdict(list)
        for key in self._store.list_keys(""):
            name = _NAME.fullmatch(_base(key))
            if name and name["app"] == str(self._project_id) and int(name["hour"]) < 24:
                day = datetime.strptime(name["day"], "%Y-%m-%d").replace(tzinfo=UTC)
                files[day + int(name["hour"]) * HOUR].append(key)
        return dict(files)

    def _fetch(
        self, hours: HourRange, folder: Path, arrivals: Arrivals, tell: Callable[[], None]
    ) -> Delivery:
        asked_at = datetime.now(UTC)
        keys = sorted(self._files.get(hours.first, []), key=_base)
        if not keys:
            self._check_covered(hours)
            return Delivery(hours, None, 0, None, asked_at, attempts=1)
        with PartFile(folder) as part, arrivals.counting(part):
            # It is written through, and never closed by the zip.
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
                for key in keys:
                    self._add(archive, key, tell)
            path = part.publish(f"{format_hour(hours.first)}--s3--{part.crc32}.zip", durable=True)
        return Delivery(hours, path, part.bytes, part.crc32, asked_at, attempts=1)

    def _add(self, archive: zipfile.ZipFile, key: str, tell: Callable[[], None]) -> None:
        member = zipfile.ZipInfo(f"{self._project_id}/{_base(key)}", _MEMBER_TIME)
        with archive.open(member, "w", force_zip64=True) as target:
            for data in self._store.get_object(key):
                target.write(data)
                tell()

    def _check_covered(self, hours: HourRange) -> None:
        covered = self._files and min(self._files) < hours.first < max(self._files)
        if not covered:
            known = (
                f"files from {format_hour(min(self._files))} to {format_hour(max(self._files))}"
                if self._files
                else "none at all"
            )
            raise UnavailableError(
                hours,
                f"{self._store.url} has no file of this hour, and {known}; ask for hours between "
                "these, or unset AMPLITUDE_S3_EXPORT_URL to ask the Export API",
            )


def _error_of(error: LakeError, hours: HourRange) -> ExportError:
    kind = UnavailableError if error.retryable else BucketError
    return kind(hours, f"AMPLITUDE_S3_EXPORT_URL: {error}")


def write_merges(lake: Lake, key: str, packed: Iterable[bytes], forgotten: Forgotten) -> None:
    """Write a merge file into the lake, in place of one that is there, without the `forgotten`.

    Raises LakeError.
    """
    with TemporaryDirectory() as folder, PartFile(Path(folder)) as part:
        with lake.unpacking(key):
            for data in _without(packed, forgotten) if forgotten else packed:
                part.write(data)
        lake.write(key, part.publish("merges"))


def _without(packed: Iterable[bytes], forgotten: Forgotten) -> Iterator[bytes]:
    out: list[bytes] = []
    writer = GzipWriter(out.append)
    for block in whole_lines(gunzip(packed)):
        kept = [line for line in split_lines(block) if _stays(line, forgotten)]
        writer.write(b"".join(line + b"\n" for line in kept))
        yield from out
        out.clear()
    writer.finish()
    yield from out


def _stays(line: bytes, forgotten: Forgotten) -> bool:
    # A line that is no object names no id that the loader would find.
    return fault_of(line) is None and forgotten.keeps_merge(line)


def _base(key: str) -> str:
    """Return the last part of a key, its name."""
    return key.rpartition("/")[2]
