"""A fake warehouse with given rows, for code that only reads the ledger or runs a query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from amplitude_assets.hours import HourRange
from amplitude_assets.warehouse.base import LedgerRow


def ledger_row(hour: datetime, lines: int = 100, rejected: int = 0) -> LedgerRow:
    """Return a ledger row of an hour with this number of lines."""
    return LedgerRow(
        export_hour=hour,
        status="loaded" if lines else "empty",
        objects=1,
        bytes=lines * 100,
        lines=lines,
        rejected_lines=rejected,
        digest="d",
        load_id="l",
        fetched_at=hour,
        loaded_at=hour,
    )


class FixedWarehouse:
    """Return a fixed ledger and fixed rows."""

    def __init__(
        self, ledger: Mapping[datetime, LedgerRow], rows: Sequence[tuple[Any, ...]] = ()
    ) -> None:
        self._ledger = ledger
        self._rows = rows

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        return {hour: row for hour, row in sorted(self._ledger.items()) if hour in hours}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._rows)
