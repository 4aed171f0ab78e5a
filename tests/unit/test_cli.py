"""Bad input: one line that says what is wrong and what would be right, exit 2, nothing changed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from amplitude_assets.cli import asked_hours, main
from amplitude_assets.config import Settings
from amplitude_assets.emulator import serve
from amplitude_assets.hours import HOUR, HourError, HourRange, parse_hour

NOW = datetime(2026, 9, 3, 12, 30, tzinfo=UTC)
NEWEST = parse_hour("2026-09-03T09")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command, which must be refused, and return the line that says why."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["amplitude-assets", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert out == ""
    assert err.startswith("amplitude-assets: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("command", ["run", "status"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--last", "0"], "--last"),
        (["--last", "many"], "--last"),
        (["--from", "2026-09-01"], "YYYY-MM-DDTHH"),
        (["--from", "2026-09-01T25"], "YYYY-MM-DDTHH"),
        (["--from", "2026-09-02T00", "--to", "2026-09-01T00"], "swap them"),
        (["--to", "2026-09-01T00"], "--to needs --from"),
        (["--last", "3", "--from", "2026-09-01T00"], "not both"),
        (["--from", "2200-01-01T00", "--to", "2200-01-01T01"], "not exportable yet"),
        (["--from", "2200-01-01T00"], "not exportable yet"),
        (["--from", "2015-01-01T00", "--to", "2015-01-01T01"], "AMPLITUDE_START_HOUR"),
        (["--last", "9999999"], "AMPLITUDE_START_HOUR"),
        (["--hours", "3"], "--hours"),
        (["now"], "now"),
    ],
)
def test_hours_that_cannot_be_asked_for(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
    arguments: list[str],
    said: str,
) -> None:
    assert said in refused(capsys, command, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WAREHOUSE", "bigquery"),
        ("AMPLITUDE_REGION", "asia"),
        ("AMPLITUDE_START_HOUR", "soon"),
        ("LAKE_URL", "ftp://x"),
        ("PROJECT_TIMEZONE", "Nowhere"),
    ],
)
def test_settings_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    assert variable in refused(capsys, "run", "--last", "1")
    assert list(tmp_path.iterdir()) == []


def test_a_data_dir_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file" / "data"))
    assert "DATA_DIR" in refused(capsys, "run", "--last", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_dagsters_ui_from_another_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"cd {Path(__file__).parents[2]}\n" in refused(capsys, "dev")


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "fly" in refused(capsys, "fly")


def test_keys_that_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve() as emulator:
        monkeypatch.setenv("AMPLITUDE_BASE_URL", emulator.base_url)
        monkeypatch.setenv("AMPLITUDE_API_KEY", "emulator")
        monkeypatch.setenv("AMPLITUDE_SECRET_KEY", "a wrong one")
        monkeypatch.setenv("AMPLITUDE_PROJECT_ID", "100011")
        said = refused(capsys, "run", "--last", "2")
    assert "AMPLITUDE_SECRET_KEY" in said
    assert "AMPLITUDE_REGION" in said
    assert "a wrong one" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("count", "first", "last", "expected"),
    [
        (2, None, None, (NEWEST - HOUR, NEWEST)),
        (None, None, None, (NEWEST - 71 * HOUR, NEWEST)),
        (None, NEWEST - 5 * HOUR, None, (NEWEST - 5 * HOUR, NEWEST)),
        (None, NEWEST - 5 * HOUR, NEWEST - 3 * HOUR, (NEWEST - 5 * HOUR, NEWEST - 3 * HOUR)),
    ],
)
def test_hours_that_are_asked_for(
    count: int | None,
    first: datetime | None,
    last: datetime | None,
    expected: tuple[datetime, datetime],
) -> None:
    assert asked_hours(Settings(), count, first, last, NOW) == HourRange(*expected)


def test_the_newest_hour_follows_the_delay() -> None:
    settings = Settings(amplitude_export_delay_hours=5)
    assert asked_hours(settings, 1, None, None, NOW).last == NEWEST - 3 * HOUR
    with pytest.raises(HourError, match="2026-09-03T06"):
        asked_hours(settings, None, NEWEST, NEWEST, NOW)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--user USER_ID"),
        (["--user", "", "--yes"], "not empty"),
        (["--amplitude-id", "anna", "--yes"], "--amplitude-id"),
        (["--user", "anna"], "give --yes"),
    ],
)
def test_somebody_who_cannot_be_forgotten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    assert said in refused(capsys, "forget", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_nobody_of_that_id_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no event of project" in refused(capsys, "forget", "--user", "nobody", "--yes")
