"""Bad input: one line with the error and the fix, exit status 2, and nothing changed."""

from pathlib import Path

import pytest

from tests.unit.cli.usage_error import usage_error


@pytest.mark.parametrize("command", ["run", "status"])
@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_invalid_hours(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
    arguments: list[str],
    message: str,
) -> None:
    assert message in usage_error(capsys, command, *arguments)
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
def test_invalid_settings(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    assert variable in usage_error(capsys, "run", "--last", "1")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "fly" in usage_error(capsys, "fly")
