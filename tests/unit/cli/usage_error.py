"""Run the command with input that it must reject."""

import pytest

from amplitude_assets.cli.main import main


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command, assert that it rejects its input, and return the error message."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["amplitude-assets", *arguments])
        with pytest.raises(SystemExit) as raised:
            main()
    out, err = capsys.readouterr()
    assert raised.value.code == 2
    assert out == ""
    assert err.startswith("amplitude-assets: ")
    assert err.count("\n") == 1
    return err
