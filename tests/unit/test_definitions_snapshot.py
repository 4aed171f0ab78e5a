"""The graph equals its reviewed snapshot."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DefaultScheduleStatus, DefaultSensorStatus
from dagster._config.pythonic_config.resource import get_resource_type_name

from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
from tests.support.definitions_snapshot import PATH, render

pytestmark = pytest.mark.integration


def test_the_graph_equals_its_snapshot() -> None:
    assert render() == PATH.read_text(), (
        "if this is intended, run python -m tests.support.definitions_snapshot, and read its diff"
    )


def test_every_asset_has_a_description_of_three_paragraphs() -> None:
    specs = build_definitions(Settings()).resolve_all_asset_specs()
    descriptions = {
        spec.key.to_user_string(): (spec.description or "").split("\n\n")
        for spec in specs
        if not spec.metadata.get("dagster/auto_created_stub_asset")  # a table that dbt only reads
    }
    assert len(descriptions) > 40
    assert {
        key: lines for key, lines in descriptions.items() if not _are_three_paragraphs(lines)
    } == {}


def _are_three_paragraphs(lines: list[str]) -> bool:
    # On an asset's page in Dagster's UI, 240 characters take two rows.
    fit = all(line.strip() and "\n" not in line and len(line) <= 240 for line in lines)
    return fit and len(lines) == 3 and lines[2].startswith(("It lands ", "They land "))


def test_every_resource_has_a_type_and_a_description() -> None:
    """The UI shows them on *Deployment*, *Resources*; the name of a lambda is not a type."""
    settings = Settings(lake_url="s3://bucket/events")
    resources = build_definitions(settings).get_repository_def().get_top_level_resources()
    assert {"lake", "warehouse", "export_client", "s3"} <= set(resources)
    for name, resource in resources.items():
        kind = get_resource_type_name(resource).rpartition(".")[2]
        assert re.fullmatch(r"[A-Z]\w+", kind), name
        assert resource.description, name


def test_every_check_has_a_description() -> None:
    graph = build_definitions(Settings()).get_repository_def().asset_graph
    checks = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert len(checks) > 100
    assert [check.name for check in checks if not check.description] == []


def test_loading_the_graph_imports_no_engine() -> None:
    """Each command, server and run of Dagster loads the graph; steps import their engines."""
    heavy = {"boto3", "dbt", "duckdb", "plotly", "pyarrow", "snowflake.connector"}
    program = "import sys, amplitude_assets.definitions; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "dagster" in loaded
    assert heavy.intersection(loaded) == set()


def test_automation_runs_by_default_only_with_the_setting() -> None:
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
    assert not (tmp_path / "data").exists(), "loading the code wrote files"
