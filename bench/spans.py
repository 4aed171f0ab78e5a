"""Measure the fixed cost of an hour with near-empty hours, compared with Dagster's overhead."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from amplitude_assets.hours import HOUR, HourRange
from bench.contest import OURS_ASSETS, Contender, run_contest
from bench.world import day_before, render

_EVENTS_PER_HOUR = 2
BOOKKEEPING = "Dagster alone"


def measure_span(
    root: Path, seed: int, until: date, hours: int, log: Callable[[str], None]
) -> dict[str, Any]:
    """Measure a span of near-empty hours that ends with the day `until`.

    `Dagster alone` materialises the same partitions of four assets that do nothing, in runs of the
    same size.
    """
    last = day_before(until, days=1) + 23 * HOUR
    span = HourRange(last - (hours - 1) * HOUR, last)
    world = render(root / "worlds", seed, _EVENTS_PER_HOUR, span)
    log(f"{hours:,} hours with {world.counts.lines:,} events")
    contenders = (
        Contender(OURS_ASSETS, "hours", "bench.contenders.ours", "assets"),
        Contender(BOOKKEEPING, "hours", "bench.contenders.bookkeeping", loads_nothing=True),
    )
    entries = run_contest(root, world, contenders, 1, log)
    shutil.rmtree(root / "arena", ignore_errors=True)
    return {
        "hours": hours,
        "events": world.counts.lines,
        "contenders": [entry.figures(world.counts.lines) for entry in entries],
    }
