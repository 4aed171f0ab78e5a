"""Runs whose process is gone: they are ended, and their places in the pools given back.

A run of the command line is no run of the daemon's, which watches only the workers it started.
Killed, it would be under way for ever, and nobody would get its places in the pools. So each such
process holds a lock for as long as it lives, and its runs name it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from dagster import DagsterInstance

PROCESS = "amplitude/process"


@contextmanager
def presence(home: Path) -> Iterator[dict[str, str]]:
    """Yield the tags of this process's runs, and be seen as alive until the block is left."""
    name = uuid4().hex
    lock = _lock(home, name)
    Path(lock.lock_file).parent.mkdir(exist_ok=True)
    with lock:
        yield {PROCESS: name}


def end_runs_of_the_gone(instance: "DagsterInstance", home: Path) -> None:
    """End runs whose process was killed. `home` is the folder of this machine's Dagster.

    Runs of other machines are left alone: their locks are not here.
    """
    from dagster import DagsterRunStatus, RunsFilter

    for path in _folder(home).glob("*.lock"):
        if not _is_free(path):
            continue
        under_way = RunsFilter(
            statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING],
            tags={PROCESS: path.stem},
        )
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
