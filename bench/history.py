"""Measure the models over a month of history: the first build, and builds after new hours."""

import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from amplitude_assets.hours import HOUR, HourRange
from bench.contest import task_of
from bench.processes import Measured, measure
from bench.server import serving
from bench.world import ServedWorld, day_before, render

_DAYS = 30
# Events in the small hour, the same for every history: the emulator's default.
_SMALL_HOUR = 1_400
_TIMEOUT_SECONDS = 3600.0


def measure_history(
    root: Path, seed: int, until: date, events: int, log: Callable[[str], None]
) -> dict[str, Any]:
    """Measure the models over about `events` events of the 30 days that end with `until`.

    After the first build, one more hour of the same density is loaded and built, then a small
    hour, whose build shows the cost of the history alone.
    """
    first = day_before(until, days=_DAYS)
    last = first + (_DAYS * 24 - 1) * HOUR
    worlds = root / "worlds"
    mean = events / (_DAYS * 24)
    month = render(worlds, seed, mean, HourRange(first, last - HOUR))
    hour = render(worlds, seed, mean, HourRange(last, last), longest=1)
    small = render(worlds, seed, _SMALL_HOUR, HourRange(last + HOUR, last + HOUR), longest=1)
    folder = root / "history"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log(
        f"{month.counts.lines:,} events in a month, {hour.counts.lines:,} in one more hour, and "
        f"{small.counts.lines:,} in the small one"
    )
    _load(folder, month)
    figures: dict[str, Any] = {
        "events": month.counts.lines,
        "hour_events": hour.counts.lines,
        "small_hour_events": small.counts.lines,
    }
    figures["first_build"] = _build(folder, month, "build", month.counts.lines, log)
    lines = month.counts.lines
    for step, world in (("one_new_hour", hour), ("small_new_hour", small)):
        _load(folder, world)
        lines += world.counts.lines
        figures[step] = _build(folder, world, "build", lines, log)
    figures["nothing_new"] = _build(folder, small, "build", lines, log)
    figures["full_refresh"] = _build(folder, small, "full", lines, log)
    shutil.rmtree(folder, ignore_errors=True)
    return figures


def _load(folder: Path, world: ServedWorld) -> None:
    with serving(world.folder) as origin:
        for mode in ("extract", "load"):
            _run(folder, world, origin, "bench.contenders.ours", mode)


def _build(
    folder: Path, world: ServedWorld, mode: str, expected: int, log: Callable[[str], None]
) -> dict[str, Any]:
    measured = _run(folder, world, "", "bench.contenders.models", mode)
    if measured.result["rows"] != expected:
        raise AssertionError(f"silver has {measured.result['rows']} of {expected} events")
    seconds = measured.result["seconds"]
    log(f"  dbt {mode}: {seconds:.1f} s, {measured.wall:.1f} s with its start")
    return {
        **measured.result,
        "wall_seconds": round(measured.wall, 2),
        "cpu_seconds": round(measured.cpu, 2),
        "peak_mb": round(measured.peak_mb),
    }


def _run(folder: Path, world: ServedWorld, origin: str, module: str, mode: str) -> Measured:
    command = [sys.executable, "-m", module, mode, task_of(world, origin, folder).to_json()]
    return measure(command, folder / f"{mode}.log", {}, timeout=_TIMEOUT_SECONDS)
