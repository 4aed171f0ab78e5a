"""Fixtures: gold tables for the report, and a function to read an overview from them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from amplitude_assets.report.model import Overview
from amplitude_assets.report.read import read_overview
from tests.support.gold import PROJECT_ID, create_gold, fill_gold

FIRST = datetime(2026, 10, 1, 5)
LAST = datetime(2026, 11, 23, 4)


@pytest.fixture
def gold(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return empty tables."""
    with create_gold(tmp_path / "warehouse.duckdb") as con:
        yield con


@pytest.fixture
def history(gold: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return tables that hold every hour from FIRST to LAST."""
    fill_gold(gold, FIRST, LAST)
    return gold


def read(con: duckdb.DuckDBPyConnection, zone: str = "UTC") -> Overview:
    """Read the overview from a connection."""
    return read_overview(lambda sql: con.execute(sql).fetchall(), PROJECT_ID, ZoneInfo(zone))
