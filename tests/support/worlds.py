"""Worlds for tests that run at today's hours, whatever today is.

A world has hours without events, as real projects do. A test of the newest hours meets one of
them on some days only, and fails on those; so it asks for a world in which its hours have events.
"""

from itertools import count

from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.hours import HourRange


def lively_world(hours: HourRange, events_per_hour: int, project_id: int) -> World:
    """Return a world that has events in every one of the hours: that of the smallest such seed."""
    worlds = (
        World(WorldSettings(seed=seed, events_per_hour=events_per_hour, project_id=project_id))
        for seed in count(1)
    )
    return next(world for world in worlds if all(any(world.lines(hour)) for hour in hours))
