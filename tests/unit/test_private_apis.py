"""Only `instance/` and `dbt/` use private APIs of Dagster, and none with the setting."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import amplitude_assets

pytestmark = pytest.mark.integration

PACKAGE = Path(amplitude_assets.__file__).parent
CONTAINED = ("instance", "dbt")
# Hooks that Python documents as assignable; assigning one patches nothing.
HOOKS = {"sys.unraisablehook"}


def is_private(module: str, names: list[str]) -> bool:
    """Return whether an import uses a name that Dagster's packages do not export.

    dagster_dbt exports its names at the top, and dagster_shared has no documented ones.
    """
    package, *path = module.split(".")
    if not package.startswith("dagster"):
        return False
    if package == "dagster_shared" or (package == "dagster_dbt" and path):
        return True
    return any(name.startswith("_") for name in [*path, *names])


def imported_names(tree: ast.AST) -> set[str]:
    """Return the names that a module binds by importing from other packages."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith(
            amplitude_assets.__name__
        ):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def root_of(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def private_or_patch(node: ast.AST, imported: set[str]) -> bool:
    """Return whether a node imports or reads a private name, or assigns into another package."""
    writes = isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
    match node:
        case ast.Import(names):
            return any(is_private(alias.name, []) for alias in names)
        case ast.ImportFrom(module, names):
            return is_private(module or "", [alias.name for alias in names])
        case ast.Attribute(_, name):
            of_dagster = root_of(node) in ("dagster", "dagster_dbt")
            patched = writes and root_of(node) in imported and ast.unparse(node) not in HOOKS
            return patched or (of_dagster and name.startswith("_"))
        case ast.Subscript(where):
            return writes and ast.unparse(where) == "sys.modules"
        case ast.Call(ast.Name("setattr" | "delattr"), [target, *_]):
            return root_of(target) in imported
    return False


def violations(source: str) -> Iterator[str]:
    """Yield each private import and each patch in a module, with its line."""
    tree = ast.parse(source)
    imported = imported_names(tree)
    for node in ast.walk(tree):
        if private_or_patch(node, imported):
            yield f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"


@pytest.mark.parametrize(
    "source",
    [
        "from dagster._core.instance.ref import InstanceRef",
        "import dagster._core",
        "from dagster import _check",
        "def f():\n    from dagster_dbt.core.resource import DbtCliResource",
        "from dagster_shared.error import SerializableErrorInfo",
        "import dagster as dg\ndg.DagsterInstance.get = None",
        "from dagster import Output\nsetattr(Output, 'name', 1)",
        "import dagster\ndagster._core.instance",
        "import sys\nsys.modules['dbt'] = None",
        "import requests\nrequests.post = print",
    ],
)
def test_private_imports_and_patches_are_violations(source: str) -> None:
    assert list(violations(source))


@pytest.mark.parametrize(
    "source",
    [
        "import dagster as dg\nfrom dagster_dbt import DbtCliInvocation",
        "import os\nos.environ['A'] = 'b'",
        "from amplitude_assets.dbt.runner import Dbt\ndbt = Dbt()\ndbt.target = 'x'",
    ],
)
def test_public_imports_and_own_attributes_are_not_violations(source: str) -> None:
    assert list(violations(source)) == []


def test_only_instance_and_dbt_use_private_apis_or_patch() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{violation}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in CONTAINED
        for violation in violations(path.read_text())
    ]
    assert found == []


def test_each_module_with_private_apis_states_their_gain_and_replacement() -> None:
    users = {
        path.relative_to(PACKAGE).as_posix(): path.read_text()
        for folder in CONTAINED
        for path in (PACKAGE / folder).glob("*.py")
        if list(violations(path.read_text()))
    }
    assert "instance/sqlite_storage.py" in users
    for name, text in users.items():
        assert "Private API" in text, name
        assert "Gain:" in text, name
        assert "replace" in text, name


# Raises when a module of ours imports a private module, at any time in the process.
_RAISE_ON_PRIVATE_IMPORTS = """
import builtins, sys
original = builtins.__import__
def checked_import(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    private = name.startswith(("dagster._", "dagster_dbt.", "dagster_shared"))
    if private and importer.startswith("amplitude_assets"):
        raise AssertionError(f"{importer} imports {name}")
    return original(name, globals, locals, fromlist, level)
builtins.__import__ = checked_import
"""


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _RAISE_ON_PRIVATE_IMPORTS + code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


_LOAD_HOURS = """
from amplitude_assets.config import load_settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.instance.retention import clear_runs
from amplitude_assets.runs.in_process import MainRun
from datetime import UTC, datetime, timedelta
settings = load_settings()
hours = HourRange(parse_hour("2026-02-01T00"), parse_hour("2026-02-01T01"))
with open_instance(settings) as instance:
    run = MainRun(build_definitions(settings), instance, 24, hours)
    run.load_hours()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert clear_runs(instance, epoch, datetime.now(UTC) + timedelta(days=60), timedelta(1)) == 0
    print(len(run.outcome.loaded), run.outcome.reasons, type(instance).__name__)
"""


def test_with_the_setting_hours_are_loaded_without_a_private_import() -> None:
    done = python(_LOAD_HOURS, DAGSTER_PUBLIC_API_ONLY="true", EMULATOR_EVENTS_PER_HOUR="20")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 [] DagsterInstance"


def test_without_the_setting_there_are_private_imports() -> None:
    done = python(_LOAD_HOURS, EMULATOR_EVENTS_PER_HOUR="20")
    assert "imports dagster_dbt.core" in done.stderr
