"""Users can add assets and dbt models to the graph without changing the package's code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import ROOT

_GRAPH = """
import json
from amplitude_assets.definitions import defs

graph = {
    node.key.to_user_string(): [node.group_name, *(k.to_user_string() for k in node.parent_keys)]
    for node in defs().resolve_asset_graph().asset_nodes
}
print(json.dumps(graph))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what a checkout needs to load its graph."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
    for name in ("amplitude_assets", "dbt_project"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_users_asset_and_dbt_model_are_in_the_graph(checkout: Path) -> None:
    scripts = Path(sys.executable).parent
    run(checkout, scripts / "dg", "scaffold", "defs", "dagster.asset", "mine.py")
    mine = checkout / "amplitude_assets" / "defs" / "mine.py"
    text = mine.read_text()
    assert "@dg.asset" in text
    mine.write_text(
        text.replace("@dg.asset", '@dg.asset(deps=[dg.AssetKey(["gold", "dim_users"])])')
    )
    custom = checkout / "dbt_project" / "models" / "custom"
    custom.mkdir()
    (custom / "newest_users.sql").write_text(
        "select user_key, new_at from {{ ref('dim_users') }} order by new_at desc limit 10\n"
    )

    graph = json.loads(run(checkout, sys.executable, "-c", _GRAPH).splitlines()[-1])

    assert graph["mine"] == ["default", "gold/dim_users"]
    assert graph["custom/newest_users"] == ["custom", "gold/dim_users"]
