"""Worlds for tests that use today's hours.

A world has hours without events, as real projects do. A test of the newest hours would meet one
only on some days, and fail then; so it uses a world in which all of its hours have events.
"""

from itertools import count

from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.hours import HourRange


def lively_world(hours: HourRange, events_per_hour: int, project_id: int) -> World:
    """Return the world of the smallest seed that has events in all of the hours."""
    worlds = (
        World(WorldSettings(seed=seed, events_per_hour=events_per_hour, project_id=project_id))
        for seed in count(1)
    )
    return next(world for world in worlds if all(any(world.lines(hour)) for hour in hours))
