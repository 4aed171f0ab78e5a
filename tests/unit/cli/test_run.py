"""`run` checks Amplitude's keys before it changes anything, and tags its runs."""

import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from amplitude_assets.cli.main import main
from amplitude_assets.cli.run import run_on_terminal
from amplitude_assets.config import load_settings
from amplitude_assets.emulator import serve
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.runs.in_process import MainRun
from amplitude_assets.runs.interrupts import INTERRUPTED
from tests.unit.cli.usage_error import usage_error

pytestmark = pytest.mark.integration


def test_a_data_dir_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file" / "data"))
    assert "DATA_DIR" in usage_error(capsys, "run", "--last", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_keys_that_amplitude_rejects(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve() as emulator:
        monkeypatch.setenv("AMPLITUDE_BASE_URL", emulator.base_url)
        monkeypatch.setenv("AMPLITUDE_API_KEY", "emulator")
        monkeypatch.setenv("AMPLITUDE_SECRET_KEY", "a wrong run_tags")
        monkeypatch.setenv("AMPLITUDE_PROJECT_ID", "100011")
        message = usage_error(capsys, "run", "--last", "2")
    assert "AMPLITUDE_SECRET_KEY" in message
    assert "AMPLITUDE_REGION" in message
    assert "a wrong run_tags" not in message
    assert list(tmp_path.iterdir()) == []


def test_keys_of_another_project_and_a_misspelled_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve() as emulator:
        for name, value in {
            "AMPLITUDE_BASE_URL": emulator.base_url,
            "AMPLITUDE_API_KEY": "emulator",
            "AMPLITUDE_SECRET_KEY": "emulator-secret",
            "AMPLITUDE_PROJECT_ID": "4711",
            "AMPLITUDE_REGON": "eu",
            "WEEKSTART": "sunday",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["amplitude-assets", "run", "--last", "2"])
        with pytest.raises(SystemExit) as raised:
            main()
    warning, error = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: AMPLITUDE_REGON in the environment is not a setting; ")
    assert "did you mean WEEK_START?" in warning
    assert "AMPLITUDE_PROJECT_ID is 4711" in error
    assert raised.value.code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("accept_fewer", [False, True])
def test_the_option_to_accept_fewer_events_is_a_tag_of_the_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, accept_fewer: bool
) -> None:
    """With the tag the assets accept at once: `tests/faults/test_shrinking.py`."""
    tags: list[Mapping[str, str]] = []

    class RecordingRun(MainRun):
        def load_hours(self) -> None:
            tags.append(self._tags)

    monkeypatch.setattr("amplitude_assets.runs.in_process.MainRun", RecordingRun)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    arguments = ["run", "--last", "1", *(["--accept-fewer"] if accept_fewer else [])]
    monkeypatch.setattr("sys.argv", ["amplitude-assets", *arguments])
    with pytest.raises(SystemExit):
        main()
    assert [run_tags.get("amplitude/accept_fewer") for run_tags in tags] == [
        "true" if accept_fewer else None
    ]


@pytest.mark.parametrize(("option", "built"), [([], 1), (["--no-models"], 0)])
def test_models_are_built_at_any_cadence_except_with_no_models(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: list[str], built: int
) -> None:
    builds: list[MainRun] = []

    class RecordingRun(MainRun):
        def load_hours(self) -> None:
            self.outcome.loaded = set(self.outcome.requested)

        def build_models(self) -> None:
            builds.append(self)

    monkeypatch.setattr("amplitude_assets.runs.in_process.MainRun", RecordingRun)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MODELS_EVERY_HOURS", "168")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["amplitude-assets", "run", "--last", "1", *option])
    with pytest.raises(SystemExit) as raised:
        main()
    assert (len(builds), raised.value.code) == (built, 0)


def test_an_interrupt_during_the_imports_stops_the_command_even_if_an_import_ignores_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        """An import that is interrupted and ignores that, as an extension module may."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "amplitude_assets.runs.in_process":
                with suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)

    monkeypatch.delitem(sys.modules, "amplitude_assets.runs.in_process")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    hours = HourRange(parse_hour("2026-03-02T07"), parse_hour("2026-03-02T08"))
    assert run_on_terminal(load_settings(), hours) == INTERRUPTED
    assert "stopped: 0 of 2 hours are in bronze and kept." in capsys.readouterr().out
