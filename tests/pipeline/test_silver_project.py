"""Rules for the whole dbt project, checked on its manifest and an empty warehouse.

They are the rules of dbt_project_evaluator that apply here, without the package: every model states
its grain, documents every column, has a tested key, and is in the folder of its layer.
"""

import shutil
from collections import Counter
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import GenericTestNode, ModelNode

from tests.oracle import COLUMNS
from tests.support.bronze import load_hours
from tests.support.dbt import PROJECT, DbtError, build, parse, run

KEY_TESTS = {"unique", "unique_together"}
# A list of key combinations, and two views whose keys are tested in the tables built from them.
WITHOUT_KEY = {"changed_keys", "exported_events", "bronze_events"}
# One model parses lines, another counts them. Any model may read the ledger.
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


def test_exactly_the_existing_columns_are_documented(
    models: list[ModelNode], warehouse: Path
) -> None:
    wrong = []
    with duckdb.connect(str(warehouse), read_only=True) as con:
        for model in models:
            table = f"{model.schema}.{model.alias}"
            built = {column for column, *_ in con.execute(f"describe {table}").fetchall()}
            documented = {name for name, column in model.columns.items() if column.description}
            wrong += [f"{table}.{column}" for column in sorted(built ^ documented)]
    assert wrong == []


def test_repeated_descriptions_are_doc_blocks_and_rendered(manifest: Manifest) -> None:
    columns = [
        column
        for node in (*manifest.nodes.values(), *manifest.sources.values())
        for column in getattr(node, "columns", {}).values()
    ]
    assert not [column.name for column in columns if "{{" in column.description]
    written = Counter((c.name, c.description.strip()) for c in columns if not c.doc_blocks)
    assert [repeated for repeated, times in written.items() if times > 1] == []
    shared = Counter(block for column in columns for block in set(column.doc_blocks))
    blocks = {key: doc for key, doc in manifest.docs.items() if doc.path == "columns.md"}
    assert shared.keys() == blocks.keys()
    assert {text for _, text in written} & {doc.block_contents for doc in blocks.values()} == set()
    assert [block for block, times in shared.items() if times == 1] == []


def test_every_model_has_a_tested_key(manifest: Manifest, models: list[ModelNode]) -> None:
    tested = {
        node.attached_node
        for node in manifest.nodes.values()
        if isinstance(node, GenericTestNode) and node.test_metadata.name in KEY_TESTS
    }
    missing = {model.name for model in models if model.unique_id not in tested}
    assert missing == WITHOUT_KEY


def test_each_model_is_in_the_folder_of_its_schema(models: list[ModelNode]) -> None:
    assert [model.name for model in models if model.path.split("/")[0] != model.schema] == []


def test_models_read_only_their_own_or_a_lower_layer(
    manifest: Manifest, models: list[ModelNode]
) -> None:
    layers = ["bronze", "silver", "gold"]
    wrong = [
        (model.name, parent)
        for model in models
        for parent in model.depends_on.nodes
        if parent in manifest.nodes
        and layers.index(manifest.nodes[parent].schema) > layers.index(model.schema)
    ]
    assert wrong == []


def test_only_one_model_parses_raw_lines(models: list[ModelNode]) -> None:
    lines = "source.amplitude.bronze.raw_events"
    readers = {model.name for model in models if lines in model.depends_on.nodes}
    assert readers == LINE_READERS


def test_no_model_is_recursive(models: list[ModelNode]) -> None:
    """Snowflake limits the depth of a recursion and cannot spill it (error 100298)."""
    assert [model.name for model in models if "with recursive" in model.raw_code.lower()] == []


def test_each_model_has_its_own_yaml_file(models: list[ModelNode]) -> None:
    for model in models:
        sql = PROJECT / model.original_file_path
        assert sql.with_suffix(".yml").exists(), sql


def test_contracts_are_enforced_on_gold_and_events(models: list[ModelNode]) -> None:
    with_contract = {model.name for model in models if model.config.contract.enforced}
    gold = {model.name for model in models if model.schema == "gold"}
    assert with_contract == gold | {"events"}


def test_the_oracle_computes_every_table_of_gold(models: list[ModelNode]) -> None:
    assert {model.name for model in models if model.schema == "gold"} == COLUMNS.keys()


def test_every_gold_table_has_a_project_id(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as con:
        without = con.execute(
            "select table_name from information_schema.tables where table_schema = 'gold' except "
            "select table_name from information_schema.columns where column_name = 'project_id'"
            " and table_schema = 'gold'"
        ).fetchall()
    assert without == [("funnels",)], "the seed is a setting for all projects"


def test_unit_tests_pass(warehouse: Path, manifest: Manifest) -> None:
    results = run(["test", "--select", "test_type:unit"], warehouse)
    assert len(results) > 20
    of_gold = [t for t in manifest.unit_tests.values() if "models/gold/" in t.original_file_path]
    assert len(of_gold) >= len(COLUMNS)
    assert {unit_test.name for unit_test in of_gold} <= results.keys()


BAD_ROWS = {
    "gold/funnels.csv": [
        "gap,1,A,24", "gap,3,B,24",
        "twice,1,A,24", "twice,1,B,24",
        "windows,1,A,24", "windows,2,B,48",
        "no window,1,A,",
        "no type,1,,24",
    ],
    "silver/inactive_event_types.csv": ["Opened", "Opened"],
    "silver/promoted_properties.csv": [
        "device,Plan,plan,text",
        "event,,no_key,text",
        "event,Plan,,text",
        "event,Plan,of_no_type,date",
        "event,Plan,same,text", "user,Plan,same,text",
    ],
}  # fmt: skip


def test_every_bad_row_of_a_seed_is_found(tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    for name, rows in BAD_ROWS.items():
        header = (PROJECT / "seeds" / name).read_text().splitlines()[0]
        (project / "seeds" / name).write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(DbtError) as failed:
        build(tmp_path / "warehouse.duckdb", select=["resource_type:seed"], project=project)
    assert sorted(str(failed.value).splitlines()) == [
        "funnels_are_well_formed: fail Got 5 results, configured to fail if != 0",
        "inactive_event_types_are_well_formed: fail Got 1 result, configured to fail if != 0",
        "promoted_properties_are_well_formed: fail Got 6 results, configured to fail if != 0",
    ]


@pytest.mark.parametrize("target", ["duckdb", "snowflake"])
def test_parsing_emits_no_warning(target: str, tmp_path: Path) -> None:
    outcome = dbtRunner().invoke(
        [
            "parse", "--no-partial-parse", "--show-all-deprecations", "--warn-error", "--quiet",
            "--target", target, "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
            "--target-path", str(tmp_path), "--log-path", str(tmp_path),
        ]
    )  # fmt: skip
    assert outcome.success, outcome.exception
