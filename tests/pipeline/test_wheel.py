"""The wheel, installed outside the checkout, runs and writes only under `DATA_DIR`."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import requests

from tests.support.dagster_processes import free_port, wait_until
from tests.support.documents import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it into an environment without a checkout.

    A `.pth` file adds this environment's packages. Python does not process `.pth` files in that
    path, such as an editable install's, so the checkout is not importable.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name, call in (
        ("amplitude-assets", "from amplitude_assets.cli.main import main"),
        ("dbt", "from dbt.cli.main import cli as main"),
        ("dagster", "from dagster._cli import main"),
    ):
        script = environment / "bin" / name
        script.write_text(f"#!{environment / 'bin' / 'python'}\n{call}\nmain()\n")
        script.chmod(0o755)
    return environment


def _files(folder: Path) -> dict[Path, int]:
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_installed_package_runs_and_writes_only_under_data_dir(
    installed: Path, tmp_path: Path
) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    environment = {**os.environ, "DATA_DIR": str(place / "data"), "EMULATOR_EVENTS_PER_HOUR": "60"}
    command = str(installed / "bin" / "amplitude-assets")
    before = _files(installed)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [command, *arguments],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # Hours by name: `--last` counts from now, so the two commands may differ by an hour.
    hours = ("--from", "2026-03-02T07", "--to", "2026-03-02T09")
    assert "3 of 3 hours" in run("run", *hours)
    assert "3 loaded" in run("status", *hours)
    run("docs")
    assert (place / "data" / "dbt-docs" / "static_index.html").exists()

    port = free_port()
    with subprocess.Popen([command, "dev", "--port", str(port)], cwd=place, env=environment) as dev:
        try:
            wait_until(lambda: _is_loaded(port), "the UI has loaded the graph", seconds=180)
        finally:
            dev.terminate()

    assert _files(installed) == before
    assert sorted(path.name for path in place.iterdir()) == ["data"]


def _is_loaded(port: int) -> bool:
    query = "{ assetNodes { assetKey { path } } }"
    try:
        answer = requests.post(
            f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=60
        ).json()
    except (requests.RequestException, ValueError):
        return False
    keys = ["/".join(node["assetKey"]["path"]) for node in answer["data"]["assetNodes"]]
    return "gold/dim_users" in keys
