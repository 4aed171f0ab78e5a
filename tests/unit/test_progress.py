"""The progress of steps and commands: what it counts, estimates and reports."""

import pytest

from amplitude_assets.progress import Overall, Progress, StepProgress, WholeCommand, about_left

STAGES = ["raw_export_zip", "hourly_json_files", "s3_event_objects", "bronze/raw_events"]
NO_OVERALL = Overall(0, 0, -1, 0, 0, None)
HALF = Progress("bronze/raw_events", 36, 72, "hours", 90_914, "lines", 20.0)


def test_progress_has_hours_events_rate_and_time_left() -> None:
    assert str(HALF) == "bronze/raw_events: 36 of 72 hours, 90,914 lines (4,546/s), 0:00:20 left"


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(999, "999 B sent (100 B/s)"), (26_773_994, "26.8 MB sent (2.7 MB/s)")],
)
def test_bytes_are_formatted_short(amount: int, expected: str) -> None:
    assert expected in str(Progress("s3_event_objects", 1, 2, "hours", amount, "bytes sent", 10.0))


@pytest.mark.parametrize("units", ["lines", "bytes sent"])
def test_a_step_that_moved_nothing_claims_no_rate(units: str) -> None:
    unchanged = Progress("bronze/raw_events", 72, 72, "hours", 0, units, 20.0)
    assert str(unchanged) == "bronze/raw_events: 72 of 72 hours"


def test_no_time_left_at_the_start_and_at_the_end() -> None:
    for done in (0, 72):
        assert "left" not in str(Progress("dbt", done, 72, "models", 0, "", 10.0))


# Parts done and seconds passed, recorded from dbt on a busy machine: it starts for 87 seconds, then
# builds 44 models in 93.
DBT = [(1, 87.2), (6, 90.0), (7, 96.0), (8, 111.0), (12, 121.1), (16, 123.6), (25, 150.0)]


def test_the_time_left_is_independent_of_the_start_up_time() -> None:
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
    assert left.pop(0) is left.pop(1) is None  # too few parts for an estimate
    assert max(seconds or 0 for seconds in left.values()) < 180
    assert 30 < (left[25] or 0) < 60  # the actual time was 30 seconds


def test_a_step_reports_at_its_start_and_end_and_not_for_each_part() -> None:
    reported: list[int] = []
    step = StepProgress(lambda at: reported.append(at.done), "dbt", 40, every_seconds=3600)
    for _ in range(40):
        step.add(1)
    assert reported == [0, 40]


def test_an_unfinished_part_reports_the_amount_so_far() -> None:
    reported: list[Progress] = []
    step = StepProgress(reported.append, "raw_export_zip", 24, units="bytes", every_seconds=0)
    for received in (0, 1_500_000, 1_500_000, 3_000_000):
        step.reach(received)
    step.add(24)
    assert [(at.done, at.amount) for at in reported] == [
        (0, 0),
        (0, 1_500_000),
        (0, 3_000_000),
        (24, 3_000_000),
    ]
    begun = Progress("raw_export_zip", 0, 24, "hours", 3_000_000, "bytes", 2.0)
    assert str(begun) == "raw_export_zip: 0 of 24 hours, 3.0 MB (1.5 MB/s)"


def test_a_step_without_parts_reports_nothing() -> None:
    reported: list[Progress] = []
    StepProgress(reported.append, "raw_export_zip", 0)
    assert reported == []


def test_the_total_does_not_decrease_when_a_step_starts_again() -> None:
    reported: list[Overall] = []
    whole = WholeCommand(lambda step: reported.append(step.overall or NO_OVERALL), STAGES, [10, 10])
    for done in (4, 0, 2, 9):
        whole(Progress(STAGES[-1], done, 10, "hours", 0, "", 1.0))
    whole.end_run(failed=1)
    assert [at.done for at in (*reported, whole.overall)] == [4, 4, 4, 9, 10]
    assert str(whole.overall).startswith("run 2 of 2, 10 of 20 hours (1 failed), about")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (0.2, ", about 10 s left"),
        (42, ", about 40 s left"),
        (170, ", about 3 min left"),
        (3599, ", about 1 h 0 min left"),
        (9000, ", about 2 h 30 min left"),
    ],
)
def test_the_time_left_of_a_command_is_rough(seconds: float | None, expected: str) -> None:
    assert about_left(seconds) == expected
