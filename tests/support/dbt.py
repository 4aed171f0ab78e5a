"""The real dbt project, run in this process on a DuckDB file of the test's own.

The project is parsed once, and the file is held open while dbt runs: dbt opens and closes it for
each node, as its profile asks, which is a good part of a small build.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from dbt.artifacts.schemas.results import NodeStatus
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode
from filelock import FileLock

from amplitude_assets.assets.column_lineage import project_version
from amplitude_assets.assets.dbt import project_sources

PROJECT = Path(__file__).parents[2] / "dbt_project"
_GOOD = {NodeStatus.Success, NodeStatus.Pass, NodeStatus.Warn, NodeStatus.NoOp}


class DbtError(AssertionError):
    """A dbt command that did not succeed; the message names the nodes and their errors."""


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
    """Run any dbt command on the file, as `build` does. Raises DbtError."""
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
    """Run a dbt command on the target that `WAREHOUSE` in the settings names, as `run` does."""
    return {result.node.name: str(result.status) for result in _results(settings, command, project)}


def compiled_on(settings: Mapping[str, str], *, project: Path = PROJECT) -> dict[str, str]:
    """Compile the models for the target that `WAREHOUSE` names; return each one's SQL by name."""
    command = ["compile", "--select", "resource_type:model"]
    results = _results(settings, command, project)
    return {result.node.name: result.node.compiled_code for result in results}


def _results(settings: Mapping[str, str], command: Sequence[str], project: Path) -> list[Any]:
    settings = {**settings, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    held: AbstractContextManager[object] = nullcontext()
    if "DUCKDB_PATH" in settings:
        settings["DUCKDB_PATH"] = str(_linked(Path(settings["DUCKDB_PATH"]), project))
        held = duckdb.connect(settings["DUCKDB_PATH"])
    with patch.dict(os.environ, settings), held:
        database = settings.get("SNOWFLAKE_DATABASE") or Path(settings["DUCKDB_PATH"]).stem
        manifest = _manifest(
            project, project_version(project_sources(project)), settings["WAREHOUSE"], database
        )
        flags = _flags(project, settings["WAREHOUSE"], _target(settings["WAREHOUSE"], project))
        outcome = dbtRunner(manifest=manifest).invoke([*command, *flags])
    if outcome.exception is not None:
        raise DbtError(str(outcome.exception)) from outcome.exception
    results = list(getattr(outcome.result, "results", []))
    bad = [result for result in results if result.status not in _GOOD]
    if bad or not outcome.success:
        raise DbtError("\n".join(f"{r.node.name}: {r.status} {r.message}" for r in bad))
    return results


def silver_only(folder: Path) -> Path:
    """Copy the project without its gold half into a folder: a build then takes half the time."""
    copy = folder / "dbt_project"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs", "gold"))
    return copy


def parse(project: Path = PROJECT) -> Manifest:
    """Return the project's manifest."""
    return _manifest(project, project_version(project_sources(project)), "duckdb", "warehouse")


@cache
def _manifest(project: Path, _version: str, target: str, database: str) -> Manifest:
    """Parse the project, or take what was parsed of this version, maybe by another process.

    The names of tables in a manifest begin with their database, so each has its own.
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
    """Return the names of all models, each after the ones it is made from."""
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
    """Return a link to the file at a place that stays the same.

    dbt parses the project anew for a profile with another path.
    """
    link = _target("duckdb", project) / duckdb_path.name
    link.unlink(missing_ok=True)
    link.symlink_to(duckdb_path)
    return link


@cache
def _target(target: str, project: Path) -> Path:
    """Return this process's own folder for what dbt writes, so that runs do not meet in one."""
    return Path(tempfile.mkdtemp(prefix="dbt-target-"))
