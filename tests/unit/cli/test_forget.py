"""`forget` rejects invalid options and unknown people, and changes nothing."""

from pathlib import Path

import pytest

from tests.unit.cli.usage_error import usage_error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--user USER_ID"),
        (["--user", "", "--yes"], "not empty"),
        (["--amplitude-id", "anna", "--yes"], "--amplitude-id"),
        (["--user", "anna"], "give --yes"),
    ],
)
def test_invalid_options_of_forget(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in usage_error(capsys, "forget", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_user_cannot_be_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no events of project" in usage_error(capsys, "forget", "--user", "nobody", "--yes")
