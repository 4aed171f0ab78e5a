"""A damaged DuckDB file or Dagster file is reported in one line with the fix."""

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from amplitude_assets.cli import main as command
from amplitude_assets.cli.main import cli
from amplitude_assets.config import Settings
from amplitude_assets.instance.home import open_instance
from amplitude_assets.instance.integrity import DamagedHomeError, damaged_files, set_aside

_REBUILD = "amplitude-assets rebuild builds bronze, silver and gold from it"


def overwrite(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xde" * size)


def write_damaged_log(path: Path) -> None:
    """Leave a log of many commits, as a killed process does, and damage one in its middle."""
    child = os.fork()
    if not child:
        con = duckdb.connect(str(path))
        con.execute("set checkpoint_threshold = '1GB'")
        con.execute("create table filling (number bigint, digest varchar)")
        for _ in range(20):
            con.execute("insert into filling select range, sha256(range::varchar) from range(1000)")
        os._exit(0)
    os.waitpid(child, 0)
    log = Path(f"{path}.wal")
    overwrite(log, log.stat().st_size // 2, 500)


def write_older_layout(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("alter table bronze.export_hours drop column rejected_lines")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (lambda path: os.truncate(path, 0), "is damaged: "),
    "truncated": (lambda path: os.truncate(path, path.stat().st_size // 2), "is damaged: "),
    "headers": (lambda path: overwrite(path, 0, 12_288), "is damaged: "),
    "another file": (lambda path: path.write_text("<html>" * 9000) and None, "is damaged: "),
    "log": (write_damaged_log, "log (.wal) is damaged: "),
    "older layout": (
        write_older_layout,
        "has tables of an older layout, without bronze.export_hours.rejected_lines",
    ),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A DuckDB file with the tables of bronze."""
    path = tmp_path / "data" / "warehouse.duckdb"
    path.parent.mkdir()
    duckdb.connect(str(path)).close()
    assert invoke("status").exit_code == 0
    return path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_warehouse_is_reported_in_one_line(damage: str, file: Path) -> None:
    apply, expected = DAMAGES[damage]
    apply(file)
    for arguments in (["status"], ["run", "--last", "1"], ["doctor"]):
        result = invoke(*arguments)
        assert result.exit_code == 1, arguments
        assert isinstance(result.exception, SystemExit), "a traceback"
        output = " ".join(result.output.split())
        assert f"DUCKDB_PATH {file} {expected}" in output
        assert _REBUILD in output
        assert "other programs" not in output
        assert "close the program that has the file open" not in output
    assert len(invoke("status").output.splitlines()) == 1


def test_a_truncated_or_missing_log_keeps_the_commits_before_it(file: Path) -> None:
    write_damaged_log(file)
    log = Path(f"{file}.wal")
    os.truncate(log, log.stat().st_size // 4)
    assert invoke("status").exit_code == 0
    log.unlink(missing_ok=True)
    assert invoke("status").exit_code == 0


def test_rebuild_keeps_the_file_when_the_lake_has_no_hours(file: Path) -> None:
    os.truncate(file, 100)
    result = invoke("rebuild")
    assert result.exit_code == 1
    assert "has no hour of project" in result.output
    assert file.stat().st_size == 100


def test_a_damaged_dagster_file_is_named_and_rebuild_renames_it() -> None:
    settings = Settings()
    open_instance(settings).dispose()
    index = settings.dagster_home_path / "history" / "runs" / "index.db"
    with_log = index.with_name("index.db-wal")
    with_log.unlink(missing_ok=True)
    os.truncate(index, index.stat().st_size // 2)
    with pytest.raises(DamagedHomeError, match=r"index\.db is damaged: .*amplitude-assets rebuild"):
        open_instance(settings)
    doctor = invoke("doctor")
    assert doctor.exit_code == 1
    assert f"{index} is damaged" in doctor.output

    (kept,) = set_aside(damaged_files(settings.dagster_home_path))
    assert kept.exists()
    open_instance(settings).dispose()
    assert damaged_files(settings.dagster_home_path) == {}


def test_a_damaged_dagster_home_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings()
    open_instance(settings).dispose()
    os.truncate(settings.dagster_home_path / "history" / "runs.db", 5000)
    monkeypatch.setattr("sys.argv", ["amplitude-assets", "run", "--last", "1"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    output = capsys.readouterr().err
    assert "runs.db is damaged" in output
    assert "Traceback" not in output
