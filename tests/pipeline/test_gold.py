"""Compare every row of every gold table with the oracle's result for the exported lines.

A world arrives in several loads: hours in random order, then corrections and merges. dbt runs after
each load, and gold must equal the oracle's result for the lines loaded so far. A full refresh at
the end must give the same rows. Two more time zones, each with its week start, load the world in
two loads.

The second load adds a second project with the same ids at the same times. The oracle computes the
expected rows of each project separately.
"""

import csv
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.oracle import COLUMNS, Settings, gold_tables
from tests.pipeline.gold_world import (
    FUNNELS,
    INACTIVE_EVENT_TYPES,
    NEIGHBOUR_ID,
    PROJECT_ID,
    Load,
    combine_loads,
    final_state,
    loads,
    neighbour,
)
from tests.support import bronze, dbt

# The rows of a table: the exact values of a row as the key, its floats as the value.
Rows = dict[tuple[object, ...], list[float]]
Tables = dict[str, Rows]

ZONES = (("UTC", "monday"), ("America/Los_Angeles", "sunday"), ("Asia/Kolkata", "monday"))


@dataclass
class Outcome:
    """The found and the expected rows of gold after each load."""

    warehouse: Path
    found: list[Tables]
    expected: list[Tables]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the dbt project and give it the world's inactive event types and funnels."""
    copy = tmp_path_factory.mktemp("project") / "dbt_project"
    shutil.copytree(dbt.PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    seeds = {path.name: path for path in (copy / "seeds").rglob("*.csv")}
    _write_seed(seeds["inactive_event_types.csv"], [[name] for name in INACTIVE_EVENT_TYPES])
    _write_seed(
        seeds["funnels.csv"],
        [
            [funnel.name, step, event_type, round(funnel.window.total_seconds() / 3600)]
            for funnel in FUNNELS
            for step, event_type in enumerate(funnel.event_types, start=1)
        ],
    )
    return copy


def _write_seed(path: Path, rows: Iterable[Sequence[object]]) -> None:
    header = path.read_text().splitlines()[0].split(",")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture(scope="module", params=ZONES, ids=lambda zone: zone[0])
def outcome(
    request: pytest.FixtureRequest, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """Apply the loads of the world one by one, and run dbt after each."""
    timezone, week_start = request.param
    settings = Settings(timezone, week_start, INACTIVE_EVENT_TYPES, FUNNELS)
    warehouse = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    world = loads(seed=ZONES.index(request.param))
    if timezone != "UTC":
        world = [world[0], combine_loads(world[1:])]
    second_project = neighbour(seed=ZONES.index(request.param))
    found, expected = [], []
    for number, load in enumerate(world, start=1):
        _load(warehouse, load, number)
        if number == 2:
            _load(warehouse, second_project, number, NEIGHBOUR_ID)
        dbt.build(warehouse, project=project, timezone=timezone, week_start=week_start, tests=False)
        found.append(_gold(warehouse))
        oracle = gold_tables(PROJECT_ID, *final_state(world[:number]), settings)
        if number >= 2:
            other = gold_tables(NEIGHBOUR_ID, *final_state([second_project]), settings)
            oracle = {table: rows + other[table] for table, rows in oracle.items()}
        expected.append({table: _comparable(rows) for table, rows in oracle.items()})
    return Outcome(warehouse, found, expected)


def _load(warehouse: Path, load: Load, number: int, project_id: int = PROJECT_ID) -> None:
    with duckdb.connect(warehouse) as con:
        bronze.load_hours(con, load.hours, project_id, f"load-{number}")
        bronze.forget_hours(con, load.forgotten, project_id)
        for line, merge in enumerate(load.merges, start=1):
            con.execute(
                "insert into bronze.merge_ids values (?, ?, ?, ?, ?, ?, ?, now()::timestamp)",
                (
                    project_id,
                    f"merges-{number}",
                    line,
                    merge.absorbed,
                    merge.surviving,
                    merge.merge_time,
                    merge.merge_time,
                ),
            )


def _gold(warehouse: Path) -> Tables:
    with duckdb.connect(warehouse, read_only=True) as con:
        return {
            table: _comparable(
                con.execute(f"select {', '.join(names)} from gold.{table}").fetchall()
            )
            for table, names in COLUMNS.items()
        }


def _comparable(rows: Iterable[tuple[object, ...]]) -> Rows:
    comparable: Rows = {}
    for row in rows:
        exact = tuple(_exact(value) for value in row)
        assert exact not in comparable, f"twice: {exact}"
        comparable[exact] = [value for value in row if isinstance(value, float)]
    return comparable


def _exact(value: object) -> object:
    if isinstance(value, Decimal):
        return round(value, 9)
    return "a fraction" if isinstance(value, float) else value


def _differences(found: Rows, expected: Rows) -> list[str]:
    """Describe missing rows, extra rows, and rows whose floats differ."""
    return [
        *(f"missing: {row} {expected[row]}" for row in expected.keys() - found.keys()),
        *(f"too many: {row} {found[row]}" for row in found.keys() - expected.keys()),
        *(
            f"differs: {row} {found[row]} is not {expected[row]}"
            for row in found.keys() & expected.keys()
            if found[row] != pytest.approx(expected[row], rel=1e-9, abs=1e-9)
        ),
    ]


@pytest.mark.parametrize("table", COLUMNS)
def test_rows_equal_the_oracles_after_every_load(outcome: Outcome, table: str) -> None:
    for number, (found, expected) in enumerate(
        zip(outcome.found, outcome.expected, strict=True), start=1
    ):
        assert _differences(found[table], expected[table]) == [], f"after load {number}"
        assert found[table], f"the world has no rows for {table}"


def test_every_table_has_separate_rows_for_each_project(outcome: Outcome) -> None:
    for table, rows in outcome.found[-1].items():
        assert {row[0] for row in rows} == {PROJECT_ID, NEIGHBOUR_ID}, table


def test_impossible_event_dates_do_not_extend_the_date_range(outcome: Outcome) -> None:
    for table in ("agg_active_users_daily", "agg_lifecycle", "agg_event_daily"):
        dates = {value for row in outcome.found[-1][table] for value in row if type(value) is date}
        assert date(2025, 12, 1) <= min(dates) <= max(dates) <= date(2026, 6, 1), table


@pytest.mark.parametrize("outcome", ZONES[:1], ids=lambda zone: zone[0], indirect=True)
def test_a_full_refresh_gives_the_same_rows_and_all_data_tests_pass(
    outcome: Outcome, project: Path
) -> None:
    dbt.build(outcome.warehouse, project=project, full_refresh=True)
    for table, rows in _gold(outcome.warehouse).items():
        assert _differences(rows, outcome.found[-1][table]) == [], table


@pytest.fixture(scope="module")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build all models over empty bronze tables."""
    warehouse = tmp_path_factory.mktemp("empty") / "warehouse.duckdb"
    with duckdb.connect(warehouse) as con:
        bronze.create_bronze(con)
    dbt.build(warehouse)
    return warehouse


def test_every_table_exists_without_data(empty_warehouse: Path) -> None:
    assert not [name for name, rows in _gold(empty_warehouse).items() if rows]
