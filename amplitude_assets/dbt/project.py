"""The dbt project: its folder, manifest, environment, and the dbt command over it."""

import gzip
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from amplitude_assets.config import Settings
from amplitude_assets.dbt.runner import Dbt, DbtCliResource, DbtProject

# An installed package contains the project; in a checkout, the project is next to the package.
_PACKAGED = Path(__file__).parents[1] / "dbt_project"
DBT_PROJECT_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "dbt_project"
_PARSED = "partial_parse.msgpack"  # dbt's parse result


def dbt_project(settings: Settings) -> DbtProject:
    """Return the project with the manifest of the warehouse that the settings name.

    The manifest is in the checkout's `target`, or under `DATA_DIR` for an installed package, whose
    folder may be read-only.
    """
    installed = DBT_PROJECT_DIR == _PACKAGED
    target = settings.data_dir / "dbt-target" if installed else Path("target")
    return DbtProject(
        project_dir=DBT_PROJECT_DIR,
        profiles_dir=DBT_PROJECT_DIR,
        target=settings.warehouse,
        # A manifest names the tables of its database, so each database has its own manifest.
        target_path=target / settings.warehouse / settings.database,
    )


def dbt_resource(settings: Settings) -> DbtCliResource:
    """Return the dbt command over our project, on the target that `WAREHOUSE` names."""
    resource = DbtCliResource if settings.dagster_public_api_only else Dbt
    return resource(
        project_dir=str(DBT_PROJECT_DIR),
        profiles_dir=str(DBT_PROJECT_DIR),
        target=settings.warehouse,
        # The dbt beside this Python, since the environment may not be activated.
        dbt_executable=str(Path(sys.executable).parent / "dbt"),
    )


@contextmanager
def dbt_environment(settings: Settings, query_tag: str = "") -> Iterator[None]:
    """Set the environment variables that dbt reads, with their defaults, inside the block.

    They are restored afterwards, because `load_settings` would read them as the user's settings.
    `query_tag` is that of the step, as JSON, to which each model on Snowflake adds its name.
    """
    shared = {
        "DUCKDB_PATH": str(settings.resolved_duckdb_path),
        "PROJECT_TIMEZONE": settings.project_timezone,
        "WEEK_START": settings.week_start,
    }
    if query_tag:
        shared["STEP_QUERY_TAG"] = query_tag
    if settings.snowflake_account_in_host is not None:
        shared["SNOWFLAKE_ACCOUNT"] = settings.snowflake_account_in_host
    if settings.snowflake_private_key_path is not None:
        shared["SNOWFLAKE_PRIVATE_KEY_PATH"] = str(settings.snowflake_private_key_path)
    before = {name: os.environ.get(name) for name in shared}
    os.environ.update(shared)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def full_refresh() -> Iterator[None]:
    """Make each dbt command that starts inside the block a full refresh."""
    before = os.environ.get("DBT_FULL_REFRESH")
    os.environ["DBT_FULL_REFRESH"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["DBT_FULL_REFRESH"]
        else:
            os.environ["DBT_FULL_REFRESH"] = before


def copy_parsed(source: Path, target: Path) -> None:
    """Copy dbt's parse result, which saves the next command some seconds.

    dbt validates it, and parses again what has changed in files or settings.
    """
    parsed, whole = source / _PARSED, target / f".{_PARSED}"
    with suppress(OSError):  # without it dbt only starts more slowly
        target.mkdir(parents=True, exist_ok=True)
        # Not `copy`, which keeps the mode: the source may be readable by other users.
        shutil.copyfile(parsed, whole)
        whole.replace(target / _PARSED)


def parsed_folder(settings: Settings) -> Path:
    """Return the folder with the parse result of the last run on this warehouse."""
    return dbt_targets(settings) / settings.warehouse


def dbt_targets(settings: Settings) -> Path:
    """Return the folder under `DATA_DIR` where dbt writes its log and the SQL of each run."""
    return settings.data_dir / "dbt"


def prepare_manifest(project: DbtProject, settings: Settings) -> None:
    """Run `dbt parse` when a file of the project is newer than the manifest.

    In production the image contains a manifest newer than every file, so nothing runs.
    """
    manifest = project.manifest_path
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(manifest.with_name(".manifest.lock")):
        made_at = manifest.stat().st_mtime if manifest.exists() else 0.0
        if any(path.stat().st_mtime > made_at for path in project_sources(project.project_dir)):
            with dbt_environment(settings):
                dbt_resource(settings).cli(["parse"], target_path=manifest.parent).wait()


def project_sources(project_dir: Path) -> Iterator[Path]:
    """Yield the files of a dbt project that determine its manifest."""
    yield project_dir / "dbt_project.yml"
    for folder in ("models", "macros", "seeds", "tests"):
        yield from (path for path in (project_dir / folder).rglob("*") if path.is_file())


def clear_dbt_targets(settings: Settings, whole_after: datetime, keep_after: datetime) -> int:
    """Delete the folders of dbt's runs before `keep_after`; return how many.

    Folders of runs before `whole_after` are reduced to `run_results.json.gz`, the status and time
    of each model and test. Log and SQL are about a hundred times as large. Both times are aware.
    """
    folders = dbt_targets(settings)
    deleted = 0
    for folder in folders.iterdir() if folders.is_dir() else []:
        written = folder.stat().st_mtime
        results = folder / "run_results.json"
        packed = folder / "run_results.json.gz"
        if written < keep_after.timestamp() or not (results.exists() or packed.exists()):
            if written < whole_after.timestamp():
                shutil.rmtree(folder, ignore_errors=True)
                deleted += 1
        elif written < whole_after.timestamp() and results.exists():
            packed.write_bytes(gzip.compress(results.read_bytes()))
            for entry in folder.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry, ignore_errors=True)
                elif entry not in (packed, results):
                    entry.unlink(missing_ok=True)
            results.unlink()  # last, so that a failure before this line is retried
            os.utime(folder, (written, written))  # the folder keeps the age of its run
    return deleted
