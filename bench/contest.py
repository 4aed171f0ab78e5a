"""Run every contender on the same zips, in turn, for several rounds.

A contender that fails, or does not load every event, is listed with the reason instead of figures.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from amplitude_assets.emulator import PROJECT_ID
from amplitude_assets.hours import format_hour
from bench.environments import AIRBYTE_SOURCE, DLT, PYAIRBYTE, Peer, SetUpError, python_of
from bench.processes import ContenderError, Measured, measure
from bench.server import API_KEY, SECRET_KEY, serving
from bench.task import Task
from bench.world import ServedWorld

_SCRIPTS = Path(__file__).parent
_TIMEOUT_SECONDS = 1200.0
# Contenders slower than this run once: noise is a small part of their time.
_ONE_ROUND_FROM_SECONDS = 45.0


@dataclass(frozen=True)
class Contender:
    """One implementation of one part of the work.

    `script` is a module of `bench`, or a file for the environment of `peer`. `mode` is its first
    argument. `after` names the contender whose folder it uses as its own, to read its output. Sizes
    above `max_events` are skipped, since they would take hours or all memory. With `loads_nothing`,
    the number of events is not checked.
    """

    name: str
    part: str
    script: str
    mode: str = ""
    peer: Peer | None = None
    after: str | None = None
    max_events: int | None = None
    loads_nothing: bool = False


OURS_EXTRACT, OURS_LOAD, OURS_ASSETS = "ours: API to lake", "ours: lake to bronze", "ours: assets"
LIMIT_EXTRACT, LIMIT_LOAD, LIMIT = "limit: API to lake", "limit: lake to table", "limit"
AIRBYTE, PYAIRBYTE_DUCKDB = "Airbyte's source", "PyAirbyte to DuckDB"
DLT_NESTED, DLT_FLAT, DLT_LINES = "dlt, default", "dlt, flat", "dlt, a raw line a row"
NAIVE_EXTRACT, NAIVE_JSON, NAIVE_ROWS = (
    "naive: API to files",
    "naive, read_json",
    "naive, row by row",
)

EXTRACT, LOAD, END_TO_END = "API to lake", "lake to bronze", "API to bronze"

CONTENDERS = (
    Contender(OURS_EXTRACT, EXTRACT, "bench.contenders.ours", "extract"),
    Contender(LIMIT_EXTRACT, EXTRACT, "bench.contenders.limit", "extract"),
    Contender(NAIVE_EXTRACT, EXTRACT, "bench.contenders.naive", "extract"),
    Contender(OURS_LOAD, LOAD, "bench.contenders.ours", "load", after=OURS_EXTRACT),
    Contender(LIMIT_LOAD, LOAD, "bench.contenders.limit", "load", after=LIMIT_EXTRACT),
    Contender(OURS_ASSETS, END_TO_END, "bench.contenders.ours", "assets"),
    Contender(LIMIT, END_TO_END, "bench.contenders.limit", "both"),
    Contender(NAIVE_JSON, END_TO_END, "bench.contenders.naive", "read_json"),
    Contender(NAIVE_ROWS, END_TO_END, "bench.contenders.naive", "rows", max_events=20_000),
    Contender(AIRBYTE, END_TO_END, "airbyte_source.py", peer=AIRBYTE_SOURCE),
    Contender(PYAIRBYTE_DUCKDB, END_TO_END, "pyairbyte.py", peer=PYAIRBYTE),
    Contender(DLT_NESTED, END_TO_END, "dlt_pipeline.py", "nested", peer=DLT, max_events=200_000),
    Contender(DLT_FLAT, END_TO_END, "dlt_pipeline.py", "flat", peer=DLT),
    Contender(DLT_LINES, END_TO_END, "dlt_pipeline.py", "lines", peer=DLT),
)


@dataclass
class Entry:
    """The rounds of one contender at one size, or the reason why there are none."""

    contender: Contender
    rounds: list[Measured] = field(default_factory=list)
    reason: str | None = None

    @property
    def seconds(self) -> float:
        """The median of the seconds of the work, without the start of the process."""
        return median(float(measured.result["seconds"]) for measured in self.rounds)

    def figures(self, events: int) -> dict[str, object]:
        """Return the figures for JSON: medians, and the seconds of every round."""
        about: dict[str, object] = {"name": self.contender.name, "part": self.contender.part}
        if self.reason or not self.rounds:
            return about | {"reason": self.reason or "not run"}
        return about | {
            "events_per_second": round(events / self.seconds),
            "seconds": round(self.seconds, 3),
            "wall_seconds": round(median(m.wall for m in self.rounds), 3),
            "cpu_seconds": round(median(m.cpu for m in self.rounds), 2),
            "peak_mb": round(median(m.peak_mb for m in self.rounds)),
            "database_bytes": self.rounds[-1].result.get("database_bytes"),
            "all_seconds": [round(float(m.result["seconds"]), 3) for m in self.rounds],
        }


def run_contest(
    root: Path,
    world: ServedWorld,
    contenders: Sequence[Contender],
    rounds: int,
    log: Callable[[str], None],
) -> list[Entry]:
    """Run every contender on the world's hours, in turn, for `rounds` rounds."""
    entries = [Entry(contender) for contender in contenders]
    with serving(world.folder) as origin:
        for number in range(rounds):
            arena = root / "arena"
            shutil.rmtree(arena, ignore_errors=True)
            for entry in _entries_of_round(entries, world.counts.lines, number):
                _run_one(root, arena, world, origin, entry)
                log(_line(entry, world.counts.lines))
            shutil.rmtree(arena, ignore_errors=True)
    return entries


def _entries_of_round(entries: Sequence[Entry], events: int, number: int) -> Iterator[Entry]:
    for entry in entries:
        limit = entry.contender.max_events
        if limit is not None and events > limit:
            entry.reason = f"not run with more than {limit:,} events"
        elif not entry.reason and (number == 0 or entry.seconds < _ONE_ROUND_FROM_SECONDS):
            yield entry


def _run_one(root: Path, arena: Path, world: ServedWorld, origin: str, entry: Entry) -> None:
    contender = entry.contender
    folder = arena / _folder_name(contender.after or contender.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        command, environment = _command(root, contender)
        measured = measure(
            [*command, task_of(world, origin, folder).to_json()],
            folder.with_suffix(".log"),
            environment,
            timeout=_TIMEOUT_SECONDS,
        )
        _check(contender, measured, world)
        entry.rounds.append(measured)
    except (ContenderError, SetUpError) as error:
        entry.reason = str(error)
    if not any(other.after == contender.name for other in CONTENDERS):
        shutil.rmtree(folder, ignore_errors=True)


def task_of(world: ServedWorld, origin: str, folder: Path) -> Task:
    """Return the task of loading all hours of a world into a folder."""
    return Task(
        origin=origin,
        api_key=API_KEY,
        secret_key=SECRET_KEY,
        project_id=PROJECT_ID,
        first=format_hour(world.hours.first),
        last=format_hour(world.hours.last),
        folder=str(folder),
    )


def _command(root: Path, contender: Contender) -> tuple[list[str], Mapping[str, str]]:
    mode = [contender.mode] if contender.mode else []
    if contender.peer is None:
        return [sys.executable, "-m", contender.script, *mode], {}
    python = python_of(root, contender.peer)
    environment = {}
    if contender.peer is PYAIRBYTE:
        environment["BENCH_SOURCE_PYTHON"] = python_of(root, AIRBYTE_SOURCE)
    return [python, str(_SCRIPTS / "peers" / contender.script), *mode], environment


def _check(contender: Contender, measured: Measured, world: ServedWorld) -> None:
    """Raise ContenderError unless the contender has loaded every event."""
    if contender.loads_nothing:
        return
    rows = int(measured.result["rows"])
    if rows != world.counts.lines:
        raise ContenderError(f"it loaded {rows:,} of {world.counts.lines:,} events")


def _folder_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _line(entry: Entry, events: int) -> str:
    if entry.reason:
        return f"  {entry.contender.name}: {entry.reason}"
    last = entry.rounds[-1]
    seconds = float(last.result["seconds"])
    return (
        f"  {entry.contender.name}: {events / seconds:,.0f} events/s "
        f"({seconds:.2f} s, {last.peak_mb:,.0f} MB)"
    )
