"""Read the tables of DuckDB and Snowflake in a form that can be compared."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb

from amplitude_assets.connections.snowflake import snowflake_connections
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.snowflake import SnowflakeUnderTest

# The load time of a row is the only column that may differ.
_NOT_COMPARED = {"loaded_at"}

Table = Counter[tuple[object, ...]]
Columns = dict[str, list[tuple[str, str]]]


@dataclass
class Tables:
    """The rows of every table of bronze, silver and gold, by its name."""

    duckdb: dict[str, Table]
    snowflake: dict[str, Table]

    def differences(self) -> list[str]:
        """Describe each table that is not the same in both, row by row."""
        different = []
        for name, rows in self.duckdb.items():
            here, there = rows - self.snowflake[name], self.snowflake[name] - rows
            if here or there:
                shown = f"{list(here)[:1]} and {list(there)[:1]}"[:2000]
                different.append(f"{name}: {here.total()}, {there.total()}: {shown}")
        return different


def read_both(
    duckdb_warehouse: DuckDBWarehouse, account: SnowflakeUnderTest, skipped: set[str]
) -> Tables:
    """Read every table of both engines, with the columns in the same order."""
    with duckdb.connect(str(duckdb_warehouse.path), read_only=True) as con:
        described = con.execute(
            "select table_schema || '.' || table_name, list((column_name, data_type)) "
            "from information_schema.columns where table_schema in ('bronze', 'silver', 'gold') "
            "group by all"
        ).fetchall()
        columns: Columns = {
            table: sorted((name, kind) for name, kind in pairs if name not in _NOT_COMPARED)
            for table, pairs in described
            if table not in skipped
        }
        duckdb_tables = {
            table: _rows(con.execute(_sql(table, columns)).fetchall(), columns[table])
            for table in columns
        }
    with snowflake_connections(account.settings)() as connection:
        cursor = connection.cursor()
        snowflake_tables = {}
        for table in columns:
            cursor.execute(_sql(table, columns))
            snowflake_tables[table] = _rows(cursor.fetchall(), columns[table])
    return Tables(duckdb_tables, snowflake_tables)


def _sql(table: str, columns: Columns) -> str:
    names = (
        # A hash of an engine's own text format of JSON.
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
    """Return a value in a form that both engines share, independent of its Python type."""
    if value is None:
        return None
    if kind == "JSON":
        return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, Decimal | int | float) and not isinstance(value, bool):
        return round(float(value), 9) if kind in ("DOUBLE", "FLOAT") else Decimal(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return str(value) if "[]" in kind else value
