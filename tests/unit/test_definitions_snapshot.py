"""The graph is what its reviewed snapshot says."""

import subprocess
import sys
from pathlib import Path

from dagster import DefaultScheduleStatus, DefaultSensorStatus

from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
from tests.support.definitions_snapshot import PATH, render


def test_the_graph_is_the_reviewed_one() -> None:
    assert render() == PATH.read_text(), (
        "if this is meant, run python -m tests.support.definitions_snapshot, and read its diff"
    )


def test_every_asset_says_in_three_lines_what_it_is_what_again_does_and_where_it_lands() -> None:
    specs = build_definitions(Settings()).resolve_all_asset_specs()
    told = {
        spec.key.to_user_string(): (spec.description or "").split("\n\n")
        for spec in specs
        if not spec.metadata.get("dagster/auto_created_stub_asset")  # a table that dbt only reads
    }
    assert len(told) > 40
    assert {key: lines for key, lines in told.items() if not _are_three_lines(lines)} == {}


def _are_three_lines(lines: list[str]) -> bool:
    # On an asset's page in Dagster's UI, 240 characters take two rows.
    fit = all(line.strip() and "\n" not in line and len(line) <= 240 for line in lines)
    return fit and len(lines) == 3 and lines[2].startswith(("It lands ", "They land "))


def test_loading_the_graph_loads_no_engine() -> None:
    """Dagster loads it for each command, server and run; what a step needs, the step imports."""
    heavy = {"boto3", "dbt", "duckdb", "plotly", "pyarrow", "snowflake.connector"}
    asked = "import sys, amplitude_assets.definitions; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "dagster" in loaded
    assert heavy.intersection(loaded) == set()


def test_automation_runs_only_where_the_setting_says_so() -> None:
    alerts = {"alert_on_failed_run", "alert_on_failed_check"}
    for enabled in (False, True):
        repository = build_definitions(Settings(automation_enabled=enabled)).get_repository_def()
        sensors = {s.name: s.default_status for s in repository.sensor_defs}
        schedules = {s.name: s.default_status for s in repository.schedule_defs}
        running = {n for n, status in sensors.items() if status is DefaultSensorStatus.RUNNING}
        assert running == (set(sensors) - alerts if enabled else set())
        running = {n for n, status in schedules.items() if status is DefaultScheduleStatus.RUNNING}
        assert running == (set(schedules) if enabled else set())


def test_the_code_location_loads_from_another_folder_with_a_bare_environment(
    tmp_path: Path,
) -> None:
    program = "from amplitude_assets.definitions import defs; defs().get_repository_def()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        env={"DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "data").exists(), "loading the code made something"
