"""Unpack many hours concurrently, in worker processes when there are enough bytes."""

import multiprocessing
import os
import threading
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures import as_completed as as_they_finish
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from itertools import chain
from multiprocessing.connection import wait
from pathlib import Path

from amplitude_assets.export.archive.directory import Member, check_parts, open_zip
from amplitude_assets.export.archive.hour_files import HourFiles, UnpackedMember
from amplitude_assets.export.archive.members import (
    HourJob,
    finish_hour,
    unpack_members,
    unpack_members_of,
)
from amplitude_assets.export.errors import ExportError
from amplitude_assets.hours import HourRange
from amplitude_assets.streams.allocator import keep_freed_memory

# Starting worker processes takes about as long as validating this many bytes of a zip.
_WORTH_PROCESSES_BYTES = 16 * 1024**2
# Tasks are small, so that other cores do not wait long for the last task.
_WORTH_A_TASK_BYTES = 4 * 1024**2
_open_in_worker: dict[Path, zipfile.ZipFile] = {}


@dataclass
class _Hour:
    """An hour in progress: its members are unpacked in `tasks`, of which `left` are unfinished."""

    job: HourJob
    tasks: list["Future[list[UnpackedMember]]"] = field(default_factory=list)
    left: int = 0

    def result(self) -> HourFiles | ExportError:
        try:
            unpacked = (task.result() for task in self.tasks)
            return finish_hour(self.job, list(chain.from_iterable(unpacked)))
        except ExportError as error:
            return error
        except BrokenProcessPool:
            return ExportError(
                HourRange(self.job.hour, self.job.hour),
                "a worker process was killed; is there enough memory?",
            )


def unpack_all(
    jobs: Iterable[HourJob], workers: int
) -> Iterator[tuple[HourJob, HourFiles | ExportError]]:
    """Unpack hours in `workers` threads or processes, and yield each with its files or its error.

    Large work uses processes, because parsing JSON holds the GIL; a script that calls this must
    guard its main module, as for any use of multiprocessing. Raises DiskError.
    """
    hours = [_Hour(job) for job in jobs]
    with _pool(hours, workers) as pool:
        waiting: dict[Future[list[UnpackedMember]], _Hour] = {}
        for hour in hours:
            try:
                check_parts(hour.job.hour, hour.job.members)
            except ExportError as error:
                yield hour.job, error
            else:
                waiting.update(_submitted(pool, hour))
                if not hour.left:
                    yield hour.job, hour.result()
        try:
            for task in as_they_finish(waiting):
                hour = waiting.pop(task)
                hour.left -= 1
                if not hour.left:
                    yield hour.job, hour.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _submitted(pool: Executor, hour: _Hour) -> "dict[Future[list[UnpackedMember]], _Hour]":
    unpack = _unpack_in_worker if isinstance(pool, ProcessPoolExecutor) else unpack_members
    hour.tasks = [
        pool.submit(unpack, replace(hour.job, members=tuple(members)))
        for members in _split(hour.job.members)
    ]
    hour.left = len(hour.tasks)
    return dict.fromkeys(hour.tasks, hour)


def _split(members: Iterable[Member]) -> Iterator[list[Member]]:
    """Split members into lists of a minimum size in bytes; a large member closes its list."""
    task: list[Member] = []
    size = 0
    for member in members:
        task.append(member)
        size += member.zip_bytes
        if size >= _WORTH_A_TASK_BYTES:
            yield task
            task, size = [], 0
    if task:
        yield task


def _pool(hours: list[_Hour], workers: int) -> Executor:
    members = [member for hour in hours for member in hour.job.members]
    workers = max(1, min(workers, len(members)))
    if workers > 1 and sum(member.zip_bytes for member in members) >= _WORTH_PROCESSES_BYTES:
        # Not forked: a forked process may inherit locks that another thread held.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    return ThreadPoolExecutor(workers, thread_name_prefix="archive")


def _unpack_in_worker(job: HourJob) -> list[UnpackedMember]:
    """Unpack in a worker process, which keeps the zip open to read its directory only once."""
    path = job.zip_path
    assert path is not None
    if path not in _open_in_worker:
        _open_in_worker.clear()
        _open_in_worker[path] = open_zip(path, HourRange(job.hour, job.hour))
    return unpack_members_of(_open_in_worker[path], job)


def _start_worker() -> None:
    keep_freed_memory()
    _end_with_parent()


def _end_with_parent() -> None:
    """Exit this worker when the process that started it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
