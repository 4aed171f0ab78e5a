"""Interrupted and killed commands end at once and report kept hours; the next run completes."""

import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus

from amplitude_assets.emulator import (
    API_KEY,
    PROJECT_ID,
    SECRET_KEY,
    Fault,
    FaultKind,
    World,
    WorldSettings,
    serve,
)
from amplitude_assets.hours import format_hour
from tests.faults.place import HOURS, Place
from tests.support.command import COMMAND
from tests.support.dagster_processes import wait_until

# A server that stops responding, for longer than any timeout of a test.
SILENT_SERVER = Fault(FaultKind.SLOW_DRIP, pause_seconds=3600)
RUN = ("run", "--from", format_hour(HOURS.first), "--to", format_hour(HOURS.last))


@dataclass
class Started:
    """A running command and its output so far."""

    process: subprocess.Popen[bytes]
    _reader: int
    _pieces: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._reader, 65536):
                self._pieces.append(piece)
        except OSError:  # a terminal raises it when its last writer closes
            pass

    @property
    def written(self) -> str:
        """Return the output without control sequences, with whitespace collapsed."""
        text = b"".join(self._pieces).decode(errors="replace")
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).split())

    def interrupt(self) -> None:
        """Send SIGINT to the process group, as a terminal does on Ctrl+C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        status = self.process.wait(60)
        self._thread.join(10)
        return status


@contextmanager
def started(env: dict[str, str], folder: Path, *, terminal: bool = False) -> Iterator[Started]:
    reader, writer = pty.openpty() if terminal else os.pipe()
    with subprocess.Popen(
        [str(COMMAND), *RUN],
        env={**os.environ, "TERM": "xterm", **env},
        cwd=folder,
        stdout=writer,
        stderr=writer,
        process_group=0,  # as a shell starts it
    ) as process:
        os.close(writer)
        try:
            yield Started(process, reader)
        finally:
            process.kill()
    os.close(reader)


def statuses(data: Path) -> list[DagsterRunStatus]:
    """Return the statuses of all runs in the folder's Dagster instance."""
    with DagsterInstance.from_config(str(data / "dagster")) as instance:
        return [run.status for run in instance.get_runs()]


def test_a_command_waiting_for_a_silent_server_can_be_interrupted_or_killed(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with serve(World(WorldSettings(events_per_hour=60)), faults=[SILENT_SERVER]) as emulator:
        env = {
            "AMPLITUDE_BASE_URL": emulator.base_url,
            "AMPLITUDE_API_KEY": API_KEY,
            "AMPLITUDE_SECRET_KEY": SECRET_KEY,
            "AMPLITUDE_PROJECT_ID": str(PROJECT_ID),
            "AMPLITUDE_REQUEST_HOURS": "1",
            "DATA_DIR": str(data),
        }
        requests = 1 + len(HOURS)  # the check of the credentials, and one request per hour
        with started(env, tmp_path) as run:
            wait_until(lambda: emulator.max_concurrent >= requests, "all is asked for")
            run.interrupt()
            status = run.end()
        assert status == 130
        assert "Traceback" not in run.written
        assert run.written.count("stopping") == 1
        assert "stopped: 0 of 3 hours are in bronze and kept." in run.written
        assert statuses(data) == [DagsterRunStatus.CANCELED]
        kept = [path.name for path in data.rglob("*") if path.is_file()]
        assert not [name for name in kept if name.endswith((".part", ".zip", ".duckdb"))]

        with started(env, tmp_path) as run:
            wait_until(lambda: emulator.max_concurrent >= 2 * requests, "all is asked for again")
            run.process.kill()
        emulator.clear_faults()
        place = Place(data, emulator.base_url, shares_dagster=True)
        assert place.run().succeeded
    assert set(place.bronze()) == set(HOURS)
    run_statuses = statuses(data)
    assert sorted(status.name for status in run_statuses) == ["CANCELED", "FAILURE", "SUCCESS"]


# The output at which a command is interrupted, and the hours that it reports as kept.
MOMENTS = {
    "as it starts": ("Amplitude project", "stopped: 0 of 3 hours"),
    "while dbt builds": ("dbt: 0%", "stopped: 3 of 3 hours"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.timeout(300)
def test_an_interrupted_command_is_canceled_and_reports_kept_hours(
    tmp_path: Path, moment: str
) -> None:
    output, kept = MOMENTS[moment]
    env = {"DATA_DIR": str(tmp_path / "data"), "EMULATOR_EVENTS_PER_HOUR": "20"}
    with started(env, tmp_path) as run:
        wait_until(lambda: output in run.written, output)
        run.interrupt()
        status = run.end()
    assert status == 130
    assert "Traceback" not in run.written
    assert kept in run.written
    run_statuses = statuses(tmp_path / "data")
    assert set(run_statuses) <= {DagsterRunStatus.SUCCESS, DagsterRunStatus.CANCELED}
    if moment == "while dbt builds":
        assert "stopping" in run.written
        assert run_statuses[0] is DagsterRunStatus.CANCELED
        # A failure event would post an alert, even if the run is canceled later.
        with DagsterInstance.from_config(str(tmp_path / "data" / "dagster")) as instance:
            (newest,) = instance.get_runs(limit=1)
            failures = instance.all_logs(newest.run_id, of_type=DagsterEventType.RUN_FAILURE)
        assert not failures
