"""Compare bronze with a model for random histories of loads, reloads, shrinks and bad hours."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amplitude_assets.hours import HOUR, HourRange
from amplitude_assets.lake.layout import manifest_key
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.faults.place import FIRST
from tests.support.lake import PROJECT, manifest_of, publish

HOURS = HourRange(FIRST, FIRST + 3 * HOUR)

# A load is a set of hours, each with the line counts of its files and whether it is intact.
hour_states = st.tuples(st.lists(st.integers(1, 4), max_size=3, unique=True), st.booleans())
loads = st.lists(st.dictionaries(st.integers(0, 3), hour_states, max_size=4), max_size=6)


def files_of(sizes: list[int]) -> list[list[bytes]]:
    return [[b'{"file": %d, "line": %d}' % (size, n) for n in range(size)] for size in sizes]


def manifest(lake: Lake, number: int, sizes: list[int], is_whole: bool, folder: Path) -> Manifest:
    """Publish an hour; unless `is_whole`, its manifest counts one line too many."""
    hour = FIRST + number * HOUR
    whole = publish(lake, hour, files_of(sizes), folder)
    if is_whole:
        return whole
    return whole.model_copy(update={"lines": whole.lines + 1, "digest": f"bad-{sorted(sizes)}"})


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(loads)
def test_bronze_and_the_ledger_equal_a_model_of_the_loads(
    tmp_path_factory: pytest.TempPathFactory, history: list[dict[int, tuple[list[int], bool]]]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    lake, warehouse = Lake((folder / "lake").as_uri()), DuckDBWarehouse(folder / "w.duckdb")
    model: dict[int, tuple[frozenset[int], str]] = {}
    for at, load in enumerate(history):
        manifests = [manifest(lake, n, *state, folder / "files") for n, state in load.items()]
        report = warehouse.load(lake, manifests, f"load-{at}")
        bad = {n for n, (_, is_whole) in load.items() if not is_whole}
        assert {error.hour for error in report.errors} == {FIRST + n * HOUR for n in bad}
        for n, (sizes, _) in load.items():
            loaded = frozenset(sizes)
            if n not in bad and model.get(n, (None, ""))[0] != loaded:
                model[n] = (loaded, f"load-{at}")

    ledger = warehouse.ledger(PROJECT, HOURS)
    assert {hour: (row.lines, row.objects, row.load_id) for hour, row in ledger.items()} == {
        FIRST + n * HOUR: (sum(loaded), len(loaded), load_id)
        for n, (loaded, load_id) in model.items()
    }
    counted = {count.export_hour: count.bronze_rows for count in warehouse.counts(PROJECT, HOURS)}
    assert counted == {FIRST + n * HOUR: sum(loaded) for n, (loaded, _) in model.items()}
    if model:
        total = warehouse.query("select count(*) from bronze.raw_events")
        assert total == [(sum(sum(loaded) for loaded, _ in model.values()),)]


@given(
    st.lists(st.lists(st.integers(1, 4), max_size=3), max_size=3, unique_by=tuple),
    st.integers(0, 200_000),
)
@settings(max_examples=50, suppress_health_check=list(HealthCheck))
def test_a_manifest_is_unchanged_after_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]], hours_later: int
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    lines = [[b"%d" % number for number in file] for file in files]
    written, _ = manifest_of(FIRST + hours_later * HOUR, lines, folder)
    lake = Lake((folder / "lake").as_uri())
    key = manifest_key(written.project_id, written.export_hour)
    lake.write(key, written.to_json().encode())
    assert lake.read_manifest(written.project_id, written.export_hour) == written
