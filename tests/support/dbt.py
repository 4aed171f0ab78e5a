"""Run the real dbt project in this process, on the test's own DuckDB file."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dbt.artifacts.schemas.results import NodeStatus
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode
from filelock import FileLock

from amplitude_assets.dbt.column_lineage import project_version
from amplitude_assets.dbt.project import project_sources
from amplitude_assets.dbt.runner import close_duckdb

PROJECT = Path(__file__).parents[2] / "dbt_project"
_GOOD = {NodeStatus.Success, NodeStatus.Pass, NodeStatus.Warn, NodeStatus.NoOp}


class DbtError(AssertionError):
    """A dbt command failed; the message names the nodes and their errors."""


def build(
    duckdb_path: Path,
    *,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    timezone: str = "UTC",
    week_start: str = "monday",
    variables: Mapping[str, Any] | None = None,
    project: Path = PROJECT,
    tests: bool = True,
) -> dict[str, str]:
    """Run `dbt build` and return each node's status by its name. Raises DbtError.

    No connection to the file may be open in this process. `tests=False` leaves out data tests.
    """
    command = ["build", "--exclude-resource-type", "unit_test"]
    if not tests:
        command += ["--exclude-resource-type", "test"]
    if select:
        command += ["--select", *select]
    if exclude:
        command += ["--exclude", *exclude]
    if full_refresh:
        command += ["--full-refresh"]
    if variables:
        command += ["--vars", str(dict(variables))]
    return run(command, duckdb_path, timezone=timezone, week_start=week_start, project=project)


def run(
    command: Sequence[str],
    duckdb_path: Path,
    *,
    timezone: str = "UTC",
    week_start: str = "monday",
    project: Path = PROJECT,
) -> dict[str, str]:
    """Run a dbt command on the file, like `build`. Raises DbtError."""
    settings = {
        "WAREHOUSE": "duckdb",
        "DUCKDB_PATH": str(duckdb_path),
        "PROJECT_TIMEZONE": timezone,
        "WEEK_START": week_start,
    }
    return run_on(settings, command, project=project)


def run_on(
    settings: Mapping[str, str], command: Sequence[str], *, project: Path = PROJECT
) -> dict[str, str]:
    """Run a dbt command on the target of the setting `WAREHOUSE`, like `run`."""
    return {result.node.name: str(result.status) for result in _results(settings, command, project)}


def compiled_on(settings: Mapping[str, str], *, project: Path = PROJECT) -> dict[str, str]:
    """Compile the models for the target of `WAREHOUSE`; return their SQL by name."""
    command = ["compile", "--select", "resource_type:model"]
    results = _results(settings, command, project)
    return {result.node.name: result.node.compiled_code for result in results}


def _results(settings: Mapping[str, str], command: Sequence[str], project: Path) -> list[Any]:
    settings = {**settings, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    if "DUCKDB_PATH" in settings:
        settings["DUCKDB_PATH"] = str(_linked(Path(settings["DUCKDB_PATH"]), project))
    with patch.dict(os.environ, settings):
        database = settings.get("SNOWFLAKE_DATABASE") or Path(settings["DUCKDB_PATH"]).stem
        manifest = _manifest(
            project, project_version(project_sources(project)), settings["WAREHOUSE"], database
        )
        flags = _flags(project, settings["WAREHOUSE"], _target(settings["WAREHOUSE"], project))
        outcome = dbtRunner(manifest=manifest).invoke([*command, *flags])
        # dbt keeps the DuckDB file open until its process ends, which is this one.
        close_duckdb()
    if outcome.exception is not None:
        raise DbtError(str(outcome.exception)) from outcome.exception
    results = list(getattr(outcome.result, "results", []))
    bad = [result for result in results if result.status not in _GOOD]
    if bad or not outcome.success:
        raise DbtError("\n".join(f"{r.node.name}: {r.status} {r.message}" for r in bad))
    return results


def silver_only(folder: Path) -> Path:
    """Copy the project without gold into a folder, which halves the time of a build."""
    copy = folder / "dbt_project"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs", "gold"))
    return copy


def parse(project: Path = PROJECT) -> Manifest:
    """Return the project's manifest."""
    return _manifest(project, project_version(project_sources(project)), "duckdb", "warehouse")


@cache
def _manifest(project: Path, _version: str, target: str, database: str) -> Manifest:
    """Parse the project, or reuse the manifest of this version, possibly from another process.

    Table names in a manifest start with their database, so each database has its own manifest.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir(), f"dbt-parsed-{run}", target, database, *project.parts[1:])
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"DUCKDB_PATH": f"{database}.duckdb"}  # the file is not opened
    with FileLock(folder / "lock"), patch.dict(os.environ, settings):
        manifest = dbtRunner().invoke(["parse", *_flags(project, target, folder)]).result
    assert isinstance(manifest, Manifest)
    return manifest


@cache
def models_in_build_order(project: Path = PROJECT) -> list[str]:
    """Return the names of all models, each after those that it reads."""
    nodes = parse(project).nodes.items()
    models = {key: node for key, node in nodes if isinstance(node, ModelNode)}
    parents = {key: models.keys() & set(node.depends_on.nodes) for key, node in models.items()}
    return [models[key].name for key in TopologicalSorter(parents).static_order()]


def _flags(project: Path, target: str, folder: Path) -> list[str]:
    return [
        "--project-dir", str(project), "--profiles-dir", str(project), "--target", target,
        "--target-path", str(folder), "--log-path", str(folder),
        "--log-level", "error", "--log-level-file", "none", "--no-write-json", "--quiet",
    ]  # fmt: skip


def _linked(duckdb_path: Path, project: Path) -> Path:
    """Return a link to the file at a constant path.

    dbt parses the project again when the profile has another path.
    """
    link = _target("duckdb", project) / duckdb_path.name
    link.unlink(missing_ok=True)
    link.symlink_to(duckdb_path)
    return link


@cache
def _target(target: str, project: Path) -> Path:
    """Return this process's own folder for dbt's output, so that processes do not share one."""
    return Path(tempfile.mkdtemp(prefix="dbt-target-"))
