"""Dagster as production runs it: a code server, a web server and a daemon, each a process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

_BIN = Path(sys.executable).parent
_START_SECONDS = 120


@dataclass(frozen=True)
class DagsterProcesses:
    """What runs, and how to reach it."""

    url: str
    env: dict[str, str]
    folder: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the web server's GraphQL, and return the data of its answer."""
        answer = requests.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command `amplitude-assets` against these processes."""
        return subprocess.Popen(
            [str(_BIN / "amplitude-assets"), *arguments],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def worker_of(self, run_id: str) -> int:
        """Return the process that works on a run, as the run's own log names it."""
        data = self.ask(
            "query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {"
            " ... on EngineEvent { metadataEntries { label ... on TextMetadataEntry { text } } }"
            " } } } }",
            id=run_id,
        )
        entries = [
            entry
            for event in data["logsForRun"]["events"]
            for entry in event.get("metadataEntries", [])
        ]
        (pid,) = {entry["text"] for entry in entries if entry["label"] == "pid"}
        return int(pid)

    def logs(self) -> str:
        """Return the end of what each process wrote, for the message of a failed test."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log")
        )


@contextmanager
def dagster_processes(folder: Path, settings: Mapping[str, str]) -> Iterator[DagsterProcesses]:
    """Start the three processes with these settings, and stop them when the block is left.

    The instance is prepared by the command, as operations do; only its look at runs is quicker.
    """
    web_port, code_port = _free_port(), _free_port()
    home = folder / "data" / "dagster"
    env = {
        **os.environ,
        "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONWARNINGS": "ignore",
        "DATA_DIR": str(folder / "data"),
        "DAGSTER_HOME": str(home),
        "DAGSTER_URL": f"http://127.0.0.1:{web_port}",
        **settings,
    }
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        "load_from:\n  - grpc_server:\n      host: 127.0.0.1\n"
        f"      port: {code_port}\n      location_name: amplitude_assets\n"
    )
    subprocess.run([str(_BIN / "amplitude-assets"), "instance"], env=env, cwd=folder, check=True)
    config = home / "dagster.yaml"
    config.write_text(
        config.read_text().replace("poll_interval_seconds: 30", "poll_interval_seconds: 5")
    )
    web = ["dagster-webserver", "-h", "127.0.0.1", "-p", str(web_port), "-w", str(workspace)]
    code = ["dagster", "api", "grpc", "-h", "127.0.0.1", "-p", str(code_port)]
    code += ["-m", "amplitude_assets.definitions", "--location-name", "amplitude_assets"]
    with _running("code-server", code, env, folder):
        wait_until(lambda: _listens(code_port), "the code server listens")
        with (
            _running("webserver", web, env, folder),
            _running("daemon", ["dagster-daemon", "run", "-w", str(workspace)], env, folder),
        ):
            running = DagsterProcesses(env["DAGSTER_URL"], env, folder)
            wait_until(lambda: _is_loaded(running), "the code location is loaded", running)
            yield running


def wait_until(
    happens: Callable[[], bool],
    what: str,
    running: DagsterProcesses | None = None,
    seconds: float = _START_SECONDS,
) -> None:
    """Wait for something with a bound. Fails with its name, and with what the processes wrote."""
    give_up = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > give_up:
            raise AssertionError(
                f"not within {seconds} s: {what}\n{running.logs() if running else ''}"
            )
        time.sleep(0.3)


@contextmanager
def _running(name: str, command: list[str], env: dict[str, str], folder: Path) -> Iterator[None]:
    """Run a process in a group of its own, and end the whole group."""
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [str(_BIN / command[0]), *command[1:]],
            env=env,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(15)


def _is_loaded(running: DagsterProcesses) -> bool:
    try:
        data = running.ask(
            "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
        )
    except requests.RequestException:
        return False
    return bool(data["repositoriesOrError"].get("nodes"))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
