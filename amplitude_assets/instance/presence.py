"""Detect runs whose command was killed, mark them as failed, and free their pool slots.

The daemon monitors only the workers that it launched. Without this, a killed command would leave
its run active forever, and the run would hold its pool slots. So each command holds a file lock as
long as it lives, and its runs carry the lock's name as a tag.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRunStatus

# Dagster's UI hides tags with this prefix.
PROCESS = ".dagster/amplitude_process"


@contextmanager
def presence(home: Path) -> Iterator[dict[str, str]]:
    """Hold this process's lock inside the block, and yield the tags for its runs."""
    name = uuid4().hex
    lock = _lock(home, name)
    Path(lock.lock_file).parent.mkdir(exist_ok=True)
    with lock:
        # The command itself handles failed hours, so the daemon must not retry its runs.
        yield {PROCESS: name, "dagster/max_retries": "0"}


def cancel_runs(instance: "DagsterInstance", tags: Mapping[str, str]) -> None:
    """Mark the unfinished runs of this process as canceled. `tags` come from `presence`."""
    from dagster import RunsFilter

    for run in instance.get_runs(RunsFilter(statuses=_unfinished(), tags=dict(tags))):
        instance.report_run_canceled(run)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _unfinished() -> "list[DagsterRunStatus]":
    """Return the statuses in which a killed command can leave a run."""
    from dagster import DagsterRunStatus

    return [
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ]


def fail_orphaned_runs(instance: "DagsterInstance", home: Path) -> None:
    """Mark runs whose process was killed as failed. `home` is this machine's `DAGSTER_HOME`.

    Runs of other machines are not touched, since their locks are elsewhere.
    """
    from dagster import RunsFilter

    for path in _folder(home).glob("*.lock"):
        if not _is_free(path):
            continue
        under_way = RunsFilter(statuses=_unfinished(), tags={PROCESS: path.stem})
        for run in instance.get_runs(under_way):
            instance.report_run_failed(run, "The process of this run was ended.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        path.unlink(missing_ok=True)


def _is_free(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return True
    except Timeout:
        return False


def _lock(home: Path, name: str) -> FileLock:
    return FileLock(_folder(home) / f"{name}.lock")


def _folder(home: Path) -> Path:
    return home / "processes"
