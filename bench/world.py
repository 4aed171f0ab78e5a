"""Render the zips for all contenders from the emulator's world, once, under `.bench/worlds`.

So no measurement includes the cost of generating events.
"""

import json
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.emulator.archive import Entry, write_zip
from amplitude_assets.hours import HourRange, api_parameter, contiguous_ranges
from amplitude_assets.streams.gzip_stream import gunzip, read_pieces
from amplitude_assets.streams.json_lines import whole_lines

_NO_LIMIT = 2**62
_SMALL_MEAN = 2_000


@dataclass(frozen=True)
class WorldCounts:
    """The contents of the zips: the lines, their `bytes`, and the served `zip_bytes`."""

    lines: int
    bytes: int
    zip_bytes: int


@dataclass(frozen=True)
class ServedWorld:
    """Zips in a folder, one for each requested range, and their total counts."""

    folder: Path
    hours: HourRange
    counts: WorldCounts


def day_before(until: date, days: int) -> datetime:
    """Return the first hour of the `days` days that end with `until`."""
    return datetime(until.year, until.month, until.day, tzinfo=UTC) - timedelta(days=days - 1)


def mean_for(events: int, seed: int, hours: HourRange) -> float:
    """Return the world's `events_per_hour` with which `hours` have about `events` events.

    Activity differs by hour and weekday, so the share of these hours is measured in a small world.
    """
    small = World(WorldSettings(seed=seed, events_per_hour=_SMALL_MEAN))
    held = sum(1 for hour in hours for _ in small.lines(hour))
    return _SMALL_MEAN * events / held


def render(
    root: Path, seed: int, events_per_hour: float, hours: HourRange, *, longest: int = 24
) -> ServedWorld:
    """Render the zips of `hours`, one for each `longest` hours, unless they exist.

    `events_per_hour` is the mean over a week.
    """
    mean = max(1, round(events_per_hour))
    folder = root / f"{seed}-{mean}-{api_parameter(hours.first)}-{len(hours)}-{longest}"
    counts_file = folder / "counts.json"
    if not counts_file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ranges = contiguous_ranges(hours, longest=longest)
        with ProcessPoolExecutor() as pool:
            render_one = partial(_render_range, folder=folder, seed=seed, mean=mean)
            parts = list(pool.map(render_one, ranges))
        counts = WorldCounts(*(sum(column) for column in zip(*parts, strict=True)))
        counts_file.write_text(json.dumps(asdict(counts)))
    return ServedWorld(folder, hours, WorldCounts(**json.loads(counts_file.read_text())))


def zip_name(start: str, end: str) -> str:
    """Return the file name for a request's `start` and `end`, in the Export API's format."""
    return f"{start}--{end}.zip"


def _render_range(hours: HourRange, folder: Path, seed: int, mean: int) -> tuple[int, int, int]:
    """Render one zip, or none when all of its hours are empty; return its counts."""
    world = World(WorldSettings(seed=seed, events_per_hour=mean))
    path = folder / zip_name(api_parameter(hours.first), api_parameter(hours.last))
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        members = (Entry(m.name, [m.data]) for hour in hours for m in world.members(hour))
        count = write_zip(members, file, _NO_LIMIT)
    if not count:
        part.unlink()
        return 0, 0, 0
    part.rename(path)
    lines, size = _counted(path)
    return lines, size, path.stat().st_size


def _counted(path: Path) -> tuple[int, int]:
    """Count the lines of a zip, and their bytes."""
    lines = size = 0
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                for block in whole_lines(gunzip(read_pieces(member))):
                    size += len(block)
                    lines += block.count(b"\n")
    return lines, size
