"""Unpacking many hours concurrently: threads and processes give the same results."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from amplitude_assets.export.archive import unpacking
from amplitude_assets.export.archive.hour_files import HourFiles
from amplitude_assets.export.archive.members import HourJob, unpack_hour
from amplitude_assets.export.errors import ArchiveError, ExportError
from amplitude_assets.hours import HOUR as AN_HOUR
from amplitude_assets.streams.part_files import DiskError
from tests.unit.export.building import HOUR, hours, job_of, name_of, packed, write_zip

_PARENT = """
import multiprocessing, pathlib, sys, time
from amplitude_assets.export.archive import unpacking
from tests.unit.export.building import HOUR, job_of

if __name__ == "__main__":
    unpacking._WORTH_PROCESSES_BYTES = 0
    path = pathlib.Path(sys.argv[1])
    next(results := unpacking.unpack_all([job_of(path, path.parent / "hour")] * 20, 2))
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_WORTH_PROCESSES_BYTES", 0)


def jobs_in(tmp_path: Path) -> list[HourJob]:
    """Return four hours: with three members, a truncated one, none, and a duplicate part."""
    members = {
        HOUR: [packed(b'{"n":%d}' % n, b"oops") for n in range(3)],
        HOUR + AN_HOUR: [packed(b"{}"), packed(b"{}")[:-1]],
        HOUR + 2 * AN_HOUR: [],
        HOUR + 3 * AN_HOUR: [packed(b"{}"), packed(b"{}")],
    }
    jobs = []
    for hour, data in members.items():
        named = [(name_of(n, hour), each) for n, each in enumerate(data)]
        path = write_zip(tmp_path / f"{hour:%H}.zip", named)
        jobs.append(job_of(path, tmp_path / f"{hour:%H}", hour=hour))
    jobs[-1] = replace(jobs[-1], members=jobs[-1].members[:1] * 2)
    return jobs


def summary(results: dict[HourJob, HourFiles | ExportError]) -> dict[HourJob, object]:
    return {
        job: result if isinstance(result, HourFiles) else (type(result), str(result))
        for job, result in results.items()
    }


def test_each_hour_comes_once_with_its_files_or_its_error(tmp_path: Path) -> None:
    jobs = jobs_in(tmp_path)
    results = list(unpacking.unpack_all(jobs, workers=2))
    assert sorted(job.hour for job, _ in results) == list(hours(4))
    by_job = dict(results)
    assert by_job[jobs[0]] == unpack_hour(jobs[0])
    assert isinstance(by_job[jobs[1]], ArchiveError)
    assert by_job[jobs[2]] == unpack_hour(jobs[2])
    assert isinstance(by_job[jobs[3]], ArchiveError)


@pytest.mark.usefixtures("in_processes")
def test_processes_give_the_results_that_threads_do(tmp_path: Path) -> None:
    jobs = jobs_in(tmp_path)
    in_processes = dict(unpacking.unpack_all(jobs, workers=2))
    in_one_thread = dict(unpacking.unpack_all(jobs, workers=1))
    assert summary(in_processes) == summary(in_one_thread)


@pytest.mark.parametrize("is_large", [False, True])
def test_a_folder_that_cannot_be_written_stops_all_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    if is_large:
        monkeypatch.setattr(unpacking, "_WORTH_PROCESSES_BYTES", 0)
    (tmp_path / "a file").write_text("")
    job = replace(jobs_in(tmp_path)[0], folder=tmp_path / "a file" / "hour")
    with pytest.raises(DiskError, match=r"a file/hour: .*DATA_DIR"):
        list(unpacking.unpack_all([job], workers=2))


def test_no_jobs_give_no_results() -> None:
    assert list(unpacking.unpack_all([], workers=2)) == []


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_do_not_outlive_a_killed_run(tmp_path: Path) -> None:
    members = [(name_of(n), packed(b'{"n":%d}' % n)) for n in range(4)]
    path = write_zip(tmp_path / "one.zip", members)
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    root = Path(unpacking.__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, script, path], stdout=subprocess.PIPE, env={"PYTHONPATH": str(root)}
    ) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        assert all(is_running(pid) for pid in workers)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in workers)
