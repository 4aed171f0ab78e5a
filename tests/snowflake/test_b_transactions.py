"""Level b: a model whose insert fails keeps its old rows in Snowflake; the next build repairs it.

Only on the fake account, since a live one does not fail on request.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from amplitude_assets.connections.snowflake import snowflake_connections
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.pipeline.gold_world import Load
from tests.snowflake.loads import publish_load, world_in_three_loads
from tests.snowflake.tables import read_both
from tests.support import dbt
from tests.support.fakesnow_server import FakeSnowflake, Fault
from tests.support.snowflake import SnowflakeUnderTest
from tests.support.snowflake_grammar import grammar_errors

# dbt builds the models several times over the wire, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1800)

_BUILD = ["build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"]
_INSERT = re.compile(r"insert into (\S+)\s.*\bfrom \S+__dbt_tmp\b", re.IGNORECASE | re.DOTALL)


@dataclass
class FirstInsertOfEachModel(Fault):
    """Fail the first insert into each incremental model."""

    after: int = 0
    runs: bool = False
    failed: set[str] = field(default_factory=set)

    def applies_to(self, statement: str) -> bool:
        """Return whether this is the first insert into a model."""
        insert = _INSERT.match(statement)
        table = insert[1].lower().partition(".")[2] if insert else ""
        if not table or table in self.failed:
            return False
        self.failed.add(table)
        return True


def test_a_failed_insert_keeps_the_old_rows_and_the_next_build_repairs_every_table(
    fake_account: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fail each incremental model once while hours are corrected and users are merged."""
    fakes = fake_account.fakes
    assert fakes is not None
    fake_account.empty()
    for name, value in fake_account.environment.items():
        monkeypatch.setenv(name, value)
    duckdb = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    first, second, last = world_in_three_loads()
    _load(fake_account, duckdb, _ten_days_of(Load(first.hours | second.hours)), tmp_path)
    dbt.run(_BUILD, duckdb.path)
    monkeypatch.setenv("SNOWFLAKE_REBUILD_WAREHOUSE", "REBUILD_WH")
    dbt.run_on(fake_account.environment, _BUILD)
    _look_at_the_rebuild(fakes.snowflake)
    users = _rows(fake_account, ["silver.events"], "uuid, user_key")["silver.events"]

    _load(fake_account, duckdb, _ten_days_of(last), tmp_path)
    dbt.run(_BUILD, duckdb.path)
    models = _incremental_models()
    fault = FirstInsertOfEachModel()
    fakes.reset()
    monkeypatch.setattr(fakes.snowflake, "fault", fault)
    unbuilt: list[str] = []  # none selects all
    while fault.failed != models:
        failed, before = set(fault.failed), _rows(fake_account, models)
        with pytest.raises(dbt.DbtError, match="the test's own fault") as failure:
            dbt.run_on(fake_account.environment, [*_BUILD, *unbuilt])
        after, failed = _rows(fake_account, models), fault.failed - failed
        assert failed
        assert not [name for name in failed if after[name] != before[name]]
        # Only those that failed or were skipped, which saves time.
        unbuilt = ["--select", *re.findall(r"^(\w+): ", str(failure.value), re.MULTILINE)]
    dbt.run_on(fake_account.environment, _BUILD)

    assert read_both(duckdb, fake_account, skipped=set()).differences() == []
    later = _rows(fake_account, ["silver.events"], "uuid, user_key")["silver.events"]
    changed = {row[0] for row in users - later} & {row[0] for row in later - users}
    assert changed, "no event belongs to another user than before"
    blocks = [text for text in fakes.snowflake.statements if "execute immediate" in text.lower()]
    assert len(blocks) > len(models)
    assert not _uses_of_the_rebuild_warehouse(fakes.snowflake)
    assert not grammar_errors(f"{blocks[0]};\n")
    assert not grammar_errors(f"{blocks[0].split('$$')[1].strip()}\n")


def _look_at_the_rebuild(snowflake: FakeSnowflake) -> None:
    """Check that each model used the larger warehouse, and that tables keep their privileges."""
    models = len(dbt.models_in_build_order())
    assert len(_uses_of_the_rebuild_warehouse(snowflake)) == models
    created = [text for text in snowflake.statements if "create or replace" in text.lower()]
    tables = [text for text in created if re.match(r"\s*create or replace transient table", text)]
    assert len(tables) > 30
    assert not [text for text in tables if "copy grants" not in text.partition("as (")[0]]


def _uses_of_the_rebuild_warehouse(snowflake: FakeSnowflake) -> list[str]:
    return [text for text in snowflake.account_statements if "use warehouse REBUILD_WH" in text]


def _ten_days_of(load: Load) -> Load:
    """Return a part of a load that fills every table and re-keys users, which saves time."""
    days = datetime(2026, 3, 1), datetime(2026, 3, 11)
    hours = {hour: lines for hour, lines in load.hours.items() if days[0] <= hour < days[1]}
    return Load(hours, merges=load.merges)


def _load(account: SnowflakeUnderTest, duckdb: DuckDBWarehouse, load: Load, folder: Path) -> None:
    manifests = publish_load(account.lake, load, folder / "files")
    for warehouse in (duckdb, account.warehouse()):
        assert not warehouse.load(account.lake, manifests, f"load of {len(manifests)}").errors
        warehouse.load_merges(account.lake, manifests[0].project_id)


def _incremental_models() -> set[str]:
    """Return the tables that a build changes with a delete and an insert, or only an insert."""
    return {
        f"{node.schema}.{node.name}".lower()
        for node in dbt.parse().nodes.values()
        if node.config.materialized == "incremental"
    }


def _rows(
    account: SnowflakeUnderTest, tables: set[str] | list[str], columns: str = "*"
) -> dict[str, Counter[tuple[object, ...]]]:
    with snowflake_connections(account.settings)() as connection:
        cursor = connection.cursor()
        found = {}
        for table in tables:
            cursor.execute(f"select {columns} from {table}")
            found[table] = Counter(cursor.fetchall())
    return found
