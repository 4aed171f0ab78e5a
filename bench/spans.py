"""Growth over hours: near-empty hours through the assets, beside Dagster's own bookkeeping."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from amplitude_assets.hours import HOUR, HourRange
from bench.contest import OURS_ASSETS, Contender, hold
from bench.world import day_before, render

_EVENTS_PER_HOUR = 2
BOOKKEEPING = "Dagster alone"


def measure_span(
    root: Path, seed: int, until: date, hours: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure a span of near-empty hours that ends with the day `until`.

    `Dagster alone` materialises as many partitions of four assets that do nothing, in runs of as
    many hours.
    """
    last = day_before(until, days=1) + 23 * HOUR
    span = HourRange(last - (hours - 1) * HOUR, last)
    world = render(root / "worlds", seed, _EVENTS_PER_HOUR, span)
    say(f"{hours:,} hours with {world.counts.lines:,} events")
    contenders = (
        Contender(OURS_ASSETS, "hours", "bench.contenders.ours", "assets"),
        Contender(BOOKKEEPING, "hours", "bench.contenders.bookkeeping", keeps_nothing=True),
    )
    entries = hold(root, world, contenders, 1, say)
    shutil.rmtree(root / "arena", ignore_errors=True)
    return {
        "hours": hours,
        "events": world.counts.lines,
        "contenders": [entry.figures(world.counts.lines) for entry in entries],
    }
