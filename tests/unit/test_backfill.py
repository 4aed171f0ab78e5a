"""The command that queues a backfill: its door, and how it follows."""

from pathlib import Path

import pytest

from amplitude_assets.backfill import BackfillState, RunningDagster, follow
from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.progress import Progress
from tests.support.command import amplitude_assets


class StatedDagster(RunningDagster):
    """Answers with one state after the other."""

    def __init__(self, *states: tuple[str, int, int]) -> None:
        super().__init__(Settings())
        self._states = [BackfillState(status, 48, *counts, None) for status, *counts in states]

    def state_of(self, backfill: str) -> BackfillState:
        return self._states.pop(0)


def followed(*states: tuple[str, int, int]) -> tuple[BackfillState, list[int]]:
    told: list[Progress] = []
    ended = follow(StatedDagster(*states), "abc", told.append, sleep=lambda _: None)
    return ended, [progress.done for progress in told]


def test_it_follows_to_the_end_and_tells_what_is_new() -> None:
    ended, told = followed(
        ("REQUESTED", 0, 0),
        ("REQUESTED", 24, 0),
        ("REQUESTED", 24, 0),
        ("COMPLETED_SUCCESS", 48, 0),
    )
    assert ended.succeeded
    assert told == [0, 24, 48]


@pytest.mark.parametrize("status", ["COMPLETED_FAILED", "FAILED", "CANCELED"])
def test_an_end_that_is_no_success_is_none(status: str) -> None:
    ended, told = followed(("REQUESTED", 24, 0), (status, 24, 1))
    assert not ended.succeeded
    assert told == [24, 25]


def test_without_a_dagster_it_says_what_to_do(tmp_path: Path) -> None:
    env = {"DAGSTER_URL": "http://127.0.0.1:9", "DATA_DIR": str(tmp_path / "data")}
    done = amplitude_assets("backfill", "--last", "3", env=env, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == (
        "amplitude-assets: DAGSTER_URL: no Dagster answers at http://127.0.0.1:9; start it, for "
        "instance with make dev, or set DAGSTER_URL to where it is"
    )
    assert not (tmp_path / "data").exists()


def test_a_server_that_is_no_dagster_is_told() -> None:
    with pytest.raises(SettingsError, match="no Dagster answers"):
        RunningDagster(Settings(dagster_url="http://127.0.0.1:9")).state_of("abc")
