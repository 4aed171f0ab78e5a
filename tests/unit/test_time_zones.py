"""DuckDB's time zones and those of the locked tzdata package differ only as documented."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from amplitude_assets.time_zones import time_zone, time_zone_names

# Daylight saving time lasts for months, and Morocco's exception for Ramadan for weeks.
MOMENTS = [datetime(2015, 1, 1, 12, tzinfo=UTC) + timedelta(days=14 * n) for n in range(417)]
# Cuba keeps daylight saving time from November 2026 on, and DuckDB 2.0 has older data.
DIFFERENT = {"America/Havana", "Cuba"}

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


def test_duckdb_and_python_differ_only_in_the_documented_zones() -> None:
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        rows = con.execute(
            "select name, list(epoch(timezone(name, moment))::bigint - epoch(moment)::bigint"
            " order by moment)"
            " from (select unnest($names) as name), (select unnest($moments) as moment)"
            " group by name",
            {"names": sorted(time_zone_names()), "moments": MOMENTS},
        ).fetchall()
    offsets = dict(rows)
    assert offsets.keys() == time_zone_names()
    assert {name for name in offsets if offsets[name] != _offsets(name)} == DIFFERENT


def _offsets(name: str) -> list[int]:
    zone = time_zone(name)
    shifts = (moment.astimezone(zone).utcoffset() or timedelta() for moment in MOMENTS)
    return [int(shift.total_seconds()) for shift in shifts]


def test_the_guide_names_the_zones_that_differ() -> None:
    assert all(f"`{name}`" in GUIDE.read_text() for name in DIFFERENT)


def test_zones_are_loaded_from_the_package_and_not_from_the_system() -> None:
    # Morocco ends its exception for Ramadan in September 2026; data of 2025 has it without end.
    moved = datetime(2026, 12, 1, 12, tzinfo=UTC).astimezone(time_zone("Africa/Casablanca"))
    assert moved.utcoffset() == timedelta(0)


@pytest.mark.parametrize("name", ["", "localtime", "Europe/berlin", "../zones", "Mars/Base"])
def test_an_unknown_zone_is_rejected(name: str) -> None:
    with pytest.raises(ValueError, match="not an IANA time zone"):
        time_zone(name)
