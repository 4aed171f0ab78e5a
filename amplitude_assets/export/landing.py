"""The landing area: a project's downloaded zips and unpacked hours, before they reach the lake.

    {root}/{project_id}/zips/{first}--{last}--{crc32}.zip
    {root}/{project_id}/hours/{hour}/delivery.json      which zip holds the hour, or that none does
    {root}/{project_id}/hours/{hour}/files.json         the hour's files, written after them
    {root}/{project_id}/hours/{hour}/{sha256}.json.gz

It is a working area: the lake is the source of truth, and everything here can be downloaded
again. Names consist of hours and checksums, and every file is renamed into place, so two processes
that work on the same hours replace files only with equivalent ones.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from amplitude_assets.export.archive.directory import ArchiveLimits, Member, hours_in
from amplitude_assets.export.archive.hour_files import HourFiles
from amplitude_assets.export.archive.members import HourJob
from amplitude_assets.export.archive.unpacking import unpack_all
from amplitude_assets.export.errors import ExportError, LandingError
from amplitude_assets.export.source import Delivery
from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.privacy.rules import NO_PRIVACY_RULES, Privacy
from amplitude_assets.streams.part_files import PartFile, disk_errors

DELIVERY = "delivery.json"
FILES = "files.json"


class DeliveryRecord(BaseModel):
    """The download of one hour: `zip` is the file in `zips`, or None when there was no data (404).

    `hours` is the range that was requested, with `attempts` requests, at `fetched_at` (UTC).
    `attempt_id` names the run, so that its retry downloads only the missing hours.
    """

    model_config = ConfigDict(frozen=True)

    project_id: int
    hour: datetime
    hours: HourRange
    zip: str | None
    bytes: int
    crc32: str | None
    fetched_at: datetime
    attempts: int
    attempt_id: str


_HOUR_FILES = TypeAdapter(HourFiles)


class Landing:
    """One project's landing area. Safe for concurrent threads and processes."""

    def __init__(self, root: Path, project_id: int) -> None:
        """Use the landing area under `root`; its folders are created on first use."""
        self.project_id = project_id
        self.zips = root / str(project_id) / "zips"
        self.hours = root / str(project_id) / "hours"
        self._lock = root.with_name(f"{root.name}-{project_id}.lock")

    def hour_folder(self, hour: datetime) -> Path:
        """Return the folder of an hour's files."""
        return self.hours / format_hour(hour)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the project's lock, so that one process of this machine downloads it at a time.

        Dagster's pool does the same across machines. But with its SQLite storage, two runs that
        claim a slot at the same moment may both get it. Raises DiskError.
        """
        lock = FileLock(self._lock)
        with disk_errors(self._lock.parent):
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def record(self, delivery: Delivery, attempt_id: str) -> None:
        """Record a delivery in the folder of each of its hours. Raises DiskError."""
        for hour in delivery.hours:
            record = DeliveryRecord(
                project_id=self.project_id,
                hour=hour,
                hours=delivery.hours,
                zip=delivery.path.name if delivery.path else None,
                bytes=delivery.bytes,
                crc32=delivery.crc32,
                fetched_at=delivery.fetched_at,
                attempts=delivery.attempts,
                attempt_id=attempt_id,
            )
            self._write(hour, DELIVERY, record.model_dump_json(indent=2).encode())

    def delivery_of(self, hour: datetime) -> DeliveryRecord:
        """Return an hour's record. Raises LandingError when it or its zip is missing or damaged."""
        try:
            text = (self.hour_folder(hour) / DELIVERY).read_bytes()
            delivery = DeliveryRecord.model_validate_json(text)
        except FileNotFoundError:
            raise self._missing(
                hour, "raw_export_zip", "the hour is not in the landing area"
            ) from None
        except (OSError, ValidationError) as error:
            raise self._missing(hour, "raw_export_zip", "its record cannot be read") from error
        if delivery.zip is not None and (
            _size(self.zips / delivery.zip) != delivery.bytes
            or Path(delivery.zip).name != delivery.zip
        ):
            raise self._missing(hour, "raw_export_zip", f"{delivery.zip} is missing or truncated")
        return delivery

    def has_delivery(self, hour: datetime, attempt_id: str) -> bool:
        """Return whether the run of `attempt_id` has already downloaded the hour."""
        try:
            return self.delivery_of(hour).attempt_id == attempt_id
        except LandingError:
            return False

    def unpack(
        self,
        hours: Iterable[datetime],
        *,
        workers: int,
        limits: ArchiveLimits | None = None,
        privacy: Privacy = NO_PRIVACY_RULES,
    ) -> Iterator[tuple[datetime, HourFiles | ExportError]]:
        """Unpack and record these hours, and yield each as it finishes, with its files or error.

        The files contain nothing that `privacy` removes. Raises DiskError.
        """
        jobs: list[HourJob] = []
        for hour, found in self._jobs(hours, limits or ArchiveLimits()):
            if isinstance(found, ExportError):
                yield hour, found
            else:
                jobs.append(replace(found, privacy=privacy))
        for job, result in unpack_all(jobs, workers):
            if isinstance(result, HourFiles):
                self.write_hour(result)
            yield job.hour, result

    def write_hour(self, files: HourFiles) -> None:
        """Record an hour's files, which must be in its folder. Raises DiskError."""
        self._write(files.hour, FILES, _HOUR_FILES.dump_json(files, indent=2))

    def files_of(self, hour: datetime) -> HourFiles:
        """Return an hour's files. Raises LandingError when one is missing or truncated."""
        folder = self.hour_folder(hour)
        try:
            files = _HOUR_FILES.validate_json((folder / FILES).read_bytes())
        except FileNotFoundError:
            raise self._missing(hour, "hourly_json_files", "the hour is not unpacked") from None
        except (OSError, ValidationError) as error:
            raise self._missing(hour, "hourly_json_files", "its record cannot be read") from error
        for file in files.every_file:
            if Path(file.name).name != file.name or _size(folder / file.name) != file.bytes:
                raise self._missing(
                    hour, "hourly_json_files", f"{file.name} is missing or truncated"
                )
        return files

    def _jobs(
        self, hours: Iterable[datetime], limits: ArchiveLimits
    ) -> Iterator[tuple[datetime, HourJob | ExportError]]:
        """Yield each hour's unpacking job, or its error; every zip is opened once."""
        by_zip: dict[str | None, list[DeliveryRecord]] = defaultdict(list)
        for hour in hours:
            try:
                delivery = self.delivery_of(hour)
            except LandingError as error:
                yield hour, error
            else:
                by_zip[delivery.zip].append(delivery)
        for deliveries in by_zip.values():
            try:
                members = self._members(deliveries[0])
            except ExportError as error:
                for delivery in deliveries:
                    alone = HourRange(delivery.hour, delivery.hour)
                    yield delivery.hour, type(error)(alone, error.message)
            else:
                for delivery in deliveries:
                    yield delivery.hour, self._job(delivery, members[delivery.hour], limits)

    def _members(self, delivery: DeliveryRecord) -> dict[datetime, list[Member]]:
        """List the members of a delivery's zip by hour. Unpacking validates their content later."""
        if delivery.zip is None:
            return defaultdict(list)
        return hours_in(self.zips / delivery.zip, self.project_id, delivery.hours)

    def _job(
        self, delivery: DeliveryRecord, members: list[Member], limits: ArchiveLimits
    ) -> HourJob:
        return HourJob(
            project_id=self.project_id,
            hour=delivery.hour,
            zip_path=self.zips / delivery.zip if delivery.zip else None,
            members=tuple(members),
            folder=self.hour_folder(delivery.hour),
            fetched_at=delivery.fetched_at,
            limits=limits,
        )

    def _write(self, hour: datetime, name: str, data: bytes) -> None:
        with PartFile(self.hour_folder(hour)) as part:
            part.write(data)
            part.publish(name)

    def _missing(self, hour: datetime, asset: str, why: str) -> LandingError:
        return LandingError(
            HourRange(hour, hour), f"{why}; materialise {asset} for {format_hour(hour)} first"
        )


def recorded_delivery(folder: Path) -> DeliveryRecord | None:
    """Return the delivery recorded in an hour's folder, or None without a readable record."""
    try:
        return DeliveryRecord.model_validate_json((folder / DELIVERY).read_bytes())
    except (OSError, ValidationError):
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
