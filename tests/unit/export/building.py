"""Zips as the Export API sends them, made by hand, and what came out of them."""

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

from amplitude_assets.export.archive import ArchiveLimits, hours_in
from amplitude_assets.export.client import Delivery
from amplitude_assets.export.errors import ExportError
from amplitude_assets.export.hour_files import HourFiles
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.members import HourJob, unpack_hour
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
    """The range of one hour."""
    return HourRange(hour, hour)


def hours(count: int, first: datetime = HOUR) -> HourRange:
    """A range of so many hours."""
    return HourRange(first, first + timedelta(hours=count - 1))


def packed(*lines: bytes) -> bytes:
    """Lines as a gzip file, each with its end."""
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=1)


def gzipped(lines: list[bytes], places: list[int], has_end: bool) -> bytes:
    """Lines as one gzip stream, cut into gzip members at these places."""
    text = b"\n".join(lines) + (b"\n" if has_end else b"")
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return b"".join(gzip.compress(text[start:end], mtime=1) for start, end in pairwise(edges))


def name_of(part: int, hour: datetime = HOUR, project: int = PROJECT) -> str:
    """The name of a member, with its hour unpadded as Amplitude writes it."""
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
    """The work of unpacking one hour of a zip, which holds no other."""
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
    landing: Landing, asked: HourRange, *members: tuple[str, bytes], attempt: str = "run-1"
) -> Delivery:
    """Land a zip of these members, or without any the news that there is no data."""
    if not members:
        delivery = Delivery(asked, None, 0, None, FETCHED_AT, 1)
    else:
        path = write_zip(landing.zips / "new.zip", members)
        data = path.read_bytes()
        crc32 = f"{zlib.crc32(data):08x}"
        path = path.rename(landing.zips / f"{crc32}.zip")
        delivery = Delivery(asked, path, len(data), crc32, FETCHED_AT, 2)
    landing.record(delivery, attempt)
    return delivery


def unpack_landed(landing: Landing, asked: HourRange) -> dict[datetime, HourFiles | ExportError]:
    """Unpack hours of the landing area: each with its files or its error."""
    return dict(landing.unpack(asked, workers=2))


def kept_lines(folder: Path, files: HourFiles) -> list[bytes]:
    """All lines of an hour's files, read without the code under test."""
    lines: list[bytes] = []
    for file in files.files:
        text = gzip.decompress((folder / file.name).read_bytes())
        lines += text.removesuffix(b"\n").split(b"\n")
    return lines


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Have the system refuse files over `size` bytes, as a full disk refuses more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
