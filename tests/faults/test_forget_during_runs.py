"""`forget` while a run loads hours: both finish, and the run does not restore the person."""

from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import click
import pytest

from amplitude_assets.cli import forget
from amplitude_assets.cli.forget import forget_on_terminal
from amplitude_assets.config import SettingsError
from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from amplitude_assets.forgetting import removal
from amplitude_assets.runs import in_process
from tests.faults.child import run_and_report, run_with_a_pause, start
from tests.faults.place import HOURS, Place
from tests.support.dagster_processes import wait_until

SUCCEEDED = "succeeded"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture
def place(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a loaded place whose models are not built; `test_privacy.py` covers the models."""
    monkeypatch.setattr(in_process, "build_models", lambda *_: [])
    place = Place(tmp_path / "data", emulator.base_url, shares_dagster=True)
    assert place.run().succeeded
    return place


def most_active_user(place: Place) -> str:
    """Return the user id with the most events."""
    ((user_id,),) = place.query(
        "select event->>'user_id' as user_id from bronze.raw_events where user_id is not null"
        " group by all order by count(*) desc, user_id limit 1"
    )
    return str(user_id)


def count_lines(place: Place, user_id: str) -> int:
    rows = (row for hour in place.bronze().values() for row in hour["raw_events"])
    return sum(f'"{user_id}"' in row[4] for row in rows)


def run_forget(place: Place, user_id: str, *, confirmed: bool = True) -> int:
    return forget_on_terminal(place.settings, [user_id], [], confirmed=confirmed)


def test_forget_refuses_while_a_run_is_active_or_started_meanwhile(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    user_id = most_active_user(place)
    paused, go_on, report = (tmp_path / name for name in ("paused", "go_on", "report.txt"))

    def start_paused_run() -> BaseProcess:
        # It unpacks every hour with the old list, and pauses before it uploads any.
        run = start(run_with_a_pause, replace(place), "hourly_json_files", paused, go_on, report)
        wait_until(paused.exists, "the run has unpacked its hours")
        return run

    run = start_paused_run()
    with pytest.raises(SettingsError, match=r"loaded by 1 run.*wait until they have ended"):
        run_forget(place, user_id)
    assert not (place.folder / "lake" / "forgotten").exists()
    go_on.touch()
    run.join()
    assert report.read_text() == SUCCEEDED

    for path in (paused, go_on, report):
        path.unlink()
    started: list[BaseProcess] = []
    monkeypatch.setattr(click, "confirm", lambda *_, **__: started.append(start_paused_run()))
    assert run_forget(place, user_id, confirmed=False) == 1
    assert "hours are being loaded by 1 run" in capsys.readouterr().err
    go_on.touch()
    started[0].join()
    assert report.read_text() == SUCCEEDED
    assert count_lines(place, user_id) > 0  # nothing was removed while the run was active

    assert run_forget(place, user_id) == 0
    assert "Nothing of the person is left here." in capsys.readouterr().out
    assert place.run().succeeded
    assert count_lines(place, user_id) == 0


def test_a_run_started_during_a_removal_does_not_load_the_person_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = most_active_user(place)
    report = tmp_path / "report.txt"
    runs: list[BaseProcess] = []
    remove = removal.remove

    def remove_during_run(*arguments: Any) -> object:
        runs.append(start(run_and_report, replace(place), HOURS, False, report))
        return remove(*arguments)

    monkeypatch.setattr(forget, "remove", remove_during_run)
    status = run_forget(place, user_id)
    runs[0].join()
    # The removal deletes files of the landing area; the run names the hours that it cannot load.
    message = report.read_text()
    assert message == SUCCEEDED or "materialise" in message, message
    assert status in (0, 1)

    monkeypatch.setattr(forget, "remove", remove)
    assert place.run().succeeded
    assert count_lines(place, user_id) == 0
    assert status == 0 or run_forget(place, user_id) == 0
