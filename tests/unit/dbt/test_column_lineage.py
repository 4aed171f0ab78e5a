"""The column lineage file is read only for its version and models."""

from pathlib import Path

from dagster import AssetKey, TableColumnDep, TableColumnLineage

from amplitude_assets.dbt.column_lineage import read_lineage, write_lineage

EVENTS, USERS, SEED = (AssetKey(["silver", name]) for name in ("events", "users", "seed"))
LINEAGE = {
    EVENTS: TableColumnLineage(
        {
            "uuid": [TableColumnDep(AssetKey(["bronze", "events"]), "uuid")],
            "first_seen": [TableColumnDep(USERS, "seen"), TableColumnDep(EVENTS, "time")],
            "constant": [],
        }
    ),
    SEED: None,
}


def test_written_lineage_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "column_lineage.json"
    write_lineage(path, "one", LINEAGE)
    assert read_lineage(path, "one", [EVENTS, SEED]) == LINEAGE
    assert read_lineage(path, "one", [SEED]) == {SEED: None}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_another_version_or_a_missing_model_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "column_lineage.json"
    assert read_lineage(path, "one", [EVENTS]) is None
    write_lineage(path, "one", LINEAGE)
    assert read_lineage(path, "two", [EVENTS]) is None
    assert read_lineage(path, "one", [EVENTS, USERS]) is None


def test_a_folder_that_cannot_be_written_is_not_an_error(tmp_path: Path) -> None:
    path = tmp_path / "not there" / "column_lineage.json"
    write_lineage(path, "one", LINEAGE)
    assert read_lineage(path, "one", [EVENTS]) is None
