"""Estimate Snowflake's credits a month, from the statements that were captured over the wire.

    .venv/bin/python -m tests.snowflake.sizing            # writes the table in docs/snowflake.md
    .venv/bin/python -m tests.snowflake.sizing --capture  # counts the statements first; minutes

The counts are in `sizing.json`. Everything else is an assumption, stated here and in the document.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.query_tags import Tagged

_COUNTS = Path(__file__).with_name("sizing.json")
DOCUMENT = Path(__file__).parents[2] / "docs" / "snowflake.md"
_BEGIN, _END = "<!-- sizing: begin -->", "<!-- sizing: end -->"

EVENTS_A_DAY = (10_000, 100_000, 1_000_000, 10_000_000)
EVERY_HOURS = (0, 3, 6, 24)

# Snowflake bills a running XS warehouse one credit an hour, by the second, at least a minute for
# each start. It suspends a minute after the last statement (`auto_suspend` of the setup).
CREDITS_AN_HOUR = 1
SUSPEND_SECONDS = 60
# Assumptions. 75 MB/s for COPY of JSON is from Snowflake's own measurements, for an XS; 2 kB a line
# from the emulator's events, and 40,000 events/s from a first build of 10 million on DuckDB with
# two cores. A build also reads the earlier events of the users that it touches.
SECONDS_A_STATEMENT = 0.3
COPY_BYTES_A_SECOND = 75_000_000
BYTES_A_LINE = 2_000
EVENTS_READ_FOR_ONE = 10
EVENTS_A_SECOND = 40_000
DAYS_A_MONTH = 30

# Statements that run in Snowflake's services, without a warehouse.
_WITHOUT_WAREHOUSE = re.compile(
    r"\s*(alter|show|desc|use|begin|commit|rollback|truncate|drop|create (?!.*\bas\b))", re.I | re.S
)


@dataclass(frozen=True)
class Captured:
    """The statements, of one new hour, that need the warehouse."""

    load: int
    build: int


def count(statements: Sequence[Tagged]) -> Captured:
    """Count the statements of a run over one new hour: those of the load, and all others."""
    needing = [one for one in statements if not _WITHOUT_WAREHOUSE.match(one.sql)]
    load = sum(one.tag.get("asset") == "bronze/raw_events" for one in needing)
    return Captured(load, sum("run_id" in one.tag for one in needing) - load)


def credits_a_month(captured: Captured, events_a_day: int, every_hours: int) -> float:
    """Return the estimate for loads every hour and builds at a cadence; 0 is after every load."""
    load = captured.load * SECONDS_A_STATEMENT
    load += events_a_day / 24 * BYTES_A_LINE / COPY_BYTES_A_SECOND
    builds = 24 / (every_hours or 1)
    build = captured.build * SECONDS_A_STATEMENT
    build += events_a_day / builds * EVENTS_READ_FOR_ONE / EVENTS_A_SECOND
    # A build follows a load before the warehouse is suspended, so it adds no start.
    seconds = 24 * (load + SUSPEND_SECONDS) + builds * build
    return DAYS_A_MONTH * seconds / 3600 * CREDITS_AN_HOUR


def table(captured: Captured) -> str:
    """Return the table of the document, with the arithmetic."""
    heads = ["after every load", *(f"every {hours} h" for hours in EVERY_HOURS[1:])]
    rows = [
        f"| {events:,} | "
        + " | ".join(f"{credits_a_month(captured, events, hours):.0f}" for hours in EVERY_HOURS)
        + " |"
        for events in EVENTS_A_DAY
    ]
    counted = (
        f"An hour's load has {captured.load} statements that need the warehouse, and a build after "
        f"one new hour {captured.build}."
    )
    return "\n".join(
        [
            _BEGIN,
            f"| events a day | {' | '.join(heads)} |",
            "|" + " --: |" * (len(EVERY_HOURS) + 1),
            *rows,
            "",
            counted,
            _END,
        ]
    )


def captured_counts() -> Captured:
    """Return the counts of the last capture."""
    return Captured(**json.loads(_COUNTS.read_text()))


def write() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text()
    before, after = text.partition(_BEGIN)[0], text.partition(_END)[2]
    DOCUMENT.write_text(f"{before}{table(captured_counts())}{after}")


def _capture() -> None:
    """Run the main job for two hours and then for a new one, over the wire to the fake."""
    import os
    import tempfile

    from amplitude_assets.config import load_settings
    from amplitude_assets.hours import HOUR, HourRange, parse_hour
    from amplitude_assets.instance.home import open_instance
    from amplitude_assets.runs.in_process import run_main_job
    from tests.support import snowflake

    first = parse_hour("2026-09-01T05")
    with tempfile.TemporaryDirectory() as name, snowflake.fake(Path(name)) as account:
        assert account.double is not None
        os.environ.update(account.environment)
        os.environ |= {"DATA_DIR": f"{name}/data", "EMULATOR_EVENTS_PER_HOUR": "100"}
        settings = load_settings()
        recorder = account.double.snowflake.recorder
        with open_instance(settings) as instance:
            for hours in (
                HourRange(first, first + HOUR),
                HourRange(first + 2 * HOUR, first + 2 * HOUR),
            ):
                recorder.statements.clear()
                assert run_main_job(settings, instance, hours, lambda _: None).succeeded
        _COUNTS.write_text(json.dumps(asdict(count(recorder.statements)), indent=2) + "\n")


if __name__ == "__main__":
    if "--capture" in sys.argv:
        _capture()
    write()
