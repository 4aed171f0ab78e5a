"""Rules that hold for the whole dbt project, read off its manifest and an empty warehouse.

They are the rules of dbt_project_evaluator that make sense here, without the package: every model
says its grain, documents every column, has a tested key, and stands where its layer may stand.
"""

from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import GenericTestNode, ModelNode

from tests.oracle import COLUMNS
from tests.support.bronze import load_hours
from tests.support.dbt import PROJECT, build, parse, run

KEY_TESTS = {"unique", "unique_together"}
# A list of combinations of keys, and two views: their key is tested in the tables made from them.
WITHOUT_KEY = {"event_changes", "exported_events", "bronze_events"}
# Lines are parsed in one place, and counted in another. Any model may ask the ledger.
LINE_READERS = {"bronze_events", "rpt_data_quality"}


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return parse()


@pytest.fixture(scope="module")
def models(manifest: Manifest) -> list[ModelNode]:
    return [node for node in manifest.nodes.values() if isinstance(node, ModelNode)]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse built from one empty hour: every table is there, without rows."""
    path = tmp_path_factory.mktemp("project") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        load_hours(con, {datetime(2026, 9, 1): []})
    build(path, tests=False)
    return path


def test_every_description_begins_with_the_grain(models: list[ModelNode]) -> None:
    wrong = [model.name for model in models if not model.description.startswith("One row per ")]
    assert wrong == []


def test_every_column_is_documented_and_no_other(models: list[ModelNode], warehouse: Path) -> None:
    wrong = []
    with duckdb.connect(str(warehouse), read_only=True) as con:
        for model in models:
            table = f"{model.schema}.{model.alias}"
            built = {column for column, *_ in con.execute(f"describe {table}").fetchall()}
            documented = {name for name, column in model.columns.items() if column.description}
            wrong += [f"{table}.{column}" for column in sorted(built ^ documented)]
    assert wrong == []


def test_every_model_has_a_tested_key(manifest: Manifest, models: list[ModelNode]) -> None:
    tested = {
        node.attached_node
        for node in manifest.nodes.values()
        if isinstance(node, GenericTestNode) and node.test_metadata.name in KEY_TESTS
    }
    missing = {model.name for model in models if model.unique_id not in tested}
    assert missing == WITHOUT_KEY


def test_models_stand_in_the_folder_of_their_schema(models: list[ModelNode]) -> None:
    assert [model.name for model in models if model.path.split("/")[0] != model.schema] == []


def test_layers_read_only_what_is_below_them(manifest: Manifest, models: list[ModelNode]) -> None:
    layers = ["bronze", "silver", "gold"]
    wrong = [
        (model.name, parent)
        for model in models
        for parent in model.depends_on.nodes
        if parent in manifest.nodes
        and layers.index(manifest.nodes[parent].schema) > layers.index(model.schema)
    ]
    assert wrong == []


def test_lines_are_parsed_in_one_place(models: list[ModelNode]) -> None:
    lines = "source.amplitude.bronze.raw_events"
    readers = {model.name for model in models if lines in model.depends_on.nodes}
    assert readers == LINE_READERS


def test_each_model_has_a_yaml_file_of_its_own(models: list[ModelNode]) -> None:
    for model in models:
        sql = PROJECT / model.original_file_path
        assert sql.with_suffix(".yml").exists(), sql


def test_contracts_are_enforced_where_others_build_on(models: list[ModelNode]) -> None:
    bound = {model.name for model in models if model.config.contract.enforced}
    gold = {model.name for model in models if model.schema == "gold"}
    assert bound == gold | {"events"}


def test_unit_tests_pass(warehouse: Path, manifest: Manifest) -> None:
    results = run(["test", "--select", "test_type:unit"], warehouse)
    assert len(results) > 20
    of_gold = [t for t in manifest.unit_tests.values() if "models/gold/" in t.original_file_path]
    assert len(of_gold) >= len(COLUMNS)
    assert {unit_test.name for unit_test in of_gold} <= results.keys()


@pytest.mark.parametrize("target", ["duckdb", "snowflake"])
def test_parsing_warns_of_nothing(target: str, tmp_path: Path) -> None:
    outcome = dbtRunner().invoke(
        [
            "parse", "--no-partial-parse", "--show-all-deprecations", "--warn-error", "--quiet",
            "--target", target, "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
            "--target-path", str(tmp_path), "--log-path", str(tmp_path),
        ]
    )  # fmt: skip
    assert outcome.success, outcome.exception
