"""Time zones from the locked `tzdata` package instead of the operating system.

Python prefers the system's data, which may be years older than that of the warehouse, which
computes reporting days. `tests/unit/test_time_zones.py` lists the differences to DuckDB.
"""

from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo


@cache
def time_zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name. Raises ValueError for an unknown one."""
    if name not in time_zone_names():
        raise ValueError(f"{name!r} is not an IANA time zone, such as Europe/Berlin")
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def time_zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())
