"""Run the Terraform module's own tests where Terraform and the AWS provider are installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

_MODULE = Path(__file__).parents[3] / "deploy" / "terraform" / "aws"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    copy = tmp_path_factory.mktemp("terraform") / "aws"
    shutil.copytree(_MODULE, copy, ignore=shutil.ignore_patterns(".terraform*"))
    started = terraform(copy, "init", "-backend=false")
    if started.returncode != 0:
        pytest.skip("terraform cannot get the AWS provider from here")
    return copy


def test_the_modules_format() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    ended = terraform(_MODULE, "fmt", "-check", "-recursive", "-diff")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    color = [] if arguments[0] == "fmt" else ["-no-color"]
    command = ["terraform", f"-chdir={folder}", *arguments, *color]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.parametrize("arguments", [("validate",), ("test",)], ids=" ".join)
def test_terraform(module: Path, arguments: tuple[str, ...]) -> None:
    ended = terraform(module, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
