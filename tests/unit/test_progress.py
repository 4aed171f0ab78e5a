"""Progress: what a step says of itself, and how it looks on a terminal and in a pipe."""

import os
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from amplitude_assets.progress import Progress, StepProgress
from amplitude_assets.progress_display import progress_display
from tests.support.command import COMMAND

HALF = Progress("bronze/raw_events", 36, 72, "hours", 90_914, "lines", 20.0)


def shown(width: int, *, terminal: bool) -> str:
    """Return what a console of this width holds in the end."""
    out = StringIO()
    with progress_display(Console(file=out, width=width, force_terminal=terminal)) as sink:
        sink(HALF)
    return out.getvalue()


def test_it_says_hours_events_rate_and_the_time_left() -> None:
    assert str(HALF) == "bronze/raw_events: 36 of 72 hours, 90,914 lines (4,546/s), 0:00:20 left"


@pytest.mark.parametrize(
    ("amount", "words"),
    [(999, "999 B sent (100 B/s)"), (26_773_994, "26.8 MB sent (2.7 MB/s)")],
)
def test_bytes_are_written_short(amount: int, words: str) -> None:
    assert words in str(Progress("s3_event_objects", 1, 2, "hours", amount, "bytes sent", 10.0))


def test_there_is_no_time_left_before_a_pace_nor_at_the_end() -> None:
    for done in (0, 72):
        assert "left" not in str(Progress("dbt", done, 72, "models", 0, "", 10.0))


# Parts done and seconds gone, as dbt told them on a busy machine: it starts for 87 seconds, then
# builds 44 models in 93.
DBT = [(1, 87.2), (6, 90.0), (7, 96.0), (8, 111.0), (12, 121.1), (16, 123.6), (25, 150.0)]


def test_the_time_left_does_not_build_on_how_long_a_step_took_to_start() -> None:
    now = 0.0
    left: dict[int, float | None] = {}
    step = StepProgress(
        lambda at: left.update({at.done: at.seconds_left}),
        "dbt",
        45,
        every_seconds=0,
        clock=lambda: now,
    )
    for done, now in DBT:  # noqa: B007  the clock reads it
        step.add(done - max(left))
    assert left.pop(0) is left.pop(1) is None  # too little to tell from
    assert max(seconds or 0 for seconds in left.values()) < 180
    assert 30 < (left[25] or 0) < 60  # it was 30


def test_a_step_is_told_at_its_start_and_its_end_and_not_for_each_part() -> None:
    told: list[int] = []
    step = StepProgress(lambda at: told.append(at.done), "dbt", 40, every_seconds=3600)
    for _ in range(40):
        step.add(1)
    assert told == [0, 40]


def test_a_part_that_is_under_way_says_what_has_arrived_of_it() -> None:
    told: list[Progress] = []
    step = StepProgress(told.append, "raw_export_zip", 24, units="bytes", every_seconds=0)
    for received in (0, 1_500_000, 1_500_000, 3_000_000):
        step.reach(received)
    step.add(24)
    assert [(at.done, at.amount) for at in told] == [
        (0, 0),
        (0, 1_500_000),
        (0, 3_000_000),
        (24, 3_000_000),
    ]
    begun = Progress("raw_export_zip", 0, 24, "hours", 3_000_000, "bytes", 2.0)
    assert str(begun) == "raw_export_zip: 0 of 24 hours, 3.0 MB (1.5 MB/s)"


def test_a_step_without_parts_is_not_told() -> None:
    told: list[Progress] = []
    StepProgress(told.append, "raw_export_zip", 0)
    assert told == []


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_has_room_for_all_that_a_step_says(width: int) -> None:
    screen = shown(width, terminal=True)
    assert "36 of 72 hours, 90,914 lines (4,546/s), 0:00:20 left" in screen
    assert "…" not in screen


@pytest.mark.parametrize(("later", "left"), [(15, "0:00:05 left"), (25, "0:00:00 left")])
def test_the_time_left_counts_down_between_two_reports(later: int, left: str) -> None:
    now = 100.0
    out = StringIO()
    console = Console(file=out, width=80, force_terminal=True, get_time=lambda: now)
    with progress_display(console) as sink:
        sink(HALF)  # 20 seconds are left
        now += later
    *_, last = (line for line in out.getvalue().splitlines() if "bronze" in line)
    assert left in last


def test_a_pipe_gets_nothing() -> None:
    assert shown(80, terminal=False) == ""


def on_a_terminal(*arguments: str, folder: Path, until: bytes) -> bytes:
    """Run the command on a terminal of its own, and return what is on it when `until` is."""
    ours, theirs = os.openpty()
    screen = b""
    with subprocess.Popen(
        [COMMAND, *arguments], stdout=theirs, cwd=folder, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        try:
            while until not in screen and (data := os.read(ours, 4096)):
                screen += data
        finally:
            process.terminate()
            os.close(ours)
    return screen


def test_something_turns_while_a_command_starts(tmp_path: Path) -> None:
    screen = on_a_terminal("emulate", "--port", "0", folder=tmp_path, until=b"PROJECT_ID=")
    before, _, settings = screen.partition(b"AMPLITUDE_BASE_URL=")
    assert b"working" in before
    assert b"working" not in settings
