"""dbt on DuckDB beyond its memory limit: DuckDB spills to disk and the build continues."""

import os
from argparse import Namespace
from pathlib import Path

import pytest
from dbt.adapters.duckdb.environments import create
from dbt.config.runtime import load_profile
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context

from amplitude_assets.dbt.project import DBT_PROJECT_DIR

# Sorting it takes more than twice the limit.
LARGE = "create temp table large as select md5(i::varchar) as m from range(4000000) r(i) order by m"


def test_a_connection_opens_after_another_has_spilled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("DUCKDB_MEMORY_LIMIT", "200MB")
    set_invocation_context(os.environ)
    folder = str(DBT_PROJECT_DIR)
    set_from_args(Namespace(PROFILES_DIR=folder, PROJECT_DIR=folder), None)
    # As in dbt: one DuckDB, and a connection with the profile's settings for each model.
    duckdb = create(load_profile(folder, {}, target_override="duckdb").credentials)
    first = duckdb.handle()
    first.cursor().execute(LARGE)
    assert first.cursor().execute("select count(*) from duckdb_temporary_files()").fetchone() > (0,)
    second = duckdb.handle()
    assert second.cursor().execute("select 1").fetchone() == (1,)
    second.close()
    first.close()
