"""The display of progress on a terminal and in a pipe."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from amplitude_assets.cli.display import progress_display, terminal
from amplitude_assets.progress import Overall, Progress, WholeCommand
from tests.support.command import COMMAND

STAGES = ["raw_export_zip", "hourly_json_files", "s3_event_objects", "bronze/raw_events"]
HALF = Progress("bronze/raw_events", 36, 72, "hours", 90_914, "lines", 20.0)


def shown(width: int, *, terminal: bool) -> str:
    """Return the final content of a console of this width."""
    out = StringIO()
    with progress_display(Console(file=out, width=width, force_terminal=terminal)) as sink:
        sink(HALF)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_the_progress_of_a_step_fits_on_a_terminal(width: int) -> None:
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


def whole_command(
    parts: list[int], seconds_an_hour: float = 1.0, failed: int = 0
) -> tuple[list[Overall], str]:
    """Run a command's hours through their stages; return its reports, and a pipe's lines."""
    now = 0.0
    out = StringIO()
    reported: list[Overall] = []
    with progress_display(Console(file=out, width=200)) as lines:

        def sink(step: Progress) -> None:
            assert step.overall is not None
            reported.append(step.overall)
            lines(step)

        whole = WholeCommand(sink, STAGES, parts, clock=lambda: now)
        for part in parts:
            for stage in STAGES:
                for done in range(part + 1):
                    now += seconds_an_hour / len(STAGES) if done else 0
                    whole(Progress(stage, done, part, "hours", 0, "", 1.0))
            whole.end_run(failed)
    return [*reported, whole.overall], out.getvalue()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.floats(0.01, 1000))
def test_a_command_counts_up_to_all_its_hours(parts: list[int], pace: float) -> None:
    reported, _ = whole_command(parts, pace)
    done = [at.done for at in reported]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, sum(parts))
    assert {at.total for at in reported} == {sum(parts)}
    runs = [at.run for at in reported]
    assert runs == sorted(runs)
    assert set(runs) == set(range(1, len(parts) + 1))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.floats(0.01, 1000))
def test_a_command_estimates_only_from_completed_hours(parts: list[int], pace: float) -> None:
    reported, _ = whole_command(parts, pace)
    for at in reported:
        assert (at.seconds_left is None) == (at.done in (0, at.total))
        if at.seconds_left is not None:  # each stage of each hour takes the same time
            upper_bound = (at.total - at.done) * pace
            assert at.seconds_left <= upper_bound * 1.001


def test_a_pipe_gets_a_line_for_each_run_and_quarter_of_a_stage() -> None:
    _, piped = whole_command([168, 168, 168, 168, 48], seconds_an_hour=0.5)
    lines = piped.splitlines()
    assert lines[0] == "run 1 of 5, 0 of 720 hours"
    assert "run 3 of 5, 336 of 720 hours, about 3 min left" in lines
    first_stage = [line for line in lines[:6] if STAGES[0] in line]
    assert [line.split(":")[1].split(",")[0].strip() for line in first_stage] == [
        "0%",
        "25%",
        "50%",
        "75%",
        "100%",
    ]
    assert len(lines) == 5 + 5 * len(STAGES) * 5
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_shows_the_whole_command_above_its_steps(width: int) -> None:
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True)
    with progress_display(console) as sink:
        sink(replace(HALF, overall=Overall(2, 5, 336, 720, 0, 170.0)))
    assert re.search(r"run 2 of 5 .*336 of 720 hours, about 3 min left", out.getvalue())


def test_lines_wrap_on_a_terminal_and_not_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = " ".join(["amplitude"] * 30)
    for is_terminal in (True, False):
        out = StringIO()
        out.isatty = lambda is_terminal=is_terminal: is_terminal  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("TERM", "xterm")
        terminal().print(text)
        lines = out.getvalue().splitlines()
        assert (len(lines) > 1) == is_terminal
        assert " ".join(line.strip() for line in lines) == text
        assert max(map(len, lines)) <= 80 or not is_terminal


def run_on_terminal(*arguments: str, folder: Path, until: bytes) -> bytes:
    """Run the command on a pseudo-terminal, and return its output up to `until`."""
    reader, writer = os.openpty()
    screen = b""
    with subprocess.Popen(
        [COMMAND, *arguments], stdout=writer, cwd=folder, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(writer)
        try:
            while until not in screen and (data := os.read(reader, 4096)):
                screen += data
        finally:
            process.terminate()
            os.close(reader)
    return screen


def test_a_spinner_turns_while_a_command_starts(tmp_path: Path) -> None:
    screen = run_on_terminal("emulate", "--port", "0", folder=tmp_path, until=b"PROJECT_ID=")
    before, _, settings = screen.partition(b"AMPLITUDE_BASE_URL=")
    assert b"working" in before
    assert b"working" not in settings
