"""The same lake and the same dbt project, through DuckDB and through Snowflake's wire.

A world arrives in several loads: hours in random order, replayed, corrected and emptied, lines that
are no JSON, merge files. After each load dbt runs on both, and every table must be the same, row by
row. What this cannot show are mistakes that both make alike: for DuckDB there is the oracle.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.snowflake_access import snowflake_connections
from amplitude_assets.warehouse.base import Warehouse
from amplitude_assets.warehouse.duckdb import DuckDBWarehouse
from tests.snowflake.loads import publish_load, world_in_three_loads
from tests.support import dbt
from tests.support.snowflake import SnowflakeUnderTest

# dbt builds everything over the wire here, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

# When a row was loaded is the one thing that has to differ.
_OWN = {"loaded_at"}
_BUILD = ["build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"]
# They parse every line anew, so they are read once, at the end.
_VIEWS = {"bronze.events", "silver.exported_events"}

Table = Counter[tuple[object, ...]]
Columns = dict[str, list[tuple[str, str]]]


@dataclass
class Tables:
    """The rows of every table of bronze, silver and gold, by its name."""

    duckdb: dict[str, Table]
    snowflake: dict[str, Table]


@pytest.fixture(scope="module")
def tables_after_each_load(
    account: SnowflakeUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> list[Tables]:
    """Load the world into both, load by load, with a dbt run after each."""
    account.empty()
    folder = tmp_path_factory.mktemp("differential")
    ours, theirs = DuckDBWarehouse(folder / "warehouse.duckdb"), account.warehouse()
    found = []
    before: list[Manifest] = []
    with pytest.MonkeyPatch.context() as patched:
        for name, value in account.environment.items():
            patched.setenv(name, value)
        world = world_in_three_loads()
        for number, load in enumerate(world, start=1):
            manifests = publish_load(account.lake, load, folder / "files")
            for warehouse in (ours, theirs):
                _load(warehouse, account, [*before, *manifests], f"load-{number}")
            before = manifests
            dbt.run(_BUILD, ours.path)
            dbt.run_on(account.environment, _BUILD)
            left_out = set() if number == len(world) else _VIEWS
            found.append(_read_both(ours, account, left_out))
    return found


def _load(
    warehouse: Warehouse, account: SnowflakeUnderTest, manifests: list[Manifest], load_id: str
) -> None:
    """Load hours, those of the load before once more."""
    latest = {manifest.export_hour: manifest for manifest in manifests}
    report = warehouse.load(account.lake, list(latest.values()), load_id)
    assert not report.errors
    warehouse.load_merges(account.lake, manifests[0].project_id)


def _read_both(ours: DuckDBWarehouse, account: SnowflakeUnderTest, left_out: set[str]) -> Tables:
    """Read every table of both, the columns in the same order."""
    with duckdb.connect(str(ours.path), read_only=True) as con:
        described = con.execute(
            "select table_schema || '.' || table_name, list((column_name, data_type)) "
            "from information_schema.columns where table_schema in ('bronze', 'silver', 'gold') "
            "group by all"
        ).fetchall()
        columns: Columns = {
            table: sorted((name, kind) for name, kind in pairs if name not in _OWN)
            for table, pairs in described
            if table not in left_out
        }
        mine = {
            table: _rows(con.execute(_sql(table, columns)).fetchall(), columns[table])
            for table in columns
        }
    with snowflake_connections(account.settings)() as connection:
        cursor = connection.cursor()
        other = {}
        for table in columns:
            cursor.execute(_sql(table, columns))
            other[table] = _rows(cursor.fetchall(), columns[table])
    return Tables(mine, other)


def _sql(table: str, columns: Columns) -> str:
    names = (
        # Of the text that an engine writes a value as, and they write it differently.
        "user_properties_hash is null" if name == "user_properties_hash" else name
        for name, _ in columns[table]
    )
    return f"select {', '.join(names)} from {table}"


def _rows(rows: Iterable[Sequence[Any]], columns: list[tuple[str, str]]) -> Table:
    return Counter(
        tuple(_value(value, kind) for value, (_, kind) in zip(row, columns, strict=True))
        for row in rows
    )


def _value(value: Any, kind: str) -> object:
    """Return a value as both engines must give it: the same number whatever its Python type."""
    if value is None:
        return None
    if kind == "JSON":
        return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, Decimal | int | float) and not isinstance(value, bool):
        return round(float(value), 9) if kind in ("DOUBLE", "FLOAT") else Decimal(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return str(value) if "[]" in kind else value


def test_the_world_fills_every_table_of_gold(tables_after_each_load: list[Tables]) -> None:
    last = tables_after_each_load[-1].duckdb
    gold = {name for name in last if name.startswith("gold.")}
    assert len(gold) >= 13
    assert not {name for name in gold if not last[name]}


def test_every_table_is_the_same_row_by_row(tables_after_each_load: list[Tables]) -> None:
    different = []
    for number, tables in enumerate(tables_after_each_load, start=1):
        for name, rows in tables.duckdb.items():
            here, there = rows - tables.snowflake[name], tables.snowflake[name] - rows
            if here or there:
                shown = f"{list(here)[:1]} and {list(there)[:1]}"[:2000]
                different.append(f"load {number}, {name}: {here.total()}, {there.total()}: {shown}")
    assert not different, "\n".join(different)
