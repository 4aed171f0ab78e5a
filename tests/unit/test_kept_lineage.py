"""The file of the column lineage: what was kept is read, and only where it holds."""

from pathlib import Path

from dagster import AssetKey, TableColumnDep, TableColumnLineage

from amplitude_assets.assets.kept_lineage import keep_lineage, read_lineage

EVENTS, USERS, SEED = (AssetKey(["silver", name]) for name in ("events", "users", "seed"))
LINEAGE = {
    EVENTS: TableColumnLineage(
        {
            "uuid": [TableColumnDep(AssetKey(["bronze", "events"]), "uuid")],
            "first_seen": [TableColumnDep(USERS, "seen"), TableColumnDep(EVENTS, "time")],
            "made_of_none": [],
        }
    ),
    SEED: None,
}


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "column_lineage.json"
    keep_lineage(path, "one", LINEAGE)
    assert read_lineage(path, "one", [EVENTS, SEED]) == LINEAGE
    assert read_lineage(path, "one", [SEED]) == {SEED: None}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_another_version_or_a_model_that_is_not_there_has_to_be_worked_out(tmp_path: Path) -> None:
    path = tmp_path / "column_lineage.json"
    assert read_lineage(path, "one", [EVENTS]) is None
    keep_lineage(path, "one", LINEAGE)
    assert read_lineage(path, "two", [EVENTS]) is None
    assert read_lineage(path, "one", [EVENTS, USERS]) is None


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "not there" / "column_lineage.json"
    keep_lineage(path, "one", LINEAGE)
    assert read_lineage(path, "one", [EVENTS]) is None
