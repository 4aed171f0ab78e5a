"""Build zips in the format of the Export API, and unpack them."""

import gzip
import json
import resource
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from hypothesis import strategies as st

from amplitude_assets.export.archive.directory import ArchiveLimits, hours_in
from amplitude_assets.export.archive.hour_files import HourFiles
from amplitude_assets.export.archive.members import HourJob, unpack_hour
from amplitude_assets.export.errors import ExportError
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.source import Delivery
from amplitude_assets.hours import HourRange

PROJECT = 7
HOUR = datetime(2026, 9, 1, 5, tzinfo=UTC)
FETCHED_AT = datetime(2026, 9, 1, 9, 30, tzinfo=UTC)


good_lines = st.dictionaries(
    st.text(), st.text() | st.integers() | st.none() | st.lists(st.text()), max_size=4
).map(lambda event: json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass"))
any_lines = st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))
some_lines = st.lists(
    good_lines | any_lines | st.sampled_from(['{"a":"\u2028"}'.encode(), b"", b"\r", b"{}"]),
    max_size=12,
)


def one(hour: datetime) -> HourRange:
    """Return the range of one hour."""
    return HourRange(hour, hour)


def hours(count: int, first: datetime = HOUR) -> HourRange:
    """Return a range of `count` hours."""
    return HourRange(first, first + timedelta(hours=count - 1))


def packed(*lines: bytes) -> bytes:
    """Return lines as a gzip file, each with a newline."""
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=1)


def gzipped(lines: list[bytes], places: list[int], has_end: bool) -> bytes:
    """Return lines as one gzip stream, split into gzip members at these places."""
    text = b"\n".join(lines) + (b"\n" if has_end else b"")
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return b"".join(gzip.compress(text[start:end], mtime=1) for start, end in pairwise(edges))


def name_of(part: int, hour: datetime = HOUR, project: int = PROJECT) -> str:
    """Return the name of a member, with the hour unpadded as in Amplitude's exports."""
    return f"{project}/{project}_{hour:%Y-%m-%d}_{hour.hour}#{part}.json.gz"


def write_zip(
    path: Path, members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED
) -> Path:
    """Write a zip of members by name, in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def job_of(
    zip_path: Path, folder: Path, limits: ArchiveLimits | None = None, hour: datetime = HOUR
) -> HourJob:
    """Return the job that unpacks a zip of one hour."""
    members = hours_in(zip_path, PROJECT, one(hour))[hour]
    return HourJob(
        PROJECT, hour, zip_path, tuple(members), folder, FETCHED_AT, limits or ArchiveLimits()
    )


def unpacked(
    tmp_path: Path, *members: bytes, limits: ArchiveLimits | None = None
) -> tuple[HourFiles, Path]:
    """Unpack one hour of these members, and return its files and the folder they are in."""
    path = write_zip(tmp_path / "one.zip", [(name_of(n), data) for n, data in enumerate(members)])
    folder = tmp_path / "hour"
    return unpack_hour(job_of(path, folder, limits)), folder


def deliver(
    landing: Landing, requested: HourRange, *members: tuple[str, bytes], attempt: str = "run-1"
) -> Delivery:
    """Record a delivery with a zip of these members, or without data when there are none."""
    if not members:
        delivery = Delivery(requested, None, 0, None, FETCHED_AT, 1)
    else:
        path = write_zip(landing.zips / "new.zip", members)
        data = path.read_bytes()
        crc32 = f"{zlib.crc32(data):08x}"
        path = path.rename(landing.zips / f"{crc32}.zip")
        delivery = Delivery(requested, path, len(data), crc32, FETCHED_AT, 2)
    landing.record(delivery, attempt)
    return delivery


def unpack_landed(
    landing: Landing, requested: HourRange
) -> dict[datetime, HourFiles | ExportError]:
    """Unpack hours of the landing area; return the files or the error of each."""
    return dict(landing.unpack(requested, workers=2))


def kept_lines(folder: Path, files: HourFiles) -> list[bytes]:
    """Return all lines of an hour's files, read without the code under test."""
    lines: list[bytes] = []
    for file in files.files:
        text = gzip.decompress((folder / file.name).read_bytes())
        lines += text.removesuffix(b"\n").split(b"\n")
    return lines


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Limit the size of files to `size` bytes, to simulate a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
