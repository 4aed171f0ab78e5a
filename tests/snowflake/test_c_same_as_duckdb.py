"""Level c: compare the tables of DuckDB and Snowflake for the same lake and dbt project.

A world arrives in several loads: hours in random order, reloaded, corrected and emptied, lines that
are not JSON, merge files. dbt runs on both engines after each load, and every table must have the
same rows. An error that both engines share is not found here; the oracle tests DuckDB for that.
"""

import pytest

from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.warehouse.base import Warehouse
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.snowflake.loads import publish_load, world_in_three_loads
from tests.snowflake.tables import Tables, read_both
from tests.support import dbt
from tests.support.snowflake import SnowflakeUnderTest

# dbt builds all models over HTTP, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

_BUILD = ["build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"]
# These views parse every line on each read, so they are read once, at the end.
_VIEWS = {"bronze.events", "silver.exported_events"}


@pytest.fixture(scope="module")
def tables_after_each_load(
    account: SnowflakeUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> list[Tables]:
    """Load the world into both engines, with a dbt run after each load."""
    account.empty()
    folder = tmp_path_factory.mktemp("differential")
    duckdb_warehouse, snowflake_warehouse = (
        DuckDBWarehouse(folder / "warehouse.duckdb"),
        account.warehouse(),
    )
    found = []
    before: list[Manifest] = []
    with pytest.MonkeyPatch.context() as patched:
        for name, value in account.environment.items():
            patched.setenv(name, value)
        world = world_in_three_loads()
        for number, load in enumerate(world, start=1):
            manifests = publish_load(account.lake, load, folder / "files")
            for warehouse in (duckdb_warehouse, snowflake_warehouse):
                _load(warehouse, account, [*before, *manifests], f"load-{number}")
            before = manifests
            dbt.run(_BUILD, duckdb_warehouse.path)
            dbt.run_on(account.environment, _BUILD)
            skipped = set() if number == len(world) else _VIEWS
            found.append(read_both(duckdb_warehouse, account, skipped))
    return found


def _load(
    warehouse: Warehouse, account: SnowflakeUnderTest, manifests: list[Manifest], load_id: str
) -> None:
    """Load these hours and merges."""
    latest = {manifest.export_hour: manifest for manifest in manifests}
    report = warehouse.load(account.lake, list(latest.values()), load_id)
    assert not report.errors
    warehouse.load_merges(account.lake, manifests[0].project_id)


def test_the_world_fills_every_table_of_gold(tables_after_each_load: list[Tables]) -> None:
    last = tables_after_each_load[-1].duckdb
    gold = {name for name in last if name.startswith("gold.")}
    assert len(gold) >= 13
    assert not {name for name in gold if not last[name]}


def test_every_table_has_the_same_rows_in_both_engines(
    tables_after_each_load: list[Tables],
) -> None:
    different = [
        f"load {number}, {difference}"
        for number, tables in enumerate(tables_after_each_load, start=1)
        for difference in tables.differences()
    ]
    assert not different, "\n".join(different)
