"""Where Dagster keeps its own state: runs, materialisations and limits, under one home.

The command line and Dagster's UI use the same home, so each shows what the other did.
"""

import os
from importlib import resources
from typing import TYPE_CHECKING

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.processes import end_runs_of_the_gone

if TYPE_CHECKING:
    from dagster import DagsterInstance

AMPLITUDE_POOL = "amplitude_api"
WAREHOUSE_POOL = "warehouse"


def prepare_home(settings: Settings) -> None:
    """Make `DAGSTER_HOME` (by default under `DATA_DIR`) and name it for this process.

    An instance's own `dagster.yaml` is kept. Raises SettingsError when the folder cannot be made.
    """
    home = settings.dagster_home_path
    config = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            whole = home / f".{os.getpid()}.yaml"  # another process may be reading it
            whole.write_text((resources.files(__package__) / "dagster.yaml").read_text())
            whole.replace(config)
    except OSError as error:
        raise SettingsError(
            f"DATA_DIR: cannot write {error.filename}: {error.strerror}; choose another folder"
        ) from None
    os.environ["DAGSTER_HOME"] = str(home)


def open_instance(settings: Settings) -> "DagsterInstance":
    """Open Dagster's instance with the pools' limits set.

    The limits are set here and not left to a default: a pool that is known only by the default
    is not enforced until a first run has been through it.
    """
    from dagster import DagsterInstance
    from dagster._core.instance.ref import InstanceRef
    from filelock import FileLock

    from amplitude_assets.step_output import without_repeating

    prepare_home(settings)
    # The first one makes the tables, which Dagster does not do twice at once.
    with FileLock(settings.dagster_home_path / ".opening.lock"):
        ref = InstanceRef.from_dir(str(settings.dagster_home_path))
        instance = DagsterInstance.from_ref(without_repeating(ref))
        _make_tables_and_limits(instance)
        end_runs_of_the_gone(instance, settings.dagster_home_path)
    return instance


def _make_tables_and_limits(instance: "DagsterInstance") -> None:
    instance.get_runs_count()
    instance.all_instigator_state()
    # One step at a time asks Amplitude, itself with several requests under way.
    instance.event_log_storage.set_concurrency_slots(AMPLITUDE_POOL, 1)
    # DuckDB has one writer. Snowflake takes several, but loads and models follow each other.
    instance.event_log_storage.set_concurrency_slots(WAREHOUSE_POOL, 1)
