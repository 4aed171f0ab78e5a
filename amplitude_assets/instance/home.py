"""Prepare `DAGSTER_HOME` and open Dagster's instance: runs, materializations and pool limits.

The command line and Dagster's UI use the same home, so each shows the runs of the other.
"""

import os
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.instance.integrity import (
    REBUILD_FIX,
    DamagedHomeError,
    damaged_files,
    describe_damage,
)
from amplitude_assets.instance.pools import AMPLITUDE_POOL, WAREHOUSE_POOL
from amplitude_assets.instance.presence import fail_orphaned_runs

if TYPE_CHECKING:
    from dagster import DagsterInstance

_INSTANCE_CLASS = re.compile(r"(?:^#.*\n)*^instance_class:\n(?:^ .*\n)+\n?", re.MULTILINE)
_OUR_CLASS = re.compile(r"^[^#\n]*\bBatchingInstance\b", re.MULTILINE)


def prepare_home(settings: Settings) -> None:
    """Create `DAGSTER_HOME` (by default under `DATA_DIR`) with a `dagster.yaml`, and export it.

    A `dagster.yaml` that the user has changed is kept. Raises SettingsError when the folder cannot
    be written, or when the user's `dagster.yaml` conflicts with `DAGSTER_PUBLIC_API_ONLY`.
    """
    home = settings.dagster_home_path
    config = home / "dagster.yaml"
    batching = (resources.files(__package__) / "dagster.yaml").read_text()
    public = _INSTANCE_CLASS.sub("", batching)
    ours = public if settings.dagster_public_api_only else batching
    try:
        home.mkdir(parents=True, exist_ok=True)
        found = config.read_text() if config.exists() else None
        if found is None or (found != ours and found in (batching, public)):
            _replace(config, ours)
        elif settings.dagster_public_api_only and _OUR_CLASS.search(found):
            raise SettingsError(
                f"DAGSTER_PUBLIC_API_ONLY: {config} names the class BatchingInstance, which uses "
                "private APIs; delete `instance_class` and the two lines below it from that file"
            )
    except OSError as error:
        raise SettingsError(
            f"DATA_DIR: cannot write {error.filename}: {error.strerror}; choose another folder"
        ) from None
    os.environ["DAGSTER_HOME"] = str(home)


def open_instance(settings: Settings) -> "DagsterInstance":
    """Open Dagster's instance, set the pools' limits, and mark runs of killed processes as failed.

    Raises SettingsError as `prepare_home` does, and DamagedHomeError when a SQLite file of the home
    is damaged.
    """
    from filelock import FileLock

    prepare_home(settings)
    # The first process creates the tables; two that do so at once fail.
    with FileLock(settings.dagster_home_path / ".opening.lock"):
        try:
            instance = _open(settings)
            _make_tables_and_limits(instance)
            fail_orphaned_runs(instance, settings.dagster_home_path)
        except Exception as error:
            damaged = damaged_files(settings.dagster_home_path)
            if not damaged:
                raise
            raise DamagedHomeError(f"{describe_damage(damaged)}; {REBUILD_FIX}") from error
    return instance


def _open(settings: Settings) -> "DagsterInstance":
    if settings.dagster_public_api_only:
        from dagster import DagsterInstance

        return DagsterInstance.get()
    from amplitude_assets.instance.step_output import open_without_echo

    return open_without_echo(settings.dagster_home_path)


def _replace(config: Path, text: str) -> None:
    """Write a file in one step, since other processes may be reading it."""
    whole = config.with_name(f".{os.getpid()}.yaml")
    whole.write_text(text)
    whole.replace(config)


def _make_tables_and_limits(instance: "DagsterInstance") -> None:
    instance.get_runs_count()
    instance.all_instigator_state()
    # Set by name: Dagster enforces a default limit only after a first run has used the pool.
    # One step at a time exports from Amplitude; it sends several requests at once.
    instance.event_log_storage.set_concurrency_slots(AMPLITUDE_POOL, 1)
    # DuckDB has one writer. Snowflake takes several, but loads and models still run in turn.
    instance.event_log_storage.set_concurrency_slots(WAREHOUSE_POOL, 1)
