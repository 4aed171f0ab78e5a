"""A command is interrupted or killed while the server is silent; the next one completes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus

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

# Far longer than anybody waits for a command to end.
SILENCE = Fault(FaultKind.SLOW_DRIP, pause_seconds=3600)
RUN = ("run", "--from", format_hour(HOURS.first), "--to", format_hour(HOURS.last))


@contextmanager
def started(env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [str(COMMAND), *RUN],
        env={**os.environ, **env},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,  # as a shell does
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def test_a_silent_server_keeps_no_command_from_ending_and_a_killed_one_stops_no_other(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with serve(World(WorldSettings(events_per_hour=60)), faults=[SILENCE]) as emulator:
        env = {
            "AMPLITUDE_BASE_URL": emulator.base_url,
            "AMPLITUDE_API_KEY": API_KEY,
            "AMPLITUDE_SECRET_KEY": SECRET_KEY,
            "AMPLITUDE_PROJECT_ID": str(PROJECT_ID),
            "AMPLITUDE_REQUEST_HOURS": "1",
            "DATA_DIR": str(data),
        }
        asked = 1 + len(HOURS)  # the look at the keys, which waits for no body, and each hour
        with started(env, tmp_path) as run:
            wait_until(lambda: emulator.max_concurrent == asked, "all is asked for")
            os.killpg(run.pid, signal.SIGINT)  # as a terminal does on Ctrl+C
            told, _ = run.communicate(timeout=60)
        assert run.returncode == 130
        assert "Traceback" not in told
        kept = [path.name for path in data.rglob("*") if path.is_file()]
        assert not [name for name in kept if name.endswith((".part", ".zip", ".duckdb"))]

        with started(env, tmp_path) as run:
            wait_until(lambda: emulator.max_concurrent == 2 * asked, "all is asked for again")
            run.kill()
        emulator.clear_faults()
        place = Place(data, emulator.base_url, shares_dagster=True)
        assert place.run().succeeded
    assert set(place.bronze()) == set(HOURS)
    with DagsterInstance.from_config(str(data / "dagster")) as instance:
        statuses = [run.status for run in instance.get_runs()]
    assert statuses.count(DagsterRunStatus.FAILURE) == 2  # the one interrupted, and the one killed
    assert set(statuses) == {DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS}
