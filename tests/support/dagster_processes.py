"""Run Dagster as in production: a code server, a web server and a daemon, each a process."""

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
    """The running processes, and their addresses."""

    url: str
    env: dict[str, str]
    folder: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send a GraphQL query to the web server, and return the data of its response."""
        answer = requests.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command `amplitude-assets` for these processes."""
        return subprocess.Popen(
            [str(_BIN / "amplitude-assets"), *arguments],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def worker_of(self, run_id: str) -> int:
        """Return the worker process of a run, from the run's event log."""
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

    def kill_daemon(self) -> None:
        """Kill the daemon's process, like the kernel's out-of-memory killer."""
        os.kill(int((self.folder / "daemon.pid").read_text()), signal.SIGKILL)

    @contextmanager
    def another_daemon(self) -> Iterator[None]:
        """Run a new daemon after one was killed, while the block runs."""
        with _running("daemon-2", _daemon(self.folder), self.env, self.folder):
            yield

    def logs(self) -> str:
        """Return the end of each process's output, for the message of a failed test."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log")
        )


@contextmanager
def dagster_processes(folder: Path, settings: Mapping[str, str]) -> Iterator[DagsterProcesses]:
    """Run the three processes with these settings while the block runs.

    The command prepares the instance, as in production; only its run monitoring polls faster.
    """
    web_port, code_port = free_port(), free_port()
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
            _running("daemon", _daemon(folder), env, folder),
        ):
            running = DagsterProcesses(env["DAGSTER_URL"], env, folder)
            wait_until(lambda: _is_loaded(running), "the code location is loaded", running)
            yield running


def wait_until(
    condition: Callable[[], bool],
    what: str,
    running: DagsterProcesses | None = None,
    seconds: float = _START_SECONDS,
) -> None:
    """Wait for a condition with a timeout. Fails with its name and the processes' output."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds} s: {what}\n{running.logs() if running else ''}"
            )
        time.sleep(0.3)


def _daemon(folder: Path) -> list[str]:
    return ["dagster-daemon", "run", "-w", str(folder / "workspace.yaml")]


@contextmanager
def _running(name: str, command: list[str], env: dict[str, str], folder: Path) -> Iterator[None]:
    """Run a process in its own process group, and end the whole group."""
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [str(_BIN / command[0]), *command[1:]],
            env=env,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        (folder / f"{name}.pid").write_text(str(process.pid))
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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
