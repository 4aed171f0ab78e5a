"""`backfill`: errors of the connection to Dagster, and following a backfill to its end."""

from pathlib import Path

import pytest

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.progress import Progress
from amplitude_assets.runs.remote_backfill import BackfillState, RunningDagster, follow
from tests.support.command import amplitude_assets

pytestmark = pytest.mark.integration


class ScriptedDagster(RunningDagster):
    """Return the given states one after the other."""

    def __init__(self, *states: tuple[str, int, int]) -> None:
        super().__init__(Settings())
        self._states = [BackfillState(status, 48, *counts, None) for status, *counts in states]

    def state_of(self, backfill: str) -> BackfillState:
        return self._states.pop(0)


def follow_states(*states: tuple[str, int, int]) -> tuple[BackfillState, list[int]]:
    reported: list[Progress] = []
    ended = follow(ScriptedDagster(*states), "abc", reported.append, sleep=lambda _: None)
    return ended, [progress.done for progress in reported]


def test_it_follows_to_the_end_and_reports_each_change_once() -> None:
    ended, reported = follow_states(
        ("REQUESTED", 0, 0),
        ("REQUESTED", 24, 0),
        ("REQUESTED", 24, 0),
        ("COMPLETED_SUCCESS", 48, 0),
    )
    assert ended.succeeded
    assert reported == [0, 24, 48]


@pytest.mark.parametrize("status", ["COMPLETED_FAILED", "FAILED", "CANCELED"])
def test_a_backfill_that_ends_without_success_is_not_reported_as_one(status: str) -> None:
    ended, reported = follow_states(("REQUESTED", 24, 0), (status, 24, 1))
    assert not ended.succeeded
    assert reported == [24, 25]


def test_an_unreachable_dagster_is_reported_in_one_line_with_the_fix(tmp_path: Path) -> None:
    env = {"DAGSTER_URL": "http://127.0.0.1:9", "DATA_DIR": str(tmp_path / "data")}
    done = amplitude_assets("backfill", "--last", "3", env=env, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == (
        "amplitude-assets: DAGSTER_URL: cannot reach Dagster at http://127.0.0.1:9; start it, for "
        "example with make dev, or correct DAGSTER_URL"
    )
    assert not (tmp_path / "data").exists()


def test_an_unreachable_dagster_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(SettingsError, match="cannot reach Dagster"):
        RunningDagster(Settings(dagster_url="http://127.0.0.1:9")).state_of("abc")
