"""Removing a person from lake and bronze, without others' data, also after a kill at any step."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from amplitude_assets.forgetting.removal import find_hours, put_on_list
from amplitude_assets.hours import HOUR, format_hour
from amplitude_assets.lake.forgotten import forgotten_digests, read_requests
from amplitude_assets.lake.layout import events_prefix, manifest_key
from tests.faults.child import start
from tests.support.lake import PROJECT

from .place import ANNA, FIRST, ForgettingPlace, forget_until_killed

pytestmark = pytest.mark.integration

REMOVAL = "amplitude_assets.forgetting.removal"
LAKE = "amplitude_assets.lake.store.Lake"
DUCKDB = "amplitude_assets.warehouse.duckdb.warehouse.DuckDBWarehouse"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder to copy."""
    place = ForgettingPlace(tmp_path_factory.mktemp("filled"))
    place.fill()
    return place.folder


@pytest.fixture
def place(filled: Path, tmp_path: Path) -> ForgettingPlace:
    return ForgettingPlace(Path(shutil.copytree(filled, tmp_path / "place")))


@pytest.fixture(scope="module")
def forgotten(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> ForgettingPlace:
    """Return a place where Anna was forgotten without interruption."""
    folder = tmp_path_factory.mktemp("forgotten") / "place"
    place = ForgettingPlace(Path(shutil.copytree(filled, folder)))
    assert place.forget() == 3
    return place


def test_every_id_of_the_person_and_every_hour_is_found(place: ForgettingPlace) -> None:
    person = place.find()
    assert person.ids == ["77001", "77002", "user:anna@example.com"]
    assert person.lines_by_hour == {FIRST: 1, FIRST + HOUR: 1}
    assert set(place.left()) == {
        "lake: events of 4 hours",
        "lake: rejected lines",
        "lake: older deliveries",
        "lake: merge files",
        "bronze.merge_ids",
        "bronze.raw_events",
        "bronze.rejected_lines",
    }


def test_all_data_of_the_person_is_removed_and_none_of_others(
    forgotten: ForgettingPlace,
) -> None:
    assert forgotten.left() == {}
    state: dict[str, Any] = forgotten.state()
    objects = b"".join(state["objects"].values())
    assert b"anna" not in objects
    assert b"77001" not in objects
    assert sorted(n for n in range(10) if b"u-%d" % n in objects) == [3, 4, 6, 8]
    assert b"half of bob@example.com" in objects
    assert [row[4] for row in state["raw_events"] if "anna" in row[4]] == []
    assert len(state["raw_events"]) == 4
    assert [row[-1] for row in state["rejected_lines"]] == ["", "{half of bob@example.com"]
    assert [row[3:5] for row in state["merge_ids"]] == [(77_009, 77_003)]
    assert state["landing"] == []


def test_each_hour_reports_the_number_of_removed_lines(forgotten: ForgettingPlace) -> None:
    manifests = forgotten.state()["manifests"]
    assert isinstance(manifests, list)
    counts = [(m.status, m.lines, m.rejected_lines, m.forgotten_lines) for m in manifests]
    assert counts == [
        ("loaded", 2, 0, 1), ("empty", 0, 0, 1), ("loaded", 3, 2, 0), ("loaded", 1, 0, 1),
    ]  # fmt: skip


def test_the_list_reveals_no_ids(forgotten: ForgettingPlace) -> None:
    (request,) = read_requests(forgotten.lake, PROJECT)
    assert request.hours == (FIRST, FIRST + HOUR, FIRST + 2 * HOUR, FIRST + 3 * HOUR)
    text = request.model_dump_json()
    assert len(forgotten_digests(forgotten.lake, PROJECT)) == 3
    assert not any(str(one) in text for one in ANNA.values())


def test_forgetting_again_changes_nothing(forgotten: ForgettingPlace) -> None:
    before = forgotten.state()
    assert forgotten.forget() == 0
    assert forgotten.state() == before


@pytest.mark.parametrize(
    ("where", "what", "nth", "after"),
    [
        (REMOVAL, "add_request", 1, True),
        (REMOVAL, "rewrite_hour", 2, False),
        (LAKE, "write_manifest", 2, False),
        (LAKE, "write_manifest", 2, True),
        (REMOVAL, "rewrite_merges", 1, False),
        (DUCKDB, "load", 1, False),
        (DUCKDB, "load", 1, True),
        (DUCKDB, "drop_merges", 1, True),
        (LAKE, "delete", 1, True),
        (LAKE, "delete", 3, False),
    ],
)
def test_after_a_kill_at_any_step_the_next_call_finishes(
    where: str, what: str, nth: int, after: bool, place: ForgettingPlace, forgotten: ForgettingPlace
) -> None:
    killed = start(forget_until_killed, place.folder, where, what, nth, after)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    place.forget()
    assert place.left() == {}
    assert place.state() == forgotten.state()


def test_a_damaged_hour_is_named_and_blocks_no_other(
    place: ForgettingPlace, forgotten: ForgettingPlace
) -> None:
    """One hour has an empty manifest, and another an object with changed bytes."""
    lake = place.folder / "lake"
    (lake / manifest_key(PROJECT, FIRST)).write_bytes(b"")
    (broken,) = (lake / events_prefix(PROJECT, FIRST + HOUR)).iterdir()
    kept = broken.read_bytes()
    broken.write_bytes(kept[:-1] + b"?")
    person = place.find()
    contents = find_hours(place.places, person)
    put_on_list(place.places, person)
    removal = place.remove(person, contents)
    assert removal.lines == 1
    assert removal.failed.keys() == {FIRST, FIRST + HOUR}
    for hour, reason in removal.failed.items():
        assert f"amplitude-assets run --from {format_hour(hour)} --to {format_hour(hour)}" in reason
    left = place.left()
    assert left["lake: hours with a damaged manifest"] == 2
    assert left["lake: events of 4 hours"] == 1

    # As after downloading the hours again, but with her lines, which the removal must find.
    broken.write_bytes(kept)
    place.publish_first_hour()
    place.forget()
    assert place.left() == {}
    assert place.state() == forgotten.state()
